//! Whom new versions concern: sessions whose view they do not touch are passed over, and read nothing
//! (design 6).
//!
//! Invariant: a session is passed over only where collecting its window would have given nothing to send
//! and the client version that it has, and would have been silent. Its client learns of progress when it would
//! have learnt of it otherwise. What is decided here is decided by the history and the views alone, so it does
//! not matter who wrote the versions.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use skerry_model::{FileIdent, ServerVersion};
use skerry_query::Row;
use skerry_query::index::PredicateIndex;
use skerry_store::StoreError;
use skerry_store::server::{HistoryEntry, Read, Touch};

use super::session::Session;
use super::tuning::Tuning;
use super::view::{FieldValuesRow, View};

/// Views that no session has any more are kept up to this number beyond twice that of the sessions.
const UNUSED_VIEWS_MAX: usize = 64;

/// Tells views apart: their address, as long as they are held.
type ViewId = usize;

/// The views of the sessions, by what touches them.
#[derive(Debug, Default)]
pub(super) struct FanOut {
    index: PredicateIndex<ViewId>,
    /// The views in the index.
    views: BTreeMap<ViewId, Arc<View>>,
    /// The newest version that has been looked at; `None` before the first time.
    seen: Option<ServerVersion>,
    recent: Option<Arc<Recent>>,
}

/// The common entries of a stretch, which several sessions have still to be sent; the first of them where they
/// are too many to be read at once.
#[derive(Debug)]
pub(super) struct Recent {
    after: ServerVersion,
    up_to: ServerVersion,
    entries: Vec<HistoryEntry>,
}

/// What a stretch can concern.
struct Reach {
    views: BTreeSet<ViewId>,
    origins: BTreeSet<FileIdent>,
    /// Whether some of its versions are for one client alone.
    has_private: bool,
}

impl Recent {
    /// The entries of the stretch, if it is this one. What is for one client alone is not among them.
    pub(super) fn entries(
        &self,
        after: ServerVersion,
        up_to: ServerVersion,
    ) -> Option<&[HistoryEntry]> {
        ((self.after, self.up_to) == (after, up_to)).then_some(&self.entries)
    }
}

impl FanOut {
    /// The entries that were read last, while a session may need them.
    pub(super) fn recent(&self) -> Option<Arc<Recent>> {
        self.recent.clone()
    }

