//! What processes that are not the sync agent ask of it: to tell when all that the server has is in
//! the file. Only the agent can ask the server, and the file is what all of them have in common.
//!
//! Invariant: requests are numbered from 1 in the order of asking, and answered up to a number; an
//! answer is committed after the changes that it speaks of. The table is made by the first who asks,
//! so that a file of one process never has it.

use rusqlite::{Connection, OptionalExtension};
use skerry_model::ClientVersion;

use super::Realm;
use crate::error::{Result, StoreError};

const CREATE: &str = "
CREATE TABLE IF NOT EXISTS download_request (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    asked INTEGER NOT NULL,
    answered INTEGER NOT NULL
) STRICT;
INSERT OR IGNORE INTO download_request VALUES (1, 0, 0);
";

/// For a copy, which has no server.
pub(super) const FORGET: &str = "DROP TABLE IF EXISTS download_request";

/// How far requests for downloads are; the number of the newest, and up to which they are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DownloadRequests {
    /// Number of the newest request; 0 when there was none.
    pub asked: u64,
    /// Requests up to this one are answered.
    pub answered: u64,
}

impl Realm {
    /// Asks the file's sync agent, whichever process that is, to tell when all that the server has at
    /// some moment after this call is in the file. The number of the request. Takes a version.
    pub fn request_download(&self) -> Result<u64> {
        let mut number = 0;
        self.bookkeeping(|transaction| {
            let connection = transaction.writable()?;
            connection.execute_batch(CREATE)?;
            connection.execute("UPDATE download_request SET asked = asked + 1", [])?;
            number = load(connection)?.asked;
            Ok(())
        })?;
        Ok(number)
    }

    /// What was asked for and what is answered.
    pub fn download_requests(&self) -> Result<DownloadRequests> {
        self.inner.watch(|connection| {
            if exists(connection)? { load(connection) } else { Ok(DownloadRequests::default()) }
        })
    }

    /// Answers the requests up to and including a number. Takes a version.
    pub fn answer_downloads(&self, through: u64) -> Result<()> {
        let through = i64::try_from(through).unwrap_or(i64::MAX);
        self.bookkeeping(|transaction| {
            transaction.writable()?.execute(
                "UPDATE download_request SET answered = max(answered, min(?1, asked))",
                [through],
            )?;
            Ok(())
        })?;
        Ok(())
    }

    /// Whether the server has accepted every own change up to and including a version, as far as this
    /// file knows.
    pub fn is_uploaded_through(&self, version: ClientVersion) -> Result<bool> {
        let accepted = self.progress()?.sync.upload_client_version;
        // Whatever is left up to it must be empty, or bookkeeping.
        Ok(version <= accepted || self.uploads(accepted, Some(version), 1)?.entries.is_empty())
    }
}

fn exists(connection: &Connection) -> Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'download_request'",
    )?;
    Ok(statement.exists([])?)
}

fn load(connection: &Connection) -> Result<DownloadRequests> {
    let mut statement =
        connection.prepare_cached("SELECT asked, answered FROM download_request")?;
    let found: Option<(i64, i64)> =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let (asked, answered) = found.unwrap_or_default();
    let number = |found: i64| u64::try_from(found).map_err(StoreError::corrupted);
    Ok(DownloadRequests { asked: number(asked)?, answered: number(answered)? })
}
