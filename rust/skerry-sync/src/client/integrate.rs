//! Brings what the server sent into a realm file (sync-engine 3.3, 5.2).
//!
//! Invariant: one DOWNLOAD, or one whole bootstrap, is one transaction with its cursors: after any
//! failure the file is as it was. Own changes that the application commits up to the moment the
//! write lock is taken take part in the merge; after it none can come in between.

use std::sync::Arc;
use std::time::Duration;

use skerry_merge::{Author, Incoming, LocalChanges, MergeError};
use skerry_model::limits::CHANGESET_MAX_BYTES;
use skerry_model::{
    Changeset, ClientVersion, DecodeError, FileIdent, QueryVersion, ServerVersion, Stamp,
    decode_changeset, unpack,
};
use skerry_store::realm::{self, Integration, Realm, SubscriptionState, SyncProgress};
use skerry_store::{FileFault, StoreError};

use crate::protocol::{BatchState, Download, DownloadEntry};

/// Longest wait for the file's writer lock.
const LOCK_TIMEOUT: Duration = Duration::from_mins(1);
/// How much of a staged bootstrap is decoded at a time.
const STAGED_CHUNK_BYTES: usize = 1024 * 1024;

/// Why something could not be integrated.
#[derive(Debug, thiserror::Error)]
pub enum IntegrateError {
    /// A changeset does not decode.
    #[error("changeset of server version {version}: {source}")]
    Decode {
        /// Its version.
        version: ServerVersion,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// A changeset does not merge with the own changes.
    #[error(transparent)]
    Merge(#[from] MergeError),
    /// A changeset does not fit the file, or the file cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server sent changes before the file had an ident.
    #[error("the file has no ident yet")]
    NoIdent,
}

impl IntegrateError {
    /// Whether the trouble is this machine's and can pass: the same bytes may be welcome later.
    pub fn can_pass(&self) -> bool {
        match self {
            Self::Store(error) => can_pass(error),
            Self::Decode { .. } | Self::Merge(_) | Self::NoIdent => false,
        }
    }
}

/// Whether an error of the store is about disk or locks.
fn can_pass(error: &StoreError) -> bool {
    match error {
        StoreError::DiskFull { .. }
        | StoreError::LockTimeout { .. }
        | StoreError::Io { .. }
        | StoreError::Sqlite { .. }
        | StoreError::File {
            fault: FileFault::NotWritable | FileFault::Unreachable { .. }, ..
        } => true,
        StoreError::Corrupted { .. }
        | StoreError::VersionUnsupported { .. }
        | StoreError::UpgradeNeeded { .. }
        | StoreError::SyncedMismatch { .. }
        | StoreError::Closed
        | StoreError::Schema(_)
        | StoreError::DestructiveChange { .. }
        | StoreError::UnsupportedInstruction(_)
        | StoreError::BadInstruction { .. }
        | StoreError::PrimaryKeyExists { .. }
        | StoreError::NoSubscriptionForWrite { .. }
        | StoreError::Query(_)
        | StoreError::KeyPath { .. }
        | StoreError::StaleSubscriptionSet { .. }
        | StoreError::DuplicateSubscription { .. }
        | StoreError::BadSubscriptionTransition { .. }
        | StoreError::BadStoredChangeset { .. }
        | StoreError::Encode(_)
        | StoreError::RolledBack
        | StoreError::File { .. }
        | StoreError::Misuse(_) => false,
    }
}

/// One changeset from the server, decoded.
struct Piece {
    server_version: ServerVersion,
    base: ClientVersion,
    incoming: Incoming,
}

/// The state of a set after a bootstrap was begun or ended, for the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bootstrapped {
    /// Its version.
    pub query_version: QueryVersion,
    /// Its new state.
    pub state: SubscriptionState,
    /// The commit.
    pub version: ClientVersion,
}

/// Merges downloads with the own changes of one file.
#[derive(Debug, Default)]
pub struct Integrator {
    /// Own changes in memory and the version up to which they were read; `None` before the first
    /// integration and after one that failed half-way.
    local: Option<(LocalChanges, ClientVersion)>,
}

impl Integrator {
    /// Integrates a steady-state DOWNLOAD. The new version, if anything was applied.
    pub fn integrate(
        &mut self,
        realm: &Realm,
        download: &Download,
    ) -> Result<Option<ClientVersion>, IntegrateError> {
        let pieces: Result<Vec<_>, _> = download.entries.iter().map(piece).collect();
        let pieces = pieces?;
        let has_pieces = !pieces.is_empty();
        let cursors = cursors_of(download);
        if !has_pieces && realm.progress()?.sync == cursors {
            return Ok(None);
        }
        let version = self.transact(realm, cursors, |integrator, integration| {
            integrator.merge_and_apply(integration, pieces)
        })?;
        Ok(has_pieces.then_some(version))
    }

    /// Stages a part of a bootstrap; the state of its set, if this part began it.
    pub fn stage(
        realm: &Realm,
        download: &Download,
    ) -> Result<Option<SubscriptionState>, IntegrateError> {
        let entries: Vec<_> = download.entries.iter().map(staged).collect();
        let finished = match download.batch_state {
            BatchState::LastInBatch => Some(cursors_of(download)),
            BatchState::MoreToCome | BatchState::SteadyState => None,
        };
        let version = download.query_version;
        if !realm.stage_bootstrap(version, &entries, finished.as_ref())? {
            return Ok(None);
        }
        Ok(realm.snapshot()?.subscription_set(version)?.map(|set| set.state))
    }

