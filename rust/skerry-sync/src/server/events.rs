//! What the engine does with the events of the protocol machines, inside a transaction.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use skerry_model::{
    ClientVersion, FileIdent, QueryVersion, Salt, ServerVersion, SessionIdent, Stamp,
};
use skerry_query::subscription::SubscriptionError;
use skerry_store::StoreError;
use skerry_store::server::{ClientRecord, HistoryRecord, Transaction};

use super::EngineConfig;
use super::busy::BusyObjects;
use super::engine::{Connection, ConnectionId};
use super::error::UploadError;
use super::session::Session;
use super::timeline::{Term, Timeline};
use super::upload::Integrator;
use super::view::{ViewCache, ViewDefinition};
use crate::limits::UPLOAD_UNPACKED_MAX_BYTES;
use crate::protocol::{
    ClientIdent, ErrorMessage, ProtocolErrorCode, Query, QueryError, ServerEvent, Upload,
};

/// Events of a batch, running in a transaction.
pub(super) struct Events<'a> {
    pub(super) txn: &'a mut dyn Transaction,
    pub(super) config: &'a EngineConfig,
    pub(super) connections: &'a mut BTreeMap<ConnectionId, Connection>,
    pub(super) views: &'a mut ViewCache,
    pub(super) entropy: &'a mut (dyn FnMut() -> u64 + Send),
    pub(super) now: Stamp,
    pub(super) log: &'a mut Vec<String>,
}

/// A bootstrap that has to read the state of this moment: the transaction ends here.
pub(super) struct Barrier {
    pub(super) connection: ConnectionId,
    pub(super) session: SessionIdent,
    pub(super) version: ServerVersion,
    pub(super) query_version: QueryVersion,
    pub(super) flush_first: bool,
}

type Handled = Result<Option<Barrier>, StoreError>;

/// A refusal of a session, by code and text.
struct Refusal(ProtocolErrorCode, String);

