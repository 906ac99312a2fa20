//! The sync agent: one connection's machines on their realm files.
//!
//! Calls may be made from any thread. Those that only ask for something leave it in an inbox and
//! return at once; [`Agent::receive`] and [`Agent::poll`] do the work and may block on the files.
//! The agent opens no socket and reads no clock: frames and `now` go in; frames, events, a deadline
//! and a close code come out of `poll`.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use skerry_model::{ClientVersion, SessionIdent};
use skerry_store::StoreError;
use skerry_store::realm::Realm;

use super::attached::{Attached, Context, follow_up};
use super::connection::{ClientConnection, ConnectionEvent};
use super::event::{SyncEvent, SyncEventKind};
use super::session::{ClientSession, Outgoing};
use crate::protocol::encode_client_message;

/// What `poll` has to say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PollResult {
    /// To be sent, in order, each as one binary websocket message.
    pub frames: Vec<Vec<u8>>,
    /// What happened, in order.
    pub events: Vec<SyncEvent>,
    /// Poll again at that time, in ms since 1970, if nothing happens before.
    pub deadline_ms: Option<i64>,
    /// Close the websocket with this code and reason, after the frames.
    pub close: Option<(u16, String)>,
}

/// What was asked for and not done yet.
#[derive(Debug)]
enum Command {
    Attach(SessionIdent, Realm),
    Detach(SessionIdent),
    Connected(i64),
    Disconnected,
    WaitDownload(SessionIdent, u64),
    WaitUpload(SessionIdent, ClientVersion, u64),
    Pause(SessionIdent),
    Resume(SessionIdent),
}

/// The sync agent of one connection.
#[derive(Debug)]
pub struct Agent {
    inbox: Mutex<VecDeque<Command>>,
    core: Mutex<Core>,
    realms: Mutex<BTreeMap<SessionIdent, Realm>>,
    last_session: AtomicI64,
    last_request: AtomicU64,
}

#[derive(Debug)]
struct Core {
    connection: ClientConnection,
    attached: BTreeMap<SessionIdent, Attached>,
    events: VecDeque<SyncEvent>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Agent {
    /// Without sessions and not connected. `seed` is for back-off and PING times.
    pub fn new(seed: u64) -> Self {
        Self {
            inbox: Mutex::new(VecDeque::new()),
            core: Mutex::new(Core {
                connection: ClientConnection::new(seed),
                attached: BTreeMap::new(),
                events: VecDeque::new(),
            }),
            realms: Mutex::new(BTreeMap::new()),
            last_session: AtomicI64::new(0),
            last_request: AtomicU64::new(0),
        }
    }

    fn ask(&self, command: Command) {
        lock(&self.inbox).push_back(command);
    }

    /// Adds a session for a realm file, which must be a synced one.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] for a local file.
    pub fn attach(&self, realm: Realm) -> Result<SessionIdent, StoreError> {
        if !realm.is_synced() {
            return Err(StoreError::Misuse("a local realm file has no sync session"));
        }
        let session = SessionIdent(self.last_session.fetch_add(1, Ordering::Relaxed) + 1);
        lock(&self.realms).insert(session, realm.clone());
        self.ask(Command::Attach(session, realm));
        Ok(session)
    }

    /// Ends a session; if it is bound, UNBIND is sent. The file is let go of in the next poll.
    pub fn detach(&self, session: SessionIdent) {
        lock(&self.realms).remove(&session);
        self.ask(Command::Detach(session));
    }

    /// A websocket has been opened.
    pub fn connected(&self, now_ms: i64) {
        self.ask(Command::Connected(now_ms));
    }

    /// The websocket is gone.
    pub fn disconnected(&self) {
        self.ask(Command::Disconnected);
    }

    /// Lets a session rest: UNBIND, then nothing.
    pub fn pause(&self, session: SessionIdent) {
        self.ask(Command::Pause(session));
    }

    /// Lets a session run again, also after a fatal error.
    pub fn resume(&self, session: SessionIdent) {
        self.ask(Command::Resume(session));
    }

    /// Asks for [`SyncEventKind::DownloadComplete`] with the returned number, when everything that
    /// the server has when it sees the request is integrated.
    pub fn wait_download(&self, session: SessionIdent) -> u64 {
        let request = self.last_request.fetch_add(1, Ordering::Relaxed) + 1;
        self.ask(Command::WaitDownload(session, request));
        request
    }

    /// Asks for [`SyncEventKind::UploadComplete`] with the returned number, when the server has
    /// accepted all changes that are in the file now.
    ///
    /// # Errors
    ///
    /// Those of reading the file; [`StoreError::Closed`] for a session that is not attached.
    pub fn wait_upload(&self, session: SessionIdent) -> Result<u64, StoreError> {
        let realm = lock(&self.realms).get(&session).cloned().ok_or(StoreError::Closed)?;
        let target = realm.version()?;
        let request = self.last_request.fetch_add(1, Ordering::Relaxed) + 1;
        self.ask(Command::WaitUpload(session, target, request));
        Ok(request)
    }

    /// Takes one binary websocket message. Blocks while changes are integrated.
    pub fn receive(&self, frame: &[u8], now_ms: i64) {
        let mut core = lock(&self.core);
        core.obey(&self.inbox, now_ms);
        core.look(now_ms);
        core.connection.receive(frame, now_ms);
        core.act(now_ms);
    }

    /// What to send and what happened. Frames are made until `max_bytes` are reached; if there are
    /// more, the deadline is now. With 0 none are asked for, and the deadline is that of the
    /// connection: a caller without room, or without a link, must not be told to ask at once again.
    /// Blocks while own changes are read.
    pub fn poll(&self, now_ms: i64, max_bytes: usize) -> PollResult {
        let mut core = lock(&self.core);
        core.obey(&self.inbox, now_ms);
        core.connection.tick(now_ms);
        core.look(now_ms);
        let (frames, is_all) = core.frames(now_ms, max_bytes);
        let deadline_ms =
            if is_all || max_bytes == 0 { core.connection.deadline_ms() } else { Some(now_ms) };
        PollResult {
            frames,
            events: core.events.drain(..).collect(),
            deadline_ms,
            close: core.connection.close().map(|(code, reason)| (code, reason.to_owned())),
        }
    }
}

impl Core {
    fn obey(&mut self, inbox: &Mutex<VecDeque<Command>>, now_ms: i64) {
        loop {
            // Not held while a command is carried out: others must be able to ask meanwhile.
            let Some(command) = lock(inbox).pop_front() else { return };
            self.carry_out(command, now_ms);
            self.act(now_ms);
        }
    }

