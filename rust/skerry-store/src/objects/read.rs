//! Reading objects: one, all, and those that link to one.

use rusqlite::{Connection, OptionalExtension, Row};
use skerry_model::{Name, ObjectKey, ObjectRef, Path, Value};

use super::{ClassTable, Column, ObjectTables, key_from_sql, key_to_sql};
use crate::error::{Result, StoreError};

/// A property that links to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IncomingLink {
    /// The place of the link.
    pub path: Path,
}

impl ObjectTables {
    /// The values of an object, in the order of the class's properties.
    pub fn read_object(
        &self,
        connection: &Connection,
        class: &Name,
        key: &ObjectKey,
    ) -> Result<Option<Vec<Value>>> {
        let table = self.checked("read", class, key)?;
        let mut statement = connection.prepare_cached(&table.sql.read)?;
        let mut rows = statement.query([key_to_sql(key)])?;
        rows.next()?.map(|row| read_row(table, row)).transpose()
    }

    /// As [`ObjectTables::read_object`], with null in place of links whose target is absent: what
    /// an application sees.
    pub fn read_visible(
        &self,
        connection: &Connection,
        class: &Name,
        key: &ObjectKey,
    ) -> Result<Option<Vec<Value>>> {
        let table = self.checked("read", class, key)?;
        let mut statement = connection.prepare_cached(&table.sql.read_visible)?;
        let mut rows = statement.query([key_to_sql(key)])?;
        rows.next()?.map(|row| read_row(table, row)).transpose()
    }

    /// One property of an object; `None` when the object is absent.
    pub(super) fn read_property(
        connection: &Connection,
        table: &ClassTable,
        position: usize,
        key: &ObjectKey,
    ) -> Result<Option<Value>> {
        let mut statement = connection.prepare_cached(&table.sql.read_one[position])?;
        let mut rows = statement.query([key_to_sql(key)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        Ok(Some(table.columns[position].from_sql(row.get_ref(0)?)?))
    }

    /// Whether the object exists.
    pub fn exists(&self, connection: &Connection, class: &Name, key: &ObjectKey) -> Result<bool> {
        let table = self.checked("read", class, key)?;
        let mut statement = connection.prepare_cached(&table.sql.exists)?;
        let found: Option<i64> =
            statement.query_row([key_to_sql(key)], |row| row.get(0)).optional()?;
        Ok(found.is_some())
    }

    /// Number of objects of a class.
    pub fn count(&self, connection: &Connection, class: &Name) -> Result<u64> {
        let table = self.class("read", class)?;
        let mut statement = connection.prepare_cached(&table.sql.count)?;
        let count: i64 = statement.query_row([], |row| row.get(0))?;
        u64::try_from(count).map_err(StoreError::corrupted)
    }

    /// The keys of a class, in order of insertion.
    pub fn keys(&self, connection: &Connection, class: &Name) -> Result<Vec<ObjectKey>> {
        let table = self.class("read", class)?;
        let mut statement = connection.prepare_cached(&table.sql.keys)?;
        let mut rows = statement.query([])?;
        let mut keys = Vec::new();
        while let Some(row) = rows.next()? {
            keys.push(key_from_sql(table.key, row.get_ref(0)?)?);
        }
        Ok(keys)
    }

    /// Hands the values of every object of a class to `visit`, in order of insertion, without
    /// holding them all in memory.
    pub fn for_each(
        &self,
        connection: &Connection,
        class: &Name,
        mut visit: impl FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        let table = self.class("read", class)?;
        let mut statement =
            connection.prepare_cached(&format!("{} ORDER BY row_id", table.sql.scan))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            visit(read_row(table, row)?)?;
        }
        Ok(())
    }

    /// The links to an object, whether it exists or not: by class name, property number and order
    /// of insertion.
    pub fn incoming_links(
        &self,
        connection: &Connection,
        object: &ObjectRef,
    ) -> Result<Vec<IncomingLink>> {
        self.checked("read", &object.class, &object.key)?;
        let mut links = Vec::new();
        for incoming in self.catalogue().incoming(&object.class) {
            let key = incoming.class.key_column().sql_name();
            let (table, link) = (incoming.class.table(), incoming.column.sql_name());
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {key} FROM {table} WHERE {link} = ?1 ORDER BY row_id"
            ))?;
            let mut rows = statement.query([key_to_sql(&object.key)])?;
            while let Some(row) = rows.next()? {
                let source = ObjectRef {
                    class: incoming.class.schema.name.clone(),
                    key: key_from_sql(incoming.class.key, row.get_ref(0)?)?,
                };
                let field = incoming.column.property.name.clone();
                links.push(IncomingLink { path: Path::property(source, field) });
            }
        }
        Ok(links)
    }
}

/// The values of a row that was selected with all columns of the class, in order.
pub(crate) fn read_row(table: &ClassTable, row: &Row<'_>) -> Result<Vec<Value>> {
    let columns = table.columns.iter().enumerate();
    columns.map(|(i, column): (usize, &Column)| column.from_sql(row.get_ref(i)?)).collect()
}
