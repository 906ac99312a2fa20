//! The key of a file, and the keys that are made of it.

use std::fmt;
use std::sync::Arc;

use aes::Aes256;
use aes_gcm_siv::{Aes256GcmSiv, KeyInit as _};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::page::PageCipher;

/// Bytes of an [`EncryptionKey`], as in Realm.
pub const KEY_BYTES: usize = 64;

const CHECK: &[u8] = b"skerry sealed file, check";
const PAGES: &[u8] = b"skerry sealed file, pages";
const MARKS: &[u8] = b"skerry sealed file, marks of the log";

/// The key of an encrypted file. It is never shown, and wiped from memory with its last clone.
#[derive(Clone)]
pub struct EncryptionKey(Arc<Zeroizing<[u8; KEY_BYTES]>>);

/// A key of the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an encryption key has {KEY_BYTES} bytes, not {found}")]
pub struct KeyLengthError {
    /// How many bytes were given.
    pub found: usize,
}

impl EncryptionKey {
    /// Copies a key.
    ///
    /// # Errors
    ///
    /// [`KeyLengthError`] unless it has [`KEY_BYTES`] bytes.
    pub fn new(bytes: &[u8]) -> Result<Self, KeyLengthError> {
        let bytes = bytes.try_into().map_err(|_| KeyLengthError { found: bytes.len() })?;
        Ok(Self(Arc::new(Zeroizing::new(bytes))))
    }

    /// What tells the right key of a file, and the cipher of its pages. `bound` is what the check
    /// value vouches for.
    pub(crate) fn derive(&self, salt: &[u8; 32], bound: &[u8]) -> ([u8; 32], PageCipher) {
        let derived = Hkdf::<Sha256>::new(Some(salt), self.0.as_slice());
        let expand = |info: &[&[u8]]| {
            let mut key = Zeroizing::new([0; 32]);
            derived.expand_multi_info(info, key.as_mut()).expect("32 bytes are one block of HKDF");
            key
        };
        let check = *expand(&[CHECK, bound]);
        let cipher = PageCipher::new(
            Aes256GcmSiv::new((&*expand(&[PAGES])).into()),
            Aes256::new((&*expand(&[MARKS])).into()),
        );
        (check, cipher)
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_64_bytes_and_does_not_show_them() {
        assert_eq!(EncryptionKey::new(&[1; 63]).unwrap_err(), KeyLengthError { found: 63 });
        assert_eq!(EncryptionKey::new(&[]).unwrap_err().found, 0);
        let key = EncryptionKey::new(&[0x5a; KEY_BYTES]).unwrap();
        assert_eq!(format!("{key:?}"), "EncryptionKey(..)");
    }
}