    fn carry_out(&mut self, command: Command, now_ms: i64) {
        match command {
            Command::Attach(session, realm) => {
                self.connection.attach(session);
                self.attached.insert(session, Attached::new(session, realm));
            }
            Command::Detach(session) => {
                self.connection.update(session, ClientSession::detach);
                self.act(now_ms);
                // The machine lives on until UNBOUND; the file is let go of now.
                self.attached.remove(&session);
            }
            Command::Connected(at_ms) => {
                self.connection.connected(at_ms);
                self.each(now_ms, Attached::connected);
            }
            Command::Disconnected => self.connection.disconnected(),
            Command::WaitDownload(session, request) => {
                self.with(session, now_ms, |it, context| it.wait_download(request, context));
            }
            Command::WaitUpload(session, target, request) => {
                self.with(session, now_ms, |it, context| it.wait_upload(target, request, context));
            }
            Command::Pause(session) => {
                self.connection.update(session, ClientSession::pause);
            }
            Command::Resume(session) => {
                self.connection.update(session, ClientSession::resume);
            }
        }
    }

    fn with<T>(
        &mut self,
        session: SessionIdent,
        now_ms: i64,
        work: impl FnOnce(&mut Attached, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let (connection, events) = (&mut self.connection, &mut self.events);
        let mut context = Context { connection, events, now_ms };
        Some(work(self.attached.get_mut(&session)?, &mut context))
    }

    fn each(&mut self, now_ms: i64, mut work: impl FnMut(&mut Attached, &mut Context<'_>)) {
        for session in self.attached.keys().copied().collect::<Vec<_>>() {
            self.with(session, now_ms, &mut work);
        }
    }

    fn look(&mut self, now_ms: i64) {
        self.each(now_ms, Attached::look);
        self.act(now_ms);
    }

    /// Carries out what the machines have decided, until they have decided nothing more.
    fn act(&mut self, now_ms: i64) {
        while let Some(event) = self.connection.poll_event() {
            match event {
                ConnectionEvent::Session(session, super::session::Action::Gone) => {
                    self.attached.remove(&session);
                }
                ConnectionEvent::Session(session, action) => {
                    self.with(session, now_ms, |attached, context| attached.act(action, context));
                }
                ConnectionEvent::Report(report) => {
                    let follow_up = follow_up(report.action);
                    self.tell_all(SyncEventKind::Error(report));
                    if let Some(kind) = follow_up {
                        self.tell_all(kind);
                    }
                }
                ConnectionEvent::Log(line) => self.tell_all(SyncEventKind::Log(line)),
            }
        }
    }

    fn tell_all(&mut self, kind: SyncEventKind) {
        self.events.push_back(SyncEvent { session: SessionIdent(0), kind });
    }

    /// Frames to send, and whether they are all.
    fn frames(&mut self, now_ms: i64, max_bytes: usize) -> (Vec<Vec<u8>>, bool) {
        let (mut frames, mut size_bytes) = (Vec::new(), 0_usize);
        while size_bytes < max_bytes {
            let Some((session, outgoing)) = self.connection.next_message(now_ms) else {
                return (frames, true);
            };
            let message = match outgoing {
                Outgoing::Message(message) => Some(message),
                Outgoing::Changes { after, up_to } => self
                    .with(session, now_ms, |it, context| it.upload(after, up_to, context))
                    .flatten(),
            };
            self.act(now_ms);
            if let Some(message) = message {
                let frame = encode_client_message(&message);
                size_bytes = size_bytes.saturating_add(frame.len());
                frames.push(frame);
            }
        }
        (frames, false)
    }
}
