//! The history of a synced file: own changesets with their reciprocal forms, and what of them is
//! still to be uploaded (sync-engine 3.2 to 3.4).
//!
//! Invariant: an entry with origin 0 and a changeset is kept until the server has integrated it and
//! says so in a download cursor; its original bytes never change, only its reciprocal form does. An
//! applied remote changeset is never kept, only the fact.

use rusqlite::{Connection, OptionalExtension, params};
use skerry_model::{Changeset, ClientVersion, FileIdent, ServerVersion, Stamp};

use super::layout::Progress;
use super::packed::{pack_changeset, unpack_changeset};
use super::transaction::Transaction;
use super::{Realm, Snapshot};
use crate::error::{Result, StoreError};

/// An own change that the server has not confirmed in a download cursor, in the form in which it
/// meets incoming changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalChange {
    /// Its version.
    pub version: ClientVersion,
    /// When it was made.
    pub stamp: Stamp,
    /// The reciprocal form if merging made one, else the changeset itself.
    pub changeset: Changeset,
}

/// An own changeset as it is uploaded: the original bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadEntry {
    /// Its version.
    pub client_version: ClientVersion,
    /// The server version that was integrated when it was made.
    pub base_server_version: ServerVersion,
    /// When it was made.
    pub stamp: Stamp,
    /// The packed changeset.
    pub changeset: Vec<u8>,
}

/// Entries for one UPLOAD, and the cursor that they reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadBatch {
    /// The entries, ascending.
    pub entries: Vec<UploadEntry>,
    /// Own version up to which everything is in this or an earlier batch.
    pub progress_client_version: ClientVersion,
    /// Server version that was integrated at that version.
    pub progress_server_version: ServerVersion,
}

/// Writes the entry of a local commit and remembers its stamp.
pub(super) fn append_local(
    transaction: &mut Transaction,
    stamp: Stamp,
    changeset: &Changeset,
) -> Result<()> {
    transaction.progress.see_stamp(FileIdent::LOCAL, stamp);
    let bytes = pack_changeset(changeset)?;
    append(transaction, FileIdent::LOCAL, stamp, &bytes)
}

/// Writes the entry of an integration: the fact, not the changesets.
pub(super) fn append_remote(
    transaction: &mut Transaction,
    origin: FileIdent,
    stamp: Stamp,
) -> Result<()> {
    append(transaction, origin, stamp, &[])
}

fn append(
    transaction: &Transaction,
    origin: FileIdent,
    stamp: Stamp,
    changeset: &[u8],
) -> Result<()> {
    let version = transaction.next_version();
    let remote_version = transaction.progress.sync.download_server_version;
    transaction
        .writable()?
        .prepare_cached("INSERT INTO history VALUES (?1, ?2, ?3, ?4, ?5, NULL)")?
        .execute(params![version.0, origin.0, stamp.0, remote_version.0, changeset])?;
    Ok(())
}

/// Own changes after a version, ascending.
pub(super) fn local_changes_after(
    connection: &Connection,
    after: ClientVersion,
) -> Result<Vec<LocalChange>> {
    let mut statement = connection.prepare_cached(
        "SELECT version, stamp, coalesce(reciprocal, changeset) FROM history
         WHERE origin = 0 AND length(changeset) > 0 AND version > ?1 ORDER BY version",
    )?;
    let mut rows = statement.query([after.0])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let version = ClientVersion(row.get(0)?);
        let changeset = unpack_changeset(version, row.get_ref(2)?)?;
        changes.push(LocalChange { version, stamp: Stamp(row.get(1)?), changeset });
    }
    Ok(changes)
}

/// Stores what merging made of an own change; `None` goes back to the changeset itself.
pub(super) fn store_reciprocal(
    connection: &Connection,
    version: ClientVersion,
    reciprocal: Option<&Changeset>,
) -> Result<()> {
    let bytes = reciprocal.map(pack_changeset).transpose()?;
    let changed = connection
        .prepare_cached(
            "UPDATE history SET reciprocal = ?1
             WHERE version = ?2 AND origin = 0 AND length(changeset) > 0",
        )?
        .execute(params![bytes, version.0])?;
    match changed {
        0 => Err(StoreError::Misuse("a reciprocal form belongs to an own change in the history")),
        _ => Ok(()),
    }
}

