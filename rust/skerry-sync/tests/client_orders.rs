//! Whatever a server says, in whatever order: the client's machine does not panic, keeps its order,
//! and reports no compensating write before its version is integrated.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::sample::{self, SESSION};
use proptest::prelude::*;
use skerry_model::{ClientVersion, QueryVersion, ServerVersion};
use skerry_store::realm::SubscriptionState;
use skerry_sync::client::session::{Action, ClientSession};
use skerry_sync::client::{
    ClientConnection, ConnectionEvent, LocalFacts, Outgoing, Phase, Random, Run, SetFacts,
};
use skerry_sync::protocol::{
    BatchState, ClientMessage, ErrorMessage, ServerMessage, encode_server_message,
};

#[derive(Clone, Debug)]
enum Step {
    Server(ServerMessage),
    Send,
    Pause,
    Resume,
    Cut,
    Connect,
    Wait(i64),
    Commit,
}

fn download() -> impl Strategy<Value = ServerMessage> {
    let batch = prop_oneof![
        Just(BatchState::SteadyState),
        Just(BatchState::MoreToCome),
        Just(BatchState::LastInBatch)
    ];
    (0..20_i64, 0..3_i64, batch).prop_map(|(to, query, batch_state)| {
        let mut download = sample::download(to, to, Vec::new());
        (download.query_version, download.batch_state) = (QueryVersion(query), batch_state);
        ServerMessage::Download(download)
    })
}

fn step() -> impl Strategy<Value = Step> {
    let undone = (1..20_i64).prop_map(|version| {
        let (rejected, undone_at) = (ClientVersion(1), ServerVersion(version));
        ServerMessage::Error(ErrorMessage::compensating_write(
            SESSION,
            rejected,
            undone_at,
            Vec::new(),
        ))
    });
    prop_oneof![
        4 => prop::sample::select(sample::server_messages()).prop_map(Step::Server),
        4 => download().prop_map(Step::Server),
        2 => undone.prop_map(Step::Server),
        1 => common::generate::server_message().prop_map(Step::Server),
        8 => Just(Step::Send),
        1 => Just(Step::Pause),
        1 => Just(Step::Resume),
        1 => Just(Step::Cut),
        3 => Just(Step::Connect),
        2 => (0..100_000_i64).prop_map(Step::Wait),
        1 => Just(Step::Commit),
    ]
}

/// The machine, and the file that it believes in.
struct Client {
    connection: ClientConnection,
    facts: LocalFacts,
    now_ms: i64,
    sent: Vec<ClientMessage>,
}

impl Client {
    fn new() -> Self {
        let set = |version, state| SetFacts {
            version: QueryVersion(version),
            state,
            snapshot: ClientVersion(version),
            query: sample::query("Item", "TRUEPREDICATE"),
        };
        let facts = LocalFacts {
            last_version: ClientVersion(2),
            sets: vec![set(0, SubscriptionState::Pending), set(1, SubscriptionState::Pending)],
            ..LocalFacts::default()
        };
        let mut connection = ClientConnection::new(3);
        connection.attach(SESSION);
        connection.session(SESSION).unwrap().set_facts(facts.clone());
        Self { connection, facts, now_ms: 0, sent: Vec::new() }
    }

