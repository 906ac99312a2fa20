//! Contents that a transaction has decoded and not yet written back.
//!
//! Many instructions in a row are about one list; decoding and encoding it for each would cost its
//! length every time. Invariant: whoever reads contents of the same file in the same transaction
//! has them written back first ([`OpenContents::flush`]), and a transaction that is rolled back
//! drops them. The side table of links follows when a content is written.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use skerry_model::{
    Content, Instruction, Link, Misfit, Name, ObjectKey, ObjectRef, Payload, Property, Value,
};

use super::content_link::{self, HolderRows, Place};
use super::{ClassTable, ObjectTables, Touched, fault, key_to_sql};
use crate::error::{Result, StoreError};

/// Contents that are kept open; a fifth one sends the longest unused back.
const OPEN_MAX: usize = 4;

/// Largest content of one property, in bytes as it is stored. `SQLite` fails at 10⁹.
pub const CONTENT_MAX_BYTES: usize = 256 * 1024 * 1024;

/// The open contents of one transaction.
#[derive(Debug, Default)]
pub(crate) struct OpenContents {
    /// The most recently used last.
    held: Vec<Held>,
    /// Who is to know which rows the transaction touches.
    touched: Option<Touched>,
}

/// An open content.
#[derive(Debug)]
pub(super) struct Held {
    object: ObjectRef,
    place: Place,
    /// What the property holds.
    content: Content,
    /// The links in it that the side table has.
    links: BTreeSet<Link>,
    /// Whether all links in it are known to have a target.
    is_sound: bool,
    /// Whether it differs from what is in the file.
    is_changed: bool,
}

impl OpenContents {
    /// None yet, in a transaction whose rows are noted.
    pub(crate) fn noted_in(touched: Touched) -> Self {
        Self { held: Vec::new(), touched: Some(touched) }
    }

    /// Who is to know which rows the transaction touches.
    pub(super) fn touched(&self) -> Option<&Touched> {
        self.touched.as_ref()
    }

    /// Runs what writes one column of rows.
    pub(super) fn writing<T>(&self, number: u32, write: impl FnOnce() -> T) -> T {
        writing(self.touched.as_ref(), number, write)
    }

    /// Opens what a property of an object holds; `None` when the object is absent.
    pub(super) fn open(
        &mut self,
        tables: &ObjectTables,
        connection: &Connection,
        table: &ClassTable,
        position: usize,
        key: &ObjectKey,
    ) -> Result<Option<&mut Held>> {
        let number = table.columns[position].number;
        let found = self.held.iter().position(|held| held.is(table.id, number, key));
        if let Some(found) = found {
            self.held[found..].rotate_left(1);
            return Ok(self.held.last_mut());
        }
        let Some((content, row_id)) = tables.read_content(connection, table, position, key)? else {
            return Ok(None);
        };
        if self.held.len() >= OPEN_MAX {
            // Removed only when it is safe: a transaction may go on after a refusal.
            self.held[0].write_back(tables, connection, self.touched.as_ref())?;
            self.held.remove(0);
        }
        self.held.push(Held {
            object: ObjectRef { class: table.schema.name.clone(), key: key.clone() },
            place: Place { class_id: table.id, number, row_id },
            links: content_link::links_of(&content),
            is_sound: false,
            content,
            is_changed: false,
        });
        Ok(self.held.last_mut())
    }

    /// As [`OpenContents::open`], to read.
    pub(crate) fn content(
        &mut self,
        tables: &ObjectTables,
        connection: &Connection,
        table: &ClassTable,
        position: usize,
        key: &ObjectKey,
    ) -> Result<Option<&Content>> {
        let held = self.open(tables, connection, table, position, key)?;
        Ok(held.map(|held| &held.content))
    }

    /// Whether the file lacks nothing of what is open.
    pub(crate) fn is_written(&self) -> bool {
        self.held.iter().all(|held| !held.is_changed)
    }

    /// Writes what has changed. The contents stay open.
    pub(crate) fn flush(&mut self, tables: &ObjectTables, connection: &Connection) -> Result<()> {
        let touched = self.touched.as_ref();
        self.held.iter_mut().try_for_each(|held| held.write_back(tables, connection, touched))
    }

    /// Writes what has changed and closes everything.
    pub(crate) fn close(&mut self, tables: &ObjectTables, connection: &Connection) -> Result<()> {
        self.flush(tables, connection)?;
        self.forget();
        Ok(())
    }