    /// Moves the sessions that the versions up to `head` do not concern to `head`.
    pub(super) fn pass_over<'a>(
        &mut self,
        read: &dyn Read,
        head: ServerVersion,
        sessions: impl Iterator<Item = &'a mut Session>,
        tuning: Tuning,
    ) -> Result<(), StoreError> {
        let mut sessions: Vec<&mut Session> = sessions.collect();
        let after = self.seen.replace(head).unwrap_or(head);
        let is_behind = |session: &&mut Session, at: ServerVersion| {
            session.sent == at && session.bootstraps.is_empty() && !session.awaits_query
        };
        if after == head {
            let is_needed =
                |recent: &Arc<Recent>| sessions.iter().any(|it| is_behind(it, recent.after));
            self.recent = self.recent.take().filter(is_needed);
            return Ok(());
        }
        self.recent = None;
        self.drop_unused(&sessions);
        sessions.retain(|session| is_behind(session, after));
        if sessions.is_empty() {
            return Ok(());
        }
        let max = tuning.history_touches_max;
        let entries = read.history(FileIdent::SERVER, after, head, max)?;
        let touches: usize = entries.iter().map(|entry| entry.record.touches.len()).sum();
        let is_all = touches < max;
        if is_all && entries.iter().all(|entry| entry.record.schema.is_empty()) {
            sessions.retain(|session| is_silent(session, after, head, tuning));
            for session in &sessions {
                self.add(session.timeline.at(after));
            }
            let reach = self.reach(&entries, after, head);
            for session in sessions {
                if !reach.concerns(read, session, after, head)? {
                    debug_assert!(is_nothing(read, session, head, tuning));
                    session.sent = head;
                }
            }
        }
        self.recent = Some(Arc::new(Recent { after, up_to: head, entries }));
        Ok(())
    }

    fn add(&mut self, view: &Arc<View>) {
        let id = id(view);
        if self.views.contains_key(&id) {
            return;
        }
        for (class, predicate) in view.classes() {
            self.index.insert(id, class, predicate);
        }
        self.views.insert(id, Arc::clone(view));
    }

    /// Forgets the views that no session has any more, when they are many.
    fn drop_unused(&mut self, sessions: &[&mut Session]) {
        if self.views.len() <= 2 * sessions.len() + UNUSED_VIEWS_MAX {
            return;
        }
        let used: BTreeSet<ViewId> = sessions
            .iter()
            .filter_map(|session| session.timeline.latest())
            .map(|term| id(&term.view))
            .collect();
        let Self { index, views, .. } = self;
        views.retain(|id, _| {
            let is_used = used.contains(id);
            if !is_used {
                index.remove(*id);
            }
            is_used
        });
    }

    fn reach(&self, entries: &[HistoryEntry], after: ServerVersion, head: ServerVersion) -> Reach {
        let mut views = BTreeSet::new();
        for touch in entries.iter().flat_map(|entry| &entry.record.touches) {
            self.touched(touch, &mut views);
        }
        let versions = usize::try_from(head.0 - after.0).unwrap_or(usize::MAX);
        Reach {
            views,
            origins: entries.iter().map(|entry| entry.record.origin).collect(),
            has_private: entries.len() != versions,
        }
    }

    /// The views that contain the object before or after, or contained it when it last existed.
    fn touched(&self, touch: &Touch, views: &mut BTreeSet<ViewId>) {
        let Touch { object, before, after, ghost, .. } = touch;
        let rows = [before, after, ghost].map(|fields| {
            let fields = fields.as_ref()?;
            Some(FieldValuesRow { key: &object.key, fields })
        });
        let [before, after, ghost] =
            rows.each_ref().map(|row| row.as_ref().map(|row| row as &dyn Row));
        let mut found = |view| {
            views.insert(view);
        };
        self.index.touched(&object.class, before, after, &mut found);
        self.index.touched(&object.class, ghost, None, &mut found);
    }
}

impl Reach {
    fn concerns(
        &self,
        read: &dyn Read,
        session: &Session,
        after: ServerVersion,
        head: ServerVersion,
    ) -> Result<bool, StoreError> {
        Ok(self.views.contains(&id(session.timeline.at(after)))
            || self.origins.contains(&session.ident)
            || self.has_private && read.has_private(session.ident, after, head)?)
    }
}

fn id(view: &Arc<View>) -> ViewId {
    Arc::as_ptr(view).addr()
}

/// Whether the session has one view over the stretch, and would say nothing if that held nothing for it.
fn is_silent(session: &Session, after: ServerVersion, head: ServerVersion, tuning: Tuning) -> bool {
    !session.download_due
        && session.marks.is_empty()
        && head.0 - session.told.0 < tuning.silent_versions_max
        && session.timeline.changes(after, head).next().is_none()
}

