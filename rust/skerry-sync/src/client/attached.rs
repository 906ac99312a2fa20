//! A session together with its realm file: carries out the actions of the session's machine.
//!
//! Invariant: what the machine believes ([`LocalFacts`]) is what the file said after the last
//! action, and an event reaches the application only after what it tells is in the file.

use std::collections::VecDeque;

use skerry_model::{ClientVersion, FileIdent, QueryVersion, SessionIdent};
use skerry_store::StoreError;
use skerry_store::realm::{DownloadRequests, Realm, SubscriptionEvent, SubscriptionState};

use super::connection::ClientConnection;
use super::event::{Direction, SessionState, SyncEvent, SyncEventKind};
use super::facts::LocalFacts;
use super::integrate::{IntegrateError, Integrator};
use super::session::{Action, ClientSession, Report, Run};
use super::table::Phase;
use crate::limits::{
    MESSAGE_SOFT_BYTES, QUERY_CLASSES_MAX, QUERY_TEXT_MAX_BYTES, QUERY_TEXTS_MAX_BYTES,
};
use crate::protocol::{
    Action as ServerAction, BatchState, ClientMessage, Download, QueryError, UploadEntry,
};

/// A session's realm file and whoever waits for it.
#[derive(Debug)]
pub(super) struct Attached {
    session: SessionIdent,
    realm: Realm,
    integrator: Integrator,
    data_version: Option<i64>,
    /// (number of the MARK, number of the wait).
    download_waits: Vec<(i64, u64)>,
    /// What other processes ask for in the file, as it was last looked at.
    requests: DownloadRequests,
    /// (number of the MARK, number of the request in the file), for those that a MARK was made for.
    request_marks: Vec<(i64, u64)>,
    /// (own version that must be accepted, number of the wait).
    upload_waits: Vec<(ClientVersion, u64)>,
    estimates: [Option<f64>; 2],
    /// Where the upload that is under way began.
    upload_from: Option<ClientVersion>,
    is_waiting: bool,
    /// Whether what an earlier run left in the file has been dealt with.
    is_open: bool,
}

/// Where an action's consequences go.
pub(super) struct Context<'a> {
    pub(super) connection: &'a mut ClientConnection,
    pub(super) events: &'a mut VecDeque<SyncEvent>,
    pub(super) now_ms: i64,
}

impl Attached {
    pub(super) fn new(session: SessionIdent, realm: Realm) -> Self {
        Self {
            session,
            realm,
            integrator: Integrator::default(),
            data_version: None,
            download_waits: Vec::new(),
            requests: DownloadRequests::default(),
            request_marks: Vec::new(),
            upload_waits: Vec::new(),
            estimates: [None; 2],
            upload_from: None,
            is_waiting: false,
            is_open: false,
        }
    }

    fn tell(&self, context: &mut Context<'_>, kind: SyncEventKind) {
        context.events.push_back(SyncEvent { session: self.session, kind });
    }

    /// Takes up what an earlier run of the program left: a bootstrap that is complete is
    /// integrated before anything else, an incomplete one will not be continued.
    fn open(&mut self, context: &mut Context<'_>) {
        self.is_open = true;
        let opened = self
            .realm
            .discard_incomplete_bootstrap()
            .map_err(IntegrateError::from)
            .and_then(|_| self.integrate_staged(context))
            .and_then(|()| Ok(self.refresh(context)?));
        self.settle(opened, context);
    }

    /// Turns a failure into the end of the binding.
    fn settle(&mut self, outcome: Result<(), IntegrateError>, context: &mut Context<'_>) {
        let Err(error) = outcome else { return };
        let (detail, now_ms) = (error.to_string(), context.now_ms);
        if matches!(error, IntegrateError::Store(StoreError::Closed)) {
            // A realm may be closed while its session says goodbye.
            context.connection.update(self.session, ClientSession::detach);
        } else if error.can_pass() {
            // A bootstrap may be staged whole: it goes in before the next binding.
            self.is_open = false;
            context.connection.local_trouble(self.session, detail, now_ms);
        } else {
            context.connection.update(self.session, |session, actions| {
                session.integration_failed(detail, actions);
            });
        }
    }

    fn settle_store(&mut self, outcome: Result<(), StoreError>, context: &mut Context<'_>) {
        self.settle(outcome.map_err(IntegrateError::from), context);
    }

    fn facts(&mut self) -> Result<LocalFacts, StoreError> {
        // Read before the facts: a commit in between is then seen as news once more.
        self.data_version = Some(self.realm.data_version()?);
        self.requests = self.realm.download_requests()?;
        LocalFacts::load(&self.realm)
    }