    /// Closes everything without writing.
    pub(crate) fn forget(&mut self) {
        self.held.clear();
    }

    /// Closes the contents of an object that is no more, to which the others may hold links.
    pub(super) fn forget_object(&mut self, object: &ObjectRef) {
        self.held.retain(|held| held.object != *object);
        self.held.iter_mut().for_each(|held| held.is_sound = false);
    }

    /// Whether what a property of an object holds may have a link to an absent one. Looks once, and
    /// then keeps account.
    pub(crate) fn may_dangle(
        &mut self,
        tables: &ObjectTables,
        connection: &Connection,
        table: &ClassTable,
        position: usize,
        key: &ObjectKey,
    ) -> Result<bool> {
        let Some(held) = self.open(tables, connection, table, position, key)? else {
            return Ok(true);
        };
        if !held.is_sound {
            let links = content_link::links_of(&held.content);
            for link in &links {
                if !tables.has_target(connection, link)? {
                    return Ok(true);
                }
            }
            held.is_sound = true;
        }
        Ok(false)
    }

    /// Makes of what the side table says about a link what is true.
    pub(super) fn correct_holders(&self, link: &Link, rows: &mut HolderRows) {
        for held in self.held.iter().filter(|held| held.is_changed) {
            let mut holds = false;
            held.content.for_each_link(&mut |one| holds |= one == link);
            let Place { class_id, number, row_id } = held.place;
            let found = rows.entry((class_id, number)).or_default();
            if holds {
                found.insert(row_id);
            } else {
                found.remove(&row_id);
            }
        }
    }
}

impl Held {
    /// Applies an instruction about the content.
    pub(super) fn apply(
        &mut self,
        tables: &ObjectTables,
        connection: &Connection,
        property: &Property,
        instruction: &Instruction,
    ) -> Result<Result<(), Misfit>> {
        if let Err(why) = self.content.apply(tables.catalogue().schema(), property, instruction) {
            return Ok(Err(why));
        }
        self.is_changed = true;
        if let Some(link) = link_in(instruction).filter(|_| self.is_sound) {
            self.is_sound = tables.has_target(connection, link)?;
        }
        Ok(Ok(()))
    }

    fn is(&self, class_id: i64, number: u32, key: &ObjectKey) -> bool {
        self.place.class_id == class_id && self.place.number == number && self.object.key == *key
    }

    fn write_back(
        &mut self,
        tables: &ObjectTables,
        connection: &Connection,
        touched: Option<&Touched>,
    ) -> Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let table = tables.class("Update", &self.object.class)?;
        let position = table.columns.iter().position(|column| column.number == self.place.number);
        let Some(position) = position else {
            return Err(StoreError::corrupted("a property is gone whose content is open"));
        };
        let stored = self.content.encode();
        if stored.len() > CONTENT_MAX_BYTES {
            let property = table.columns[position].property.name.clone();
            return Err(too_large(&self.object, property, stored.len()));
        }
        let stored = (!self.content.is_null()).then_some(stored);
        let mut statement = connection.prepare_cached(&table.sql.update[position])?;
        writing(touched, self.place.number, || {
            statement.execute(params![stored, key_to_sql(&self.object.key)])
        })?;
        let links = content_link::links_of(&self.content);
        content_link::update_links(connection, self.place, &self.links, &links)?;
        self.links = links;
        self.is_changed = false;
        Ok(())
    }
}

pub(super) fn too_large(object: &ObjectRef, property: Name, actual_bytes: usize) -> StoreError {
    let why = Misfit::TooLarge { property, actual_bytes, max_bytes: CONTENT_MAX_BYTES };
    fault("Update", &object.class, Some(&object.key), why)
}

fn writing<T>(touched: Option<&Touched>, number: u32, write: impl FnOnce() -> T) -> T {
    match touched {
        Some(touched) => touched.writing(number, write),
        None => write(),
    }
}

/// The link that an instruction puts into a content.
pub(super) fn link_in(instruction: &Instruction) -> Option<&Link> {
    match instruction {
        Instruction::Update { value: Payload::Value(Value::Link(link)), .. }
        | Instruction::ArrayInsert { value: Payload::Value(Value::Link(link)), .. }
        | Instruction::SetInsert { value: Value::Link(link), .. } => Some(link),
        _ => None,
    }
}
