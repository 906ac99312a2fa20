//! A local write: edits of the objects, each recorded as the instruction that says it.
//!
//! Invariant: the instructions of a transaction, applied to the state before it, give the state
//! after it (sync-engine 1.4), because each edit *is* the application of its instruction. An edit
//! that is refused has changed nothing and the transaction goes on.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashSet;
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    Changeset, ClientVersion, Content, Instruction, Misfit, Name, ObjectKey, ObjectRef, Path,
    Payload, Stamp, UpdateSide, Value,
};
use skerry_query::{Argument, Query};

use super::transaction::Transaction;
use super::{history, subscriptions};
use crate::error::{Fault, Result, StoreError};
use crate::objects::ObjectTables;

/// What creating an object does when its key exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdatePolicy {
    /// Refuse with [`StoreError::PrimaryKeyExists`].
    Error,
    /// Set all given values, also those that do not change.
    All,
    /// Set the given values that differ.
    Modified,
}

/// What the newest local write knew of subscriptions, for the next one.
///
/// Every commit, whoever makes it, takes a version, so at the version that the write has left nothing
/// can have changed since.
#[derive(Debug, Default)]
pub(super) struct SubscribedAt(Mutex<Option<(ClientVersion, FxHashSet<Name>)>>);

impl SubscribedAt {
    fn at(&self, version: ClientVersion) -> Option<FxHashSet<Name>> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        left.take().filter(|(at, _)| *at == version).map(|(_, subscribed)| subscribed)
    }

    fn leave(&self, version: ClientVersion, subscribed: Option<FxHashSet<Name>>) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = subscribed.map(|subscribed| (version, subscribed));
    }
}

/// A local write transaction. Dropping it rolls everything back.
#[derive(Debug)]
pub struct WriteTxn {
    pub(super) transaction: Transaction,
    instructions: Vec<Instruction>,
    /// Classes with a subscription in the latest set; loaded at the first creation, unless the commit
    /// before this one has left them.
    subscribed: Option<FxHashSet<Name>>,
}

impl WriteTxn {
    pub(super) fn new(transaction: Transaction) -> Self {
        let subscribed = transaction.inner().subscribed.at(transaction.progress.version);
        Self { transaction, instructions: Vec::new(), subscribed }
    }

    /// The classes, as this transaction sees them.
    pub fn tables(&self) -> &ObjectTables {
        &self.transaction.tables
    }

    /// The instructions recorded so far.
    pub fn instructions(&self) -> &[Instruction] {
        &self.instructions
    }

    /// Creates an object, or changes the one with this key as `policy` says; whether it is new.
    ///
    /// A new object gets `defaults` first, marked as such, then `values` (sync-engine 1.4). The
    /// primary key is not among them. Everything is checked before anything is written.
    pub fn create(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        values: &[(Name, Value)],
        defaults: &[(Name, Value)],
        policy: UpdatePolicy,
    ) -> Result<bool> {
        let object = Arc::new(ObjectRef { class: class.clone(), key: key.clone() });
        let is_new = self.may_create(class, key, policy)?;
        for (property, value) in defaults.iter().chain(values) {
            self.check(&object, property, value)?;
        }
        if is_new {
            let create = Instruction::CreateObject { object: (*object).clone() };
            let update_of = |(name, value): &(Name, Value), is_default| {
                update(object.clone(), name, value, is_default)
            };
            let defaults = defaults.iter().map(|default| update_of(default, true));
            let values = values.iter().map(|value| update_of(value, false));
            self.record(std::iter::once(create).chain(defaults).chain(values).collect())?;
            return Ok(true);
        }
        let current = match policy {
            UpdatePolicy::Modified => self.stored(class, key)?,
            UpdatePolicy::Error | UpdatePolicy::All => None,
        };
        for (property, value) in values {
            let position =
                self.transaction.tables.class("CreateObject", class)?.schema.position(property);
            let is_same = position.is_some_and(|at| {
                let held = current.as_ref().map(|current: &Vec<Content>| &current[at]);
                held.and_then(Content::as_value) == Some(value)
            });
            if policy != UpdatePolicy::Modified || !is_same {
                self.record(vec![update(object.clone(), property, value, false)])?;
            }
        }
        Ok(false)
    }

    /// Whether the object is new; refuses one that must not be created, or not again.
    pub(super) fn may_create(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        policy: UpdatePolicy,
    ) -> Result<bool> {
        let is_new = !self.exists(class, key)?;
        if is_new {
            self.must_be_subscribed(class)?;
        } else if policy == UpdatePolicy::Error {
            return Err(StoreError::PrimaryKeyExists { class: class.clone(), key: key.clone() });
        }
        Ok(is_new)
    }

