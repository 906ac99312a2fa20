//! Sealing and opening single pages.
//!
//! A sealed page is as long as a plain one: `SQLite` leaves [`RESERVED_BYTES`] at the end of each page alone, which
//! take nonce and tag. The cipher is AES-256-GCM-SIV (RFC 8452), which keeps its promises but for equality
//! when a nonce comes twice, as after a machine was restored from a snapshot.

use aes::Aes256;
use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _};
use aes_gcm_siv::Aes256GcmSiv;
use aes_gcm_siv::aead::AeadInOut as _;

/// Bytes of a page, sealed or plain.
pub const PAGE_BYTES: usize = PAGE_LENGTH as usize;
/// The same, as it stands in headers.
pub(crate) const PAGE_LENGTH: u16 = 4096;
/// Bytes at the end of each page that hold nothing of `SQLite`'s.
pub const RESERVED_BYTES: usize = RESERVED_LENGTH as usize;
/// The same, as it stands in page 1.
pub(crate) const RESERVED_LENGTH: u8 = 32;

const BODY_BYTES: usize = PAGE_BYTES - RESERVED_BYTES;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;
const TAG_AT: usize = BODY_BYTES + NONCE_BYTES;

/// A page in memory.
pub(crate) type Page = [u8; PAGE_BYTES];

/// Where a page stands; one is not accepted in place of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the database, by its number.
    Database(u32),
    /// In the log, by the number of the page that it is a version of.
    Log(u32),
}

/// A page that is not what was sealed for its place under this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsound;

/// The ciphers of one file.
pub(crate) struct PageCipher {
    pages: Aes256GcmSiv,
    marks: Aes256,
}

/// Nonces that do not come twice: a random part for each use of a file, and a counter.
pub(crate) struct Nonces {
    prefix: [u8; 8],
    used: u32,
}

impl PageCipher {
    pub(crate) fn new(pages: Aes256GcmSiv, marks: Aes256) -> Self {
        Self { pages, marks }
    }

    /// Encrypts a page in place. What stands in its reserved bytes is lost.
    pub(crate) fn seal(&self, place: Place, page: &mut Page, nonce: [u8; NONCE_BYTES]) {
        let (body, reserved) = page.split_at_mut(BODY_BYTES);
        let tag = self
            .pages
            .encrypt_inout_detached(&nonce.into(), &place.to_bytes(), body.into())
            .expect("a page is shorter than what one nonce is good for");
        reserved.fill(0);
        reserved[..NONCE_BYTES].copy_from_slice(&nonce);
        reserved[NONCE_BYTES..NONCE_BYTES + TAG_BYTES].copy_from_slice(&tag);
    }

    /// Decrypts a page in place; its reserved bytes are zero then. An unsound page is left as it is in
    /// no particular state.
    pub(crate) fn open(&self, place: Place, page: &mut Page) -> Result<(), Unsound> {
        let (body, reserved) = page.split_at_mut(BODY_BYTES);
        let nonce: [u8; NONCE_BYTES] = reserved[..NONCE_BYTES].try_into().map_err(|_| Unsound)?;
        let tag: [u8; TAG_BYTES] = reserved[NONCE_BYTES..TAG_AT - BODY_BYTES + TAG_BYTES]
            .try_into()
            .map_err(|_| Unsound)?;
        self.pages
            .decrypt_inout_detached(&nonce.into(), &place.to_bytes(), body.into(), &tag.into())
            .map_err(|_| Unsound)?;
        reserved.fill(0);
        Ok(())
    }

    /// Encrypts 16 bytes in place. Equal ones look equal afterwards.
    pub(crate) fn seal_mark(&self, mark: &mut [u8; 16]) {
        self.marks.encrypt_block(mark.into());
    }

    /// The reverse of [`PageCipher::seal_mark`].
    pub(crate) fn open_mark(&self, mark: &mut [u8; 16]) {
        self.marks.decrypt_block(mark.into());
    }
}

/// What is left of an offset behind whole units, which are no longer than a frame of the log.
pub(crate) fn within(offset: u64, unit: usize) -> usize {
    usize::try_from(offset % unit as u64).unwrap_or_default()
}

impl Place {
    fn to_bytes(self) -> [u8; 5] {
        let (kind, number) = match self {
            Self::Database(number) => (b'd', number),
            Self::Log(number) => (b'l', number),
        };
        let [a, b, c, d] = number.to_be_bytes();
        [kind, a, b, c, d]
    }
}

impl Nonces {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut prefix = [0; 8];
        getrandom::fill(&mut prefix)?;
        Ok(Self { prefix, used: 0 })
    }

    pub(crate) fn next(&mut self) -> Result<[u8; NONCE_BYTES], getrandom::Error> {
        if self.used == u32::MAX {
            *self = Self::new()?;
        }
        self.used += 1;
        let mut nonce = [0; NONCE_BYTES];
        nonce[..8].copy_from_slice(&self.prefix);
        nonce[8..].copy_from_slice(&self.used.to_be_bytes());
        Ok(nonce)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use aes_gcm_siv::KeyInit as _;
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn cipher(byte: u8) -> PageCipher {
        let key = [byte; 32];
        PageCipher::new(Aes256GcmSiv::new(&key.into()), Aes256::new(&key.into()))
    }

    fn page(seed: u8) -> Page {
        let mut page = std::array::from_fn(|at| {
            (at % 251).to_le_bytes()[0].wrapping_mul(seed).wrapping_add(seed)
        });
        page[BODY_BYTES..].fill(0);
        page
    }

    proptest! {
        #[test]
        fn a_sealed_page_opens_in_its_place_alone(seed in any::<u8>(), number in any::<u32>(), nonce in any::<[u8; 12]>()) {
            let plain = page(seed);
            let mut sealed = plain;
            cipher(1).seal(Place::Database(number), &mut sealed, nonce);
            prop_assert_ne!(sealed[..BODY_BYTES].to_vec(), plain[..BODY_BYTES].to_vec());
            let open = |cipher: &PageCipher, place| {
                let mut page = sealed;
                cipher.open(place, &mut page).map(|()| page)
            };
            prop_assert_eq!(open(&cipher(1), Place::Database(number)), Ok(plain));
            prop_assert_eq!(open(&cipher(2), Place::Database(number)), Err(Unsound));
            prop_assert_eq!(open(&cipher(1), Place::Database(number ^ 1)), Err(Unsound));
            prop_assert_eq!(open(&cipher(1), Place::Log(number)), Err(Unsound));
        }

        #[test]
        fn any_changed_bit_is_found(at in 0..TAG_AT + TAG_BYTES, bit in 0..8u32) {
            let mut sealed = page(3);
            cipher(1).seal(Place::Log(7), &mut sealed, [9; 12]);
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(cipher(1).open(Place::Log(7), &mut sealed), Err(Unsound));
        }

        #[test]
        fn a_mark_comes_back(mark in any::<[u8; 16]>()) {
            let mut sealed = mark;
            cipher(4).seal_mark(&mut sealed);
            prop_assert_ne!(sealed, mark);
            cipher(4).open_mark(&mut sealed);
            prop_assert_eq!(sealed, mark);
        }
    }

    #[test]
    fn nonces_do_not_come_twice_when_the_counter_runs_out() {
        let mut nonces = Nonces::new().unwrap();
        nonces.used = u32::MAX - 1;
        let before = nonces.prefix;
        assert_eq!(nonces.next().unwrap()[8..], u32::MAX.to_be_bytes());
        assert_eq!(nonces.next().unwrap()[8..], 1u32.to_be_bytes());
        assert_ne!(nonces.prefix, before);
    }
}
