//! Writes that no instruction says: of whole contents, and of all objects at once.
//!
//! Invariant: only local files take them, for a server would never hear of them.

use rusqlite::Connection;
use skerry_model::{Content, Name, ObjectKey, Schema};

use super::write::WriteTxn;
use crate::error::{Result, StoreError};
use crate::objects::ObjectTables;

impl WriteTxn {
    /// The classes as they are in this transaction, in the order of declaration.
    pub fn schema(&self) -> &Schema {
        self.tables().catalogue().schema()
    }

    /// The keys of a class, in order of insertion.
    pub fn keys(&mut self, class: &Name) -> Result<Vec<ObjectKey>> {
        self.transaction.flush()?;
        let keys = self.tables().keys(self.transaction.connection(), class);
        self.named(keys)
    }

    /// Writes what a property of an object holds, whatever it is. The targets of links may be absent.
    ///
    /// # Errors
    ///
    /// [`StoreError::BadInstruction`] when there is no such object or property, or it cannot hold that.
    pub fn put(
        &mut self,
        class: &Name,
        key: &ObjectKey,
        property: &Name,
        content: Content,
    ) -> Result<()> {
        let put = self
            .written(|connection, tables| tables.put(connection, class, key, property, content));
        self.named(put)
    }

    /// As [`WriteTxn::put`], for all objects of a class.
    pub fn fill(&mut self, class: &Name, property: &Name, content: Content) -> Result<()> {
        let filled =
            self.written(|connection, tables| tables.fill(connection, class, property, content));
        self.named(filled)
    }

    fn written(
        &mut self,
        write: impl FnOnce(&Connection, &ObjectTables) -> Result<()>,
    ) -> Result<()> {
        if self.transaction.inner().synced {
            return Err(StoreError::Misuse("a synced file takes no writes that cannot be told"));
        }
        self.transaction.flush()?;
        let (connection, tables, open) = self.transaction.parts()?;
        open.forget();
        let written = write(connection, tables);
        if written.as_ref().is_err_and(|error| !matches!(error, StoreError::BadInstruction { .. }))
        {
            // What was refused has written nothing; of anything else nobody knows how far it got.
            self.transaction.spoil();
        }
        written
    }
}
