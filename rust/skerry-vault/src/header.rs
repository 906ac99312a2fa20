//! The page that stands before a sealed database.
//!
//! It holds the same 128 bytes twice, in different sectors: without the salt in them nothing of the file could
//! be read. All numbers are big-endian.
//!
//! | bytes | |
//! |---|---|
//! | 0 to 15 | what the file is |
//! | 16 to 19 | version of the format, 1 |
//! | 20 to 23 | bytes of a page, 4096 |
//! | 24 to 31 | 0 |
//! | 32 to 63 | salt of the keys, random |
//! | 64 to 95 | check value, made of key, salt and the bytes before it |
//! | 96 to 127 | SHA-256 of all before |
//!
//! The digest tells damage of the header without the key; the check value tells a wrong key.

use sha2::{Digest as _, Sha256};

use crate::key::EncryptionKey;
use crate::page::{PAGE_BYTES, PAGE_LENGTH, PageCipher};

/// Bytes before the database.
pub const HEADER_BYTES: usize = PAGE_BYTES;

const MAGIC: &[u8; 16] = b"Skerry sealed\0\0\0";
/// What a plain file begins with.
const PLAIN_MAGIC: &[u8; 16] = b"SQLite format 3\0";
const VERSION: u32 = 1;
const COPIES_AT: [usize; 2] = [0, HEADER_BYTES / 2];
const SALT_AT: usize = 32;
const CHECK_AT: usize = 64;
const DIGEST_AT: usize = 96;
const COPY_BYTES: usize = 128;

/// Why there is no header to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeaderFault {
    /// It is no sealed file. Whether it is a plain `SQLite` file.
    Foreign { is_plain: bool },
    /// It is a header, and damaged in both copies.
    Damaged,
    /// A newer release wrote it.
    Version(u32),
}

/// A sound header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    bytes: [u8; DIGEST_AT],
}

impl Header {
    /// Makes the header page of a new file, and the cipher of its pages.
    pub(crate) fn make(
        key: &EncryptionKey,
    ) -> Result<([u8; HEADER_BYTES], PageCipher), getrandom::Error> {
        let mut salt = [0; 32];
        getrandom::fill(&mut salt)?;
        let mut copy = [0; COPY_BYTES];
        copy[..16].copy_from_slice(MAGIC);
        copy[16..20].copy_from_slice(&VERSION.to_be_bytes());
        copy[20..24].copy_from_slice(&u32::from(PAGE_LENGTH).to_be_bytes());
        copy[SALT_AT..CHECK_AT].copy_from_slice(&salt);
        let (check, cipher) = key.derive(&salt, &copy[..SALT_AT]);
        copy[CHECK_AT..DIGEST_AT].copy_from_slice(&check);
        let digest = Sha256::digest(&copy[..DIGEST_AT]);
        copy[DIGEST_AT..].copy_from_slice(&digest);
        let mut page = [0; HEADER_BYTES];
        for at in COPIES_AT {
            page[at..at + COPY_BYTES].copy_from_slice(&copy);
        }
        Ok((page, cipher))
    }

    /// Reads the header page.
    pub(crate) fn parse(page: &[u8; HEADER_BYTES]) -> Result<Self, HeaderFault> {
        let copies = COPIES_AT.map(|at| &page[at..at + COPY_BYTES]);
        let mut fault = HeaderFault::Foreign { is_plain: page.starts_with(PLAIN_MAGIC) };
        for copy in copies.into_iter().filter(|copy| copy.starts_with(MAGIC)) {
            if Sha256::digest(&copy[..DIGEST_AT]).as_slice() != &copy[DIGEST_AT..] {
                fault = HeaderFault::Damaged;
                continue;
            }
            let mut bytes = [0; DIGEST_AT];
            bytes.copy_from_slice(&copy[..DIGEST_AT]);
            let number = |at: usize| {
                bytes[at..at + 4]
                    .iter()
                    .fold(0_u32, |number, byte| (number << 8) | u32::from(*byte))
            };
            return match number(16) {
                VERSION if number(20) == u32::from(PAGE_LENGTH) => Ok(Self { bytes }),
                found => Err(HeaderFault::Version(found)),
            };
        }
        Err(fault)
    }

    /// The cipher of the file's pages; `None` when the key is not the one it was made with.
    pub(crate) fn unlock(&self, key: &EncryptionKey) -> Option<PageCipher> {
        let salt: &[u8; 32] = self.bytes[SALT_AT..CHECK_AT].try_into().ok()?;
        let (check, cipher) = key.derive(salt, &self.bytes[..SALT_AT]);
        (check == self.bytes[CHECK_AT..]).then_some(cipher)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::page::Place;

    fn key(byte: u8) -> EncryptionKey {
        EncryptionKey::new(&[byte; 64]).unwrap()
    }

    #[test]
    fn the_key_that_made_it_opens_it_and_no_other() {
        let (page, cipher) = Header::make(&key(1)).unwrap();
        let header = Header::parse(&page).unwrap();
        let mut sealed = [5; PAGE_BYTES];
        cipher.seal(Place::Database(1), &mut sealed, [0; 12]);
        assert!(header.unlock(&key(1)).unwrap().open(Place::Database(1), &mut sealed).is_ok());
        assert!(header.unlock(&key(2)).is_none());
    }

    #[test]
    fn equal_keys_make_different_files() {
        let (first, _) = Header::make(&key(1)).unwrap();
        let (second, _) = Header::make(&key(1)).unwrap();
        assert_ne!(first, second);
    }

    proptest! {
        #[test]
        fn one_sound_copy_suffices(copy in 0..2_usize, at in 0..COPY_BYTES, bit in 0..8_u32) {
            let (mut page, _) = Header::make(&key(1)).unwrap();
            let header = Header::parse(&page).unwrap();
            page[COPIES_AT[copy] + at] ^= 1 << bit;
            prop_assert_eq!(Header::parse(&page), Ok(header));
            page[COPIES_AT[1 - copy] + at] ^= 1 << bit;
            let foreign = HeaderFault::Foreign { is_plain: false };
            let wanted = if at < 16 { foreign } else { HeaderFault::Damaged };
            prop_assert_eq!(Header::parse(&page), Err(wanted));
        }

        #[test]
        fn any_bytes_are_a_header_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), HEADER_BYTES)) {
            let page: [u8; HEADER_BYTES] = bytes.try_into().unwrap();
            prop_assert_eq!(Header::parse(&page), Err(HeaderFault::Foreign { is_plain: false }));
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let (mut page, _) = Header::make(&key(1)).unwrap();
        for at in COPIES_AT {
            page[at + 19] = 2;
            let digest = Sha256::digest(&page[at..at + DIGEST_AT]);
            page[at + DIGEST_AT..at + COPY_BYTES].copy_from_slice(&digest);
        }
        assert_eq!(Header::parse(&page), Err(HeaderFault::Version(2)));
    }
}