    fn refresh(&mut self, context: &mut Context<'_>) -> Result<(), StoreError> {
        let mut facts = self.facts()?;
        while let Some(set) = facts.too_large() {
            self.refuse(set.version, context)?;
            facts = self.facts()?;
        }
        context.connection.update(self.session, |session, _| session.set_facts(facts));
        Ok(())
    }

    /// Fails a set that the server could not even read, instead of losing the connection over it.
    fn refuse(&self, version: QueryVersion, context: &mut Context<'_>) -> Result<(), StoreError> {
        let message = format!(
            "a subscription set has at most {QUERY_CLASSES_MAX} classes, and the queries of a \
             class at most {QUERY_TEXT_MAX_BYTES} bytes together, all of them \
             {QUERY_TEXTS_MAX_BYTES}"
        );
        self.realm.subscription_failed(version, &message)?;
        let (state, message) = (Some(SubscriptionState::Error), Some(message));
        self.tell(context, SyncEventKind::Subscription { version, state, message });
        Ok(())
    }

    /// Looks at the file again if anybody has committed to it.
    pub(super) fn look(&mut self, context: &mut Context<'_>) {
        let Some(session) = context.connection.session(self.session) else { return };
        if !self.is_open {
            if (session.run(), session.phase()) == (Run::Running, Phase::Unbound) {
                self.open(context);
            }
            return;
        }
        let outcome = self.realm.data_version().and_then(|data_version| {
            if self.data_version == Some(data_version) {
                return Ok(());
            }
            self.refresh(context)?;
            self.try_report_uploads(context)
        });
        self.settle_store(outcome, context);
        self.mark_for_requests(context);
    }

    /// Asks the server for what processes wait for that are not the agent; once for all that have asked
    /// since the last time.
    fn mark_for_requests(&mut self, context: &mut Context<'_>) {
        let DownloadRequests { asked, answered } = self.requests;
        let marked = self.request_marks.last().map_or(answered, |&(_, request)| request);
        if asked > marked.max(answered) {
            let mark = context.connection.session(self.session).map(ClientSession::request_mark);
            self.request_marks.extend(mark.map(|mark| (mark, asked)));
        }
    }

    pub(super) fn wait_download(&mut self, request: u64, context: &mut Context<'_>) {
        let mark = context.connection.session(self.session).map(ClientSession::request_mark);
        self.download_waits.extend(mark.map(|mark| (mark, request)));
    }

    pub(super) fn wait_upload(
        &mut self,
        target: ClientVersion,
        request: u64,
        context: &mut Context<'_>,
    ) {
        self.upload_waits.push((target, request));
        let outcome = self.try_report_uploads(context);
        self.settle_store(outcome, context);
    }

    /// The UPLOAD for own changes above `after`, up to `up_to`; `None` when none need sending.
    pub(super) fn upload(
        &mut self,
        after: ClientVersion,
        up_to: ClientVersion,
        context: &mut Context<'_>,
    ) -> Option<ClientMessage> {
        let batch = match self.realm.uploads(after, Some(up_to), MESSAGE_SOFT_BYTES) {
            Ok(batch) => batch,
            Err(error) => {
                self.settle_store(Err(error), context);
                return None;
            }
        };
        let entries = batch.entries.into_iter().map(|entry| UploadEntry {
            client_version: entry.client_version,
            server_version: entry.base_server_version,
            stamp: entry.stamp,
            origin: FileIdent::LOCAL,
            changeset: entry.changeset.into(),
        });
        let (entries, through) = (entries.collect(), batch.progress_client_version);
        context.connection.session(self.session)?.upload(entries, through)
    }

    pub(super) fn act(&mut self, action: Action, context: &mut Context<'_>) {
        match action {
            Action::StoreIdent { ident, salt } => {
                let stored = self.realm.set_file_ident(ident, salt);
                let outcome = stored.and_then(|_| self.refresh(context));
                self.settle_store(outcome, context);
            }
            Action::Integrate(download) => {
                let outcome = self.integrate(&download, context);
                self.settle(outcome, context);
            }
            Action::Stage(download) => {
                let outcome = self.stage(&download, context);
                self.settle(outcome, context);
            }
            Action::DropBootstrap => self.drop_bootstrap(context),
            Action::MarkReached { request } => self.mark_reached(request, context),
            Action::CompleteSet { version } => {
                let outcome = self.complete_set(version, context);
                self.settle_store(outcome, context);
            }
            Action::FailSet(error) => {
                let outcome = self.fail_set(error, context);
                self.settle_store(outcome, context);
            }
            Action::Report(report) => self.report(report, context),
            Action::ReportCompensatingWrite(error) => {
                self.tell(context, SyncEventKind::CompensatingWrite(error));
            }
            Action::Log(line) => self.tell(context, SyncEventKind::Log(line)),
            Action::RunChanged(run) => self.run_changed(run, context),
            Action::Gone => {}
        }
    }

