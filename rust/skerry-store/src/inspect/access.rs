//! Opening a file for looking into it, without a trace.
//!
//! Invariant: what [`read`] gives was read from one consistent version. Which way leaves no trace
//! depends on what lies beside the file:
//!
//! - No log, or an empty one that nobody has open ([`Access::AtRest`]): the file is read as immutable,
//!   which takes no lock and makes no file. Somebody may begin to write meanwhile; then the file or its
//!   log is another afterwards, and the answer is thrown away and sought again.
//! - A log with its index ([`Access::Shared`]): a read-only connection, also to the index, takes part in
//!   `SQLite`'s locking as every reader does. When nobody has the file open, it reads the log itself and
//!   makes an index in memory. Read-only connections neither move the log into the file nor delete it.
//! - A log whose index is absent or has to be made anew ([`Access::Recovering`]), as in a copy: `SQLite`
//!   reads it only through an index on disk, and so `-shm` is made, which every other reader would make
//!   too. The log is told not to be moved when the connection is closed. In a folder that cannot be
//!   written this way is closed, and the error says so.

use std::ffi::OsString;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::connection::{BUSY_TIMEOUT, FileKind, Found, check_kind, configure};
use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;
use crate::location::Location;
use crate::objects::ObjectTables;

/// How often an answer is sought while others open and close the file under it.
const ATTEMPTS_MAX: usize = 20;

/// In which way a file was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nobody had it open for writing, and there is no log.
    AtRest,
    /// There is a log with an index, which others may be using.
    Shared,
    /// There is a log without a usable index: the file was copied, or its last writer killed.
    Recovering,
}

/// A file in one version.
pub(super) struct Opened<'a> {
    pub(super) connection: &'a Connection,
    pub(super) tables: ObjectTables,
    pub(super) path: &'a Path,
    pub(super) kind: FileKind,
    pub(super) access: Access,
}

/// What can be told of a file without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    file: (u64, Option<SystemTime>),
    log: Option<(u64, Option<SystemTime>)>,
    has_index: bool,
}

/// The file of `SQLite`'s that lies beside `path`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The metadata of a file; `None` when it is absent.
pub(super) fn metadata(path: &Path) -> Result<Option<Metadata>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::Io { file: path.to_path_buf(), source }),
    }
}

