//! The write part of integrating a DOWNLOAD: everything that it changes, in one transaction
//! (sync-engine 3.3).
//!
//! Invariant: the objects, the reciprocal forms and the cursors of one DOWNLOAD become visible
//! together or not at all. Merging is the caller's; while an [`Integration`] is open no local
//! write can come in between, so what [`Integration::local_changes_after`] says stays complete.

use skerry_model::{Changeset, ClientVersion, FileIdent, ServerVersion, Stamp};

use super::history::{self, LocalChange};
use super::layout::{Progress, SyncProgress};
use super::transaction::Transaction;
use crate::error::{Result, StoreError};
use crate::objects::ObjectTables;

/// An integration in progress. Dropping it rolls everything back.
#[derive(Debug)]
pub struct Integration {
    pub(super) transaction: Transaction,
    /// Author and stamp of the last applied changeset.
    last_applied: Option<(FileIdent, Stamp)>,
    /// Whether a changeset was refused half-way; then nothing can be committed.
    is_spoilt: bool,
}

impl Integration {
    pub(super) fn new(transaction: Transaction) -> Self {
        Self { transaction, last_applied: None, is_spoilt: false }
    }

    /// Counters and cursors, as they were before.
    pub fn progress(&self) -> &Progress {
        &self.transaction.progress
    }

    /// The classes, as this integration sees them.
    pub fn tables(&self) -> &ObjectTables {
        &self.transaction.tables
    }

    /// Own changes after a version: those that other handles and processes have committed since the
    /// caller's merge index was loaded.
    pub fn local_changes_after(&self, version: ClientVersion) -> Result<Vec<LocalChange>> {
        self.named(history::local_changes_after(self.transaction.connection(), version))
    }

    /// Applies a changeset that has been merged with the own changes. After an error the
    /// integration can only be dropped.
    pub fn apply(
        &mut self,
        changeset: &Changeset,
        server_version: ServerVersion,
        origin: FileIdent,
        stamp: Stamp,
    ) -> Result<()> {
        let (connection, tables, open) = self.transaction.parts()?;
        if let Err(error) = tables.apply_open(connection, open, &changeset.instructions) {
            self.is_spoilt = true;
            return Err(error.in_file(self.transaction.inner().path()));
        }
        let progress = &mut self.transaction.progress;
        progress.see_stamp(origin, stamp);
        let integrated = &mut progress.sync.download_server_version;
        *integrated = server_version.max(*integrated);
        self.last_applied = Some((origin, stamp));
        Ok(())
    }

    /// Stores what merging made of an own change. An empty changeset means that nothing of it is
    /// left; `None`, that it is the original after all.
    pub fn store_reciprocal(
        &mut self,
        version: ClientVersion,
        reciprocal: Option<&Changeset>,
    ) -> Result<()> {
        self.named(history::store_reciprocal(self.transaction.writable()?, version, reciprocal))
    }

    /// With the file's name in the error.
    pub(super) fn named<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.in_file(self.transaction.inner().path()))
    }

    /// Moves the cursors.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] when one of them would go back: cursors are promises.
    pub fn set_progress(&mut self, new: SyncProgress) -> Result<()> {
        let old = &self.transaction.progress.sync;
        let is_behind = new.download_server_version < old.download_server_version
            || new.download_client_version < old.download_client_version
            || new.upload_client_version < old.upload_client_version
            || new.upload_server_version < old.upload_server_version
            || new.latest_server_version < old.latest_server_version;
        if is_behind {
            return Err(StoreError::Misuse("a cursor would move backwards"));
        }
        self.transaction.progress.sync = new;
        Ok(())
    }

    /// Writes the history entry of what was applied, trims the history and commits.
    pub fn commit(mut self) -> Result<ClientVersion> {
        if self.is_spoilt {
            return Err(StoreError::RolledBack);
        }
        let path = self.transaction.inner().path().to_path_buf();
        let finished = match self.last_applied {
            Some((origin, stamp)) => history::append_remote(&mut self.transaction, origin, stamp),
            None => Ok(()),
        };
        finished
            .and_then(|()| history::trim(self.transaction.writable()?, &self.transaction.progress))
            .map_err(|error| error.in_file(&path))?;
        self.transaction.commit()
    }
}
