//! Copies of an open file.
//!
//! Invariant: a copy is one version of the file, whatever is written meanwhile. It is a local file: a
//! second file of one identity would make the server take the changes of one for those of the other,
//! and one of a new identity would hold objects of which the server does not know that it has them.

use rusqlite::Connection;

use super::{Realm, requests, schema_version};
use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;
use crate::files;
use crate::location::Location;

/// What a synced file knows of its server.
const FORGET_SERVER: &str = "
UPDATE progress SET is_synced = 0, last_stamp = 0, file_ident = 0, file_salt = 0,
    download_server_version = 0, download_client_version = 0, upload_client_version = 0,
    upload_server_version = 0, latest_server_version = 0, latest_salt = 0;
DELETE FROM history;
DELETE FROM subscription;
DELETE FROM subscription_set;
DELETE FROM bootstrap_entry;
DELETE FROM bootstrap;
";

impl Realm {
    /// Writes the newest version to a new local file, encrypted if that has a key, without the pages that hold nothing. Waits for no
    /// writer and holds none up. `version` is the schema version of the copy; that of this file when it
    /// is `None`, which is 0 for a synced file.
    ///
    /// # Errors
    ///
    /// [`FileFault::Exists`], [`FileFault::UnuploadedChanges`] when this file is synced and has some, and
    /// [`StoreError::DiskFull`]. No file is there afterwards then.
    pub fn write_copy(&self, destination: &Location, version: Option<u64>) -> Result<()> {
        self.inner.must_be_open()?;
        // A connection of its own, for this is not done inside a transaction.
        let source = self.inner.open_reader()?;
        // What is written is another file.
        source.pragma_update(None, "query_only", false).map_err(StoreError::from)?;
        files::copy(&source, destination, &|copy| {
            if self.inner.synced {
                forget_server(copy)?;
            }
            // Versions of other files say nothing about what this one caches.
            copy.execute_batch("DELETE FROM changed")?;
            version.map_or(Ok(()), |version| schema_version::save(copy, version))
        })
    }
}

fn forget_server(copy: &Connection) -> Result<()> {
    let is_pending: bool = copy.query_row(
        "SELECT EXISTS (
             SELECT 1 FROM history, progress WHERE origin = 0 AND length(changeset) > 0
                 AND history.version > progress.upload_client_version)",
        [],
        |row| row.get(0),
    )?;
    if is_pending {
        return Err(StoreError::of_file(FileFault::UnuploadedChanges));
    }
    copy.execute_batch(requests::FORGET)?;
    Ok(copy.execute_batch(FORGET_SERVER)?)
}