/// Asks for something that is all of one version.
pub(super) fn read<T>(location: &Location, ask: impl Fn(&Opened<'_>) -> Result<T>) -> Result<T> {
    let path = location.path();
    let mut is_index_bad = false;
    for _ in 0..ATTEMPTS_MAX {
        let seen = Seen::look(path)?;
        let access = if is_index_bad { Access::Recovering } else { seen.access() };
        let answer = ask_once(location, access, &ask);
        let seen_after = Seen::look(path)?;
        let is_torn = match access {
            Access::AtRest => seen_after != seen,
            // Whoever closed it last has taken the log away before it was opened here.
            Access::Shared | Access::Recovering => {
                answer.is_err() && seen_after.access() != seen.access()
            }
        };
        match answer {
            _ if is_torn => {}
            Err(error) if access == Access::Shared && is_read_only(&error) => is_index_bad = true,
            Err(error) if cannot_open(&error) => return Err(why_not(location, access)),
            answer => return answer.map_err(|error| location.explain(error)),
        }
    }
    Err(StoreError::LockTimeout { file: path.to_path_buf(), waited: BUSY_TIMEOUT })
}

fn ask_once<T>(
    location: &Location,
    access: Access,
    ask: &impl Fn(&Opened<'_>) -> Result<T>,
) -> Result<T> {
    let path = location.path();
    let connection = connect(location, access)?;
    connection.execute_batch("BEGIN")?;
    let kind = kind_of(&connection)?;
    let tables = ObjectTables::open(&connection)?;
    let answer = ask(&Opened { connection: &connection, tables, path, kind, access });
    connection.execute_batch("ROLLBACK")?;
    answer
}

fn connect(location: &Location, access: Access) -> Result<Connection> {
    let (flags, options) = match access {
        Access::AtRest => (OpenFlags::SQLITE_OPEN_READ_ONLY, "?immutable=1"),
        Access::Shared => (OpenFlags::SQLITE_OPEN_READ_ONLY, "?readonly_shm=1"),
        Access::Recovering => (OpenFlags::SQLITE_OPEN_READ_WRITE, ""),
    };
    let connection = location.connect(flags | OpenFlags::SQLITE_OPEN_NO_MUTEX, options)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.pragma_update(None, "query_only", true)?;
    configure(&connection)?;
    Ok(connection)
}

/// Whose file it is, if it is one of ours in the present format.
fn kind_of(connection: &Connection) -> Result<FileKind> {
    let application_id: i32 =
        connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let is_server = application_id == FileKind::Server.application_id();
    let kind = if is_server { FileKind::Server } else { FileKind::Realm };
    match check_kind(connection, kind)? {
        Found::Current => Ok(kind),
        Found::New => Err(StoreError::corrupted("the file is empty")),
        Found::Older(found) => Err(StoreError::UpgradeNeeded { file: PathBuf::new(), found }),
    }
}

/// Whether `SQLite` would have to write to the index.
fn is_read_only(error: &StoreError) -> bool {
    matches!(error, StoreError::File { fault: FileFault::NotWritable, .. })
}

fn cannot_open(error: &StoreError) -> bool {
    let is_unreachable =
        matches!(error, StoreError::File { fault: FileFault::Unreachable { .. }, .. });
    is_unreachable || is_read_only(error)
}

/// Why a file that is there cannot be opened.
fn why_not(location: &Location, access: Access) -> StoreError {
    let is_readable = access != Access::AtRest && connect(location, Access::AtRest).is_ok();
    let why = if is_readable {
        "its log cannot be read here: its -wal and -shm must be readable, and a -shm that is missing \
         possible to make; copy the file together with its -wal into a folder of your own, and look \
         at the copy"
    } else {
        "you may not read it; do it as its owner"
    };
    let source = std::io::Error::new(std::io::ErrorKind::PermissionDenied, why);
    StoreError::Io { file: location.path().to_path_buf(), source }
}

impl Seen {
    fn look(path: &Path) -> Result<Self> {
        let size_and_time = |metadata: &Metadata| (metadata.len(), metadata.modified().ok());
        let io = |kind: std::io::ErrorKind, why| StoreError::Io {
            file: path.to_path_buf(),
            source: std::io::Error::new(kind, why),
        };
        let Some(file) = metadata(path)? else {
            return Err(io(std::io::ErrorKind::NotFound, "there is no such file"));
        };
        if !file.is_file() {
            return Err(io(std::io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        if file.len() == 0 {
            return Err(StoreError::corrupted("the file is empty").in_file(path));
        }
        let log = metadata(&beside(path, "-wal"))?;
        let has_index = metadata(&beside(path, "-shm"))?.is_some();
        Ok(Self { file: size_and_time(&file), log: log.as_ref().map(size_and_time), has_index })
    }

    fn access(&self) -> Access {
        match (self.log, self.has_index) {
            (None, _) | (Some((0, _)), false) => Access::AtRest,
            (Some(_), true) => Access::Shared,
            (Some(_), false) => Access::Recovering,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::connection::Synchronous;
    use crate::{Realm, realm};

    #[test]
    fn an_answer_is_sought_again_when_somebody_has_begun_to_write_under_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        let options = realm::Options {
            schema: skerry_model::Schema::default(),
            synced: false,
            synchronous: Synchronous::Full,
            query_cache_bytes: 0,
            encryption_key: None,
        };
        drop(Realm::open(&path, &options).unwrap());
        let writer = RefCell::new(None);
        let answer = read(&Location::new(&path, None), |opened| {
            let access = opened.access;
            let version = realm::Progress::load(opened.connection)?.version;
            if access == Access::AtRest {
                let realm = Realm::open(&path, &options)?;
                realm.begin_write(BUSY_TIMEOUT)?.commit(skerry_model::Stamp(1))?;
                *writer.borrow_mut() = Some(realm);
            }
            Ok((access, version))
        });
        let version = writer.borrow().as_ref().unwrap().version().unwrap();
        assert_eq!(answer.unwrap(), (Access::Shared, version));
    }

    #[test]
    fn what_lies_beside_the_file_decides_how_it_is_read() {
        let seen = |log: Option<u64>, has_index| {
            let log = log.map(|size| (size, None));
            Seen { file: (4096, None), log, has_index }.access()
        };
        assert_eq!(seen(None, false), Access::AtRest);
        assert_eq!(seen(None, true), Access::AtRest);
        assert_eq!(seen(Some(0), false), Access::AtRest);
        assert_eq!(seen(Some(0), true), Access::Shared);
        assert_eq!(seen(Some(99), true), Access::Shared);
        assert_eq!(seen(Some(99), false), Access::Recovering);
    }
}
