//! Reading the embedded store.

use std::borrow::Cow;
use std::sync::Arc;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, Row as SqlRow, params, params_from_iter};
use skerry_model::{
    ClientVersion, Content, FileIdent, Instruction, Name, ObjectKey, ObjectRef, PropertyType,
    QueryVersion, Salt, Schema, ServerVersion, Stamp,
};
use skerry_query::{NoObjects, Predicate, PropertyRef, Row};

use super::blobs::{
    fields_from_blob, instructions_from_blob, key_from_blob, key_to_blob, rejected_from_blob,
};
use crate::StoreError;
use crate::error::Result;
use crate::objects::{ClassTable, Column, ObjectTables, read_row};
use crate::server::{
    ClientRecord, Compensation, HistoryEntry, HistoryRecord, ObjectEntry, ObjectPage, StoredObject,
    Touch, ViewRecord,
};
use crate::sql::{Condition, split};

/// A connection with what is known of its tables.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) connection: &'a Connection,
    pub(super) tables: &'a ObjectTables,
}

/// A stored object as the query language sees it. Links are shown as they are, also dangling ones: the server
/// does not evaluate queries over links.
struct ValuesRow<'a> {
    key: &'a ObjectKey,
    values: &'a [Content],
}

impl Row for ValuesRow<'_> {
    fn key(&self) -> &ObjectKey {
        self.key
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        self.values.get(property.index).map_or(Cow::Owned(Content::NULL), Cow::Borrowed)
    }
}

