//! Staged bootstraps: the batches of a bootstrap, kept until the last one has come
//! (sync-engine 5.2).
//!
//! Invariant: at most one query version is staged, and it is either incomplete (its rest is awaited
//! on the connection that began it) or complete together with the cursors that its last message
//! carried. Nothing staged is visible in the objects.

use rusqlite::{Connection, OptionalExtension, params};
use skerry_model::{Changeset, ClientVersion, FileIdent, QueryVersion, ServerVersion, Stamp};

use super::layout::SyncProgress;
use super::packed::unpack_changeset;
use super::subscriptions::{SubscriptionEvent, SubscriptionState, transition};
use super::{Integration, Realm};
use crate::error::Result;

/// An entry of a DOWNLOAD as it came, with the packed changeset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadEntry {
    /// Its version.
    pub server_version: ServerVersion,
    /// The last own version that the server had integrated when it made this one.
    pub client_version: ClientVersion,
    /// When it was made.
    pub stamp: Stamp,
    /// Who made it.
    pub origin: FileIdent,
    /// The packed changeset; empty for the empty changeset. Whoever stages it has decoded it before:
    /// one that does not decode is the sender's fault and must not get into the file.
    pub changeset: Vec<u8>,
}

/// What is staged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingBootstrap {
    /// For which subscription set.
    pub query_version: QueryVersion,
    /// The cursors after it, once it is complete.
    pub progress: Option<SyncProgress>,
    /// Number of entries.
    pub entry_count: u64,
}

/// A staged entry, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StagedEntry {
    /// Position in the bootstrap.
    pub sequence: i64,
    /// Its version.
    pub server_version: ServerVersion,
    /// The last own version that the server had integrated when it made this one.
    pub client_version: ClientVersion,
    /// When it was made.
    pub stamp: Stamp,
    /// Who made it.
    pub origin: FileIdent,
    /// What it says.
    pub changeset: Changeset,
}

pub(crate) fn pending(connection: &Connection) -> Result<Option<PendingBootstrap>> {
    let mut statement = connection.prepare_cached(
        "SELECT query_version, is_complete, download_server_version, download_client_version,
                upload_client_version, upload_server_version, latest_server_version, latest_salt,
                (SELECT count(*) FROM bootstrap_entry)
         FROM bootstrap",
    )?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let is_complete: bool = row.get(1)?;
    Ok(Some(PendingBootstrap {
        query_version: QueryVersion(row.get(0)?),
        progress: is_complete.then(|| SyncProgress::from_row(row, 2)).transpose()?,
        entry_count: row.get::<_, i64>(8)?.unsigned_abs(),
    }))
}

fn drop_staged(connection: &Connection) -> Result<()> {
    connection.prepare_cached("DELETE FROM bootstrap_entry")?.execute([])?;
    connection.prepare_cached("DELETE FROM bootstrap")?.execute([])?;
    Ok(())
}

/// Drops what is staged and puts its set back, if it still waits.
fn abandon(connection: &Connection, staged: PendingBootstrap) -> Result<()> {
    drop_staged(connection)?;
    let version = staged.query_version;
    let known: Option<i64> = connection
        .prepare_cached("SELECT 1 FROM subscription_set WHERE version = ?1")?
        .query_row([version.0], |row| row.get(0))
        .optional()?;
    if known.is_some() {
        transition(connection, version, SubscriptionEvent::BootstrapDropped, None)?;
    }
    Ok(())
}

fn begin(connection: &Connection, version: QueryVersion) -> Result<()> {
    transition(connection, version, SubscriptionEvent::BootstrapBegun, None)?;
    connection
        .prepare_cached("INSERT INTO bootstrap VALUES (1, ?1, 0, 0, 0, 0, 0, 0, 0)")?
        .execute([version.0])?;
    Ok(())
}

fn append(connection: &Connection, entries: &[DownloadEntry]) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO bootstrap_entry (server_version, client_version, stamp, origin, changeset)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for entry in entries {
        insert.execute(params![
            entry.server_version.0,
            entry.client_version.0,
            entry.stamp.0,
            entry.origin.0,
            entry.changeset,
        ])?;
    }
    Ok(())
}

