//! What is done to whole realm files: deleting, compacting, copying, telling their size.
//!
//! Invariant: a file is deleted or compacted only while nobody has it open, in whichever process, and
//! whoever is about to open it meanwhile does not end with a file that is no longer there. A copy
//! appears whole under its name or not at all.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::connection::{self, DELETED_FORMAT, FileKind};
use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;
use crate::location::Location;
use crate::realm::SyncAgentLock;

/// What stands beside a realm file under its name.
const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];
const LOCK: &str = ".sync-lock";

/// For those who only look at the file for a moment; who has it open keeps it for longer than anybody
/// would wait.
const EXCLUSIVE_WAIT: Duration = Duration::from_millis(100);

/// How large a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Bytes of all pages.
    pub total_bytes: u64,
    /// Bytes of the pages that hold something. The rest is used again before the file grows.
    pub used_bytes: u64,
}

/// The size of a realm file; `None` when there is none.
pub fn size(location: &Location) -> Result<Option<Size>> {
    let path = location.path();
    if !is_there(path)? {
        return Ok(None);
    }
    let connection = connection::open_any_format(location, FileKind::Realm)?;
    let pragma = |name: &str| -> Result<u64> {
        let number: i64 = connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
        u64::try_from(number).map_err(StoreError::corrupted)
    };
    let read = || {
        connection.execute_batch("BEGIN")?;
        let (page, pages) = (pragma("page_size")?, pragma("page_count")?);
        let free = pragma("freelist_count")?.min(pages);
        Ok(Size { total_bytes: pages * page, used_bytes: (pages - free) * page })
    };
    read().map(Some).map_err(|error: StoreError| error.in_file(path))
}

/// Deletes a realm file with all that stands beside it; whether there was one. A damaged one too.
///
/// # Errors
///
/// [`FileFault::InUse`] when somebody has it open, [`StoreError::Io`] when the operating system refuses;
/// then the file is still there, and whole.
pub fn delete(location: &Location) -> Result<bool> {
    let path = location.path();
    if !is_there(path)? {
        remove_companions(path)?;
        return Ok(false);
    }
    let lock = beside(path, LOCK);
    let agent = if is_there(&lock)? {
        let agent = SyncAgentLock::try_acquire(path)?;
        Some(agent.ok_or_else(|| StoreError::of_file(FileFault::InUse).in_file(path))?)
    } else {
        None
    };
    match exclusive(location) {
        Ok(connection) => {
            // Who waits to open it finds the mark, and not an empty file that has no name.
            let marked = mark(&connection, DELETED_FORMAT).map_err(|error| error.in_file(path));
            let before = match marked {
                Ok(before) => Some(before),
                // There may be no room even for the mark.
                Err(StoreError::DiskFull { .. } | StoreError::Corrupted { .. }) => None,
                Err(error) => return Err(error),
            };
            if let Err(error) = remove(path) {
                if let Some(before) = before {
                    mark(&connection, before).map_err(|error| error.in_file(path))?;
                }
                return Err(error);
            }
        }
        // Nobody can have it open as a realm.
        Err(StoreError::Corrupted { .. }) => remove(path)?,
        Err(error) => return Err(error),
    }
    remove_companions(path)?;
    if agent.is_some() {
        remove(&lock)?;
    }
    Ok(true)
}

/// Writes the file anew without the pages that hold nothing; `false` when there is no file, or when
/// somebody has it open. A crash leaves the old file or the new one.
///
/// # Errors
///
/// [`StoreError::DiskFull`] when there is no room for the second file; the first one stays.
pub fn compact(location: &Location) -> Result<bool> {
    let path = location.path();
    if !is_there(path)? {
        return Ok(false);
    }
    let connection = match exclusive(location) {
        Ok(connection) => connection,
        Err(StoreError::File { fault: FileFault::InUse, .. }) => return Ok(false),
        Err(error) => return Err(error),
    };
    let compacted = || -> Result<()> {
        connection::check_ours(&connection, FileKind::Realm)?;
        connection.execute_batch("VACUUM")?;
        // Of an encrypted file everything is in the log now.
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(()))?;
        Ok(())
    };
    compacted().map_err(|error| error.in_file(path))?;
    Ok(true)
}

/// Writes a consistent copy of what `source` reads to a file that does not exist, in one piece;
/// `change` is what is changed in the copy before it gets its name.
pub(crate) fn copy(
    source: &Connection,
    destination: &Location,
    change: &dyn Fn(&Connection) -> Result<()>,
) -> Result<()> {
    let target = destination;
    let destination = target.path();
    if is_there(destination)? {
        return Err(StoreError::of_file(FileFault::Exists).in_file(destination));
    }
    let draft = draft_of(destination)?;
    let copied = write_draft(source, &target.beside(&draft), change)
        .and_then(|()| publish(&draft, destination));
    // The draft has done its duty, or nobody needs it.
    let removed = remove(&draft).and_then(|()| remove_companions(&draft));
    copied.map_err(|error| error.in_file(destination)).and(removed)
}