impl Reader<'_> {
    pub(super) fn head(self) -> Result<ServerVersion> {
        let mut statement = self.connection.prepare_cached("SELECT max(version) FROM history")?;
        Ok(ServerVersion(statement.query_row([], |row| row.get(0))?))
    }

    pub(super) fn salt(self) -> Result<Salt> {
        let mut statement =
            self.connection.prepare_cached("SELECT value FROM state WHERE name = 'salt'")?;
        Ok(Salt(statement.query_row([], |row| row.get(0))?))
    }

    pub(super) fn schema(self) -> Arc<Schema> {
        Arc::clone(self.tables.catalogue().schema())
    }

    pub(super) fn history(
        self,
        ident: FileIdent,
        after: ServerVersion,
        up_to: ServerVersion,
        touches_max: usize,
    ) -> Result<Vec<HistoryEntry>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, origin, client_version, stamp, only_for, schema FROM history
             WHERE version > ?1 AND version <= ?2 AND (only_for IS NULL OR only_for = ?3)
             ORDER BY version",
        )?;
        let mut rows = statement.query(params![after.0, up_to.0, ident.0])?;
        let mut entries = Vec::new();
        let mut touches = 0;
        while let Some(row) = rows.next()? {
            let mut entry = history_entry(row)?;
            entry.record.touches = self.touches(entry.version)?;
            touches += entry.record.touches.len();
            entries.push(entry);
            if touches >= touches_max {
                break;
            }
        }
        Ok(entries)
    }

    pub(super) fn has_private(
        self,
        ident: FileIdent,
        after: ServerVersion,
        up_to: ServerVersion,
    ) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM history
             WHERE only_for = ?1 AND version > ?2 AND version <= ?3)",
        )?;
        Ok(statement.query_row(params![ident.0, after.0, up_to.0], |row| row.get(0))?)
    }

    fn touches(self, version: ServerVersion) -> Result<Vec<Touch>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT class, key, before, after, ghost, instructions FROM touch WHERE version = ?1
             ORDER BY number",
        )?;
        let mut rows = statement.query([version.0])?;
        let mut touches = Vec::new();
        while let Some(row) = rows.next()? {
            touches.push(Touch {
                object: ObjectRef {
                    class: self
                        .class_name(row.get_ref(0)?.as_str().map_err(StoreError::corrupted)?),
                    key: key_from_blob(row.get_ref(1)?.as_blob().map_err(StoreError::corrupted)?)?,
                },
                before: fields_from_blob(row.get_ref(2)?)?,
                after: fields_from_blob(row.get_ref(3)?)?,
                ghost: fields_from_blob(row.get_ref(4)?)?,
                instructions: instructions_from_blob(
                    row.get_ref(5)?.as_blob().map_err(StoreError::corrupted)?,
                )?,
            });
        }
        Ok(touches)
    }

    /// The shared name of a class, so that a history of many touches holds its text once.
    fn class_name(self, name: &str) -> Name {
        let class = self.tables.catalogue().class(name);
        class.map_or_else(|| name.into(), |class| class.schema.name.clone())
    }

    pub(super) fn object_history(
        self,
        object: &ObjectRef,
        after: ServerVersion,
    ) -> Result<Vec<ObjectEntry>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT t.version, h.origin, h.stamp, t.before, t.after, t.ghost, t.instructions
             FROM touch t JOIN history h ON h.version = t.version
             WHERE t.class = ?1 AND t.key = ?2 AND t.version > ?3 AND h.only_for IS NULL
             ORDER BY t.version",
        )?;
        let mut rows =
            statement.query(params![&*object.class, key_to_blob(&object.key), after.0])?;
        let mut entries = Vec::new();
        while let Some(row) = rows.next()? {
            entries.push(ObjectEntry {
                version: ServerVersion(row.get(0)?),
                origin: FileIdent(row.get(1)?),
                stamp: Stamp(row.get(2)?),
                before: fields_from_blob(row.get_ref(3)?)?,
                after: fields_from_blob(row.get_ref(4)?)?,
                ghost: fields_from_blob(row.get_ref(5)?)?,
                instructions: instructions_from_blob(
                    row.get_ref(6)?.as_blob().map_err(StoreError::corrupted)?,
                )?,
            });
        }
        Ok(entries)
    }

    pub(super) fn object(self, object: &ObjectRef) -> Result<Option<Vec<Content>>> {
        if self.tables.catalogue().class(&object.class).is_none() {
            return Ok(None);
        }
        self.tables.read_object(self.connection, &object.class, &object.key)
    }

    pub(super) fn find(
        self,
        class: &Name,
        predicate: &Predicate,
        after: i64,
        limit: usize,
    ) -> Result<ObjectPage> {
        let mut page = ObjectPage::default();
        let Some(table) = self.tables.catalogue().class(class) else { return Ok(page) };
        self.scan(
            table,
            condition(self.tables, table, predicate),
            after,
            |position, key, values| {
                page.objects.push(StoredObject { key, values });
                let full = page.objects.len() >= limit;
                if full {
                    page.next = Some(position);
                }
                !full
            },
        )?;
        Ok(page)
    }

    pub(super) fn count(self, class: &Name, predicate: &Predicate) -> Result<u64> {
        let Some(table) = self.tables.catalogue().class(class) else { return Ok(0) };
        let condition = condition(self.tables, table, predicate);
        if !condition.residual.is_empty() {
            let mut count = 0;
            self.scan(table, condition, 0, |_, _, _| {
                count += 1;
                true
            })?;
            return Ok(count);
        }
        let sql = format!("SELECT count(*) FROM {} WHERE {}", table.table(), condition.sql);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let count: i64 =
            statement.query_row(params_from_iter(condition.parameters), |row| row.get(0))?;
        u64::try_from(count).map_err(StoreError::corrupted)
    }

    /// Hands the objects that match to `visit`, in order of insertion, until it returns false.
    fn scan(
        self,
        table: &ClassTable,
        condition: Condition<'_>,
        after: i64,
        mut visit: impl FnMut(i64, ObjectKey, Vec<Content>) -> bool,
    ) -> Result<()> {
        let Condition { sql, parameters, residual, ranges: _, leaves: _asked } = condition;
        let columns: Vec<String> = table.columns.iter().map(Column::sql_name).collect();
        let (columns, name) = (columns.join(", "), table.table());
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {columns}, row_id FROM {name} WHERE row_id > ? AND {sql} ORDER BY row_id"
        ))?;
        let parameters = std::iter::once(SqlValue::Integer(after)).chain(parameters);
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let values = read_row(self.tables.catalogue().schema(), table, row)?;
            let key = key_of(table, &values)?;
            let shown = ValuesRow { key: &key, values: &values };
            if residual.iter().all(|part| part.matches(&shown, &NoObjects))
                && !visit(row.get(table.columns.len())?, key, values)
            {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn client(self, ident: FileIdent) -> Result<Option<ClientRecord>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT salt, user, client_version, base FROM client WHERE ident = ?1",
        )?;
        let record = |row: &SqlRow<'_>| {
            Ok(ClientRecord {
                ident,
                salt: Salt(row.get(0)?),
                user: row.get(1)?,
                client_version: ClientVersion(row.get(2)?),
                base: ServerVersion(row.get(3)?),
            })
        };
        Ok(statement.query_row([ident.0], record).optional()?)
    }

    pub(super) fn views(self, ident: FileIdent) -> Result<Vec<ViewRecord>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, query_version, definition FROM view WHERE ident = ?1 ORDER BY version",
        )?;
        let records = statement.query_map([ident.0], |row| {
            Ok(ViewRecord {
                version: ServerVersion(row.get(0)?),
                query_version: QueryVersion(row.get(1)?),
                definition: row.get(2)?,
            })
        })?;
        Ok(records.collect::<Result<_, _>>()?)
    }

    pub(super) fn compensations(
        self,
        ident: FileIdent,
        after: ServerVersion,
        up_to: ServerVersion,
    ) -> Result<Vec<Compensation>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, client_version, rejected FROM history
             WHERE only_for = ?1 AND version > ?2 AND version <= ?3 AND rejected IS NOT NULL
             ORDER BY version",
        )?;
        let mut rows = statement.query(params![ident.0, after.0, up_to.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Compensation {
                version: ServerVersion(row.get(0)?),
                client_version: ClientVersion(row.get(1)?),
                rejected: rejected_from_blob(
                    row.get_ref(2)?.as_blob().map_err(StoreError::corrupted)?,
                )?,
            });
        }
        Ok(found)
    }

    pub(super) fn is_condemned(
        self,
        ident: FileIdent,
        object: &ObjectRef,
        base: ServerVersion,
    ) -> Result<bool> {
        let mut statement = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM condemned
             WHERE ident = ?1 AND class = ?2 AND key = ?3 AND version > ?4)",
        )?;
        let key = key_to_blob(&object.key);
        Ok(statement.query_row(params![ident.0, &*object.class, key, base.0], |row| row.get(0))?)
    }

    pub(super) fn reciprocals(
        self,
        ident: FileIdent,
        object: &ObjectRef,
        after: ServerVersion,
    ) -> Result<Vec<(ServerVersion, Vec<Instruction>)>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT version, instructions FROM reciprocal
             WHERE ident = ?1 AND class = ?2 AND key = ?3 AND version > ?4 ORDER BY version",
        )?;
        let key = key_to_blob(&object.key);
        let mut rows = statement.query(params![ident.0, &*object.class, key, after.0])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            let blob = row.get_ref(1)?.as_blob().map_err(StoreError::corrupted)?;
            found.push((ServerVersion(row.get(0)?), instructions_from_blob(blob)?));
        }
        Ok(found)
    }

    pub(super) fn meta_get(self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT value FROM meta WHERE namespace = ?1 AND key = ?2")?;
        Ok(statement.query_row([namespace, key], |row| row.get(0)).optional()?)
    }

    pub(super) fn meta_scan(self, namespace: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT key, value FROM meta WHERE namespace = ?1 ORDER BY key")?;
        let found = statement.query_map([namespace], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(found.collect::<Result<_, _>>()?)
    }
}