/// The invariant, as collecting has it.
fn is_nothing(read: &dyn Read, session: &Session, head: ServerVersion, tuning: Tuning) -> bool {
    let window = super::stream::Window {
        read,
        timeline: &session.timeline,
        tuning,
        ident: session.ident,
        after: session.sent,
        up_to: head,
        client_version: session.client_version,
    };
    window.collect().is_ok_and(|batch| {
        batch.entries.is_empty()
            && (batch.up_to, batch.client_version) == (head, session.client_version)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use skerry_model::{
        ClassSchema, ClientVersion, Content, Instruction, Name, ObjectKey, ObjectRef, Property,
        PropertyType, QueryVersion, Salt, Schema, Stamp, Value,
    };
    use skerry_store::connection::Synchronous;
    use skerry_store::server::{ClientRecord, FieldValues, HistoryRecord, SqliteStore, Store};

    use super::super::EngineConfig;
    use super::super::timeline::{Term, Timeline};
    use super::super::view::ViewDefinition;
    use super::*;

    /// A store, and sessions with the views `n == 1`, `n == 2` and so on, all of which have everything.
    struct World {
        _folder: tempfile::TempDir,
        store: SqliteStore,
        sessions: Vec<Session>,
        fan_out: FanOut,
        tuning: Tuning,
    }

    fn view(number: u32) -> Arc<View> {
        let properties = vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("n", PropertyType::Int, false),
        ];
        let class = ClassSchema {
            embedded: false,
            name: "Item".into(),
            primary_key: "_id".into(),
            properties,
        };
        let role = json!({"name": "all", "apply_when": {}, "read": true, "write": true,
            "document_filters": {"read": true, "write": true}});
        let config = json!({"queryable_fields": ["n"], "default_roles": [role]});
        let config = EngineConfig::parse(&config.to_string()).unwrap();
        let queries = BTreeMap::from([("Item".to_owned(), format!("n == {number}"))]);
        let definition = ViewDefinition::new(queries, &config, &Json::Null);
        Arc::new(definition.compile(&Schema::new([class]).unwrap(), &config).unwrap())
    }

    /// A session of a client with that ident, which has everything up to a version.
    fn session(ident: i64, view: Arc<View>, at: ServerVersion) -> Session {
        let record = ClientRecord {
            ident: FileIdent(ident),
            salt: Salt(1),
            user: "u".to_owned(),
            client_version: ClientVersion(0),
            base: at,
        };
        let query_version = QueryVersion(1);
        let term = Term { from: ServerVersion(1), query_version, text: String::new(), view };
        let cursor = (at, ClientVersion(0));
        let mut session = Session::new(record, Timeline::new(vec![term]), cursor, query_version);
        session.download_due = false;
        session
    }

    impl World {
        fn new(count: u32) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("server.db");
            let store = SqliteStore::open(&path, Synchronous::Normal, Salt(1)).unwrap();
            let mut world = Self {
                _folder: folder,
                store,
                sessions: Vec::new(),
                fan_out: FanOut::default(),
                tuning: Tuning::default(),
            };
            let head = world.store.snapshot().unwrap().head().unwrap();
            world.sessions =
                (1..=count).map(|n| session(100 + i64::from(n), view(n), head)).collect();
            assert!(world.pass_over().is_empty());
            world
        }

        fn append(&mut self, record: HistoryRecord) -> ServerVersion {
            let mut txn = self.store.begin().unwrap();
            let version = txn.append(record).unwrap();
            txn.commit().unwrap();
            version
        }

        /// Numbers of the sessions that have still to be sent something.
        fn pass_over(&mut self) -> Vec<usize> {
            let read = self.store.snapshot().unwrap();
            let head = read.head().unwrap();
            let sessions = self.sessions.iter_mut();
            self.fan_out.pass_over(&*read, head, sessions, self.tuning).unwrap();
            let behind = self.sessions.iter().zip(1..).filter(|(session, _)| session.sent < head);
            behind.map(|(_, number)| number).collect()
        }
    }

    fn fields(n: impl Into<Option<i64>>) -> Option<FieldValues> {
        n.into().map(|n| FieldValues(vec![(1, Content::Value(Value::Int(n)))]))
    }

    fn touch(before: Option<FieldValues>, after: Option<FieldValues>) -> Touch {
        let object = ObjectRef { class: "Item".into(), key: ObjectKey::Int(7) };
        let instructions = vec![Instruction::EraseObject { object: object.clone() }];
        Touch { object, before, after, ghost: None, instructions }
    }

    fn record(touch: Touch) -> HistoryRecord {
        HistoryRecord {
            origin: FileIdent(99),
            client_version: ClientVersion(1),
            stamp: Stamp(5),
            only_for: None,
            schema: Vec::new(),
            touches: vec![touch],
            rejected: Vec::new(),
        }
    }

    #[test]
    fn only_sessions_whose_view_is_touched_have_something_to_be_sent() {
        let mut world = World::new(4);
        world.append(record(touch(fields(1), fields(3))));
        assert_eq!(world.pass_over(), [1, 3]);
    }

    #[test]
    fn who_could_have_seen_what_came_and_went_learns_that_it_is_gone() {
        let mut world = World::new(3);
        let ghost = fields(2);
        world.append(record(Touch { ghost, ..touch(None, None) }));
        assert_eq!(world.pass_over(), [2]);
    }

    #[test]
    fn a_clients_own_version_and_one_made_for_it_are_for_its_stream() {
        let mut world = World::new(3);
        world.append(HistoryRecord {
            origin: world.sessions[0].ident,
            ..record(touch(None, fields(9)))
        });
        let only_for = Some(world.sessions[1].ident);
        let origin = FileIdent::SERVER;
        world.append(HistoryRecord { origin, only_for, ..record(touch(fields(9), fields(9))) });
        assert_eq!(world.pass_over(), [1, 2]);
    }

    #[test]
    fn new_classes_and_properties_are_for_everybody() {
        let mut world = World::new(2);
        let class = Instruction::EraseTable { class: Name::from("Other") };
        world.append(HistoryRecord { schema: vec![class], ..record(touch(None, fields(9))) });
        assert_eq!(world.pass_over(), [1, 2]);
    }

    #[test]
    fn who_has_not_been_told_of_progress_for_long_is_not_passed_over() {
        let mut world = World::new(2);
        world.tuning.silent_versions_max = 3;
        for _ in 0..2 {
            world.append(record(touch(None, fields(9))));
            assert!(world.pass_over().is_empty());
        }
        world.sessions[1].told = world.sessions[1].sent;
        world.append(record(touch(None, fields(9))));
        assert_eq!(world.pass_over(), [1]);
    }

    #[test]
    fn who_is_owed_something_else_or_lags_is_not_passed_over() {
        let mut world = World::new(4);
        world.sessions[0].download_due = true;
        world.sessions[1].marks.push_back((1, ServerVersion(1)));
        world.sessions[2].sent.0 -= 1;
        let head = world.append(record(touch(None, fields(9))));
        let term = Term { from: head, ..world.sessions[3].timeline.latest().unwrap().clone() };
        world.sessions[3].timeline.push(term);
        assert_eq!(world.pass_over(), [1, 2, 3, 4]);
    }

    #[test]
    fn what_was_read_is_kept_while_somebody_needs_it() {
        let mut world = World::new(2);
        let after = world.sessions[0].sent;
        let head = world.append(record(touch(None, fields(1))));
        assert_eq!(world.pass_over(), [1]);
        let recent = world.fan_out.recent().unwrap();
        assert_eq!(recent.entries(after, head).map(<[_]>::len), Some(1));
        assert!(recent.entries(head, head).is_none());
        assert_eq!(world.pass_over(), [1]);
        assert!(world.fan_out.recent().is_some());
        world.sessions[0].sent = head;
        assert!(world.pass_over().is_empty());
        assert!(world.fan_out.recent().is_none());
    }

    #[test]
    fn views_that_no_session_has_any_more_are_forgotten() {
        let mut world = World::new(1);
        for number in 2..300 {
            let head = world.sessions[0].sent;
            world.sessions[0] = session(101, view(number), head);
            world.append(record(touch(None, fields(1_000))));
            assert!(world.pass_over().is_empty());
        }
        assert!(world.fan_out.views.len() <= 2 + UNUSED_VIEWS_MAX + 1);
        assert_eq!(world.fan_out.views.len(), world.fan_out.index.len());
    }
}
