//! Opening `SQLite` files: what a connection is set to, and whose files are accepted.
//!
//! Invariant: a connection that this module hands out is to a file of the wanted kind and of a
//! format that this release reads, in WAL mode, with foreign files left untouched. It does not know
//! what tables there are.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;
use crate::location::Location;
use crate::{objects, sql};

/// How durable a commit is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Synchronous {
    /// Every commit is on the disk when it returns (the default).
    #[default]
    Full,
    /// A power failure may lose the newest commits, never a part of one; a killed process none.
    Normal,
}

/// What a file holds, kept in `SQLite`'s application id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A device's realm file.
    Realm,
    /// A server's embedded store.
    Server,
}

/// Newest file format that this release reads and writes, kept in `SQLite`'s user version.
pub const FILE_FORMAT: i32 = 4;

/// Stands in place of the format in a file that is being deleted.
pub(crate) const DELETED_FORMAT: i32 = -1;

/// Pages that a connection keeps in memory, in KiB. With `SQLite`'s own 2,000, looking up an object of
/// a file of 14 MB took 9.5 to 11.8 µs, with 65,536 it took 6.0 to 8.3.
const PAGE_CACHE_KIB: i32 = 16_384;

/// How long opening and internal bookkeeping wait for other processes.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait before asking again for what `SQLite` does not wait for itself.
const RETRY_DELAY: Duration = Duration::from_millis(3);

/// Prepared statements kept per connection.
const STATEMENT_CACHE_CAPACITY: usize = 512;

/// Pages in the write-ahead log after which a commit moves them into the file.
const CHECKPOINT_PAGES: i64 = 4000;

impl FileKind {
    pub(crate) fn application_id(self) -> i32 {
        match self {
            Self::Realm => 0x534b_5259,  // "SKRY"
            Self::Server => 0x534b_5253, // "SKRS"
        }
    }
}

/// How the tables of a file come about. Each runs once, in the transaction that makes the file what
/// it is.
#[derive(Clone, Copy)]
pub struct Layout<'a> {
    /// Makes the tables of a new file.
    pub create: &'a dyn Fn(&Connection) -> Result<()>,
    /// Brings the tables of a file of the given older format to the present one.
    pub upgrade: &'a dyn Fn(&Connection, i32) -> Result<()>,
}

impl std::fmt::Debug for Layout<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Layout").finish_non_exhaustive()
    }
}

/// What a file is found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Empty, to be made.
    New,
    /// Of an older format, to be upgraded.
    Older(i32),
    /// Of the present format.
    Current,
}

/// Opens the file for writing; creates it when it is absent or empty, and upgrades it when an older
/// release has made it.
pub fn open_writer(
    location: &Location,
    kind: FileKind,
    synchronous: Synchronous,
    layout: Layout<'_>,
) -> Result<Connection> {
    open_writer_inner(location, kind, synchronous, layout).map_err(|error| location.explain(error))
}

fn open_writer_inner(
    location: &Location,
    kind: FileKind,
    synchronous: Synchronous,
    layout: Layout<'_>,
) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = location.connect(flags, "")?;
    // `SQLite` makes do with reading a file that it may not write.
    if connection.is_readonly(rusqlite::MAIN_DB)? {
        return Err(StoreError::of_file(FileFault::NotWritable));
    }
    configure(&connection)?;
    // Looked at before anything is written: a foreign database must not be changed by a refusal.
    let found = check_kind_alone(&connection, kind)?;
    enter_wal(&connection)?;
    connection.pragma_update(
        None,
        "synchronous",
        match synchronous {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
        },
    )?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    if found != Found::Current {
        make_current(&connection, kind, layout)?;
    }
    Ok(connection)
}

/// Switches to WAL mode, which stays with the file. While others open a new file too, `SQLite`
/// reports it as busy at once instead of waiting, because waiting could be for ever.
fn enter_wal(connection: &Connection) -> Result<()> {
    let deadline = Instant::now() + BUSY_TIMEOUT;
    loop {
        let switched =
            connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0));
        match switched.map_err(StoreError::from) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::corrupted(format!("journal mode is {mode}, not wal")));
            }
            Err(StoreError::LockTimeout { .. }) if Instant::now() < deadline => {
                std::thread::sleep(RETRY_DELAY);
            }
            Err(error) => return Err(error),
        }
    }
}

