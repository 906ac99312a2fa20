//! Opening sealed files: keys on their way into the file layer, and faults on their way out.
//!
//! `SQLite` gives the file layer a name and takes an error code back. An [`Admission`] is a number in the
//! name that stands for a key, for as long as it lives; the key itself is in no name and no statement. It
//! also brings back why a file could not be opened.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OpenFlags, ffi};

use crate::header::HeaderFault;
use crate::key::EncryptionKey;
use crate::page::RESERVED_BYTES;
use crate::vfs;

/// Why a file is not opened with a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealFault {
    /// The file is sound, and was made with another key.
    #[error("it is encrypted with another key")]
    WrongKey,
    /// The file is a plain `SQLite` file.
    #[error("it is not encrypted")]
    NotSealed,
    /// The file is no `SQLite` file, encrypted or not.
    #[error("it begins neither as an encrypted file nor as a plain one")]
    Foreign,
    /// Both copies of what the file begins with are damaged.
    #[error("the header that tells how it is encrypted is damaged")]
    Damaged,
    /// A newer release encrypted it.
    #[error("it is encrypted in format {0}, which this release does not know")]
    Version(u32),
}

/// Why a connection could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// For what the file is.
    #[error(transparent)]
    Seal(#[from] SealFault),
    /// For a reason of `SQLite`'s.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
}

/// What the file layer knows of an admission.
#[derive(Debug)]
pub(crate) struct Admitted {
    /// `None` when it is only to be looked whether the file is sealed.
    pub(crate) key: Option<EncryptionKey>,
    fault: Mutex<Option<SealFault>>,
}

/// All admissions of the process.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    by_number: Mutex<(u32, HashMap<u32, Arc<Admitted>>)>,
}

/// A key that names may stand for until this is dropped.
#[derive(Debug)]
pub struct Admission {
    number: u32,
    admitted: Arc<Admitted>,
}

impl Admitted {
    pub(crate) fn refuse(&self, fault: SealFault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }
}

impl Admissions {
    pub(crate) fn get(&self, number: u32) -> Option<Arc<Admitted>> {
        self.by_number.lock().unwrap_or_else(PoisonError::into_inner).1.get(&number).cloned()
    }

    fn add(&self, key: Option<EncryptionKey>) -> Admission {
        let admitted = Arc::new(Admitted { key, fault: Mutex::default() });
        let mut guard = self.by_number.lock().unwrap_or_else(PoisonError::into_inner);
        let (newest, by_number) = &mut *guard;
        loop {
            *newest = newest.wrapping_add(1);
            if !by_number.contains_key(newest) {
                by_number.insert(*newest, Arc::clone(&admitted));
                return Admission { number: *newest, admitted };
            }
        }
    }
}

impl Admission {
    /// The name of a file with this key, to be opened or to be copied to by `VACUUM INTO`. `uri` begins with
    /// `file:` and has no fragment.
    pub fn uri(&self, uri: &str) -> String {
        let joint = if uri.contains('?') { '&' } else { '?' };
        let (number, name) = (self.number, vfs::NAME);
        format!("{uri}{joint}vfs={name}&{}={number}&reserve={RESERVED_BYTES}", vfs::PARAMETER)
    }

    /// Why the last file that was opened with it was refused, if it was.
    pub fn fault(&self) -> Option<SealFault> {
        *self.admitted.fault.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        if let Ok(vault) = vfs::vault() {
            let mut guard =
                vault.admissions.by_number.lock().unwrap_or_else(PoisonError::into_inner);
            guard.1.remove(&self.number);
        }
    }
}

impl From<HeaderFault> for SealFault {
    fn from(fault: HeaderFault) -> Self {
        match fault {
            HeaderFault::Foreign { is_plain: true } => Self::NotSealed,
            HeaderFault::Foreign { is_plain: false } => Self::Foreign,
            HeaderFault::Damaged => Self::Damaged,
            HeaderFault::Version(found) => Self::Version(found),
        }
    }
}

/// Lets names stand for a key.
///
/// # Errors
///
/// When `SQLite` has no file layer that sealed files could be kept with.
pub fn admit(key: &EncryptionKey) -> rusqlite::Result<Admission> {
    Ok(vfs::vault()?.admissions.add(Some(key.clone())))
}

/// Opens a connection to a sealed file; a file that is absent or empty becomes one if the flags allow to
/// make it. `uri` begins with `file:` and has no fragment.
pub fn open(uri: &str, flags: OpenFlags, key: &EncryptionKey) -> Result<Connection, OpenError> {
    let admission = admit(key)?;
    let flags = flags | OpenFlags::SQLITE_OPEN_URI;
    let opened = Connection::open_with_flags(admission.uri(uri), flags);
    let connection = opened.map_err(|error| match admission.fault() {
        Some(fault) => OpenError::Seal(fault),
        None => OpenError::Sqlite(error),
    })?;
    vfs::reserve(&connection)?;
    // Temporary tables and what is sorted would go to files that are refused.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Whether a file is sealed. A file that is absent or empty is not. No lock that the process has on the
/// file is lost.
pub fn is_sealed(uri: &str) -> rusqlite::Result<bool> {
    let admission = vfs::vault()?.admissions.add(None);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let opened = Connection::open_with_flags(admission.uri(uri), flags);
    match (admission.fault(), opened) {
        (Some(SealFault::WrongKey | SealFault::Damaged | SealFault::Version(_)), _) => Ok(true),
        (None, Err(error)) if error.sqlite_error_code() == Some(ffi::ErrorCode::CannotOpen) => {
            Ok(false)
        }
        (None, Err(error)) => Err(error),
        (Some(SealFault::NotSealed | SealFault::Foreign), _) | (None, Ok(_)) => Ok(false),
    }
}

/// The name of the file layer that plain files are kept with, for the name of one that is copied to from a
/// sealed file.
pub fn system_vfs() -> rusqlite::Result<&'static str> {
    Ok(vfs::vault()?.system_name)
}