    /// Integrates a completely staged bootstrap, if there is one, whole.
    pub fn integrate_staged(
        &mut self,
        realm: &Realm,
    ) -> Result<Option<Bootstrapped>, IntegrateError> {
        let Some(pending) = realm.pending_bootstrap()? else { return Ok(None) };
        let Some(cursors) = pending.progress else { return Ok(None) };
        let query_version = pending.query_version;
        let mut state = SubscriptionState::Bootstrapping;
        let version = self.transact(realm, cursors, |integrator, integration| {
            let mut after = 0;
            loop {
                let chunk = integration.staged_entries(after, STAGED_CHUNK_BYTES)?;
                let Some(last) = chunk.last() else { break };
                after = last.sequence;
                let pieces = chunk.into_iter().map(|entry| Piece {
                    server_version: entry.server_version,
                    base: entry.client_version,
                    incoming: Incoming {
                        author: Author::new(entry.stamp, entry.origin),
                        changeset: entry.changeset,
                    },
                });
                integrator.merge_and_apply(integration, pieces.collect())?;
            }
            state = integration.finish_bootstrap(query_version)?;
            Ok(())
        })?;
        Ok(Some(Bootstrapped { query_version, state, version }))
    }

    /// Lock, changes, cursors, commit; forgets the changes in memory when any of it fails.
    fn transact(
        &mut self,
        realm: &Realm,
        cursors: SyncProgress,
        change: impl FnOnce(&mut Self, &mut Integration) -> Result<(), IntegrateError>,
    ) -> Result<ClientVersion, IntegrateError> {
        let committed = (|| {
            let mut integration = realm.begin_integration(LOCK_TIMEOUT)?;
            self.load_local(&integration)?;
            change(self, &mut integration)?;
            let known = integration.progress().sync;
            integration.set_progress(SyncProgress {
                // The server may state an older base when it accepted nothing since.
                upload_server_version: cursors
                    .upload_server_version
                    .max(known.upload_server_version),
                ..cursors
            })?;
            Ok(integration.commit()?)
        })();
        match (&committed, &mut self.local) {
            (Ok(version), Some((local, loaded_through))) => {
                local.acknowledge_through(cursors.download_client_version);
                *loaded_through = *version;
            }
            (Ok(_), None) | (Err(_), _) => self.local = None,
        }
        committed
    }

    /// With the write lock held: adds the own changes that memory does not have.
    fn load_local(&mut self, integration: &Integration) -> Result<(), IntegrateError> {
        let progress = integration.progress();
        let confirmed = progress.sync.download_client_version;
        let (local, loaded_through) =
            self.local.get_or_insert_with(|| (LocalChanges::new(), confirmed));
        for change in integration.local_changes_after(*loaded_through)? {
            local.push(change.version, change.stamp, &change.changeset)?;
        }
        *loaded_through = progress.version;
        Ok(())
    }

    /// Merges group by group, applies, and stores the reciprocal forms that changed.
    fn merge_and_apply(
        &mut self,
        integration: &mut Integration,
        pieces: Vec<Piece>,
    ) -> Result<(), IntegrateError> {
        let own = integration.progress().file_ident;
        if own < FileIdent::FIRST_CLIENT {
            return Err(IntegrateError::NoIdent);
        }
        let (local, _) = self.local.as_mut().expect("loaded when the integration began");
        let mut dirty = Vec::new();
        for group in groups(pieces) {
            let base = group[0].base;
            let versions: Vec<_> = group.iter().map(|piece| piece.server_version).collect();
            let mut theirs: Vec<_> = group.into_iter().map(|piece| piece.incoming).collect();
            let schema = Arc::clone(integration.tables().catalogue().schema());
            dirty.extend(local.integrate(&schema, own, base, &mut theirs)?);
            for (incoming, version) in theirs.iter().zip(versions) {
                let Author { stamp, ident } = incoming.author;
                integration.apply(&incoming.changeset, version, ident, stamp)?;
            }
        }
        dirty.sort_unstable();
        dirty.dedup();
        for version in dirty {
            let reciprocal = local.reciprocal(version);
            let reciprocal = reciprocal.expect("a change that was merged just now is pending");
            integration.store_reciprocal(version, Some(&reciprocal))?;
        }
        Ok(())
    }
}

/// Neighbours with the same base go together (sync-engine 3.3, step 2).
fn groups(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut groups: Vec<Vec<Piece>> = Vec::new();
    for piece in pieces {
        match groups.last_mut() {
            Some(group) if group[0].base == piece.base => group.push(piece),
            Some(_) | None => groups.push(vec![piece]),
        }
    }
    groups
}

fn piece(entry: &DownloadEntry) -> Result<Piece, IntegrateError> {
    let version = entry.server_version;
    let changeset = unpack_changeset(&entry.changeset)
        .map_err(|source| IntegrateError::Decode { version, source })?;
    let author = Author::new(entry.stamp, entry.origin);
    let incoming = Incoming { author, changeset };
    Ok(Piece { server_version: version, base: entry.client_version, incoming })
}

/// An entry without bytes is the empty changeset.
fn unpack_changeset(packed: &Arc<[u8]>) -> Result<Changeset, DecodeError> {
    if packed.is_empty() {
        return Ok(Changeset::default());
    }
    decode_changeset(&unpack(packed, CHANGESET_MAX_BYTES)?)
}

fn staged(entry: &DownloadEntry) -> realm::DownloadEntry {
    let stamp: Stamp = entry.stamp;
    realm::DownloadEntry {
        server_version: entry.server_version,
        client_version: entry.client_version,
        stamp,
        origin: entry.origin,
        changeset: entry.changeset.to_vec(),
    }
}

fn cursors_of(download: &Download) -> SyncProgress {
    SyncProgress {
        download_server_version: download.dl_server_version,
        download_client_version: download.dl_client_version,
        upload_client_version: download.ul_client_version,
        upload_server_version: download.ul_server_version,
        latest_server_version: download.latest_server_version,
        latest_salt: download.latest_salt,
    }
}