fn write_draft(
    source: &Connection,
    draft: &Location,
    change: &dyn Fn(&Connection) -> Result<()>,
) -> Result<()> {
    let target = draft.copy_target()?;
    source.execute("VACUUM INTO ?1", [&target.name])?;
    let copy = draft.connect(OpenFlags::SQLITE_OPEN_READ_WRITE, "")?;
    // Nothing but the whole draft is of use to anybody, so that it need not survive a crash.
    copy.execute_batch("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL; BEGIN IMMEDIATE")?;
    change(&copy)?;
    copy.execute_batch("COMMIT")?;
    let free: i64 = copy.query_row("PRAGMA freelist_count", [], |row| row.get(0))?;
    if free > 0 {
        copy.execute_batch("VACUUM")?;
    }
    copy.close().map_err(|(_, error)| error)?;
    sync(draft.path())
}

/// Gives a finished file its name, unless another one has it by now.
fn publish(draft: &Path, destination: &Path) -> Result<()> {
    let io = |source| StoreError::Io { file: destination.to_path_buf(), source };
    match fs::hard_link(draft, destination) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(StoreError::of_file(FileFault::Exists));
        }
        // A file system without links has no way that is safe from others who make the same file
        // at the same moment.
        Err(_unsupported) => {
            if is_there(destination)? {
                return Err(StoreError::of_file(FileFault::Exists));
            }
            fs::rename(draft, destination).map_err(io)?;
        }
    }
    match destination.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => sync(folder),
        None => sync(Path::new(".")),
    }
}

/// Copies a file that nobody writes to a name that is free, in one piece; `false` when the name is
/// taken. `check` is called with the copy before it gets its name.
pub fn install<E: From<StoreError>>(
    source: &Path,
    destination: &Path,
    check: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<bool, E> {
    if is_there(destination)? {
        return Ok(false);
    }
    if connection::has_log(source)? {
        return Err(StoreError::of_file(FileFault::InUse).in_file(source).into());
    }
    let draft = draft_of(destination)?;
    let copied = fs::copy(source, &draft)
        .map(|_bytes| ())
        .map_err(|error| StoreError::Io { file: source.to_path_buf(), source: error })
        .and_then(|()| make_writable(&draft))
        .and_then(|()| sync(&draft))
        .map_err(E::from)
        .and_then(|()| check(&draft))
        .and_then(|()| match publish(&draft, destination) {
            Ok(()) => Ok(true),
            Err(StoreError::File { fault: FileFault::Exists, .. }) => Ok(false),
            Err(error) => Err(error.in_file(destination).into()),
        });
    let removed = remove(&draft).and_then(|()| remove_companions(&draft));
    let is_installed = copied?;
    removed?;
    Ok(is_installed)
}

/// A bundled file is often read-only, and its copy must not be.
fn make_writable(path: &Path) -> Result<()> {
    let io = |source| StoreError::Io { file: path.to_path_buf(), source };
    let mut permissions = fs::metadata(path).map_err(io)?.permissions();
    if !permissions.readonly() {
        return Ok(());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        permissions.set_mode(permissions.mode() | 0o600);
    }
    #[cfg(not(unix))]
    permissions.set_readonly(false);
    fs::set_permissions(path, permissions).map_err(io)
}

/// A connection beside which there is no other, in any process, for as long as it lives.
fn exclusive(location: &Location) -> Result<Connection> {
    let open = || -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = location.connect(flags, "")?;
        connection.busy_timeout(EXCLUSIVE_WAIT)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        // Every connection to a file in WAL mode holds a shared lock on it, so that this waits for none
        // of them and is refused by all.
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        connection.execute_batch("BEGIN EXCLUSIVE; COMMIT")?;
        // Nothing is to be left in a log when the file goes or is written anew. An encrypted file has no
        // journal that would survive a crash, and keeps to its log.
        if location.is_encrypted() {
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(()))?;
            return Ok(connection);
        }
        let mode: String =
            connection.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get(0))?;
        if mode == "delete" { Ok(connection) } else { Err(StoreError::of_file(FileFault::InUse)) }
    };
    open().map_err(|error| match error {
        StoreError::LockTimeout { .. } => {
            StoreError::of_file(FileFault::InUse).in_file(location.path())
        }
        other => location.explain(other),
    })
}

/// Sets the format of the file; the one it had.
fn mark(connection: &Connection, format: i32) -> Result<i32> {
    let before = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    connection.pragma_update(None, "user_version", format)?;
    Ok(before)
}

fn is_there(path: &Path) -> Result<bool> {
    path.try_exists().map_err(|source| StoreError::Io { file: path.to_path_buf(), source })
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// An empty file beside the destination, of a name that nobody else uses.
fn draft_of(destination: &Path) -> Result<PathBuf> {
    for number in 0..u32::MAX {
        let draft = beside(destination, &format!(".draft-{number}"));
        match File::create_new(&draft) {
            Ok(_) => return Ok(draft),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => {
                return Err(StoreError::Io { file: destination.to_path_buf(), source });
            }
        }
    }
    Err(StoreError::of_file(FileFault::Exists).in_file(destination))
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(source) => Err(StoreError::Io { file: path.to_path_buf(), source }),
    }
}

fn remove_companions(path: &Path) -> Result<()> {
    COMPANIONS.iter().try_for_each(|suffix| remove(&beside(path, suffix)))
}

fn sync(path: &Path) -> Result<()> {
    let synced = File::open(path).and_then(|file| file.sync_all());
    synced.map_err(|source| StoreError::Io { file: path.to_path_buf(), source })
}
