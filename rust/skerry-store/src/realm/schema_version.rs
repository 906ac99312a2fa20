//! Which schema version a local file has: the application's own number, which it raises whenever its
//! classes change in a way that is no mere addition.
//!
//! Invariant: the one row changes in the transaction that changes the classes. A file that was made
//! before there was the table has version 0; a synced file has 0 always.

use rusqlite::Connection;

use crate::error::{Result, StoreError};

/// The table; run in a new file, and in one of format 3 or older when it is upgraded.
const CREATE: &str = "
CREATE TABLE IF NOT EXISTS schema_version (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    version INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO schema_version VALUES (1, 0);
";

/// What format 4 has of it beyond format 3.
pub(super) fn create(connection: &Connection) -> Result<()> {
    Ok(connection.execute_batch(CREATE)?)
}

pub(super) fn load(connection: &Connection) -> Result<u64> {
    let mut statement = connection.prepare_cached("SELECT version FROM schema_version")?;
    let version: i64 = statement.query_row([], |row| row.get(0))?;
    u64::try_from(version).map_err(|_negative| StoreError::corrupted("a schema version below 0"))
}

pub(super) fn save(connection: &Connection, version: u64) -> Result<()> {
    let stored = i64::try_from(version)
        .map_err(|_large| StoreError::Misuse("a schema version is at most 2^63 - 1"))?;
    connection.prepare_cached("UPDATE schema_version SET version = ?1")?.execute([stored])?;
    Ok(())
}
