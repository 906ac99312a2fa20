//! Places for realm files that live no longer than they are open: "in memory" to the application.
//!
//! A file is a real one, because only real files have snapshots that readers and a writer share. It
//! stands where the operating system keeps files in memory if there is such a place (`/dev/shm`), else
//! among the temporary files. Invariants: all holders in one process of one name have one place; it goes
//! with the last of them; what a crashed process leaves is removed by the next one that makes a place.
//! Who holds a place has a shared lock on its lock file, and who removes it an exclusive one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;

const PREFIX: &str = "skerry-memory-";
const LOCK: &str = "users";
const IN_MEMORY: &str = "/dev/shm";

/// How long to wait for somebody who is removing the place just now.
const PATIENCE: Duration = Duration::from_secs(10);
const RETRY_DELAY: Duration = Duration::from_millis(1);

/// A place for a file, for as long as it is held.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    file: PathBuf,
    lock: File,
}

impl Scratch {
    /// The place of a name in this process, which is a file name.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] when there is no folder for it, or it is open to other users.
    pub fn acquire(name: &str) -> Result<Self> {
        let in_memory = Path::new(IN_MEMORY);
        if in_memory.is_dir() {
            let made = Self::acquire_in(in_memory, name);
            if made.is_ok() {
                return made;
            }
        }
        Self::acquire_in(&std::env::temp_dir(), name)
    }

    /// As [`Scratch::acquire`], in a folder.
    pub fn acquire_in(root: &Path, name: &str) -> Result<Self> {
        sweep(root);
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let folder = format!("{PREFIX}{}-{:016x}", std::process::id(), hasher.finish());
        let folder = root.join(folder);
        let io = |source| StoreError::Io { file: folder.clone(), source };
        let deadline = Instant::now() + PATIENCE;
        loop {
            match make_private(&folder).and_then(|()| hold(&folder)) {
                Ok(Some(lock)) => {
                    let file = folder.join(name);
                    return Ok(Self { folder, file, lock });
                }
                // The folder went away under our hands.
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(io(error)),
            }
            if Instant::now() >= deadline {
                return Err(StoreError::of_file(FileFault::InUse).in_file(&folder));
            }
            std::thread::sleep(RETRY_DELAY);
        }
    }

    /// Where the file is, or may be made.
    pub fn path(&self) -> &Path {
        &self.file
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = self.lock.unlock().and_then(|()| match self.lock.try_lock() {
            Ok(()) => remove(&self.folder, &self.lock),
            // Somebody else still holds it.
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
        });
        if let Err(error) = removed {
            tracing::warn!(%error, folder = ?self.folder, "left to the next process to remove");
        }
    }
}

fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(folder) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    #[cfg(unix)]
    {
        let found = fs::symlink_metadata(folder)?;
        let mode = std::os::unix::fs::PermissionsExt::mode(&found.permissions());
        if !found.is_dir() || mode & 0o077 != 0 {
            let text = "it is not a folder of this user alone";
            return Err(io::Error::new(ErrorKind::PermissionDenied, text));
        }
    }
    Ok(())
}

/// Takes a shared lock on the place; `None` when somebody is removing it or has done so.
fn hold(folder: &Path) -> io::Result<Option<File>> {
    let path = folder.join(LOCK);
    let lock =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
    match lock.try_lock() {
        Ok(()) => {
            if !is_same(&lock, &path)? {
                return Ok(None);
            }
            // Nobody holds it: whatever is there was left by a process that had our number.
            for entry in fs::read_dir(folder)? {
                let entry = entry?.path();
                if entry != path {
                    fs::remove_file(entry)?;
                }
            }
            lock.unlock()?;
        }
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    match lock.try_lock_shared() {
        Ok(()) => Ok(is_same(&lock, &path)?.then_some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Removes a place on which there is an exclusive lock, unless somebody did so before the lock, and
/// somebody else has made it anew.
fn remove(folder: &Path, lock: &File) -> io::Result<()> {
    if is_same(lock, &folder.join(LOCK))? { fs::remove_dir_all(folder) } else { Ok(()) }
}

/// Whether the open file is still the one of that name.
pub(crate) fn is_same(file: &File, path: &Path) -> io::Result<bool> {
    let named = match fs::metadata(path) {
        Ok(named) => named,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let held = file.metadata()?;
        Ok((held.dev(), held.ino()) == (named.dev(), named.ino()))
    }
    // Elsewhere a file that is open keeps its name.
    #[cfg(not(unix))]
    {
        let _ = (file, named);
        Ok(true)
    }
}

/// Removes the places of processes that are no more. What cannot be looked at is somebody else's.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let is_place = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        if !is_place {
            continue;
        }
        let folder = entry.path();
        let lock = OpenOptions::new().read(true).write(true).open(folder.join(LOCK));
        let Some(lock) = lock.ok().filter(|lock| lock.try_lock().is_ok()) else { continue };
        if let Err(error) = remove(&folder, &lock) {
            tracing::debug!(%error, ?folder, "left to the next process to remove");
        }
    }
}