    /// Refuses a key that exists.
    pub(super) fn must_be_absent(&self, class: &Name, key: &ObjectKey) -> Result<()> {
        if self.exists(class, key)? {
            return Err(StoreError::PrimaryKeyExists { class: class.clone(), key: key.clone() });
        }
        Ok(())
    }

    /// Sets a property. Recorded also when the value does not change: it still wins conflicts.
    ///
    /// Other than in [`WriteTxn::edit`], the target of a link may be absent, and be created later.
    pub fn set(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        property: &Name,
        value: &Value,
    ) -> Result<()> {
        let object = ObjectRef { class: class.clone(), key: key.clone() };
        self.record(vec![update(object, property, value, false)])
    }

    /// Adds to an integer, wrapping at 64 bits. Adding to null is refused.
    pub fn add_integer(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        property: &Name,
        amount: i64,
    ) -> Result<()> {
        let object = ObjectRef { class: class.clone(), key: key.clone() };
        let path = Path::property(object, property.clone());
        self.edit(&Op::At { path, edit: Edit::AddInteger(amount) })
    }

    /// Deletes an object; whether it existed. The links to it are taken away first, as
    /// instructions of this changeset (sync-engine 1.4).
    pub fn delete(&mut self, class: &Name, key: &ObjectKey) -> Result<bool> {
        if !self.exists(class, key)? {
            return Ok(false);
        }
        let object = ObjectRef { class: class.clone(), key: key.clone() };
        self.edit(&Op::Delete { object })?;
        Ok(true)
    }

    /// As [`WriteTxn::delete`]; the objects that held links to it, from which they are taken away.
    /// `None` when it did not exist.
    pub fn delete_telling(
        &mut self,
        class: &Name,
        key: &ObjectKey,
    ) -> Result<Option<Vec<ObjectRef>>> {
        if !self.exists(class, key)? {
            return Ok(None);
        }
        let object = ObjectRef { class: class.clone(), key: key.clone() };
        let Transaction { tables, open, .. } = &self.transaction;
        let held = tables.holders_with(self.transaction.connection(), open, &object);
        let mut holders: Vec<ObjectRef> =
            self.named(held)?.into_iter().map(|(holder, _property)| holder).collect();
        holders.dedup();
        self.edit(&Op::Delete { object })?;
        Ok(Some(holders))
    }

    /// Deletes all objects of a class; how many there were.
    pub fn delete_all(&mut self, class: &Name) -> Result<u64> {
        let keys = self.transaction.tables.keys(self.transaction.connection(), class)?;
        let mut count = 0;
        for key in keys {
            count += u64::from(self.delete(class, &key)?);
        }
        Ok(count)
    }

    /// As [`super::Snapshot::get`], with this transaction's changes.
    pub fn get(&mut self, class: &Name, key: &ObjectKey) -> Result<Option<Vec<Content>>> {
        self.transaction.flush()?;
        self.named(self.transaction.tables.read_visible(self.transaction.connection(), class, key))
    }

    /// As [`super::Snapshot::query`], with this transaction's changes.
    pub fn query(
        &mut self,
        class: &Name,
        text: &str,
        arguments: &[Argument],
    ) -> Result<Vec<Vec<Content>>> {
        let query = self.prepare_query(class, text, arguments)?;
        self.named(self.transaction.tables.query(self.transaction.connection(), &query))
    }

    /// As [`super::Snapshot::count`], with this transaction's changes.
    pub fn count(&mut self, class: &Name, text: &str, arguments: &[Argument]) -> Result<u64> {
        let query = self.prepare_query(class, text, arguments)?;
        self.named(self.transaction.tables.count_matching(self.transaction.connection(), &query))
    }

    /// Compiles a query, and writes back what it is to see. The words that it searches are indexed
    /// now, so that alternate writes and searches do not look at all that was written every time.
    fn prepare_query(&mut self, class: &Name, text: &str, arguments: &[Argument]) -> Result<Query> {
        self.transaction.flush()?;
        let (tables, connection) = (&self.transaction.tables, self.transaction.connection());
        let query = tables.compile(connection, class, text, arguments)?;
        if query.predicate.searches_text() && !connection.is_autocommit() {
            let table = tables.class("query", class)?;
            self.named(table.index_words(connection))?;
        }
        Ok(query)
    }

    /// Commits under the next version.
    ///
    /// In a synced file the changeset becomes a history entry with stamp max(`now`, last stamp seen
    /// + 1) (design 4). On an error nothing of the transaction is in the file.
    pub fn commit(self, now: Stamp) -> Result<ClientVersion> {
        let stamp = self.transaction.progress.next_stamp(now);
        self.commit_at(stamp)
    }

