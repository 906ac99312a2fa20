//! The embedded store: one `SQLite` file in the server's data folder.
//!
//! Objects live in the tables that the realm file uses too ([`ObjectTables`]); beside them the history, what
//! it did to each object, the records of the clients, and the application's data. One process writes; the
//! single writer connection is the serialisation point.

mod blobs;
mod read;
mod write;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use skerry_model::{Salt, Schema};

use super::{Read, Store, Transaction};
use crate::StoreError;
use crate::connection::{FileKind, Layout, Synchronous, open_reader, open_writer};
use crate::error::Result;
use crate::location::Location;
use crate::objects::ObjectTables;
use read::Reader;
pub use write::SqliteTransaction;

const CREATE_TABLES: &str = "
CREATE TABLE state (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE history (
    version INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    client_version INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    only_for INTEGER,
    schema BLOB,
    rejected BLOB
) STRICT;
CREATE INDEX history_only_for ON history (only_for, version) WHERE only_for IS NOT NULL;
CREATE TABLE touch (
    version INTEGER NOT NULL,
    number INTEGER NOT NULL,
    class TEXT NOT NULL,
    key BLOB NOT NULL,
    before BLOB,
    after BLOB,
    ghost BLOB,
    instructions BLOB NOT NULL,
    PRIMARY KEY (version, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX touch_object ON touch (class, key, version);
CREATE TABLE client (
    ident INTEGER PRIMARY KEY AUTOINCREMENT,
    salt INTEGER NOT NULL,
    user TEXT NOT NULL,
    client_version INTEGER NOT NULL,
    base INTEGER NOT NULL
) STRICT;
CREATE TABLE view (
    ident INTEGER NOT NULL,
    version INTEGER NOT NULL,
    query_version INTEGER NOT NULL,
    definition TEXT NOT NULL,
    PRIMARY KEY (ident, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE condemned (
    ident INTEGER NOT NULL,
    class TEXT NOT NULL,
    key BLOB NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (ident, class, key, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE reciprocal (
    ident INTEGER NOT NULL,
    class TEXT NOT NULL,
    key BLOB NOT NULL,
    version INTEGER NOT NULL,
    instructions BLOB NOT NULL,
    PRIMARY KEY (ident, class, key, version)
) STRICT, WITHOUT ROWID;
CREATE TABLE meta (
    namespace TEXT NOT NULL,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    PRIMARY KEY (namespace, key)
) STRICT, WITHOUT ROWID;
";

fn create(connection: &Connection, salt: Salt) -> Result<()> {
    ObjectTables::create(connection)?;
    connection.execute_batch(CREATE_TABLES)?;
    // Version 1 is the empty beginning, so that a cursor of 0 means "nothing yet".
    connection.execute(
        "INSERT INTO history (version, origin, client_version, stamp) VALUES (1, 1, 0, 0)",
        [],
    )?;
    connection.execute("INSERT INTO state (name, value) VALUES ('salt', ?1)", [salt.0])?;
    // Ident 1 is the server's; clients follow.
    connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('client', 1)", [])?;
    Ok(())
}

/// Idle read connections that are kept for the next snapshot.
const IDLE_READERS_MAX: usize = 8;

/// The embedded store.
#[derive(Debug)]
pub struct SqliteStore {
    location: Location,
    connection: Connection,
    tables: ObjectTables,
    readers: Arc<Mutex<Vec<Connection>>>,
}

/// A read-only view of the state at the moment when it was opened. Holds its own connection, so it can be read
/// while the store goes on.
#[derive(Debug)]
pub struct SqliteSnapshot {
    /// Taken only when it is dropped.
    connection: Option<Connection>,
    tables: ObjectTables,
    readers: Arc<Mutex<Vec<Connection>>>,
}

impl SqliteStore {
    /// Opens the store's file, and makes it if it is absent. `salt` becomes the salt of a new history: random,
    /// 63 bits, nonzero.
    pub fn open(path: &Path, synchronous: Synchronous, salt: Salt) -> Result<Self> {
        let layout = Layout { create: &|made| create(made, salt), upgrade: &ObjectTables::upgrade };
        let location = Location::new(path, None);
        let connection = open_writer(&location, FileKind::Server, synchronous, layout)?;
        let tables = ObjectTables::open(&connection).map_err(|error| error.in_file(path))?;
        Ok(Self { location, connection, tables, readers: Arc::default() })
    }

    fn open_snapshot(&self) -> Result<SqliteSnapshot> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = idle.map_or_else(|| open_reader(&self.location, FileKind::Server), Ok)?;
        connection.execute_batch("BEGIN")?;
        // The first read is what fixes the snapshot.
        let mut tables = self.tables.clone();
        tables.refresh(&connection)?;
        let readers = Arc::clone(&self.readers);
        Ok(SqliteSnapshot { connection: Some(connection), tables, readers })
    }
}

impl Store for SqliteStore {
    fn begin(&mut self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        Ok(Box::new(SqliteTransaction::begin(self)?))
    }

    fn snapshot(&self) -> Result<Box<dyn Read + Send>, StoreError> {
        let snapshot = self.open_snapshot().map_err(|error| error.in_file(self.location.path()))?;
        Ok(Box::new(snapshot))
    }
}

impl SqliteSnapshot {
    fn reader(&self) -> Reader<'_> {
        let connection = self.connection.as_ref().expect("taken only when it is dropped");
        Reader { connection, tables: &self.tables }
    }
}

impl Drop for SqliteSnapshot {
    fn drop(&mut self) {
        let Some(connection) = self.connection.take() else { return };
        // Opening a connection costs more than most snapshots read.
        let is_clean = connection.execute_batch("ROLLBACK").is_ok();
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if is_clean && readers.len() < IDLE_READERS_MAX {
            readers.push(connection);
        }
    }
}

read::delegate_reads!(SqliteSnapshot);
read::delegate_reads!(SqliteTransaction<'_>);