fn make_current(connection: &Connection, kind: FileKind, layout: Layout<'_>) -> Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let made = (|| {
        // Another process may have been faster; then its file must be of the same kind.
        match check_kind(connection, kind)? {
            Found::Current => {}
            Found::New => {
                connection.pragma_update(None, "application_id", kind.application_id())?;
                connection.pragma_update(None, "user_version", FILE_FORMAT)?;
                (layout.create)(connection)?;
            }
            Found::Older(found) => {
                connection.pragma_update(None, "user_version", FILE_FORMAT)?;
                (layout.upgrade)(connection, found)?;
            }
        }
        connection.execute_batch("COMMIT")?;
        Ok(())
    })();
    if made.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    made
}

/// Opens a connection that can only read. The file must exist in the right format.
pub fn open_reader(location: &Location, kind: FileKind) -> Result<Connection> {
    let open = || -> Result<Connection> {
        // Read-write at the level of files, because a reader must be able to recover the log after
        // a crash; `query_only` is what forbids writing.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = location.connect(flags, "")?;
        configure(&connection)?;
        check_current(&connection, kind)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error| location.explain(error))
}

/// How a file is read that is not to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAccess {
    /// Beside others, who may write.
    Shared,
    /// As a file that nobody changes: where not even the files can be made that are shared with
    /// writers, such as on a read-only file system.
    Immutable,
}

/// How a file can be read without writing anything, not even beside it.
pub fn read_access(location: &Location, kind: FileKind) -> Result<ReadAccess> {
    let path = location.path();
    let is_there =
        path.try_exists().map_err(|source| StoreError::Io { file: path.to_path_buf(), source })?;
    if !is_there {
        return Err(StoreError::of_file(FileFault::Absent).in_file(path));
    }
    match open_read_only(location, kind, ReadAccess::Shared) {
        Ok(_) => Ok(ReadAccess::Shared),
        Err(StoreError::File {
            fault: FileFault::NotWritable | FileFault::Unreachable { .. },
            ..
        }) if !has_log(path)? => {
            open_read_only(location, kind, ReadAccess::Immutable).map(|_| ReadAccess::Immutable)
        }
        Err(error) => Err(error),
    }
}

/// Whether there is a write-ahead log with something in it that may not be in the file.
pub(crate) fn has_log(path: &Path) -> Result<bool> {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    match std::fs::metadata(&name) {
        Ok(found) => Ok(found.len() > 0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(StoreError::Io { file: name.into(), source }),
    }
}

/// Opens a connection for looking at a file, also at one of an older format.
pub(crate) fn open_any_format(location: &Location, kind: FileKind) -> Result<Connection> {
    let open = || -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = location.connect(flags, "")?;
        configure(&connection)?;
        check_ours(&connection, kind)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    open().map_err(|error| location.explain(error))
}

/// That the file is of the wanted kind, and of a format that this release can bring up to date.
pub(crate) fn check_ours(connection: &Connection, kind: FileKind) -> Result<()> {
    match check_kind_alone(connection, kind)? {
        Found::Current | Found::Older(_) | Found::New => Ok(()),
    }
}

/// Opens a connection that writes nothing at all. The file must exist in the right format.
pub fn open_read_only(
    location: &Location,
    kind: FileKind,
    access: ReadAccess,
) -> Result<Connection> {
    let open = || -> Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let options = match access {
            ReadAccess::Shared => "",
            ReadAccess::Immutable => "?immutable=1",
        };
        let connection = location.connect(flags, options)?;
        configure(&connection)?;
        check_current(&connection, kind)?;
        Ok(connection)
    };
    open().map_err(|error| location.explain(error))
}

/// That the file is of the wanted kind and of the present format.
pub(crate) fn check_current(connection: &Connection, kind: FileKind) -> Result<()> {
    match check_kind_alone(connection, kind)? {
        Found::Current => Ok(()),
        Found::New => Err(StoreError::corrupted("the file is empty")),
        Found::Older(found) => Err(StoreError::UpgradeNeeded { file: PathBuf::new(), found }),
    }
}

pub(crate) fn configure(connection: &Connection) -> Result<()> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "cache_size", -PAGE_CACHE_KIB)?;
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE_CAPACITY);
    // Without it a statement on a table with a partial index is prepared anew whenever a parameter
    // changes, because the planner looks at the values.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // Identifiers are never string literals, and views or triggers in a planted file run nothing.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    objects::register_functions(connection)?;
    sql::register_functions(connection)
}

