//! Opening a local file under a schema version, and the change of its schema if there has to be one.
//!
//! Invariant: what the file lacks of the schema, its version, and what the application does to the
//! objects on the way (defaults, migration, initial data) are one transaction. Until its commit the
//! file is what it was; whoever has it open elsewhere waits with writing, and reads what it was.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use skerry_model::{ClientVersion, Name, ObjectKey, Schema};

use super::transaction::Transaction;
use super::{Options, Progress, Realm, Snapshot, WriteTxn, schema_version};
use crate::error::{Result, StoreError};
use crate::file_fault::FileFault;
use crate::objects::{Migrator, ObjectTables, Plan};

/// What [`Realm::open_versioned`] finds.
#[derive(Debug)]
pub enum Opened {
    /// The file has the schema; it can be used.
    Ready(Realm),
    /// The file is to be changed first.
    Change(Box<SchemaChange>),
}

/// Why a schema change is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The file is new.
    New,
    /// The schema has classes, properties or indexes beyond the file, under the same version.
    Addition,
    /// The schema version is another one.
    Migration,
}

/// A schema change under way, with the file's one writer lock. Dropping it changes nothing.
#[derive(Debug)]
pub struct SchemaChange {
    realm: Realm,
    transaction: Transaction,
    before: Option<Snapshot>,
    migrator: Option<Migrator>,
    kind: ChangeKind,
    from: u64,
    to: u64,
    schema: Schema,
}

/// What [`SchemaChange::finish`] gives.
#[derive(Debug)]
pub struct Changed {
    /// The file; to be used when the transaction is committed.
    pub realm: Realm,
    /// The transaction, for what the application does in it.
    pub write: WriteTxn,
    /// What became of what.
    pub moves: Moves,
}

/// What became of the classes and objects of before.
#[derive(Debug)]
pub struct Moves(Migrator);

impl Moves {
    /// Properties that classes of the file did not have before.
    pub fn added(&self) -> &[(Name, Name)] {
        self.0.added()
    }

    /// What a class of the file is called now; `None` when it is gone.
    pub fn successor(&self, class: &Name) -> Option<&Name> {
        self.0.successor(class)
    }

    /// The new key of an object, by its class of now and its key of before.
    pub fn key_of(&self, class: &Name, key: &ObjectKey) -> ObjectKey {
        self.0.key_of(class, key)
    }
}

impl Realm {
    /// Opens a local file whose classes are to be those of `options` under a schema version. Makes the
    /// file if it is absent. `timeout` is how long to wait for another writer if the file is to be
    /// changed.
    ///
    /// # Errors
    ///
    /// [`FileFault::SchemaVersionTooLow`] when the file has a greater version,
    /// [`FileFault::MigrationNeeded`] when it has the same version and the schema is no extension of
    /// its own, [`StoreError::LockTimeout`], and those of [`Realm::open`].
    pub fn open_versioned(
        path: impl AsRef<Path>,
        options: &Options,
        version: u64,
        timeout: Duration,
    ) -> Result<Opened> {
        let path = path.as_ref();
        if options.synced {
            return Err(StoreError::Misuse("a synced file has no schema version of its own"));
        }
        Self::open_versioned_inner(path, options, version, timeout)
            .map_err(|error| error.in_file(path))
    }

    fn open_versioned_inner(
        path: &Path,
        options: &Options,
        version: u64,
        timeout: Duration,
    ) -> Result<Opened> {
        let (realm, mut tables) = Self::connect(path, options)?;
        tables.declare(&options.schema);
        let kind = realm.inner.watch(|connection| {
            // One state, although somebody may be changing it.
            connection.execute_batch("BEGIN")?;
            let assessed = tables
                .refresh(connection)
                .and_then(|()| assess(connection, &tables, &options.schema, version));
            connection.execute_batch("ROLLBACK")?;
            assessed
        })?;
        if kind.is_none() {
            realm.inner.publish_declared(tables);
            return Ok(Opened::Ready(realm));
        }
        let transaction = Transaction::begin(&realm.inner, timeout)?;
        // Somebody else may have done it meanwhile.
        tables.refresh(transaction.connection())?;
        let kind = assess(transaction.connection(), &tables, &options.schema, version)?;
        let Some(kind) = kind else {
            drop(transaction);
            realm.inner.publish_declared(tables);
            return Ok(Opened::Ready(realm));
        };
        let from = schema_version::load(transaction.connection())?;
        let before = match kind {
            ChangeKind::New => None,
            ChangeKind::Addition | ChangeKind::Migration => Some(realm.snapshot()?),
        };
        let (migrator, to, schema) = (None, version, options.schema.clone());
        let change = SchemaChange { realm, transaction, before, migrator, kind, from, to, schema };
        Ok(Opened::Change(Box::new(change)))
    }