/// Drops the entries that no merge and no upload needs any more, and those behind them that need
/// no upload (sync-engine 3.3, step 6).
pub(super) fn trim(connection: &Connection, progress: &Progress) -> Result<()> {
    let confirmed = progress.sync.download_client_version.min(progress.sync.upload_client_version);
    let first_needed: Option<i64> = connection
        .prepare_cached(
            "SELECT version FROM history
             WHERE origin = 0 AND length(changeset) > 0 AND version > ?1
             ORDER BY version LIMIT 1",
        )?
        .query_row([confirmed.0], |row| row.get(0))
        .optional()?;
    connection
        .prepare_cached("DELETE FROM history WHERE version < ?1")?
        .execute([first_needed.unwrap_or(i64::MAX)])?;
    Ok(())
}

impl Realm {
    /// Own changes after the download cursor's client version, in reciprocal form: what a merge
    /// index is loaded with. Also the version that was read: changes committed later are not in it.
    pub fn unacknowledged(&self) -> Result<(ClientVersion, Vec<LocalChange>)> {
        self.must_be_synced()?;
        let snapshot = self.snapshot()?;
        let after = snapshot.progress()?.sync.download_client_version;
        let changes = snapshot.read(|connection| local_changes_after(connection, after))?;
        Ok((snapshot.version(), changes))
    }

    /// Whether there are own changes behind the upload cursor.
    pub fn has_pending_upload(&self) -> Result<bool> {
        let snapshot = self.snapshot()?;
        let after = snapshot.progress()?.sync.upload_client_version;
        snapshot.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT 1 FROM history
                 WHERE origin = 0 AND length(changeset) > 0 AND version > ?1 LIMIT 1",
            )?;
            Ok(statement.exists([after.0])?)
        })
    }

    /// Own changes after `after`, up to and including `limit`, in original form: as many as fit in
    /// `size_max_bytes`, but one at least.
    pub fn uploads(
        &self,
        after: ClientVersion,
        limit: Option<ClientVersion>,
        size_max_bytes: usize,
    ) -> Result<UploadBatch> {
        self.must_be_synced()?;
        let snapshot = self.snapshot()?;
        uploads(&snapshot, after, limit, size_max_bytes)
    }
}

fn uploads(
    snapshot: &Snapshot,
    after: ClientVersion,
    limit: Option<ClientVersion>,
    size_max_bytes: usize,
) -> Result<UploadBatch> {
    let progress = snapshot.progress()?;
    let last = limit.map_or(progress.version, |limit| limit.min(progress.version));
    snapshot.read(|connection| {
        let mut statement = connection.prepare_cached(
            "SELECT version, remote_version, stamp, changeset FROM history
             WHERE origin = 0 AND length(changeset) > 0 AND version > ?1 AND version <= ?2
             ORDER BY version",
        )?;
        let mut rows = statement.query([after.0, last.0])?;
        let mut entries: Vec<UploadEntry> = Vec::new();
        let mut size_bytes = 0_usize;
        while let Some(row) = rows.next()? {
            let changeset: Vec<u8> = row.get(3)?;
            size_bytes = size_bytes.saturating_add(changeset.len());
            if let Some(previous) = entries.last()
                && size_bytes > size_max_bytes
            {
                return Ok(UploadBatch {
                    progress_client_version: previous.client_version,
                    progress_server_version: previous.base_server_version,
                    entries,
                });
            }
            entries.push(UploadEntry {
                client_version: ClientVersion(row.get(0)?),
                base_server_version: ServerVersion(row.get(1)?),
                stamp: Stamp(row.get(2)?),
                changeset,
            });
        }
        let base = if last == progress.version {
            progress.sync.download_server_version
        } else {
            base_at(connection, last)?.max(progress.sync.upload_server_version)
        };
        Ok(UploadBatch {
            entries,
            // Entries that need no upload are passed over, and the cursor moves all the same.
            progress_client_version: last.max(after),
            progress_server_version: base,
        })
    })
}

/// The server version that was integrated at an own version, as far as the history still knows.
fn base_at(connection: &Connection, version: ClientVersion) -> Result<ServerVersion> {
    let mut statement = connection.prepare_cached(
        "SELECT remote_version FROM history WHERE version <= ?1 ORDER BY version DESC LIMIT 1",
    )?;
    let base: Option<i64> = statement.query_row([version.0], |row| row.get(0)).optional()?;
    Ok(ServerVersion(base.unwrap_or(0)))
}
