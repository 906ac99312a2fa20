//! Writing whole contents, as a migration does: no instruction says it, so only local files take it.
//!
//! Invariant: what is written is what the property can hold, at whatever depth.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use skerry_model::content::{Kind, Place};
use skerry_model::limits::PATH_ELEMENTS_MAX;
use skerry_model::{CollectionType, Content, Misfit, Name, ObjectKey, PropertyType, Schema};

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
        content: &Content,
    ) -> Result<()> {
        let table = self.checked(NAME, class, key)?;
        let column = self.writable_column(class, property)?;
        self.check_content(class, Some(key), column, content)?;
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
        content: &Content,
    ) -> Result<()> {
        let table = self.class(NAME, class)?;
        let column = self.writable_column(class, property)?;
        self.check_content(class, None, column, content)?;
        if !links_of(content).is_empty() {
            for key in self.keys(connection, class)? {
                self.put(connection, class, &key, property, content)?;
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

    fn check_content(
        &self,
        class: &Name,
        key: Option<&ObjectKey>,
        column: &Column,
        content: &Content,
    ) -> Result<()> {
        let schema = self.catalogue().schema();
        let (property, place) = (&column.property.name, Place::of(schema, &column.property));
        let checker = Checker { schema, property };
        let mut checked = checker.place(place, content, 0);
        if checked.is_ok() && column.is_content {
            let (actual_bytes, max_bytes) = (content.encode().len(), CONTENT_MAX_BYTES);
            if actual_bytes > max_bytes {
                let property = property.clone();
                checked = Err(Misfit::TooLarge { property, actual_bytes, max_bytes });
            }
        }
        checked.map_err(|misfit| fault(NAME, class, key, misfit))
    }
}

struct Checker<'s> {
    schema: &'s Schema,
    property: &'s Name,
}

impl Checker<'_> {
    fn place(&self, place: Place<'_>, content: &Content, depth: usize) -> Result<(), Misfit> {
        if depth > PATH_ELEMENTS_MAX {
            return Err(Misfit::PathTooDeep { property: self.property.clone() });
        }
        let (collection, kind) = match place {
            Place::Single(kind) => return self.single(kind, content, depth),
            Place::Collection(collection, kind) => (collection, kind),
        };
        match (collection, content) {
            (CollectionType::List, Content::List(elements)) => {
                elements.iter().try_for_each(|one| self.single(kind, one, depth + 1))
            }
            (CollectionType::Set, Content::Set(set)) => {
                set.iter().try_for_each(|one| kind.check(self.schema, self.property, one))
            }
            (CollectionType::Dictionary, Content::Dictionary(fields)) => {
                fields.values().try_for_each(|one| self.single(kind, one, depth + 1))
            }
            _ => Err(Misfit::NotACollection {
                property: self.property.clone(),
                expected: collection,
            }),
        }
    }

    fn single(&self, kind: Kind<'_>, content: &Content, depth: usize) -> Result<(), Misfit> {
        if depth > PATH_ELEMENTS_MAX {
            return Err(Misfit::PathTooDeep { property: self.property.clone() });
        }
        let wrong = |payload| Misfit::WrongPayload { property: self.property.clone(), payload };
        if let Some(class) = kind.embedded {
            return match content {
                content if content.is_null() && kind.nullable => Ok(()),
                Content::Object(fields) => fields.iter().try_for_each(|(name, field)| {
                    let Some(inner) = class.property(name) else {
                        return Err(Misfit::NoSuchProperty { property: name.clone() });
                    };
                    self.place(Place::of(self.schema, inner), field, depth + 1)
                }),
                _ => Err(wrong("something that is no embedded object")),
            };
        }
        match content {
            Content::Value(value) => kind.check(self.schema, self.property, value),
            Content::List(elements) if kind.ty == PropertyType::Mixed => {
                elements.iter().try_for_each(|one| self.single(Kind::MIXED, one, depth + 1))
            }
            Content::Dictionary(fields) if kind.ty == PropertyType::Mixed => {
                fields.values().try_for_each(|one| self.single(Kind::MIXED, one, depth + 1))
            }
            Content::List(_) => Err(wrong("a list")),
            Content::Dictionary(_) => Err(wrong("a dictionary")),
            Content::Set(_) => Err(wrong("a set")),
            Content::Object(_) => Err(wrong("an embedded object")),
        }
    }
}
