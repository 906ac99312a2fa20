//! Writing the embedded store.

use rusqlite::params;
use skerry_model::{FileIdent, Instruction, ObjectRef, QueryVersion, Salt, ServerVersion};

use super::SqliteStore;
use super::blobs::{fields_to_blob, instructions_to_blob, key_to_blob, rejected_to_blob};
use super::read::Reader;
use crate::StoreError;
use crate::error::Result;
use crate::objects::ObjectTables;
use crate::server::{ClientRecord, HistoryRecord, Transaction};

/// A transaction that holds the writer lock.
#[derive(Debug)]
pub struct SqliteTransaction<'s> {
    store: &'s mut SqliteStore,
    /// The classes as they were at the beginning and at the mark, for rolling back.
    before: ObjectTables,
    at_mark: Option<ObjectTables>,
    is_over: bool,
}

impl<'s> SqliteTransaction<'s> {
    pub(super) fn begin(store: &'s mut SqliteStore) -> Result<Self> {
        store
            .connection
            .execute_batch("BEGIN IMMEDIATE")
            .map_err(|error| StoreError::from(error).in_file(store.location.path()))?;
        let before = store.tables.clone();
        Ok(Self { store, before, at_mark: None, is_over: false })
    }

    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { connection: &self.store.connection, tables: &self.store.tables }
    }

    fn is_new(&self, instruction: &Instruction) -> bool {
        let schema = self.store.tables.catalogue().schema();
        match instruction {
            Instruction::AddTable { class, .. } => schema.class(class).is_none(),
            Instruction::AddColumn { class, field, .. } => {
                schema.class(class).is_none_or(|found| found.property(field).is_none())
            }
            _ => true,
        }
    }

    fn run(&self, sql: &str, params: impl rusqlite::Params) -> Result<usize> {
        let mut statement = self.store.connection.prepare_cached(sql)?;
        statement
            .execute(params)
            .map_err(|error| StoreError::from(error).in_file(self.store.location.path()))
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            let rolled_back = self.store.connection.execute_batch("ROLLBACK");
            // SQLite rolls back by itself on some errors; then there is nothing left to roll back.
            tracing::debug!(?rolled_back, "server transaction dropped");
            self.store.tables = self.before.clone();
        }
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn create_client(&mut self, user: &str, salt: Salt) -> Result<FileIdent, StoreError> {
        self.run(
            "INSERT INTO client (salt, user, client_version, base) VALUES (?1, ?2, 0, 0)",
            params![salt.0, user],
        )?;
        Ok(FileIdent(self.store.connection.last_insert_rowid()))
    }

    fn put_client(&mut self, record: &ClientRecord) -> Result<(), StoreError> {
        self.run(
            "UPDATE client SET client_version = ?2, base = ?3 WHERE ident = ?1",
            params![record.ident.0, record.client_version.0, record.base.0],
        )?;
        Ok(())
    }

    fn apply_schema(&mut self, instructions: &[Instruction]) -> Result<bool, StoreError> {
        let mut changed = false;
        for instruction in instructions {
            let is_new = self.is_new(instruction);
            self.store.tables.apply(&self.store.connection, instruction)?;
            changed |= is_new;
        }
        Ok(changed)
    }

    fn apply(&mut self, instructions: &[Instruction]) -> Result<(), StoreError> {
        let SqliteStore { connection, tables, .. } = &mut *self.store;
        tables.apply_all(connection, instructions)
    }

    fn append(&mut self, record: HistoryRecord) -> Result<ServerVersion, StoreError> {
        let version = ServerVersion(self.reader().head()?.0 + 1);
        let schema = if record.schema.is_empty() {
            None
        } else {
            Some(instructions_to_blob(&record.schema)?)
        };
        self.run(
            "INSERT INTO history (version, origin, client_version, stamp, only_for, schema, rejected)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                version.0,
                record.origin.0,
                record.client_version.0,
                record.stamp.0,
                record.only_for.map(|ident| ident.0),
                schema,
                rejected_to_blob(&record.rejected),
            ],
        )?;
        for (number, touch) in (0_i64..).zip(&record.touches) {
            let key = key_to_blob(&touch.object.key);
            self.run(
                "INSERT INTO touch (version, number, class, key, before, after, ghost, instructions)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    version.0,
                    number,
                    &*touch.object.class,
                    key,
                    fields_to_blob(touch.before.as_ref()),
                    fields_to_blob(touch.after.as_ref()),
                    fields_to_blob(touch.ghost.as_ref()),
                    instructions_to_blob(&touch.instructions)?,
                ],
            )?;
            if let Some(ident) = record.only_for {
                self.run(
                    "INSERT INTO condemned (ident, class, key, version) VALUES (?1, ?2, ?3, ?4)",
                    params![ident.0, &*touch.object.class, key, version.0],
                )?;
            }
        }
        Ok(version)
    }

    fn put_reciprocal(
        &mut self,
        ident: FileIdent,
        object: &ObjectRef,
        version: ServerVersion,
        instructions: &[Instruction],
    ) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO reciprocal (ident, class, key, version, instructions)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET instructions = excluded.instructions",
            params![
                ident.0,
                &*object.class,
                key_to_blob(&object.key),
                version.0,
                instructions_to_blob(instructions)?,
            ],
        )?;
        Ok(())
    }

    fn put_view(
        &mut self,
        ident: FileIdent,
        version: ServerVersion,
        query_version: QueryVersion,
        definition: &str,
    ) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO view (ident, version, query_version, definition) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT DO UPDATE SET query_version = excluded.query_version,
                 definition = excluded.definition",
            params![ident.0, version.0, query_version.0, definition],
        )?;
        Ok(())
    }

    fn drop_views_after(
        &mut self,
        ident: FileIdent,
        version: ServerVersion,
    ) -> Result<(), StoreError> {
        self.run(
            "DELETE FROM view WHERE ident = ?1 AND version > ?2",
            params![ident.0, version.0],
        )?;
        Ok(())
    }

    fn trim(&mut self, ident: FileIdent, base: ServerVersion) -> Result<(), StoreError> {
        self.run(
            "DELETE FROM reciprocal WHERE ident = ?1 AND version <= ?2",
            params![ident.0, base.0],
        )?;
        self.run(
            "DELETE FROM condemned WHERE ident = ?1 AND version <= ?2",
            params![ident.0, base.0],
        )?;
        self.run(
            "DELETE FROM view WHERE ident = ?1 AND version <
                 (SELECT max(version) FROM view WHERE ident = ?1 AND version <= ?2)",
            params![ident.0, base.0],
        )?;
        Ok(())
    }

    fn mark(&mut self) -> Result<(), StoreError> {
        self.run("SAVEPOINT mark", [])?;
        self.at_mark = Some(self.store.tables.clone());
        Ok(())
    }

    fn rollback_to_mark(&mut self) -> Result<(), StoreError> {
        self.run("ROLLBACK TO mark", [])?;
        self.run("RELEASE mark", [])?;
        if let Some(tables) = self.at_mark.take() {
            self.store.tables = tables;
        }
        Ok(())
    }

    fn release_mark(&mut self) -> Result<(), StoreError> {
        self.at_mark = None;
        self.run("RELEASE mark", [])?;
        Ok(())
    }

    fn meta_put(&mut self, namespace: &str, key: &str, value: &[u8]) -> Result<(), StoreError> {
        self.run(
            "INSERT INTO meta (namespace, key, value) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET value = excluded.value",
            params![namespace, key, value],
        )?;
        Ok(())
    }

    fn meta_insert(
        &mut self,
        namespace: &str,
        key: &str,
        value: &[u8],
    ) -> Result<bool, StoreError> {
        let inserted = self.run(
            "INSERT OR IGNORE INTO meta (namespace, key, value) VALUES (?1, ?2, ?3)",
            params![namespace, key, value],
        )?;
        Ok(inserted == 1)
    }

    fn meta_delete(&mut self, namespace: &str, key: &str) -> Result<bool, StoreError> {
        let deleted =
            self.run("DELETE FROM meta WHERE namespace = ?1 AND key = ?2", [namespace, key])?;
        Ok(deleted == 1)
    }

    fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let SqliteStore { connection, tables, location, .. } = &*self.store;
        tables
            .index_words(connection)
            .and_then(|()| Ok(connection.execute_batch("COMMIT")?))
            .map_err(|error| error.in_file(location.path()))?;
        self.is_over = true;
        Ok(())
    }
}