fn history_entry(row: &SqlRow<'_>) -> Result<HistoryEntry> {
    let schema = match row.get_ref(5)?.as_blob_or_null().map_err(StoreError::corrupted)? {
        Some(blob) => instructions_from_blob(blob)?,
        None => Vec::new(),
    };
    Ok(HistoryEntry {
        version: ServerVersion(row.get(0)?),
        record: HistoryRecord {
            origin: FileIdent(row.get(1)?),
            client_version: ClientVersion(row.get(2)?),
            stamp: Stamp(row.get(3)?),
            only_for: row.get::<_, Option<i64>>(4)?.map(FileIdent),
            schema,
            touches: Vec::new(),
            rejected: Vec::new(),
        },
    })
}

/// What SQL decides of a predicate, and what is left. All of one over single links is left: SQL takes links
/// without a target for null. What is embedded or a list is no column that it looks into.
fn condition<'p>(
    tables: &ObjectTables,
    table: &ClassTable,
    predicate: &'p Predicate,
) -> Condition<'p> {
    let is_link = |field: &Name| {
        let column = table.column(field).filter(|column| !column.is_content);
        column.is_some_and(|column| column.property.ty == PropertyType::Link)
    };
    if predicate.referenced_fields().iter().any(is_link) {
        return Condition {
            sql: "TRUE".to_owned(),
            parameters: Vec::new(),
            residual: vec![predicate],
            ranges: Vec::new(),
            leaves: Vec::new(),
        };
    }
    split(tables, table, predicate)
}

