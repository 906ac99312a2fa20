//! Writing whole contents, as a migration does: no instruction says it, so only local files take it.
//!
//! Invariant: what is written is what the property can hold, at whatever depth.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use skerry_model::content::Place;
use skerry_model::{Content, Misfit, Name, ObjectKey};

use super::content_link::{self, links_of, update_links};
use super::open_content::CONTENT_MAX_BYTES;
use super::{Column, ObjectTables, fault, key_to_sql};
use crate::error::{Fault, Result};

const NAME: &str = "put";

impl ObjectTables {
    /// Writes what a property of an object holds.
    pub(crate) fn put(
        &self,
        connection: &Connection,
        class: &Name,
        key: &ObjectKey,
        property: &Name,
        content: Content,
    ) -> Result<()> {
        let table = self.checked(NAME, class, key)?;
        let column = self.writable_column(class, property)?;
        let content = &self.fit(class, Some(key), column, content)?;
        let Some(row_id) = Self::row_id(connection, table, key)? else {
            return Err(fault(NAME, class, Some(key), Fault::NoSuchObject));
        };
        let (name, held) = (table.table(), column.sql_name());
        connection
            .prepare_cached(&format!("UPDATE {name} SET {held} = ?1 WHERE p0 = ?2"))?
            .execute(params![column.content_to_sql(content), key_to_sql(key)])?;
        if column.is_content {
            let place = content_link::Place { class_id: table.id, number: column.number, row_id };
            content_link::forget_links_in(connection, place)?;
            update_links(connection, place, &BTreeSet::new(), &links_of(content))?;
        }
        Ok(())
    }

    /// Writes a plain value into a property of all objects of a class.
    pub(crate) fn fill(
        &self,
        connection: &Connection,
        class: &Name,
        property: &Name,
        content: Content,
    ) -> Result<()> {
        let table = self.class(NAME, class)?;
        let column = self.writable_column(class, property)?;
        let content = &self.fit(class, None, column, content)?;
        if !links_of(content).is_empty() {
            for key in self.keys(connection, class)? {
                self.put(connection, class, &key, property, content.clone())?;
            }
            return Ok(());
        }
        if column.is_content {
            connection
                .prepare_cached("DELETE FROM content_link WHERE class_id = ?1 AND number = ?2")?
                .execute(params![table.id, column.number])?;
        }
        let (name, held) = (table.table(), column.sql_name());
        connection
            .prepare_cached(&format!("UPDATE {name} SET {held} = ?1"))?
            .execute([column.content_to_sql(content)])?;
        Ok(())
    }

    fn writable_column(&self, class: &Name, property: &Name) -> Result<&Column> {
        let table = self.class(NAME, class)?;
        let property = property.clone();
        match table.column(&property) {
            None => Err(fault(NAME, class, None, Misfit::NoSuchProperty { property })),
            Some(column) if column.is_primary_key => {
                Err(fault(NAME, class, None, Fault::PrimaryKeyUpdate { property }))
            }
            Some(column) => Ok(column),
        }
    }

    fn fit(
        &self,
        class: &Name,
        key: Option<&ObjectKey>,
        column: &Column,
        content: Content,
    ) -> Result<Content> {
        let schema = self.catalogue().schema();
        let (property, place) = (&column.property.name, Place::of(schema, &column.property));
        let fitted = content.fitted(schema, place, property).and_then(|content| {
            let actual_bytes = if column.is_content { content.encode().len() } else { 0 };
            let (property, max_bytes) = (property.clone(), CONTENT_MAX_BYTES);
            let too_large = Misfit::TooLarge { property, actual_bytes, max_bytes };
            if actual_bytes > max_bytes { Err(too_large) } else { Ok(content) }
        });
        fitted.map_err(|misfit| fault(NAME, class, key, misfit))
    }
}