    /// The schema version that the file has now.
    pub fn schema_version(&self) -> Result<u64> {
        self.inner.watch(schema_version::load)
    }
}

impl SchemaChange {
    /// Why it is needed.
    pub fn kind(&self) -> ChangeKind {
        self.kind
    }

    /// The schema version of the file.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// The schema version that it will have.
    pub fn to(&self) -> u64 {
        self.to
    }

    /// The file as it is before, taken out; `None` for a new file, and the second time.
    pub fn take_before(&mut self) -> Option<Snapshot> {
        self.before.take()
    }

    /// Limits the size of the file for this change, as [`Realm::set_size_max_pages`] does for commits.
    pub fn set_size_max_pages(&self, pages: u32) -> Result<()> {
        self.transaction.limit_pages(pages).map_err(|error| error.in_file(self.realm.path()))
    }

    /// Changes the classes as the plan says; only once.
    ///
    /// # Errors
    ///
    /// As [`ObjectTables::begin_migration`]. Nothing can be done with the change then but drop it.
    pub fn apply(&mut self, plan: Plan) -> Result<()> {
        if self.migrator.is_some() {
            return Err(StoreError::Misuse("the schema change was applied before"));
        }
        let path = self.realm.path();
        let (connection, tables, _) = self.transaction.parts()?;
        let migrator = tables.begin_migration(connection, &self.schema, plan);
        self.migrator = Some(migrator.map_err(|error| error.in_file(path))?);
        Ok(())
    }

    /// Converts at most `rows_max` objects; whether some are left.
    pub fn step(&mut self, rows_max: u32) -> Result<bool> {
        let path = self.realm.path();
        let (connection, tables, _) = self.transaction.parts()?;
        let migrator = self.migrator.as_mut().ok_or(NOT_APPLIED)?;
        migrator.step(tables, connection, rows_max).map_err(|error| error.in_file(path))
    }

    /// How many objects are converted, and how many there are to convert.
    pub fn progress(&self) -> (u64, u64) {
        self.migrator.as_ref().map_or((0, 0), |migrator| (migrator.done(), migrator.total()))
    }

    /// Ends the change of the schema; the transaction goes on with what the application does in it.
    pub fn finish(self) -> Result<Changed> {
        let Self { realm, mut transaction, migrator, to, .. } = self;
        let migrator = migrator.ok_or(NOT_APPLIED)?;
        let moves = Moves(migrator.clone());
        let (connection, tables, _) = transaction.parts()?;
        let finished =
            migrator.finish(tables, connection).and_then(|()| schema_version::save(connection, to));
        finished.map_err(|error| error.in_file(realm.path()))?;
        Ok(Changed { realm, write: WriteTxn::new(transaction), moves })
    }
}

const NOT_APPLIED: StoreError = StoreError::Misuse("the schema change was not applied yet");

/// What has to be done to the file; `None` when nothing has.
pub(super) fn assess(
    connection: &Connection,
    tables: &ObjectTables,
    schema: &Schema,
    version: u64,
) -> Result<Option<ChangeKind>> {
    let found = schema_version::load(connection)?;
    let is_new = Progress::load(connection)?.version == ClientVersion(1)
        && tables.catalogue().schema().is_empty();
    if is_new {
        return Ok(Some(ChangeKind::New));
    }
    if found > version {
        return Err(StoreError::of_file(FileFault::SchemaVersionTooLow { found, wanted: version }));
    }
    if found < version {
        return Ok(Some(ChangeKind::Migration));
    }
    let needed = |class: Name, property: Option<Name>, change: String| {
        StoreError::of_file(FileFault::MigrationNeeded { version, class, property, change })
    };
    let missing = tables.missing(schema).map_err(|error| match error {
        StoreError::DestructiveChange { class, property, change } => {
            needed(class, property, change)
        }
        other => other,
    })?;
    for class in tables.catalogue().schema().classes() {
        let Some(declared) = schema.class(&class.name) else { continue };
        let gone = class.properties.iter().find(|one| declared.property(&one.name).is_none());
        if let Some(gone) = gone {
            let change = "the file has it, the schema does not".to_owned();
            return Err(needed(class.name.clone(), Some(gone.name.clone()), change));
        }
    }
    let is_complete = missing.is_empty() && tables.has_indexes(schema);
    Ok((!is_complete).then_some(ChangeKind::Addition))
}
