//! A local write: edits of the objects, each recorded as the instruction that says it.
//!
//! Invariant: the instructions of a transaction, applied to the state before it, give the state
//! after it (sync-engine 1.4), because each edit *is* the application of its instruction. An edit
//! that is refused has changed nothing and the transaction goes on.

use rustc_hash::FxHashSet;
use skerry_model::{
    Changeset, ClientVersion, Instruction, Name, ObjectKey, ObjectRef, Path, Payload, Stamp,
    UpdateSide, Value,
};
use skerry_query::Argument;

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

/// A local write transaction. Dropping it rolls everything back.
#[derive(Debug)]
pub struct WriteTxn {
    transaction: Transaction,
    instructions: Vec<Instruction>,
    /// Classes with a subscription in the latest set; loaded at the first creation.
    subscribed: Option<FxHashSet<Name>>,
}

impl WriteTxn {
    pub(super) fn new(transaction: Transaction) -> Self {
        Self { transaction, instructions: Vec::new(), subscribed: None }
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
        let object = ObjectRef { class: class.clone(), key: key.clone() };
        let is_new = !self.exists(class, key)?;
        if is_new {
            self.must_be_subscribed(class)?;
        } else if policy == UpdatePolicy::Error {
            return Err(StoreError::PrimaryKeyExists { class: class.clone(), key: key.clone() });
        }
        for (property, value) in defaults.iter().chain(values) {
            self.check("CreateObject", &object, property, value)?;
        }
        if is_new {
            let create = Instruction::CreateObject { object: object.clone() };
            let defaults = defaults.iter().map(|(name, value)| update(&object, name, value, true));
            let values = values.iter().map(|(name, value)| update(&object, name, value, false));
            self.record_all(std::iter::once(create).chain(defaults).chain(values).collect())?;
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
                current.as_ref().is_some_and(|current: &Vec<Value>| current[at] == *value)
            });
            if policy != UpdatePolicy::Modified || !is_same {
                self.record(update(&object, property, value, false))?;
            }
        }
        Ok(false)
    }

    /// Sets a property. Recorded also when the value does not change: it still wins conflicts.
    pub fn set(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        property: &Name,
        value: &Value,
    ) -> Result<()> {
        let object = ObjectRef { class: class.clone(), key: key.clone() };
        self.record(update(&object, property, value, false))
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
        let stored = self.stored(class, key)?;
        let position =
            self.transaction.tables.class("AddInteger", class)?.schema.position(property);
        if let (Some(values), Some(position)) = (stored, position)
            && values[position].is_null()
        {
            let fault = Fault::AddToNull { property: property.clone() };
            return Err(bad("AddInteger", &object, fault));
        }
        let path = Path::property(object, property.clone());
        self.record(Instruction::AddInteger { path, value: amount })
    }

    /// Deletes an object; whether it existed. The links to it are set to null first, as
    /// instructions of this changeset (sync-engine 1.4).
    pub fn delete(&mut self, class: &Name, key: &ObjectKey) -> Result<bool> {
        if !self.exists(class, key)? {
            return Ok(false);
        }
        let object = ObjectRef { class: class.clone(), key: key.clone() };
        let connection = self.transaction.connection();
        let links = self.named(self.transaction.tables.incoming_links(connection, &object))?;
        for link in links {
            // Its own links go with it.
            if link.path.object != object {
                self.record(Instruction::Update {
                    path: link.path,
                    value: Payload::Value(Value::Null),
                    side: UpdateSide::IsDefault(false),
                })?;
            }
        }
        self.record(Instruction::EraseObject { object })?;
        Ok(true)
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

    /// The values of an object, with this transaction's changes; dangling links read as null.
    pub fn get(&self, class: &Name, key: &ObjectKey) -> Result<Option<Vec<Value>>> {
        self.named(self.transaction.tables.read_visible(self.transaction.connection(), class, key))
    }

    /// As [`super::Snapshot::query`], with this transaction's changes.
    pub fn query(
        &self,
        class: &Name,
        text: &str,
        arguments: &[Argument],
    ) -> Result<Vec<Vec<Value>>> {
        let connection = self.transaction.connection();
        let query = self.transaction.tables.compile(connection, class, text, arguments)?;
        self.named(self.transaction.tables.query(connection, &query))
    }

    /// As [`super::Snapshot::count`], with this transaction's changes.
    pub fn count(&self, class: &Name, text: &str, arguments: &[Argument]) -> Result<u64> {
        let connection = self.transaction.connection();
        let query = self.transaction.tables.compile(connection, class, text, arguments)?;
        self.named(self.transaction.tables.count_matching(connection, &query))
    }

    /// Commits under the next version.
    ///
    /// In a synced file the changeset becomes a history entry with stamp max(`now`, last stamp seen
    /// + 1) (design 4). On an error nothing of the transaction is in the file.
    pub fn commit(mut self, now: Stamp) -> Result<ClientVersion> {
        let path = self.transaction.inner().path.clone();
        if self.transaction.inner().synced {
            let stamp = self.transaction.progress.next_stamp(now);
            let changeset = Changeset { instructions: std::mem::take(&mut self.instructions) };
            history::append_local(&mut self.transaction, stamp, &changeset)
                .map_err(|error| error.in_file(&path))?;
        }
        self.transaction.commit()
    }

    /// Forgets everything. The same as dropping the transaction.
    pub fn rollback(self) {}

    /// With the file's name in the error.
    fn named<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| error.in_file(&self.transaction.inner().path))
    }

    fn exists(&self, class: &Name, key: &ObjectKey) -> Result<bool> {
        self.named(self.transaction.tables.exists(self.transaction.connection(), class, key))
    }

    fn stored(&self, class: &Name, key: &ObjectKey) -> Result<Option<Vec<Value>>> {
        self.named(self.transaction.tables.read_object(self.transaction.connection(), class, key))
    }

    fn check(
        &self,
        instruction: &'static str,
        object: &ObjectRef,
        property: &Name,
        value: &Value,
    ) -> Result<()> {
        let table = self.transaction.tables.class(instruction, &object.class)?;
        let checked = match table.column(property) {
            None => Err(Fault::NoSuchProperty { property: property.clone() }),
            Some(column) if column.is_primary_key => {
                Err(Fault::PrimaryKeyUpdate { property: property.clone() })
            }
            Some(column) => column.check(value),
        };
        checked.map_err(|fault| bad(instruction, object, fault))
    }

    fn record(&mut self, instruction: Instruction) -> Result<()> {
        let (connection, tables) = self.transaction.parts()?;
        let applied = tables.apply(connection, &instruction);
        self.named(applied)?;
        if self.transaction.inner().synced {
            self.instructions.push(instruction);
        }
        Ok(())
    }

    /// Records what creates an object, which has been checked, so that it goes in whole.
    fn record_all(&mut self, instructions: Vec<Instruction>) -> Result<()> {
        let (connection, tables) = self.transaction.parts()?;
        let applied = tables.apply_all(connection, &instructions);
        self.named(applied)?;
        if self.transaction.inner().synced {
            self.instructions.extend(instructions);
        }
        Ok(())
    }

    fn must_be_subscribed(&mut self, class: &Name) -> Result<()> {
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

fn update(object: &ObjectRef, property: &Name, value: &Value, is_default: bool) -> Instruction {
    Instruction::Update {
        path: Path::property(object.clone(), property.clone()),
        value: Payload::Value(value.clone()),
        side: UpdateSide::IsDefault(is_default),
    }
}

fn bad(instruction: &'static str, object: &ObjectRef, fault: Fault) -> StoreError {
    let (class, key) = (object.class.clone(), Some(object.key.clone()));
    StoreError::BadInstruction { instruction, class, key, fault }
}
