//! A file and what it takes to read it: the one place where connections to files come from.
//!
//! Invariant: a connection with a key is to an encrypted file, and one without to a plain one. Errors that
//! say so come before anything else is done to the file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use skerry_vault::{Admission, EncryptionKey, OpenError, SealFault};

use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;

/// Newest format of encryption that this release reads.
const SEAL_FORMAT: i32 = 1;

/// Where a file is, and the key it is encrypted with.
#[derive(Clone, Debug)]
pub struct Location {
    path: PathBuf,
    key: Option<EncryptionKey>,
}

/// A name that a file can be copied to, for as long as this lives.
#[derive(Debug)]
pub(crate) struct CopyTarget {
    pub(crate) name: String,
    _admission: Option<Admission>,
}

impl Location {
    /// A file; `key` is `None` for one that is not encrypted.
    pub fn new(path: impl Into<PathBuf>, key: Option<EncryptionKey>) -> Self {
        Self { path: path.into(), key }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the file is encrypted.
    pub(crate) fn is_encrypted(&self) -> bool {
        self.key.is_some()
    }

    /// Another file with the same key.
    pub(crate) fn beside(&self, path: &Path) -> Self {
        Self { path: path.to_path_buf(), key: self.key.clone() }
    }

    /// Opens a connection. `options` are put behind the file's name, as `SQLite` takes them in a URI.
    pub(crate) fn connect(&self, flags: OpenFlags, options: &str) -> Result<Connection> {
        let name = format!("{}{options}", uri(&self.path)?);
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        let Some(key) = &self.key else { return Ok(Connection::open_with_flags(name, flags)?) };
        skerry_vault::open(&name, flags, key).map_err(|error| match error {
            OpenError::Sqlite(error) => error.into(),
            OpenError::Seal(SealFault::WrongKey) => StoreError::of_file(FileFault::WrongKey),
            OpenError::Seal(SealFault::NotSealed) => StoreError::of_file(FileFault::NotEncrypted),
            OpenError::Seal(SealFault::Version(found)) => StoreError::VersionUnsupported {
                file: PathBuf::new(),
                found: i32::try_from(found).unwrap_or(i32::MAX),
                supported: SEAL_FORMAT,
            },
            OpenError::Seal(fault @ (SealFault::Damaged | SealFault::Foreign)) => {
                StoreError::corrupted(fault)
            }
        })
    }

    /// The name for a statement that copies to this file.
    pub(crate) fn copy_target(&self) -> Result<CopyTarget> {
        let name = uri(&self.path)?;
        if let Some(key) = &self.key {
            let admission = skerry_vault::admit(key)?;
            return Ok(CopyTarget { name: admission.uri(&name), _admission: Some(admission) });
        }
        let system = skerry_vault::system_vfs()?;
        Ok(CopyTarget { name: format!("{name}?vfs={system}&reserve=0"), _admission: None })
    }

    /// Puts the file's name into an error, and its reason if that is a key that was not given.
    pub(crate) fn explain(&self, error: StoreError) -> StoreError {
        let looks_foreign = matches!(error, StoreError::Corrupted { .. }) && self.key.is_none();
        let is_encrypted = looks_foreign
            && uri(&self.path).is_ok_and(|name| skerry_vault::is_sealed(&name).unwrap_or(false));
        let error = if is_encrypted { StoreError::of_file(FileFault::Encrypted) } else { error };
        error.in_file(&self.path)
    }
}

/// The file's name as `SQLite` takes it with options behind it: everything is escaped that means
/// something in a URI.
pub(crate) fn uri(path: &Path) -> Result<String> {
    let io = |source| StoreError::Io { file: path.to_path_buf(), source };
    let path = std::path::absolute(path).map_err(io)?;
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            write!(uri, "%{byte:02X}").expect("a string can be written to");
        }
    }
    Ok(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_name_of_a_file_is_written_as_a_uri() {
        assert_eq!(
            uri(Path::new("/a b/c?d%é#.realm")).unwrap(),
            "file:/a%20b/c%3Fd%25%C3%A9%23.realm"
        );
    }
}
