//! Judging what a client did to one object: merged with what others did, allowed, or to be undone.
//!
//! The two rules of design 6 meet here: an instruction with base b is integrated only if its object was never
//! outside the view from b on, and both the state before and the state after satisfy the write rule. The
//! client's stream erases objects by the same courses, so what is refused here is gone there.

use rustc_hash::FxHashMap;
use serde_json::Value as Json;
use skerry_merge::{Author, Entry};
use skerry_model::{
    ClassSchema, FileIdent, Instruction, Name, ObjectKey, ObjectRef, Schema, ServerVersion,
};
use skerry_query::{NoObjects, Predicate};
use skerry_store::server::{FieldValues, ObjectEntry, Read, Touch};

use super::EngineConfig;
use super::busy::{BusyObjects, Past};
use super::error::UploadError;
use super::fields::{Change, QueryableFields};
use super::timeline::{Step, Timeline};
use super::view::{FieldValuesRow, Presence};

/// What happens to a client's instructions about one object.
#[derive(Debug)]
pub(super) enum Verdict {
    /// They are integrated, perhaps as nothing.
    Accepted {
        /// What to apply and append; `None` when merging left nothing.
        touch: Option<Touch>,
        /// Entries of others whose form for this client changed.
        reciprocals: Vec<(ServerVersion, Vec<Instruction>)>,
    },
    /// An earlier compensation on the object covers them: the client has dropped them too.
    Condemned,
    /// They are undone.
    Rejected(Rejection),
}

/// Why a write is undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rejection {
    /// The object is, or would be created, outside the view.
    OutsideView,
    /// A role forbids it.
    Denied {
        /// The role; `None` when no role applies.
        role: Option<String>,
        /// `write`, `insert` or `delete`.
        filter: &'static str,
    },
}

/// One user's roles, bound to classes as they are needed.
#[derive(Debug, Default)]
pub(super) struct BoundRoles {
    classes: FxHashMap<Name, Option<BoundRole>>,
}

#[derive(Debug)]
struct BoundRole {
    name: String,
    write: Predicate,
    insert: Predicate,
    delete: Predicate,
}

impl BoundRoles {
    fn get(
        &mut self,
        schema: &Schema,
        class: &ClassSchema,
        config: &EngineConfig,
        user: &Json,
    ) -> Option<&BoundRole> {
        let bind = || {
            config.role(&class.name, user).map(|role| BoundRole {
                write: role.write.bind(schema, class),
                insert: role.insert.bind(schema, class),
                delete: role.delete.bind(schema, class),
                name: role.name,
            })
        };
        self.classes.entry(class.name.clone()).or_insert_with(bind).as_ref()
    }

    /// Forgets bindings, after the schema has changed.
    pub(super) fn clear(&mut self) {
        self.classes.clear();
    }
}

/// The text of a primary key in reasons (server 4.3): object ids and strings in quotes, as design 8 has it.
pub(super) fn key_text(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Null => "null".to_owned(),
        ObjectKey::Int(int) => int.to_string(),
        ObjectKey::String(text) => format!("\"{text}\""),
        ObjectKey::GlobalKey { hi, lo } => format!("{hi:x}-{lo:x}"),
        ObjectKey::ObjectId(oid) => format!("\"{oid}\""),
        ObjectKey::Uuid(uuid) => format!("UUID({uuid})"),
    }
}

impl Rejection {
    /// The reason that the client is told. Permissions are not explained to it (server 4.3).
    pub(super) fn client_reason(&self, object: &ObjectRef) -> String {
        let (key, class) = (key_text(&object.key), &object.class);
        let base = format!("write to {key} in table \"{class}\" not allowed");
        match self {
            Self::OutsideView => format!("{base}; object is outside of the current query view"),
            Self::Denied { .. } => base,
        }
    }

