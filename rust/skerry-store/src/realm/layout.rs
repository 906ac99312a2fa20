//! The tables of a realm file beside its objects, and the row of counters and cursors.
//!
//! Invariant: there is exactly one row of [`Progress`]; its version is that of the newest commit, so
//! whoever has read it has fixed which snapshot it sees.

use rusqlite::{Connection, params};
use skerry_model::{ClientVersion, FileIdent, Salt, ServerVersion, Stamp};

use super::changed::{CREATE_CHANGED, UPGRADE_TO_4};
use super::schema_version;
use crate::error::{Result, StoreError};
use crate::objects::ObjectTables;

/// Everything but the catalogue of classes and their tables; `docs/realm-file-format.md` explains it.
const CREATE_TABLES: &str = "
CREATE TABLE progress (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    is_synced INTEGER NOT NULL,
    version INTEGER NOT NULL,
    last_stamp INTEGER NOT NULL,
    file_ident INTEGER NOT NULL,
    file_salt INTEGER NOT NULL,
    download_server_version INTEGER NOT NULL,
    download_client_version INTEGER NOT NULL,
    upload_client_version INTEGER NOT NULL,
    upload_server_version INTEGER NOT NULL,
    latest_server_version INTEGER NOT NULL,
    latest_salt INTEGER NOT NULL
) STRICT;
CREATE TABLE history (
    version INTEGER PRIMARY KEY,
    origin INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    remote_version INTEGER NOT NULL,
    changeset BLOB NOT NULL,
    reciprocal BLOB
) STRICT;
CREATE INDEX history_local ON history (version) WHERE origin = 0 AND length(changeset) > 0;
CREATE TABLE subscription_set (
    version INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    snapshot_version INTEGER NOT NULL,
    error_message TEXT
) STRICT;
CREATE TABLE subscription (
    set_version INTEGER NOT NULL REFERENCES subscription_set (version),
    position INTEGER NOT NULL,
    id BLOB NOT NULL,
    name TEXT,
    class TEXT NOT NULL,
    query TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    updated_ms INTEGER NOT NULL,
    PRIMARY KEY (set_version, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE bootstrap (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    query_version INTEGER NOT NULL,
    is_complete INTEGER NOT NULL,
    download_server_version INTEGER NOT NULL,
    download_client_version INTEGER NOT NULL,
    upload_client_version INTEGER NOT NULL,
    upload_server_version INTEGER NOT NULL,
    latest_server_version INTEGER NOT NULL,
    latest_salt INTEGER NOT NULL
) STRICT;
CREATE TABLE bootstrap_entry (
    sequence INTEGER PRIMARY KEY,
    server_version INTEGER NOT NULL,
    client_version INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    origin INTEGER NOT NULL,
    changeset BLOB NOT NULL
) STRICT;
";

/// Made in the transaction that creates the file. A synced file also gets subscription set 0.
pub(super) fn create(connection: &Connection, is_synced: bool) -> Result<()> {
    ObjectTables::create(connection)?;
    connection.execute_batch(CREATE_TABLES)?;
    connection.execute_batch(CREATE_CHANGED)?;
    schema_version::create(connection)?;
    connection.execute(
        "INSERT INTO progress VALUES (1, ?1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
        [is_synced],
    )?;
    if is_synced {
        connection.execute("INSERT INTO subscription_set VALUES (0, 1, 1, NULL)", [])?;
    }
    Ok(())
}

/// Brings the tables of a file of an older format to the present one, in the transaction that upgrades
/// the file.
pub(super) fn upgrade(connection: &Connection, found: i32) -> Result<()> {
    ObjectTables::upgrade(connection, found)?;
    let changed = if found < 3 { CREATE_CHANGED } else { UPGRADE_TO_4 };
    connection.execute_batch(changed)?;
    schema_version::create(connection)
}

/// The two cursors and the head of the server's history, as a DOWNLOAD states them
/// (sync-engine 3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncProgress {
    /// Download cursor: the last server version received and integrated.
    pub download_server_version: ServerVersion,
    /// Download cursor: the last own version that the server had integrated when it made that one.
    pub download_client_version: ClientVersion,
    /// Upload cursor: the last own version that the server accepted.
    pub upload_client_version: ClientVersion,
    /// Upload cursor: the server version on which that one was based.
    pub upload_server_version: ServerVersion,
    /// Head of the server's history, as last told.
    pub latest_server_version: ServerVersion,
    /// Salt of that head.
    pub latest_salt: Salt,
}

/// Counters and cursors of a realm file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Version of the newest commit.
    pub version: ClientVersion,
    /// Greatest stamp seen, of own changes and of those of other clients (design 4).
    pub last_stamp: Stamp,
    /// Ident that the server gave this file; [`FileIdent::LOCAL`] before it did.
    pub file_ident: FileIdent,
    /// Salt of the ident.
    pub file_salt: Salt,
    /// Cursors.
    pub sync: SyncProgress,
}

