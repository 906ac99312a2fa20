//! What a session sends, and in which order (sync-engine 4.10).

use skerry_model::{ClientVersion, QueryVersion};
use skerry_store::realm::SubscriptionState;

use super::session::{ClientSession, Outgoing, Run};
use super::table::Phase;
use crate::protocol::{
    Bind, ClientIdent, ClientMessage, Mark, Query, SessionReason, Upload, UploadEntry,
};

impl ClientSession {
    /// What to send next on an open connection: BIND, IDENT, ERROR, MARK, QUERY, then UPLOAD.
    pub fn next_message(&mut self, now_ms: i64) -> Option<Outgoing> {
        if let Some(message) = self.queue.pop_front() {
            return Some(Outgoing::Message(message));
        }
        match (self.phase, self.run) {
            (Phase::Unbound, Run::Running) => Some(Outgoing::Message(self.bind())),
            (Phase::ReadyToIdentify, _) => self.identify().map(Outgoing::Message),
            (Phase::Active, _) => self.next_of_active(now_ms),
            (
                Phase::Unbound,
                Run::Paused | Run::Suspended { .. } | Run::Stopped | Run::Detached,
            )
            | (Phase::AwaitingIdent | Phase::Unbinding, _) => None,
        }
    }

    fn bind(&mut self) -> ClientMessage {
        let need_ident = self.facts.ident.is_none();
        self.phase = if need_ident { Phase::AwaitingIdent } else { Phase::ReadyToIdentify };
        ClientMessage::Bind(Bind {
            session: self.ident,
            reason: SessionReason::Sync,
            schema_version: 0,
            need_ident,
        })
    }

    fn identify(&mut self) -> Option<ClientMessage> {
        let (ident, salt) = self.facts.ident?;
        let progress = self.facts.progress;
        let active = self.facts.active();
        let query_version = active.map_or(QueryVersion(0), |set| set.version);
        let query = active.map(|set| set.query.clone()).unwrap_or_default();
        let awaits = active.is_some_and(|set| set.state == SubscriptionState::AwaitingMark);
        self.phase = Phase::Active;
        self.sent_query = query_version;
        self.scanned = progress.upload_client_version;
        self.acknowledged = progress.download_server_version;
        let mark = self.request_mark();
        self.set_awaiting = awaits.then_some((query_version, mark));
        Some(ClientMessage::Ident(ClientIdent {
            session: self.ident,
            ident,
            salt,
            scan_server_version: progress.download_server_version,
            scan_client_version: progress.download_client_version,
            latest_server_version: progress.latest_server_version,
            latest_salt: progress.latest_salt,
            query_version,
            query,
        }))
    }

    fn next_of_active(&mut self, now_ms: i64) -> Option<Outgoing> {
        if self.mark_sent < self.mark_wanted {
            self.mark_sent = self.mark_wanted;
            let mark = Mark { session: self.ident, request: self.mark_sent };
            return Some(Outgoing::Message(ClientMessage::Mark(mark)));
        }
        let pending = self.facts.pending_after(self.sent_query);
        let mut up_to = self.facts.last_version;
        if let Some(set) = pending {
            if self.scanned >= set.snapshot {
                self.sent_query = set.version;
                let (version, query) = (set.version, set.query.clone());
                let query = Query { session: self.ident, version, query };
                return Some(Outgoing::Message(ClientMessage::Query(query)));
            }
            up_to = set.snapshot.min(up_to);
        }
        if self.scanned < up_to {
            return Some(Outgoing::Changes { after: self.scanned, up_to });
        }
        let is_due = self.acknowledge_at_ms.is_some_and(|at_ms| at_ms <= now_ms);
        is_due.then(|| Outgoing::Message(self.upload_message(Vec::new())))
    }

    /// The UPLOAD of the changes that [`Outgoing::Changes`] asked for. `through` is the version up
    /// to which they have been looked through; `None` when nothing needs sending.
    pub fn upload(
        &mut self,
        entries: Vec<UploadEntry>,
        through: ClientVersion,
    ) -> Option<ClientMessage> {
        self.scanned = self.scanned.max(through);
        (!entries.is_empty()).then(|| self.upload_message(entries))
    }

    fn upload_message(&mut self, entries: Vec<UploadEntry>) -> ClientMessage {
        self.acknowledged = self.facts.progress.download_server_version;
        self.acknowledge_at_ms = None;
        ClientMessage::Upload(Upload {
            session: self.ident,
            progress_client_version: self.scanned,
            progress_server_version: self.acknowledged,
            locked_server_version: self.acknowledged,
            entries,
        })
    }
}