    /// As [`WriteTxn::commit`], with exactly this stamp, however it compares with those before it;
    /// also a negative one, of a time before 2015. For replaying recorded programs, whose clocks
    /// decided who wins: an application that stamps its writes so gives up what keeps a slow clock
    /// from losing every conflict.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] for [`Stamp::SYNTHETIC`], which is the server's.
    pub fn commit_stamped(self, stamp: Stamp) -> Result<ClientVersion> {
        if stamp == Stamp::SYNTHETIC {
            return Err(StoreError::Misuse("this stamp is of the server's own events"));
        }
        self.commit_at(stamp)
    }

    fn commit_at(mut self, stamp: Stamp) -> Result<ClientVersion> {
        let path = self.transaction.inner().path().to_path_buf();
        if self.transaction.inner().synced {
            let changeset = Changeset { instructions: std::mem::take(&mut self.instructions) };
            history::append_local(&mut self.transaction, stamp, &changeset)
                .map_err(|error| error.in_file(&path))?;
        }
        let (inner, subscribed) = (Arc::clone(self.transaction.inner()), self.subscribed);
        let version = self.transaction.commit()?;
        inner.subscribed.leave(version, subscribed);
        Ok(version)
    }

    /// Forgets everything. The same as dropping the transaction.
    pub fn rollback(self) {}

    /// With the file's name in the error.
    pub(super) fn named<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.in_file(self.transaction.inner().path()))
    }

    fn exists(&self, class: &Name, key: &ObjectKey) -> Result<bool> {
        self.named(self.transaction.tables.exists(self.transaction.connection(), class, key))
    }

    pub(super) fn stored(&mut self, class: &Name, key: &ObjectKey) -> Result<Option<Vec<Content>>> {
        self.transaction.flush()?;
        self.named(self.transaction.tables.read_object(self.transaction.connection(), class, key))
    }

    /// Checks that a new object's property can take the value.
    pub(super) fn check(&self, object: &ObjectRef, property: &Name, value: &Value) -> Result<()> {
        const NAME: &str = "CreateObject";
        let tables = &self.transaction.tables;
        let (table, schema) = (tables.class(NAME, &object.class)?, tables.catalogue().schema());
        let checked: Result<(), Fault> = match table.column(property) {
            None => Err(Misfit::NoSuchProperty { property: property.clone() }.into()),
            Some(column) if column.is_primary_key => {
                Err(Fault::PrimaryKeyUpdate { property: property.clone() })
            }
            Some(column) if column.is_content => {
                let update = update(object.clone(), property, value, false);
                let applied = column.property.zero().apply(schema, &column.property, &update);
                applied.map_err(Fault::from)
            }
            Some(column) => column.check(schema, value).map_err(Fault::from),
        };
        checked.map_err(|fault| bad(NAME, object, fault))
    }

    /// Applies instructions and records them. On an error the first of them may have been applied.
    pub(super) fn record(&mut self, instructions: Vec<Instruction>) -> Result<()> {
        let (connection, tables, open) = self.transaction.parts()?;
        let applied = tables.apply_open(connection, open, &instructions);
        self.named(applied)?;
        self.note(instructions);
        Ok(())
    }

    /// Records instructions that have been applied.
    fn note(&mut self, instructions: Vec<Instruction>) {
        if self.transaction.inner().synced {
            self.instructions.extend(instructions);
        }
    }

    /// Records the instructions that `make` adds, which have been applied.
    pub(super) fn note_made(
        &mut self,
        make: impl FnOnce(&ObjectTables, &mut Vec<Instruction>) -> Result<()>,
    ) -> Result<()> {
        if self.transaction.inner().synced {
            make(&self.transaction.tables, &mut self.instructions)?;
        }
        Ok(())
    }

    pub(super) fn must_be_subscribed(&mut self, class: &Name) -> Result<()> {
        if !self.transaction.inner().synced {
            return Ok(());
        }
        let subscribed = match &mut self.subscribed {
            Some(subscribed) => subscribed,
            empty @ None => {
                empty.insert(subscriptions::subscribed_classes(self.transaction.connection())?)
            }
        };
        if subscribed.contains(class) {
            Ok(())
        } else {
            Err(StoreError::NoSubscriptionForWrite { class: class.clone() })
        }
    }
}

fn update(
    object: impl Into<Arc<ObjectRef>>,
    property: &Name,
    value: &Value,
    is_default: bool,
) -> Instruction {
    Instruction::Update {
        path: Path::property(object, property.clone()),
        value: Payload::Value(value.clone()),
        side: UpdateSide::IsDefault(is_default),
    }
}

fn bad(instruction: &'static str, object: &ObjectRef, fault: Fault) -> StoreError {
    let (class, key) = (object.class.clone(), Some(object.key.clone()));
    StoreError::BadInstruction { instruction, class, key, fault }
}
