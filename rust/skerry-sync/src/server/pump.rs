//! Sending: turns what a session is owed into messages, as far as the connection may take them now.

use skerry_model::{ClientVersion, ServerVersion};
use skerry_store::StoreError;
use skerry_store::server::{Read, RejectedUpdate as StoredUpdate};

use super::EngineConfig;
use super::session::Session;
use super::shared::SharedBatches;
use super::stream::{Batch, Window};
use super::tuning::Tuning;
use crate::protocol::{
    BatchState, Download, DownloadEntry, ErrorMessage, RejectedUpdate, ServerConnection,
};
use skerry_model::SessionIdent;

/// Everything that sending needs besides the session.
pub(super) struct Pump<'a> {
    pub(super) machine: &'a mut ServerConnection,
    pub(super) config: &'a EngineConfig,
    pub(super) number: SessionIdent,
    /// The newest committed state.
    pub(super) read: &'a dyn Read,
    pub(super) head: ServerVersion,
    pub(super) salt: skerry_model::Salt,
    shared: &'a mut SharedBatches,
    budget: usize,
}

/// A stretch of entries that goes into one message.
struct Cut {
    entries: Vec<DownloadEntry>,
    cursor: (ServerVersion, ClientVersion),
    state: BatchState,
}

impl<'a> Pump<'a> {
    pub(super) fn new(
        machine: &'a mut ServerConnection,
        config: &'a EngineConfig,
        number: SessionIdent,
        read: &'a dyn Read,
        shared: &'a mut SharedBatches,
    ) -> Result<Self, StoreError> {
        let (head, salt) = (read.head()?, read.salt()?);
        Ok(Self {
            machine,
            config,
            number,
            read,
            head,
            salt,
            shared,
            budget: config.tuning.session_budget_bytes,
        })
    }

    /// Sends what the session is owed; tells whether there is more, for the next time that the connection is
    /// writable.
    pub(super) fn run(mut self, session: &mut Session) -> Result<bool, StoreError> {
        while !session.awaits_query && self.budget > 0 {
            if session.bootstraps.is_empty() {
                if session.sent >= self.head {
                    break;
                }
                self.window(session, self.read, self.head)?;
            } else {
                self.bootstrap(session)?;
            }
            self.marks(session);
        }
        let done = session.awaits_query || self.budget > 0;
        if done && session.download_due && !session.awaits_query {
            let cursor = (session.sent, session.client_version);
            self.download(
                session,
                Cut { entries: Vec::new(), cursor, state: BatchState::SteadyState },
                1.0,
            );
        }
        self.marks(session);
        Ok(!done)
    }

    /// MARK is answered when everything known at its receipt has been sent (sync-engine 9.6, 15).
    fn marks(&mut self, session: &mut Session) {
        let waiting = session.bootstraps.front().map(|bootstrap| bootstrap.version);
        while let Some(&(request, target)) = session.marks.front() {
            let sent = target <= session.sent && waiting.is_none_or(|version| version > target);
            if !sent || session.awaits_query || session.download_due {
                break;
            }
            session.marks.pop_front();
            self.machine.send_mark(self.number, request);
        }
    }

    fn bootstrap(&mut self, session: &mut Session) -> Result<(), StoreError> {
        let mut bootstrap = session.bootstraps.pop_front().expect("the caller has looked");
        let before = ServerVersion(bootstrap.version.0 - 1);
        if bootstrap.flush_first && session.sent < before {
            let flushed = self.window(session, &*bootstrap.snapshot, before);
            session.bootstraps.push_front(bootstrap);
            return flushed;
        }
        if !bootstrap.has_begun() {
            self.compensations(session, bootstrap.version)?;
        }
        let part = bootstrap.next_part(
            &session.timeline,
            self.config,
            session.ident,
            session.sent,
            session.client_version,
        )?;
        let cursor = (bootstrap.version, part.client_version);
        let (is_last, progress) = (part.is_last, part.progress);
        session.query_version = bootstrap.query_version;
        let state = if is_last { BatchState::LastInBatch } else { BatchState::MoreToCome };
        self.download(session, Cut { entries: part.entries, cursor, state }, progress);
        if is_last {
            (session.sent, session.client_version) = cursor;
            // Errors that wait for a steady-state DOWNLOAD get one (sync-engine 5.6).
            session.download_due = true;
        } else {
            session.bootstraps.push_front(bootstrap);
        }
        Ok(())
    }