fn key_of(table: &ClassTable, values: &[Content]) -> Result<ObjectKey> {
    let position = table.columns.iter().position(|column| column.is_primary_key);
    let value = position.and_then(|position| values.get(position));
    value
        .and_then(Content::as_value)
        .and_then(ObjectKey::from_value)
        .ok_or_else(|| StoreError::corrupted(format!("a row of {} has no key", table.table())))
}

/// Implements [`crate::server::Read`] by the type's `reader()`.
macro_rules! delegate_reads {
    ($type:ty) => {
        impl crate::server::Read for $type {
            fn head(&self) -> Result<skerry_model::ServerVersion, StoreError> {
                self.reader().head()
            }
            fn salt(&self) -> Result<Salt, StoreError> {
                self.reader().salt()
            }
            fn schema(&self) -> Result<Arc<Schema>, StoreError> {
                Ok(self.reader().schema())
            }
            fn history(
                &self,
                ident: skerry_model::FileIdent,
                after: skerry_model::ServerVersion,
                up_to: skerry_model::ServerVersion,
                touches_max: usize,
            ) -> Result<Vec<crate::server::HistoryEntry>, StoreError> {
                self.reader().history(ident, after, up_to, touches_max)
            }
            fn has_private(
                &self,
                ident: skerry_model::FileIdent,
                after: skerry_model::ServerVersion,
                up_to: skerry_model::ServerVersion,
            ) -> Result<bool, StoreError> {
                self.reader().has_private(ident, after, up_to)
            }
            fn object_history(
                &self,
                object: &skerry_model::ObjectRef,
                after: skerry_model::ServerVersion,
            ) -> Result<Vec<crate::server::ObjectEntry>, StoreError> {
                self.reader().object_history(object, after)
            }
            fn object(
                &self,
                object: &skerry_model::ObjectRef,
            ) -> Result<Option<Vec<skerry_model::Content>>, StoreError> {
                self.reader().object(object)
            }
            fn find(
                &self,
                class: &skerry_model::Name,
                predicate: &skerry_query::Predicate,
                after: i64,
                limit: usize,
            ) -> Result<crate::server::ObjectPage, StoreError> {
                self.reader().find(class, predicate, after, limit)
            }
            fn count(
                &self,
                class: &skerry_model::Name,
                predicate: &skerry_query::Predicate,
            ) -> Result<u64, StoreError> {
                self.reader().count(class, predicate)
            }
            fn client(
                &self,
                ident: skerry_model::FileIdent,
            ) -> Result<Option<crate::server::ClientRecord>, StoreError> {
                self.reader().client(ident)
            }
            fn views(
                &self,
                ident: skerry_model::FileIdent,
            ) -> Result<Vec<crate::server::ViewRecord>, StoreError> {
                self.reader().views(ident)
            }
            fn compensations(
                &self,
                ident: skerry_model::FileIdent,
                after: skerry_model::ServerVersion,
                up_to: skerry_model::ServerVersion,
            ) -> Result<Vec<crate::server::Compensation>, StoreError> {
                self.reader().compensations(ident, after, up_to)
            }
            fn is_condemned(
                &self,
                ident: skerry_model::FileIdent,
                object: &skerry_model::ObjectRef,
                base: skerry_model::ServerVersion,
            ) -> Result<bool, StoreError> {
                self.reader().is_condemned(ident, object, base)
            }
            fn reciprocals(
                &self,
                ident: skerry_model::FileIdent,
                object: &skerry_model::ObjectRef,
                after: skerry_model::ServerVersion,
            ) -> Result<
                Vec<(skerry_model::ServerVersion, Vec<skerry_model::Instruction>)>,
                StoreError,
            > {
                self.reader().reciprocals(ident, object, after)
            }
            fn meta_get(&self, namespace: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
                self.reader().meta_get(namespace, key)
            }
            fn meta_scan(&self, namespace: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
                self.reader().meta_scan(namespace)
            }
        }
    };
}

pub(super) use delegate_reads;