pub(crate) fn is_synced(connection: &Connection) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT is_synced FROM progress")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

pub(super) fn version(connection: &Connection) -> Result<ClientVersion> {
    let mut statement = connection.prepare_cached("SELECT version FROM progress")?;
    Ok(ClientVersion(statement.query_row([], |row| row.get(0))?))
}

impl Progress {
    pub(crate) fn load(connection: &Connection) -> Result<Self> {
        let mut statement = connection.prepare_cached(
            "SELECT version, last_stamp, file_ident, file_salt,
                    download_server_version, download_client_version,
                    upload_client_version, upload_server_version,
                    latest_server_version, latest_salt
             FROM progress",
        )?;
        let mut rows = statement.query([])?;
        let row = rows.next()?.ok_or_else(|| StoreError::corrupted("no row in table progress"))?;
        Ok(Self {
            version: ClientVersion(row.get(0)?),
            last_stamp: Stamp(row.get(1)?),
            file_ident: FileIdent(row.get(2)?),
            file_salt: Salt(row.get(3)?),
            sync: SyncProgress::from_row(row, 4)?,
        })
    }

    pub(super) fn save(&self, connection: &Connection) -> Result<()> {
        let sync = &self.sync;
        connection
            .prepare_cached(
                "UPDATE progress SET version = ?1, last_stamp = ?2, file_ident = ?3,
                     file_salt = ?4, download_server_version = ?5, download_client_version = ?6,
                     upload_client_version = ?7, upload_server_version = ?8,
                     latest_server_version = ?9, latest_salt = ?10",
            )?
            .execute(params![
                self.version.0,
                self.last_stamp.0,
                self.file_ident.0,
                self.file_salt.0,
                sync.download_server_version.0,
                sync.download_client_version.0,
                sync.upload_client_version.0,
                sync.upload_server_version.0,
                sync.latest_server_version.0,
                sync.latest_salt.0,
            ])?;
        Ok(())
    }

    /// The stamp of a change made now: later than everything seen, whatever the clock says
    /// (design 4).
    pub(super) fn next_stamp(&self, now: Stamp) -> Stamp {
        now.max(Stamp(self.last_stamp.0.saturating_add(1)))
    }

    /// Remembers a stamp. Those of the server are synthetic and say nothing about clocks.
    pub(super) fn see_stamp(&mut self, origin: FileIdent, stamp: Stamp) {
        if origin != FileIdent::SERVER {
            self.last_stamp = self.last_stamp.max(stamp);
        }
    }
}

impl SyncProgress {
    pub(super) fn from_row(row: &rusqlite::Row<'_>, first: usize) -> Result<Self> {
        Ok(Self {
            download_server_version: ServerVersion(row.get(first)?),
            download_client_version: ClientVersion(row.get(first + 1)?),
            upload_client_version: ClientVersion(row.get(first + 2)?),
            upload_server_version: ServerVersion(row.get(first + 3)?),
            latest_server_version: ServerVersion(row.get(first + 4)?),
            latest_salt: Salt(row.get(first + 5)?),
        })
    }
}