    /// Sends a stretch of the history, or skips it when it holds nothing for the client.
    fn window(
        &mut self,
        session: &mut Session,
        read: &dyn Read,
        up_to: ServerVersion,
    ) -> Result<(), StoreError> {
        let batch = self.shared.collect(Window {
            read,
            timeline: &session.timeline,
            tuning: self.config.tuning,
            ident: session.ident,
            after: session.sent,
            up_to,
            client_version: session.client_version,
        })?;
        self.compensations(session, batch.up_to)?;
        let start = session.sent;
        (session.sent, session.client_version) = (batch.up_to, batch.client_version);
        let silent = batch.entries.is_empty()
            && batch.up_to.0 - session.told.0 < self.config.tuning.silent_versions_max
            && !session.download_due;
        if silent {
            return Ok(());
        }
        for cut in cuts(batch, self.config.tuning) {
            let done = cut.cursor.0.0 - start.0;
            let progress = if cut.state == BatchState::MoreToCome {
                0.0
            } else {
                share(done, self.head.0 - start.0)
            };
            self.download(session, cut, progress);
        }
        Ok(())
    }

    /// Error 231 goes out before the DOWNLOAD that holds the version which undoes the writes.
    fn compensations(&mut self, session: &Session, up_to: ServerVersion) -> Result<(), StoreError> {
        for found in self.read.compensations(session.ident, session.sent, up_to)? {
            let updates = found.rejected.into_iter().map(message_of).collect();
            let mut error = ErrorMessage::compensating_write(
                self.number,
                found.client_version,
                found.version,
                updates,
            );
            error.is_recovery_mode_disabled = self.config.is_recovery_mode_disabled;
            self.machine.send_error(self.number, error);
        }
        Ok(())
    }

    fn download(&mut self, session: &mut Session, cut: Cut, progress: f64) {
        let size: usize = cut.entries.iter().map(|entry| entry.changeset.len() + 32).sum();
        self.budget = self.budget.saturating_sub(size + 64);
        if cut.state != BatchState::MoreToCome {
            session.told = cut.cursor.0;
            session.download_due = false;
        }
        self.machine.send_download(
            self.number,
            Download {
                session: self.number,
                dl_server_version: cut.cursor.0,
                dl_client_version: cut.cursor.1,
                latest_server_version: self.head,
                latest_salt: self.salt,
                ul_client_version: session.record.client_version,
                ul_server_version: session.record.base,
                query_version: session.query_version,
                batch_state: cut.state,
                progress,
                entries: cut.entries,
            },
        );
    }
}

/// Cuts a batch into messages of moderate size: between versions only, and not inside the stretch that must
/// be integrated as one.
fn cuts(batch: Batch, tuning: Tuning) -> Vec<Cut> {
    let end = (batch.up_to, batch.client_version);
    let steady = BatchState::SteadyState;
    let mut cuts: Vec<Cut> = Vec::new();
    let mut open: Vec<DownloadEntry> = Vec::new();
    let mut size = 0;
    for entry in batch.entries {
        if let Some(last) = open.last() {
            let version = last.server_version;
            let cuttable = version < entry.server_version
                && batch.whole_from.is_none_or(|whole| version < whole);
            if cuttable
                && (size >= tuning.message_soft_bytes || open.len() >= tuning.message_entries_max)
            {
                let cursor = (version, last.client_version);
                cuts.push(Cut { entries: std::mem::take(&mut open), cursor, state: steady });
                size = 0;
            }
        }
        size += entry.changeset.len();
        open.push(entry);
    }
    if size <= tuning.uncut_max_bytes && open.len() <= tuning.message_entries_max {
        cuts.push(Cut { entries: open, cursor: end, state: steady });
        return cuts;
    }
    // Too much for one message, and the client must take it as one: staged like a bootstrap.
    let mut parts: Vec<Vec<DownloadEntry>> = vec![Vec::new()];
    let mut size = 0;
    for mut entry in open {
        entry.server_version = end.0;
        size += entry.changeset.len();
        let last = parts.last_mut().expect("there is one");
        last.push(entry);
        if size >= tuning.message_soft_bytes || last.len() >= tuning.message_entries_max {
            parts.push(Vec::new());
            size = 0;
        }
    }
    if parts.last().is_some_and(Vec::is_empty) {
        parts.pop();
    }
    let count = parts.len();
    let staged = parts.into_iter().enumerate().map(|(i, entries)| Cut {
        entries,
        cursor: end,
        state: if i + 1 == count { BatchState::LastInBatch } else { BatchState::MoreToCome },
    });
    cuts.extend(staged);
    cuts
}

fn message_of(update: StoredUpdate) -> RejectedUpdate {
    RejectedUpdate { reason: update.reason, table: update.class.to_string(), pk: update.key }
}

#[allow(clippy::cast_precision_loss, reason = "an estimate for a progress bar")]
fn share(done: i64, total: i64) -> f64 {
    if total <= 0 { 1.0 } else { (done as f64 / total as f64).clamp(0.0, 1.0) }
}