impl Events<'_> {
    /// Handles one event; a barrier stops the transaction after it.
    pub(super) fn handle(&mut self, id: ConnectionId, event: ServerEvent) -> Handled {
        if !self.connections.contains_key(&id) {
            return Ok(None);
        }
        match event {
            ServerEvent::AllocateIdent { session } => self.allocate(id, session),
            ServerEvent::Identified { ident, .. } => self.identified(id, &ident),
            ServerEvent::Query(query) => self.query(id, query),
            ServerEvent::Upload(upload) => self.upload(id, &upload),
            ServerEvent::Mark(mark) => {
                let head = self.txn.head()?;
                if let Some(session) = self.session(id, mark.session) {
                    session.marks.push_back((mark.request, head));
                }
                Ok(None)
            }
            ServerEvent::ClientFailed(error) => {
                self.note(
                    id,
                    error.session,
                    json!({
                        "type": "SYNC_ERROR",
                        "error": format!("client error {}: {}", error.code, error.message),
                    }),
                );
                self.end(id, error.session);
                Ok(None)
            }
            ServerEvent::Failed { session, code } => {
                let error = format!("{} (ProtocolErrorCode={})", code.text(), code.number());
                self.note(id, session, json!({"type": "SYNC_ERROR", "error": error}));
                self.end(id, session);
                Ok(None)
            }
            ServerEvent::Unbind { session } => {
                self.end(id, session);
                self.connection(id).machine.finish_unbind(session);
                Ok(None)
            }
        }
    }

    fn connection(&mut self, id: ConnectionId) -> &mut Connection {
        self.connections.get_mut(&id).expect("checked before the event is handled")
    }

    fn session(&mut self, id: ConnectionId, session: SessionIdent) -> Option<&mut Session> {
        self.connection(id).sessions.get_mut(&session)
    }

    fn end(&mut self, id: ConnectionId, session: SessionIdent) {
        if self.connection(id).sessions.remove(&session).is_some() {
            self.note(id, session, json!({"type": "SYNC_SESSION_END"}));
        }
    }

    fn note(&mut self, id: ConnectionId, session: SessionIdent, mut entry: Json) {
        entry["connection"] = json!(id);
        entry["session"] = json!(session.0);
        entry["user_id"] = json!(self.connection(id).user_id);
        self.log.push(entry.to_string());
    }

    /// Ends a session with an error.
    fn refuse(&mut self, id: ConnectionId, session: SessionIdent, mut error: ErrorMessage) {
        error.is_recovery_mode_disabled |= self.config.is_recovery_mode_disabled;
        let text = format!("{} (ProtocolErrorCode={})", error.message, error.code);
        self.note(id, session, json!({"type": "SYNC_ERROR", "error": text}));
        self.connection(id).machine.send_error(session, error);
        self.end(id, session);
    }

    fn allocate(&mut self, id: ConnectionId, session: SessionIdent) -> Handled {
        let salt = loop {
            let salt = i64::try_from((self.entropy)() >> 1).expect("63 bits fit");
            if salt != 0 {
                break Salt(salt);
            }
        };
        let user = self.connection(id).user_id.clone();
        let ident = self.txn.create_client(&user, salt)?;
        self.connection(id).machine.ident_allocated(session, ident, salt);
        Ok(None)
    }

    fn identified(&mut self, id: ConnectionId, ident: &ClientIdent) -> Handled {
        let record = match self.check_ident(id, ident)? {
            Ok(record) => record,
            Err(Refusal(code, text)) => {
                self.refuse(id, ident.session, ErrorMessage::new(ident.session, code, text));
                return Ok(None);
            }
        };
        self.drop_older_session(ident.ident);
        let mut timeline = self.timeline(ident.ident)?;
        self.apply_new_rules(id, ident, &mut timeline)?;
        let definition =
            ViewDefinition::new(ident.query.clone(), self.config, &self.connection(id).user);
        let term = match self.term(ident.query_version, &definition) {
            Ok(term) => term,
            Err(error) => {
                let error = ErrorMessage::new(
                    ident.session,
                    ProtocolErrorCode::BadQuery,
                    error.to_string(),
                );
                self.refuse(id, ident.session, error);
                return Ok(None);
            }
        };
        let cursor = (ident.scan_server_version, ident.scan_client_version);
        let mut session = Session::new(record, timeline, cursor, ident.query_version);
        let barrier = self.resume(id, ident, &mut session, term)?;
        self.connection(id).sessions.insert(ident.session, session);
        let queries = json!(ident.query);
        self.note(id, ident.session, json!({"type": "SYNC_SESSION_START", "sync_query": queries}));
        Ok(barrier)
    }

    /// Decides how the client's stream goes on from its cursor.
    fn resume(
        &mut self,
        id: ConnectionId,
        ident: &ClientIdent,
        session: &mut Session,
        term: Term,
    ) -> Handled {
        let Some(latest) = session.timeline.latest().cloned() else {
            // A new file: the bootstrap of version 0 brings the schema. Nothing was in view before it, so it
            // can share the version that is newest now.
            let version = self.txn.head()?;
            return self.begin(id, ident.session, session, Term { from: version, ..term }, false);
        };
        let has_latest = latest.from <= ident.scan_server_version;
        if has_latest && latest.text == term.text {
            return Ok(None);
        }
        if !has_latest && latest.query_version > ident.query_version {
            // It asked for a newer set, whose bootstrap it never got, and will ask again. Writes that came with
            // that set were judged by it, so its view stays in force.
            session.awaits_query = true;
            return Ok(None);
        }
        // The rules have changed, or an earlier bootstrap of this very set was cut off. What the client has not
        // got yet was perhaps readable when it was written and no longer is, so nothing is flushed by the old
        // view first.
        let version = self.append_event(session.ident, session.record.client_version)?;
        self.begin(id, ident.session, session, Term { from: version, ..term }, false)
    }

    fn begin(
        &mut self,
        connection: ConnectionId,
        number: SessionIdent,
        session: &mut Session,
        term: Term,
        flush_first: bool,
    ) -> Handled {
        let (version, query_version) = (term.from, term.query_version);
        self.txn.put_view(session.ident, version, query_version, &term.text)?;
        session.timeline.push(term);
        Ok(Some(Barrier { connection, session: number, version, query_version, flush_first }))
    }

    /// Takes the next version for an event that only this client's stream has.
    fn append_event(
        &mut self,
        ident: FileIdent,
        client_version: ClientVersion,
    ) -> Result<ServerVersion, StoreError> {
        self.txn.append(HistoryRecord {
            origin: FileIdent::SERVER,
            client_version,
            stamp: Stamp::SYNTHETIC,
            only_for: Some(ident),
            schema: Vec::new(),
            touches: Vec::new(),
            rejected: Vec::new(),
        })
    }

    /// The checks of sync-engine 3.5.
    fn check_ident(
        &mut self,
        id: ConnectionId,
        ident: &ClientIdent,
    ) -> Result<Result<ClientRecord, Refusal>, StoreError> {
        use ProtocolErrorCode as Code;
        let refuse = |code: Code, text: String| Ok(Err(Refusal(code, text)));
        let Some(record) = self.txn.client(ident.ident)? else {
            return refuse(
                Code::BadClientFileIdent,
                format!("unknown client file ident {}", ident.ident),
            );
        };
        let (head, salt) = (self.txn.head()?, self.txn.salt()?);
        let (scan, scan_client) = (ident.scan_server_version, ident.scan_client_version);
        if record.salt != ident.salt {
            return refuse(
                Code::DivergingHistories,
                format!("the salt of client file {} does not match", ident.ident),
            );
        }
        if record.user != self.connection(id).user_id {
            return refuse(
                Code::UserMismatch,
                format!("client file {} belongs to another user", ident.ident),
            );
        }
        if ident.latest_server_version > ServerVersion(0) && ident.latest_salt != salt {
            return refuse(
                Code::DivergingHistories,
                "the server's history is another one".to_owned(),
            );
        }
        if scan > head || ident.latest_server_version > head {
            return refuse(
                Code::BadServerVersion,
                format!("version {scan} is ahead of the server's {head}"),
            );
        }
        if scan_client > record.client_version {
            let known = record.client_version;
            return refuse(
                Code::BadClientVersion,
                format!(
                    "client version {scan_client} is ahead of {known}, the last one integrated"
                ),
            );
        }
        if scan < record.base {
            let base = record.base;
            return refuse(
                Code::BadClientFile,
                format!("the file is older than version {base}, which it has acknowledged"),
            );
        }
        Ok(Ok(record))
    }

    /// A file that comes back on a new connection has lost the old one (sync-engine 3.5).
    fn drop_older_session(&mut self, file: FileIdent) {
        let holds = |connection: &Connection| {
            let found = connection.sessions.iter().find(|(_, session)| session.ident == file);
            found.map(|(&number, _)| number)
        };
        let older: Vec<(ConnectionId, SessionIdent)> = self
            .connections
            .iter()
            .filter_map(|(&id, connection)| Some((id, holds(connection)?)))
            .collect();
        for (id, number) in older {
            let error = ErrorMessage::new(
                number,
                ProtocolErrorCode::SessionClosed,
                "the file was bound on another connection",
            );
            self.refuse(id, number, error);
        }
    }

    /// The views that the client's uploads can still refer to. One that no longer compiles, because fields
    /// ceased to be queryable, counts as empty: what was in it is sent anew.
    fn timeline(&mut self, ident: FileIdent) -> Result<Timeline, StoreError> {
        let records = self.txn.views(ident)?;
        let terms = records.into_iter().map(|record| {
            let definition = ViewDefinition::from_text(&record.definition).unwrap_or_default();
            let compiled = self.views.get(&definition, self.config);
            Term {
                from: record.version,
                query_version: record.query_version,
                text: if compiled.is_ok() { record.definition } else { String::new() },
                view: compiled.unwrap_or_default(),
            }
        });
        Ok(Timeline::new(terms.collect()))
    }

    /// When the user's read rules are not those of the client's last view, they hold from its cursor on: what
    /// it has not got yet was perhaps readable when it was written, but is judged by the rules of now.
    fn apply_new_rules(
        &mut self,
        id: ConnectionId,
        ident: &ClientIdent,
        timeline: &mut Timeline,
    ) -> Result<(), StoreError> {
        let Some(latest) = timeline.latest() else { return Ok(()) };
        let queries = ViewDefinition::from_text(&latest.text).unwrap_or_default().queries;
        let definition = ViewDefinition::new(queries, self.config, &self.connection(id).user);
        let (query_version, text) = (latest.query_version, definition.to_text());
        if text == latest.text {
            return Ok(());
        }
        let view = self.views.get(&definition, self.config).unwrap_or_default();
        let cursor = ident.scan_server_version;
        let from = ServerVersion(cursor.0 + 1);
        self.txn.drop_views_after(ident.ident, cursor)?;
        self.txn.put_view(ident.ident, from, query_version, &text)?;
        timeline.replace_after(cursor, Term { from, query_version, text, view });
        Ok(())
    }

    fn term(
        &mut self,
        query_version: QueryVersion,
        definition: &ViewDefinition,
    ) -> Result<Term, SubscriptionError> {
        let view = self.views.get(definition, self.config)?;
        Ok(Term { from: ServerVersion(0), query_version, text: definition.to_text(), view })
    }

    fn query(&mut self, id: ConnectionId, query: Query) -> Handled {
        let Query { session: number, version: query_version, query } = query;
        if self.session(id, number).is_none() {
            return Ok(None);
        }
        let definition = ViewDefinition::new(query, self.config, &self.connection(id).user);
        let term = match self.term(query_version, &definition) {
            Ok(term) => term,
            Err(error) => {
                let message = error.to_string();
                self.note(id, number, json!({"type": "SYNC_ERROR", "error": message}));
                let code = ProtocolErrorCode::BadQuery.number();
                let error = QueryError { session: number, code, version: query_version, message };
                self.connection(id).machine.send_query_error(number, error);
                return Ok(None);
            }
        };
        let Some(mut session) = self.connection(id).sessions.remove(&number) else {
            return Ok(None);
        };
        let version = self.append_event(session.ident, session.record.client_version)?;
        let flush_first = !session.awaits_query;
        session.awaits_query = false;
        let barrier =
            self.begin(id, number, &mut session, Term { from: version, ..term }, flush_first)?;
        self.connection(id).sessions.insert(number, session);
        Ok(barrier)
    }

    fn upload(&mut self, id: ConnectionId, upload: &Upload) -> Handled {
        let number = upload.session;
        let (config, now) = (self.config, self.now);
        let connection =
            self.connections.get_mut(&id).expect("checked before the event is handled");
        let Some(session) = connection.sessions.get_mut(&number) else { return Ok(None) };
        self.txn.mark()?;
        let integrated = Integrator {
            txn: &mut *self.txn,
            config,
            timeline: &session.timeline,
            roles: &mut session.roles,
            user: &connection.user,
            client: session.record.clone(),
            now,
            room_bytes: UPLOAD_UNPACKED_MAX_BYTES,
            busy: BusyObjects::default(),
        }
        .integrate(upload);
        match integrated {
            Ok((record, done)) => {
                self.txn.release_mark()?;
                session.timeline.trim(record.base);
                session.download_due |= record.client_version > session.record.client_version;
                session.record = record;
                if done.schema_changed {
                    self.views.set_schema(&self.txn.schema()?);
                    let sessions =
                        self.connections.values_mut().flat_map(|found| found.sessions.values_mut());
                    sessions.for_each(|session| session.roles.clear());
                }
                for entry in done.log {
                    self.note(id, number, entry);
                }
                if done.changesets > 0 {
                    self.note(
                        id,
                        number,
                        json!({
                            "type": "SYNC_CLIENT_WRITE",
                            "changesets": done.changesets,
                            "writes": done.writes,
                        }),
                    );
                }
                Ok(None)
            }
            Err(UploadError::Session { code, message, action }) => {
                self.txn.rollback_to_mark()?;
                let mut error = ErrorMessage::new(number, code, message);
                if let Some(action) = action {
                    error.action = action;
                    error.try_again = true;
                }
                self.refuse(id, number, error);
                Ok(None)
            }
            Err(UploadError::Store(error)) => Err(error),
        }
    }
}