    fn send(&mut self) {
        while let Some((session, outgoing)) = self.connection.next_message(self.now_ms) {
            match outgoing {
                Outgoing::Message(message) => self.sent.push(message),
                Outgoing::Changes { after, up_to } => {
                    assert!(after < up_to);
                    let machine = self.connection.session(session).unwrap();
                    self.sent.extend(machine.upload(vec![sample::upload_entry(up_to.0, 0)], up_to));
                }
            }
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Server(message) => {
                self.connection.receive(&encode_server_message(&message), self.now_ms);
            }
            Step::Send => self.send(),
            Step::Pause => drop(self.connection.update(SESSION, ClientSession::pause)),
            Step::Resume => drop(self.connection.update(SESSION, ClientSession::resume)),
            Step::Cut => {
                self.connection.disconnected();
                self.sent.clear();
            }
            Step::Connect if !self.connection.is_open() => {
                self.connection.disconnected();
                self.sent.clear();
                self.connection.connected(self.now_ms);
            }
            Step::Connect => {}
            Step::Wait(ms) => {
                self.now_ms += ms;
                self.connection.tick(self.now_ms);
            }
            Step::Commit => {
                self.facts.last_version.0 += 1;
                let facts = self.facts.clone();
                self.connection.session(SESSION).unwrap().set_facts(facts);
            }
        }
        while let Some(event) = self.connection.poll_event() {
            if let ConnectionEvent::Session(_, action) = event {
                self.act(action);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::StoreIdent { ident, salt } => {
                assert_eq!(self.facts.ident, None, "a file has one ident for ever");
                self.facts.ident = Some((ident, salt));
            }
            Action::Integrate(download) | Action::Stage(download) => {
                if download.batch_state != BatchState::MoreToCome {
                    let progress = &mut self.facts.progress;
                    assert!(progress.download_server_version <= download.dl_server_version);
                    progress.download_server_version = download.dl_server_version;
                    progress.latest_server_version = download.latest_server_version;
                }
                let (facts, now_ms) = (self.facts.clone(), self.now_ms);
                self.connection.update(SESSION, |session, actions| {
                    session.integrated(download.batch_state, facts, now_ms, actions);
                });
            }
            Action::ReportCompensatingWrite(error) => {
                let undone_at = error.compensating_write_server_version.unwrap();
                assert!(undone_at <= self.facts.progress.download_server_version);
            }
            Action::CompleteSet { version } => {
                for set in &mut self.facts.sets {
                    if set.version == version {
                        set.state = SubscriptionState::Complete;
                    }
                }
            }
            Action::FailSet(error) => {
                for set in &mut self.facts.sets {
                    if set.version == error.version {
                        set.state = SubscriptionState::Error;
                    }
                }
            }
            Action::DropBootstrap
            | Action::MarkReached { .. }
            | Action::Report(_)
            | Action::Log(_)
            | Action::RunChanged(_)
            | Action::Gone => {}
        }
        let facts = self.facts.clone();
        self.connection.session(SESSION).unwrap().set_facts(facts);
    }
}

/// The order of sync-engine 4.10 within a binding.
fn assert_order(sent: &[ClientMessage]) {
    let mut phase = Phase::Unbound;
    for message in sent {
        phase = match (phase, message) {
            (_, ClientMessage::Ping(_)) | (Phase::ReadyToIdentify, ClientMessage::Error(_)) => {
                phase
            }
            (Phase::Unbound, ClientMessage::Bind(_)) => Phase::ReadyToIdentify,
            (Phase::ReadyToIdentify, ClientMessage::Ident(_))
            | (
                Phase::Active,
                ClientMessage::Mark(_)
                | ClientMessage::Query(_)
                | ClientMessage::Upload(_)
                | ClientMessage::Error(_),
            ) => Phase::Active,
            (Phase::ReadyToIdentify | Phase::Active, ClientMessage::Unbind(_)) => Phase::Unbound,
            (_, other) => panic!("{} in {phase:?}", other.name()),
        };
    }
}

proptest! {
    #[test]
    fn no_order_of_messages_panics(steps in prop::collection::vec(step(), 0..80)) {
        let mut client = Client::new();
        client.connection.connected(0);
        for step in steps {
            let sent = std::mem::take(&mut client.sent);
            assert_order(&sent);
            client.sent = sent;
            client.step(step);
        }
        assert_order(&client.sent);
    }
}

#[test]
fn trouble_with_the_file_is_waited_out_with_a_growing_delay() {
    let (mut session, mut random) = (ClientSession::new(SESSION), Random::new(1));
    let mut now_ms = 0;
    for least_ms in [750, 1500, 3000] {
        let mut actions = Vec::new();
        session.local_trouble("disk full".to_owned(), now_ms, &mut random, &mut actions);
        assert!(matches!(&actions[0], Action::Report(report) if !report.is_fatal()));
        let deadline_ms = session.deadline_ms().expect("it will try again");
        assert!((least_ms..=least_ms / 3 * 4).contains(&(deadline_ms - now_ms)));
        session.tick(deadline_ms - 1);
        assert_eq!(session.next_message(deadline_ms), None);
        session.tick(deadline_ms);
        assert_eq!(session.run(), Run::Running);
        now_ms = deadline_ms;
    }
}
