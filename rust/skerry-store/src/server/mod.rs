//! The server's store (design 6): what the sync engine asks of a database, as traits with blocking
//! calls, and the records that cross them. [`sqlite`] is the embedded implementation.
//!
//! Invariant: versions are dense. The serialisation point is the append of the next version inside a
//! [`Transaction`]; a store for several machines makes it lose and retry, the embedded one holds the
//! single writer lock. The store knows nothing of views, rules or protocols.

mod records;
pub mod sqlite;

use std::sync::Arc;

use skerry_model::{
    Content, FileIdent, Instruction, Name, ObjectRef, QueryVersion, Salt, Schema, ServerVersion,
};
use skerry_query::Predicate;

pub use records::{
    ClientRecord, Compensation, FieldValues, HistoryEntry, HistoryRecord, ObjectEntry, ObjectPage,
    RejectedUpdate, StoredObject, Touch, ViewRecord,
};
pub use sqlite::SqliteStore;

use crate::StoreError;

/// A database for the server.
///
/// Concurrency: `Send`; one thread at a time calls it. Several server processes on one store are a
/// matter of the implementation.
pub trait Store: Send {
    /// Begins a read-write transaction. Dropping it without commit rolls it back.
    fn begin(&mut self) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// Opens a consistent read-only view of the newest committed state, which lives independently of later
    /// transactions. Bootstraps are read from it.
    fn snapshot(&self) -> Result<Box<dyn Read + Send>, StoreError>;
}

/// What can be asked of a transaction or snapshot.
pub trait Read {
    /// The newest version; at least 1 once the store exists.
    fn head(&self) -> Result<ServerVersion, StoreError>;

    /// The salt of this history (sync-engine 3.1).
    fn salt(&self) -> Result<Salt, StoreError>;

    /// The schema of the stored classes.
    fn schema(&self) -> Result<Arc<Schema>, StoreError>;

    /// Entries with `after < version <= up_to` in ascending order: the common ones and those made for `ident`
    /// alone. Stops after the entry that brings the number of touches to `touches_max` or more.
    fn history(
        &self,
        ident: FileIdent,
        after: ServerVersion,
        up_to: ServerVersion,
        touches_max: usize,
    ) -> Result<Vec<HistoryEntry>, StoreError>;

    /// Whether there are entries with `after < version <= up_to` that were made for `ident` alone.
    fn has_private(
        &self,
        ident: FileIdent,
        after: ServerVersion,
        up_to: ServerVersion,
    ) -> Result<bool, StoreError>;

    /// The common entries of one object after a version, ascending.
    fn object_history(
        &self,
        object: &ObjectRef,
        after: ServerVersion,
    ) -> Result<Vec<ObjectEntry>, StoreError>;

    /// What the object holds, in the order of its class's properties, if it exists.
    fn object(&self, object: &ObjectRef) -> Result<Option<Vec<Content>>, StoreError>;

    /// Objects of a class that match, in the store's own stable order, after a position that an earlier page
    /// returned (0 = from the start).
    fn find(
        &self,
        class: &Name,
        predicate: &Predicate,
        after: i64,
        limit: usize,
    ) -> Result<ObjectPage, StoreError>;

    /// How many objects of a class match.
    fn count(&self, class: &Name, predicate: &Predicate) -> Result<u64, StoreError>;

    /// The record of a client file.
    fn client(&self, ident: FileIdent) -> Result<Option<ClientRecord>, StoreError>;

    /// The view definitions that the client still needs, ascending by version.
    fn views(&self, ident: FileIdent) -> Result<Vec<ViewRecord>, StoreError>;

    /// Compensations for the client with a version in `after < version <= up_to`, ascending.
    fn compensations(
        &self,
        ident: FileIdent,
        after: ServerVersion,
        up_to: ServerVersion,
    ) -> Result<Vec<Compensation>, StoreError>;

    /// Whether a compensation for this client undid something on the object after `base`.
    fn is_condemned(
        &self,
        ident: FileIdent,
        object: &ObjectRef,
        base: ServerVersion,
    ) -> Result<bool, StoreError>;

    /// The reciprocal forms of the object's entries after `after` for this client, where they differ from
    /// the entries themselves.
    fn reciprocals(
        &self,
        ident: FileIdent,
        object: &ObjectRef,
        after: ServerVersion,
    ) -> Result<Vec<(ServerVersion, Vec<Instruction>)>, StoreError>;

    /// A datum of the application (accounts, keys).
    fn meta_get(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// All data of a namespace, by key.
    fn meta_scan(&self, namespace: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;
}

/// A read-write transaction.
pub trait Transaction: Read {
    /// Registers a client file and returns its ident, which is never used again for another.
    fn create_client(&mut self, user: &str, salt: Salt) -> Result<FileIdent, StoreError>;

    /// Replaces the record of a client file.
    fn put_client(&mut self, record: &ClientRecord) -> Result<(), StoreError>;

    /// Adds classes and properties; what exists must be equal (sync-engine 1.3). Returns whether anything was
    /// new.
    fn apply_schema(&mut self, instructions: &[Instruction]) -> Result<bool, StoreError>;

    /// Applies instructions about objects, in order.
    fn apply(&mut self, instructions: &[Instruction]) -> Result<(), StoreError>;

    /// Appends the next version and returns it.
    fn append(&mut self, record: HistoryRecord) -> Result<ServerVersion, StoreError>;

    /// Stores the reciprocal form of an entry for a client.
    fn put_reciprocal(
        &mut self,
        ident: FileIdent,
        object: &ObjectRef,
        version: ServerVersion,
        instructions: &[Instruction],
    ) -> Result<(), StoreError>;

    /// Puts a view definition in force from `version` on.
    fn put_view(
        &mut self,
        ident: FileIdent,
        version: ServerVersion,
        query_version: QueryVersion,
        definition: &str,
    ) -> Result<(), StoreError>;

    /// Forgets the view definitions that came into force after `version`.
    fn drop_views_after(
        &mut self,
        ident: FileIdent,
        version: ServerVersion,
    ) -> Result<(), StoreError>;

    /// Drops what the client's base has passed: reciprocal forms and compensations up to `base`, and the view
    /// definitions that ended before it.
    fn trim(&mut self, ident: FileIdent, base: ServerVersion) -> Result<(), StoreError>;

    /// Sets a mark to which [`Transaction::rollback_to_mark`] returns. One mark at a time.
    fn mark(&mut self) -> Result<(), StoreError>;

    /// Undoes everything since the mark and removes the mark.
    fn rollback_to_mark(&mut self) -> Result<(), StoreError>;

    /// Removes the mark and keeps what was done.
    fn release_mark(&mut self) -> Result<(), StoreError>;

    /// Stores a datum of the application.
    fn meta_put(&mut self, namespace: &str, key: &str, value: &[u8]) -> Result<(), StoreError>;

    /// Stores a datum unless there is one already; tells whether it did.
    fn meta_insert(&mut self, namespace: &str, key: &str, value: &[u8])
    -> Result<bool, StoreError>;

    /// Removes a datum; tells whether there was one.
    fn meta_delete(&mut self, namespace: &str, key: &str) -> Result<bool, StoreError>;

    /// Makes everything durable.
    fn commit(self: Box<Self>) -> Result<(), StoreError>;
}
