//! Which process is the sync agent of a realm file.
//!
//! Invariant: at most one [`SyncAgentLock`] per file exists on this machine. The operating system
//! drops the lock with the process, so a crash leaves nothing to clean up; the lock file itself
//! stays until the realm is deleted. Who has locked a file that has lost its name meanwhile has locked
//! nothing, and begins again.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Result, StoreError};
use crate::scratch;

/// The right to sync a realm file. Given up when dropped.
#[derive(Debug)]
pub struct SyncAgentLock {
    file: File,
}

impl SyncAgentLock {
    /// Becomes the sync agent of the realm file at `path`; `None` when somebody else is.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>> {
        let lock_path = lock_path(path);
        let io = |source| StoreError::Io { file: lock_path.clone(), source };
        loop {
            let Some(lock) = Self::try_lock(&lock_path).map_err(io)? else { return Ok(None) };
            if scratch::is_same(&lock.file, &lock_path).map_err(io)? {
                return Ok(Some(lock));
            }
        }
    }

    fn try_lock(lock_path: &Path) -> std::io::Result<Option<Self>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(lock_path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(source),
        }
    }
}

impl Drop for SyncAgentLock {
    fn drop(&mut self) {
        // Closing the file unlocks it too; this only says so early if a child process shares it.
        if let Err(error) = self.file.unlock() {
            tracing::debug!(%error, "the sync agent lock is released by closing its file");
        }
    }
}

/// The file that the sync agent holds locked.
pub(crate) fn lock_path(path: &Path) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".sync-lock");
    name.into()
}