    /// The reason in the server's log.
    pub(super) fn log_reason(&self, object: &ObjectRef) -> String {
        match self {
            Self::OutsideView => self.client_reason(object),
            Self::Denied { role, filter } => {
                let (key, class) = (key_text(&object.key), &object.class);
                match role {
                    Some(role) => format!(
                        "write to {key} in table \"{class}\" was denied by {filter} filter in role \"{role}\""
                    ),
                    None => {
                        format!("write to {key} in table \"{class}\" was denied: no role applies")
                    }
                }
            }
        }
    }
}

/// Everything that a judgement needs besides the instructions.
pub(super) struct Judge<'a> {
    pub(super) read: &'a dyn Read,
    pub(super) config: &'a EngineConfig,
    pub(super) schema: &'a Schema,
    pub(super) timeline: &'a Timeline,
    pub(super) roles: &'a mut BoundRoles,
    pub(super) user: &'a Json,
    pub(super) ident: FileIdent,
    pub(super) head: ServerVersion,
    /// Objects of which much is known from earlier changesets of the upload, all of the same base.
    pub(super) busy: &'a mut BusyObjects,
}

impl Judge<'_> {
    /// Judges the instructions of one changeset about one object.
    pub(super) fn judge(
        &mut self,
        object: &ObjectRef,
        author: Author,
        base: ServerVersion,
        instructions: Vec<Instruction>,
    ) -> Result<Verdict, UploadError> {
        if self.read.is_condemned(self.ident, object, base)? {
            return Ok(Verdict::Condemned);
        }
        let class = self.schema.class(&object.class).filter(|class| !class.embedded);
        let Some(class) = class else {
            return Err(UploadError::bad_changeset(format!("unknown class \"{}\"", object.class)));
        };
        let base = base.max(self.timeline.begins());
        let mut past = match self.busy.remove(object) {
            Some(past) => past,
            None => Past::new(self.read.object_history(object, base)?),
        };
        let theirs = Entry::new(author, instructions);
        let judged = self.judge_with(&mut past, object, class, base, theirs)?;
        let judged = match judged {
            Ok(touch) if past.is_long() => Verdict::Accepted { touch, reciprocals: Vec::new() },
            Ok(touch) => {
                return Ok(Verdict::Accepted { touch, reciprocals: past.changed_forms() });
            }
            Err(rejection) => Verdict::Rejected(rejection),
        };
        if past.is_long() {
            self.busy.insert(object.clone(), past);
        }
        Ok(judged)
    }

    /// What to apply and append, or why not.
    fn judge_with(
        &mut self,
        past: &mut Past,
        object: &ObjectRef,
        class: &ClassSchema,
        base: ServerVersion,
        mut theirs: Entry,
    ) -> Result<Result<Option<Touch>, Rejection>, UploadError> {
        let queryable = QueryableFields::of(self.schema, class, self.config.queryable(&class.name));
        let history = &past.history;
        let current = match history.last() {
            Some(last) if queryable.are_all_in(last.after.as_ref()) => last.after.clone(),
            // Some field was not queryable yet when the last entry was made.
            Some(_) | None => self.current_fields(object, &queryable)?,
        };
        let start = history.first().map_or(current.as_ref(), |first| first.before.as_ref());
        let steps = history.iter().map(|entry| Step {
            version: entry.version,
            after: entry.after.as_ref(),
            ghost: entry.ghost.as_ref(),
            is_own: entry.origin == self.ident,
        });
        let course = self.timeline.course(object, base, self.head, start, steps);
        if course.was_outside {
            return Ok(Err(Rejection::OutsideView));
        }
        if !past.is_merging() {
            let others = self.others(object, base, &past.history)?;
            past.begin_merging(others);
        }
        past.merge(self.schema, &mut theirs)?;
        let instructions = theirs.instructions;
        if instructions.is_empty() {
            return Ok(Ok(None));
        }
        let mut change = queryable.simulate(current, &instructions);
        if let Some(rejection) = self.check(object, class, &change) {
            past.take_back(self.schema)?;
            return Ok(Err(rejection));
        }
        if change.before.is_none() && change.after.is_none() && change.ghost.is_none() {
            let erased = past.history.iter().rev().find(|entry| entry.after.is_none());
            change.ghost =
                erased.and_then(|entry| entry.before.clone().or_else(|| entry.ghost.clone()));
        }
        let Change { before, after, ghost, .. } = change;
        let instructions = from_last_erase(instructions);
        Ok(Ok(Some(Touch { object: object.clone(), before, after, ghost, instructions })))
    }

    fn current_fields(
        &self,
        object: &ObjectRef,
        queryable: &QueryableFields<'_>,
    ) -> Result<Option<FieldValues>, UploadError> {
        let contents = self.read.object(object)?;
        Ok(contents.map(|contents| queryable.values(&contents)))
    }

    /// What others did to the object since the base, as far as it is in the client's stream, in the
    /// client's reciprocal form.
    fn others(
        &self,
        object: &ObjectRef,
        base: ServerVersion,
        history: &[ObjectEntry],
    ) -> Result<Vec<(ServerVersion, Entry)>, UploadError> {
        let in_stream = |entry: &&ObjectEntry| {
            entry.origin != self.ident
                && (entry.before.is_some()
                    || entry.after.is_some()
                    || self.timeline.passes_ghost(object, entry.version, entry.ghost.as_ref()))
        };
        let mut others = history.iter().filter(in_stream).peekable();
        if others.peek().is_none() {
            return Ok(Vec::new());
        }
        let mut known: FxHashMap<ServerVersion, Vec<Instruction>> =
            self.read.reciprocals(self.ident, object, base)?.into_iter().collect();
        let form = |entry: &ObjectEntry| {
            let author = Author { stamp: entry.stamp, ident: entry.origin };
            let form = known.remove(&entry.version);
            let form = form.unwrap_or_else(|| entry.instructions.clone());
            (entry.version, Entry::new(author, form))
        };
        Ok(others.map(form).collect())
    }

    /// Whether the role allows the change, and a created object is in view.
    fn check(
        &mut self,
        object: &ObjectRef,
        class: &ClassSchema,
        change: &Change,
    ) -> Option<Rejection> {
        let Some(role) = self.roles.get(self.schema, class, self.config, self.user) else {
            return Some(Rejection::Denied { role: None, filter: "write" });
        };
        let denied = |filter| Some(Rejection::Denied { role: Some(role.name.clone()), filter });
        let holds = |predicate: &Predicate, fields: &FieldValues| {
            predicate.matches(&FieldValuesRow { key: &object.key, fields }, &NoObjects)
        };
        let states = [change.before.as_ref(), change.after.as_ref()];
        if states.into_iter().flatten().any(|fields| !holds(&role.write, fields)) {
            return denied("write");
        }
        if let Some(before) = change.before.as_ref().filter(|_| change.erases)
            && !holds(&role.delete, before)
        {
            return denied("delete");
        }
        if let Some(after) = change.after.as_ref().filter(|_| change.creates) {
            if !holds(&role.insert, after) {
                return denied("insert");
            }
            let view = self.timeline.at(self.head);
            if change.before.is_none() && view.presence(object, Some(after)) == Presence::Outside {
                return Some(Rejection::OutsideView);
            }
        }
        None
    }
}

/// Drops what an erase in the same changeset undoes. It changes no state and no merge, as an erase discards
/// whatever is concurrent with what it erases; but it may never have been in anybody else's view.
fn from_last_erase(mut instructions: Vec<Instruction>) -> Vec<Instruction> {
    let is_erase = |one: &Instruction| matches!(one, Instruction::EraseObject { .. });
    if let Some(last) = instructions.iter().rposition(is_erase) {
        instructions.drain(..last);
    }
    instructions
}
