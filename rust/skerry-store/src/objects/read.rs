//! Reading objects: one, all, and what an application sees of them.

use rusqlite::{Connection, OptionalExtension, Row};
use skerry_model::{Content, Link, Name, ObjectKey, Schema};
use skerry_query::QueryError;

use super::{ClassTable, Column, ObjectTables, key_from_sql, key_to_sql};
use crate::error::{Result, StoreError};

impl ObjectTables {
    /// A property by its name, or the other name that the program has for it.
    pub(crate) fn column_named<'t>(&self, table: &'t ClassTable, name: &str) -> Result<&'t Column> {
        let property = self.catalogue().schema().property_named(&table.schema, name);
        let column = property.and_then(|property| table.column(&property.name));
        let unknown = || QueryError::UnknownProperty {
            class: table.schema.name.clone(),
            property: name.to_owned(),
            position: 0,
        };
        Ok(column.ok_or_else(unknown)?)
    }

    /// What an object holds, in the order of the class's properties.
    pub fn read_object(
        &self,
        connection: &Connection,
        class: &Name,
        key: &ObjectKey,
    ) -> Result<Option<Vec<Content>>> {
        let table = self.checked("read", class, key)?;
        let mut statement = connection.prepare_cached(&table.sql.read)?;
        let mut rows = statement.query([key_to_sql(key)])?;
        rows.next()?.map(|row| read_row(self.catalogue().schema(), table, row)).transpose()
    }

    /// As [`ObjectTables::read_object`], as an application sees it: links to absent objects are null,
    /// and in lists and sets of links they are not there.
    pub fn read_visible(
        &self,
        connection: &Connection,
        class: &Name,
        key: &ObjectKey,
    ) -> Result<Option<Vec<Content>>> {
        let table = self.checked("read", class, key)?;
        let mut statement = connection.prepare_cached(&table.sql.read_visible)?;
        let mut rows = statement.query([key_to_sql(key)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let mut values = read_row(self.catalogue().schema(), table, row)?;
        self.hide_dangling(connection, table, &mut values)?;
        Ok(Some(values))
    }

    /// Makes of contents what an application sees of them. Scalar links are left to SQL.
    pub(crate) fn hide_dangling(
        &self,
        connection: &Connection,
        table: &ClassTable,
        values: &mut [Content],
    ) -> Result<()> {
        let mut failure = None;
        let mut exists = |link: &Link| {
            self.has_target(connection, link).unwrap_or_else(|error| {
                failure = Some(error);
                false
            })
        };
        for (column, content) in table.columns.iter().zip(values) {
            if column.is_content && holds_link(content) {
                *content = content.seen(self.catalogue().schema(), &column.property, &mut exists);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Whether the target of a link exists. What its class cannot have as a key belongs to no
    /// object, and neither does what is of no class.
    pub(crate) fn has_target(&self, connection: &Connection, link: &Link) -> Result<bool> {
        Ok(self.position(connection, link)?.is_some())
    }

    /// Where an object stands in the order of insertion of its class; `None` when it does not exist.
    pub(crate) fn position(&self, connection: &Connection, link: &Link) -> Result<Option<i64>> {
        match self.catalogue().class(&link.class) {
            Some(table) if table.key.check(&link.key).is_ok() => {
                Self::row_id(connection, table, &link.key)
            }
            Some(_) | None => Ok(None),
        }
    }

    /// What one property of an object holds, and the row of the object; `None` when it is absent.
    pub(crate) fn read_content(
        &self,
        connection: &Connection,
        table: &ClassTable,
        position: usize,
        key: &ObjectKey,
    ) -> Result<Option<(Content, i64)>> {
        let mut statement = connection.prepare_cached(&table.sql.read_one[position])?;
        let mut rows = statement.query([key_to_sql(key)])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let (column, schema) = (&table.columns[position], self.catalogue().schema());
        Ok(Some((column.content_from_sql(schema, row.get_ref(0)?)?, row.get(1)?)))
    }

    /// The row of an object, if it exists.
    pub(super) fn row_id(
        connection: &Connection,
        table: &ClassTable,
        key: &ObjectKey,
    ) -> Result<Option<i64>> {
        let mut statement = connection.prepare_cached(&table.sql.exists)?;
        Ok(statement.query_row([key_to_sql(key)], |row| row.get(0)).optional()?)
    }

    /// The row of an object; `None` when it does not exist.
    pub(crate) fn row_of(
        &self,
        connection: &Connection,
        class: &Name,
        key: &ObjectKey,
    ) -> Result<Option<i64>> {
        Self::row_id(connection, self.checked("read", class, key)?, key)
    }

    /// Whether the object exists.
    pub fn exists(&self, connection: &Connection, class: &Name, key: &ObjectKey) -> Result<bool> {
        let table = self.checked("read", class, key)?;
        Ok(Self::row_id(connection, table, key)?.is_some())
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

    /// Hands what every object of a class holds to `visit`, in order of insertion, without holding
    /// them all in memory.
    pub fn for_each(
        &self,
        connection: &Connection,
        class: &Name,
        mut visit: impl FnMut(Vec<Content>) -> Result<()>,
    ) -> Result<()> {
        let table = self.class("read", class)?;
        let mut statement =
            connection.prepare_cached(&format!("{} ORDER BY row_id", table.sql.scan))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            visit(read_row(self.catalogue().schema(), table, row)?)?;
        }
        Ok(())
    }
}

/// What a row holds that was selected with all columns of the class, in order.
pub(crate) fn read_row(schema: &Schema, table: &ClassTable, row: &Row<'_>) -> Result<Vec<Content>> {
    let columns = table.columns.iter().enumerate();
    columns.map(|(i, column)| column.content_from_sql(schema, row.get_ref(i)?)).collect()
}

fn holds_link(content: &Content) -> bool {
    let mut holds = false;
    content.for_each_link(&mut |_link| holds = true);
    holds
}