fn complete(connection: &Connection, progress: &SyncProgress) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE bootstrap SET is_complete = 1, download_server_version = ?1,
                 download_client_version = ?2, upload_client_version = ?3,
                 upload_server_version = ?4, latest_server_version = ?5, latest_salt = ?6",
        )?
        .execute([
            progress.download_server_version.0,
            progress.download_client_version.0,
            progress.upload_client_version.0,
            progress.upload_server_version.0,
            progress.latest_server_version.0,
            progress.latest_salt.0,
        ])?;
    Ok(())
}

impl Realm {
    /// Stages a batch of the bootstrap for `query_version`, in a commit of its own. The first batch
    /// begins the bootstrap (the set's state moves) and drops what was staged for another version;
    /// the last one brings `finished`, the cursors to take over when it is integrated.
    ///
    /// Returns whether this batch began the bootstrap.
    pub fn stage_bootstrap(
        &self,
        query_version: QueryVersion,
        entries: &[DownloadEntry],
        finished: Option<&SyncProgress>,
    ) -> Result<bool> {
        let mut is_first = false;
        self.bookkeeping(|transaction| {
            let connection = transaction.connection();
            let staged = pending(connection)?;
            let is_continued = staged.is_some_and(|staged| {
                staged.query_version == query_version && staged.progress.is_none()
            });
            if !is_continued {
                if let Some(staged) = staged {
                    abandon(connection, staged)?;
                }
                begin(connection, query_version)?;
                is_first = true;
            }
            append(connection, entries)?;
            finished.map_or(Ok(()), |progress| complete(connection, progress))
        })?;
        Ok(is_first)
    }

    /// What is staged.
    pub fn pending_bootstrap(&self) -> Result<Option<PendingBootstrap>> {
        self.must_be_synced()?;
        self.inner.watch(pending)
    }

    /// Drops an incomplete bootstrap, whose rest will not come after a disconnect, and puts its set
    /// back to pending; which one it was. To be called by the sync agent before it connects; a
    /// complete one is left to be integrated.
    pub fn discard_incomplete_bootstrap(&self) -> Result<Option<QueryVersion>> {
        match self.pending_bootstrap()? {
            Some(PendingBootstrap { progress: None, .. }) => {}
            Some(PendingBootstrap { progress: Some(_), .. }) | None => return Ok(None),
        }
        let mut discarded = None;
        self.bookkeeping(|transaction| {
            let connection = transaction.connection();
            if let Some(staged) = pending(connection)?
                && staged.progress.is_none()
            {
                abandon(connection, staged)?;
                discarded = Some(staged.query_version);
            }
            Ok(())
        })?;
        Ok(discarded)
    }
}

impl Integration {
    /// What is staged.
    pub fn pending_bootstrap(&self) -> Result<Option<PendingBootstrap>> {
        self.named(pending(self.transaction.connection()))
    }

    /// Staged entries behind position `after` (0 for the first), as many as have `size_max_bytes`
    /// packed bytes together, but one at least. Empty at the end.
    pub fn staged_entries(&self, after: i64, size_max_bytes: usize) -> Result<Vec<StagedEntry>> {
        let mut statement = self.transaction.connection().prepare_cached(
            "SELECT sequence, server_version, client_version, stamp, origin, changeset
             FROM bootstrap_entry WHERE sequence > ?1 ORDER BY sequence",
        )?;
        let mut rows = statement.query([after])?;
        let mut entries = Vec::new();
        let mut size_bytes = 0_usize;
        while let Some(row) = rows.next()? {
            let stored = row.get_ref(5)?;
            size_bytes = size_bytes.saturating_add(stored.as_bytes().map_or(0, <[u8]>::len));
            if !entries.is_empty() && size_bytes > size_max_bytes {
                break;
            }
            let client_version = ClientVersion(row.get(2)?);
            entries.push(StagedEntry {
                sequence: row.get(0)?,
                server_version: ServerVersion(row.get(1)?),
                client_version,
                stamp: Stamp(row.get(3)?),
                origin: FileIdent(row.get(4)?),
                changeset: unpack_changeset(client_version, stored)?,
            });
        }
        Ok(entries)
    }

    /// The staged bootstrap has been applied: drops it and moves its set on. The caller sets the
    /// cursors in the same integration.
    pub fn finish_bootstrap(&mut self, query_version: QueryVersion) -> Result<SubscriptionState> {
        let connection = self.transaction.writable()?;
        let event = SubscriptionEvent::BootstrapIntegrated;
        self.named(
            drop_staged(connection)
                .and_then(|()| transition(connection, query_version, event, None)),
        )
    }
}
