//! Edits of a local write, and the state that they are made on.
//!
//! Invariant: an edit is refused before anything has changed, or it is applied whole. What an edit
//! emits is the model's business ([`Op::instructions`]); here it is applied and recorded.

use skerry_model::edit::{Edit, EditError, Objects, Op};
use skerry_model::{Content, Instruction, Link, Misfit, Name, ObjectRef, Schema};

use super::transaction::Transaction;
use super::write::WriteTxn;
use crate::error::{Fault, Result, StoreError};

/// Why an edit emits nothing.
enum Failure {
    Refused(EditError),
    Store(StoreError),
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        Self::Refused(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// The objects of a transaction, with its changes.
struct View<'t> {
    transaction: &'t mut Transaction,
    /// What was read last of a property that has a column of its own.
    scalar: Content,
}

impl Objects for View<'_> {
    type Error = Failure;

    fn schema(&self) -> &Schema {
        self.transaction.tables.catalogue().schema()
    }

    fn exists(&mut self, object: &ObjectRef) -> Result<bool, Failure> {
        let link = Link { class: object.class.clone(), key: object.key.clone() };
        Ok(self.transaction.tables.has_target(self.transaction.connection(), &link)?)
    }

    fn content(&mut self, object: &ObjectRef, field: &Name) -> Result<&Content, Failure> {
        let (connection, tables, open) = self.transaction.parts()?;
        let table = tables.checked("read", &object.class, &object.key)?;
        let Some(position) = table.schema.position(field) else {
            return Err(EditError::NoSuchProperty { property: field.clone() }.into());
        };
        if table.columns[position].is_content {
            let held = open.content(tables, connection, table, position, &object.key)?;
            return held.ok_or_else(|| EditError::NoSuchObject.into());
        }
        let read = tables.read_content(connection, table, position, &object.key)?;
        let (content, _row) = read.ok_or(EditError::NoSuchObject)?;
        self.scalar = content;
        Ok(&self.scalar)
    }

    fn may_dangle(&mut self, object: &ObjectRef, field: &Name) -> Result<bool, Failure> {
        let (connection, tables, open) = self.transaction.parts()?;
        let table = tables.checked("read", &object.class, &object.key)?;
        match table.schema.position(field) {
            Some(position) if table.columns[position].is_content => {
                Ok(open.may_dangle(tables, connection, table, position, &object.key)?)
            }
            Some(_) | None => Ok(true),
        }
    }

    fn holders(&mut self, object: &ObjectRef) -> Result<Vec<(ObjectRef, Name)>, Failure> {
        let Transaction { tables, open, .. } = &*self.transaction;
        Ok(tables.holders_with(self.transaction.connection(), open, object)?)
    }
}

impl WriteTxn {
    /// Makes an edit, and records the instructions that it emits.
    ///
    /// Positions in lists of links count the links that an application sees. The target of a link
    /// must exist. Refused edits have changed nothing, and the transaction goes on.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadInstruction`] with the fault when the edit does not fit the object,
    /// [`StoreError::PrimaryKeyExists`] for the creation of what exists, and
    /// [`StoreError::NoSubscriptionForWrite`] for one in a class without subscription.
    pub fn edit(&mut self, op: &Op) -> Result<()> {
        let (name, object) = subject(op);
        self.named(self.transaction.tables.checked(name, &object.class, &object.key).map(|_| ()))?;
        // Whoever calls this with contents has fitted them (`assign`).
        let mut view = View { transaction: &mut self.transaction, scalar: Content::NULL };
        let instructions = op.instructions(&mut view);
        let instructions =
            self.named(instructions.map_err(|failure| store_error(failure, name, object)))?;
        match op {
            Op::Create { object, values, .. } => {
                self.must_be_subscribed(&object.class)?;
                for (property, value) in values {
                    self.check(object, property, value)?;
                }
                self.record(instructions)
            }
            Op::Delete { .. } => {
                let deleted = self.record(instructions);
                if deleted.is_err() {
                    // Made of what was just read, so it fits; only the disk can have failed, and
                    // nobody knows how far it got.
                    self.transaction.spoil();
                }
                deleted
            }
            Op::At { edit: Edit::Assign { .. } | Edit::ListInsertAll { .. }, .. } => {
                // Fitted to their place; what can still go wrong is the disk, or the bound on bytes.
                let recorded = self.record(instructions);
                if recorded.is_err() {
                    self.transaction.spoil();
                }
                recorded
            }
            Op::At { .. } if instructions.len() > 1 => self.record_together(instructions),
            Op::At { .. } => self.record(instructions),
        }
    }

    /// Records instructions of which the later ones may be refused.
    fn record_together(&mut self, instructions: Vec<Instruction>) -> Result<()> {
        self.transaction.flush()?;
        self.transaction.writable()?.execute_batch("SAVEPOINT edit")?;
        let recorded = self.record(instructions);
        let connection = self.transaction.connection();
        if recorded.is_ok() {
            connection.execute_batch("RELEASE edit")?;
        } else if !connection.is_autocommit() {
            connection.execute_batch("ROLLBACK TO edit; RELEASE edit")?;
            // Nothing was open and changed at the savepoint.
            self.transaction.open.forget();
        }
        recorded
    }
}

fn store_error(failure: Failure, instruction: &'static str, object: &ObjectRef) -> StoreError {
    let (class, key) = (object.class.clone(), object.key.clone());
    let fault = match failure {
        Failure::Store(error) => return error,
        Failure::Refused(EditError::ObjectExists) => {
            return StoreError::PrimaryKeyExists { class, key };
        }
        Failure::Refused(EditError::NoSuchObject) => Fault::NoSuchObject,
        Failure::Refused(EditError::NoSuchProperty { property }) => {
            Misfit::NoSuchProperty { property }.into()
        }
        Failure::Refused(error) => error.into(),
    };
    StoreError::BadInstruction { instruction, class, key: Some(key), fault }
}

/// The object that an edit is about, and the instruction that it comes to in the main.
fn subject(op: &Op) -> (&'static str, &ObjectRef) {
    let (path, edit) = match op {
        Op::Create { object, .. } => return ("CreateObject", object),
        Op::Delete { object } => return ("EraseObject", object),
        Op::At { path, edit } => (path, edit),
    };
    let name = match edit {
        Edit::Set { .. }
        | Edit::Assign { .. }
        | Edit::ListSet { .. }
        | Edit::DictionarySet { .. }
        | Edit::DictionaryErase { .. }
        | Edit::SetEmbedded
        | Edit::SetCollection(_) => "Update",
        Edit::AddInteger(_) => "AddInteger",
        Edit::ListInsert { .. } | Edit::ListInsertAll { .. } => "ArrayInsert",
        Edit::ListMove { .. } => "ArrayMove",
        Edit::ListErase { .. } => "ArrayErase",
        Edit::Clear => "Clear",
        Edit::SetInsert(_) => "SetInsert",
        Edit::SetErase(_) => "SetErase",
    };
    (name, &path.object)
}