    fn integrate(
        &mut self,
        download: &Download,
        context: &mut Context<'_>,
    ) -> Result<(), IntegrateError> {
        if let Some(version) = self.integrator.integrate(&self.realm, download)? {
            self.tell(context, SyncEventKind::Integrated { version });
        }
        self.integrated(download, context)
    }

    fn stage(
        &mut self,
        download: &Download,
        context: &mut Context<'_>,
    ) -> Result<(), IntegrateError> {
        if let Some(state) = Integrator::stage(&self.realm, download)? {
            self.tell_set_state(download.query_version, state, context);
        }
        if download.batch_state == BatchState::LastInBatch {
            self.integrate_staged(context)?;
        }
        self.integrated(download, context)
    }

    /// A set that is in force already keeps its state through another bootstrap: no news.
    fn tell_set_state(
        &self,
        version: QueryVersion,
        state: SubscriptionState,
        context: &mut Context<'_>,
    ) {
        if state != SubscriptionState::Complete {
            let kind = SyncEventKind::Subscription { version, state: Some(state), message: None };
            self.tell(context, kind);
        }
    }

    fn integrate_staged(&mut self, context: &mut Context<'_>) -> Result<(), IntegrateError> {
        let before = LocalFacts::load(&self.realm)?;
        let Some(done) = self.integrator.integrate_staged(&self.realm)? else { return Ok(()) };
        self.tell(context, SyncEventKind::Integrated { version: done.version });
        for set in before.sets.iter().filter(|set| set.version < done.query_version) {
            let (version, state, message) = (set.version, None, None);
            self.tell(context, SyncEventKind::Subscription { version, state, message });
        }
        self.tell_set_state(done.query_version, done.state, context);
        Ok(())
    }

    fn integrated(
        &mut self,
        download: &Download,
        context: &mut Context<'_>,
    ) -> Result<(), IntegrateError> {
        let facts = self.facts()?;
        let (batch, now_ms) = (download.batch_state, context.now_ms);
        context.connection.update(self.session, |session, actions| {
            session.integrated(batch, facts, now_ms, actions);
        });
        self.progress(Direction::Download, download.progress, context);
        Ok(self.try_report_uploads(context)?)
    }

    fn drop_bootstrap(&mut self, context: &mut Context<'_>) {
        let outcome = self.realm.discard_incomplete_bootstrap().and_then(|dropped| {
            self.refresh(context)?;
            let Some(version) = dropped else { return Ok(()) };
            let set = self.realm.snapshot()?.subscription_set(version)?;
            if let Some(set) = set {
                self.tell_set_state(version, set.state, context);
            }
            Ok(())
        });
        self.settle_store(outcome, context);
    }

    fn complete_set(
        &mut self,
        version: QueryVersion,
        context: &mut Context<'_>,
    ) -> Result<(), StoreError> {
        let before = self.realm.snapshot()?.subscription_set(version)?.map(|set| set.state);
        // A set that was bootstrapped again has nobody who waits.
        if before != Some(SubscriptionState::Complete) {
            let state = self.realm.subscription_event(version, SubscriptionEvent::Marked)?;
            let kind = SyncEventKind::Subscription { version, state: Some(state), message: None };
            self.tell(context, kind);
        }
        self.refresh(context)
    }

    fn fail_set(&mut self, error: QueryError, context: &mut Context<'_>) -> Result<(), StoreError> {
        self.realm.subscription_failed(error.version, &error.message)?;
        let state = Some(SubscriptionState::Error);
        let (version, message) = (error.version, Some(error.message));
        self.tell(context, SyncEventKind::Subscription { version, state, message });
        self.refresh(context)
    }

    fn mark_reached(&mut self, reached: i64, context: &mut Context<'_>) {
        self.progress(Direction::Download, 1.0, context);
        let waits = std::mem::take(&mut self.download_waits);
        for (mark, request) in waits {
            if mark <= reached {
                self.tell(context, SyncEventKind::DownloadComplete { request });
            } else {
                self.download_waits.push((mark, request));
            }
        }
        let is_reached = |&&(mark, _): &&(i64, u64)| mark <= reached;
        let answered =
            self.request_marks.iter().filter(is_reached).map(|&(_, request)| request).max();
        if let Some(through) = answered {
            self.request_marks.retain(|&(mark, _)| mark > reached);
            let outcome = self.realm.answer_downloads(through).and_then(|()| self.refresh(context));
            self.settle_store(outcome, context);
        }
    }