/// [`check_kind`] on one snapshot, for somebody may be making the file just now.
fn check_kind_alone(connection: &Connection, kind: FileKind) -> Result<Found> {
    connection.execute_batch("BEGIN")?;
    let checked = check_kind(connection, kind);
    connection.execute_batch("ROLLBACK")?;
    checked
}

/// What the file is; an error when it is somebody else's or too new.
pub(crate) fn check_kind(connection: &Connection, kind: FileKind) -> Result<Found> {
    let pragma = |name: &str| -> Result<i32> {
        Ok(connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?)
    };
    let application_id = pragma("application_id")?;
    let format = pragma("user_version")?;
    if application_id == 0 && format == 0 {
        let objects: i64 =
            connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if objects == 0 {
            return Ok(Found::New);
        }
    }
    if application_id != kind.application_id() {
        return Err(StoreError::corrupted(format!(
            "application id is {application_id:#x}, not {:#x}",
            kind.application_id()
        )));
    }
    if format == DELETED_FORMAT {
        return Err(StoreError::of_file(FileFault::Deleted));
    }
    if !(1..=FILE_FORMAT).contains(&format) {
        return Err(StoreError::VersionUnsupported {
            file: PathBuf::new(),
            found: format,
            supported: FILE_FORMAT,
        });
    }
    Ok(if format == FILE_FORMAT { Found::Current } else { Found::Older(format) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: Layout<'static> = Layout {
        create: &|connection| Ok(connection.execute_batch("CREATE TABLE t (x INTEGER) STRICT")?),
        upgrade: &|connection, found| {
            assert_eq!(found, FILE_FORMAT - 1);
            Ok(connection.execute_batch("ALTER TABLE t ADD COLUMN y INTEGER")?)
        },
    };

    fn at(path: &Path) -> Location {
        Location::new(path, None)
    }

    fn open(path: &Path) -> Result<Connection> {
        open_writer(&at(path), FileKind::Realm, Synchronous::Full, LAYOUT)
    }

    #[test]
    fn an_older_file_is_upgraded_by_a_writer_and_refused_to_a_reader() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        open(&path).unwrap().pragma_update(None, "user_version", FILE_FORMAT - 1).unwrap();
        match open_reader(&at(&path), FileKind::Realm) {
            Err(StoreError::UpgradeNeeded { file, found }) => {
                assert_eq!((file, found), (path.clone(), FILE_FORMAT - 1));
            }
            other => panic!("{other:?}"),
        }
        let writer = open(&path).unwrap();
        writer.execute("INSERT INTO t VALUES (1, 2)", []).unwrap();
        drop(writer);
        open(&path).unwrap();
        open_reader(&at(&path), FileKind::Realm).unwrap();
    }

    #[test]
    fn a_new_file_is_marked_and_opens_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        drop(open(&path).unwrap());
        open(&path).unwrap();
        let reader = open_reader(&at(&path), FileKind::Realm).unwrap();
        assert!(reader.execute("INSERT INTO t VALUES (1)", []).is_err(), "a reader cannot write");
    }

    #[test]
    fn foreign_and_damaged_files_are_refused_by_name_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text.realm");
        std::fs::write(&text, "this is not a database, it is only a text file\n".repeat(100))
            .unwrap();
        let before = std::fs::read(&text).unwrap();
        match open(&text) {
            Err(StoreError::Corrupted { file, .. }) => assert_eq!(file, text),
            other => panic!("{other:?}"),
        }
        assert_eq!(std::fs::read(&text).unwrap(), before);

        let foreign = dir.path().join("foreign.db");
        Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
        assert!(matches!(open(&foreign), Err(StoreError::Corrupted { .. })));

        let server = dir.path().join("server.db");
        open_writer(&at(&server), FileKind::Server, Synchronous::Full, LAYOUT).unwrap();
        assert!(matches!(open(&server), Err(StoreError::Corrupted { .. })));
    }

    #[test]
    fn a_newer_format_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        open(&path).unwrap().pragma_update(None, "user_version", 7).unwrap();
        match open(&path) {
            Err(StoreError::VersionUnsupported { found: 7, supported: FILE_FORMAT, file }) => {
                assert_eq!(file, path);
            }
            other => panic!("{other:?}"),
        }
    }
}