    fn progress(&mut self, direction: Direction, estimate: f64, context: &mut Context<'_>) {
        let slot = match direction {
            Direction::Download => 0,
            Direction::Upload => 1,
        };
        if self.estimates[slot].replace(estimate) != Some(estimate) {
            self.tell(context, SyncEventKind::Progress { direction, estimate });
        }
    }

    /// Ends the waits for uploads whose changes the server has accepted, and says how far it is.
    fn try_report_uploads(&mut self, context: &mut Context<'_>) -> Result<(), StoreError> {
        let Some(session) = context.connection.session(self.session) else { return Ok(()) };
        let (accepted, last) =
            (session.facts().progress.upload_client_version, session.facts().last_version);
        let mut waits = std::mem::take(&mut self.upload_waits);
        while let Some((target, request)) = waits.pop() {
            // Whatever is left up to the target must be empty, or bookkeeping.
            let is_done = target <= accepted
                || self.realm.uploads(accepted, Some(target), 1)?.entries.is_empty();
            if is_done {
                self.tell(context, SyncEventKind::UploadComplete { request });
            } else {
                self.upload_waits.push((target, request));
            }
        }
        if self.realm.has_pending_upload()? {
            let from = *self.upload_from.get_or_insert(accepted);
            self.progress(Direction::Upload, share(from, accepted, last), context);
        } else {
            self.upload_from = None;
            self.progress(Direction::Upload, 1.0, context);
        }
        Ok(())
    }

    fn report(&mut self, report: Report, context: &mut Context<'_>) {
        let follow_up = follow_up(report.action);
        let is_quiet = report.action == ServerAction::RefreshUser && report.try_again;
        if !is_quiet {
            self.tell(context, SyncEventKind::Error(report));
        }
        if let Some(kind) = follow_up {
            if kind == SyncEventKind::RefreshUser {
                self.is_waiting = true;
                self.tell(context, SyncEventKind::Session(SessionState::Waiting));
            }
            self.tell(context, kind);
        }
    }

    fn run_changed(&mut self, run: Run, context: &mut Context<'_>) {
        match run {
            Run::Running => {
                self.is_waiting = false;
                self.tell(context, SyncEventKind::Session(SessionState::Active));
            }
            Run::Stopped => {
                self.download_waits.clear();
                // They stay in the file, and get a MARK of their own when the session runs again.
                self.request_marks.clear();
                self.upload_waits.clear();
                self.tell(context, SyncEventKind::Session(SessionState::Inactive));
            }
            Run::Paused | Run::Suspended { .. } | Run::Detached => {}
        }
    }

    /// A connection has been made, with a token that the server has taken.
    pub(super) fn connected(&mut self, context: &mut Context<'_>) {
        if std::mem::take(&mut self.is_waiting) {
            self.tell(context, SyncEventKind::Session(SessionState::Active));
        }
    }
}

/// What has to be done outside of the session.
pub(super) fn follow_up(action: ServerAction) -> Option<SyncEventKind> {
    match action {
        ServerAction::RefreshUser => Some(SyncEventKind::RefreshUser),
        ServerAction::RefreshLocation => Some(SyncEventKind::RefreshLocation),
        ServerAction::LogOutUser => Some(SyncEventKind::LogOut),
        ServerAction::ProtocolViolation
        | ServerAction::ApplicationBug
        | ServerAction::Warning
        | ServerAction::Transient
        | ServerAction::DeleteRealm
        | ServerAction::ClientReset
        | ServerAction::ClientResetNoRecovery
        | ServerAction::MigrateToFlx
        | ServerAction::RevertToPbs
        | ServerAction::MigrateSchema => None,
    }
}

/// The part of the way from `from` to `to` that `at` has gone; below 1.0.
fn share(from: ClientVersion, at: ClientVersion, to: ClientVersion) -> f64 {
    let whole = to.0.saturating_sub(from.0).max(1);
    let gone = at.0.saturating_sub(from.0).clamp(0, whole);
    // Versions are counters of commits: far below what a double holds exactly.
    let as_f64 = |count: i64| u32::try_from(count).map_or(f64::from(u32::MAX), f64::from);
    (as_f64(gone) / as_f64(whole)).min(0.999)
}
