//! Bringing the objects of a file from one schema to another that is no mere extension of it.
//!
//! [`ObjectTables::begin_migration`] changes the catalogue and the tables, [`Migrator::step`] converts
//! the values that are stored in another form from then on, some rows at a time, so that the caller can
//! tell how far it is, and [`Migrator::finish`] gives objects their new keys and takes away what is gone.
//! All of it happens in the caller's transaction: invariant is that before its commit nobody else sees
//! any of it. What stays as it was is not touched: a renamed property costs nothing.

mod convert;
mod keys;
mod lineage;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rusqlite::{Connection, params};
use skerry_model::{ClassSchema, IndexKind, Name, Property, Schema};

use super::content_link::{self, Place};
use super::index::{drop_index, kind_name};
use super::schema_change::{reaches, zero_literal};
use super::{Catalogue, ClassTable, Column, ObjectTables, key_from_sql};
use crate::error::Result;

pub use lineage::{Nulls, Plan};

use convert::Converter;
use lineage::{Lineage, refusal};

/// A migration under way.
#[derive(Clone, Debug)]
pub struct Migrator {
    lineage: Lineage,
    plan: Plan,
    wanted: Schema,
    /// What is to be converted, the last first.
    tasks: Vec<Task>,
    /// Columns that are not needed once all is converted, by number of the class.
    leftovers: Vec<(i64, u32)>,
    added: Vec<(Name, Name)>,
    done: u64,
    total: u64,
}

/// One class whose objects are to be converted.
#[derive(Clone, Debug)]
struct Task {
    class: Name,
    /// Where a property was, and its name now.
    columns: Vec<(Column, Name)>,
    /// Rows up to this one are done.
    done_to: i64,
}

/// How a class that stays is stored from now on.
#[derive(Debug, Default)]
struct Layout {
    /// Number, property, index that is kept.
    columns: Vec<(u32, Property, Option<IndexKind>)>,
    /// The numbers among them that are new.
    fresh: Vec<u32>,
    converted: Vec<(Column, Name)>,
    added: Vec<Name>,
}

impl ObjectTables {
    /// Gives the file the classes of `wanted`, with those of its own that `wanted` lacks. Nothing may
    /// be read or written with these tables before [`Migrator::finish`].
    ///
    /// # Errors
    ///
    /// [`FileFault::Migration`](crate::FileFault::Migration) when the plan does not fit the two schemas,
    /// or a class would have two objects of one key. The transaction is to be rolled back then.
    pub fn begin_migration(
        &mut self,
        connection: &Connection,
        wanted: &Schema,
        mut plan: Plan,
    ) -> Result<Migrator> {
        let old = Arc::clone(self.shared_catalogue());
        let lineage = Lineage::new(old.schema(), wanted, &plan)?;
        keys::resolve(connection, &old, &lineage, &mut plan)?;
        let wanted = wanted.clone();
        let mut migrator = Migrator {
            lineage,
            plan,
            wanted,
            tasks: Vec::new(),
            leftovers: Vec::new(),
            added: Vec::new(),
            done: 0,
            total: 0,
        };
        migrator.move_classes(connection, &old)?;
        migrator.move_properties(connection, &old)?;
        self.reload(connection)?;
        self.declare(&migrator.wanted);
        for task in &migrator.tasks {
            migrator.total += self.count(connection, &task.class)?;
        }
        Ok(migrator)
    }
}

impl Migrator {
    /// Objects that [`Migrator::step`] converts in all.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Objects that it has converted.
    pub fn done(&self) -> u64 {
        self.done
    }

    /// Properties that classes of the file did not have before; their objects have the zero there.
    pub fn added(&self) -> &[(Name, Name)] {
        &self.added
    }

    /// The new key of an object, by its class of now and its key of before.
    pub fn key_of(&self, class: &Name, key: &skerry_model::ObjectKey) -> skerry_model::ObjectKey {
        self.plan.keys.get(class).and_then(|keys| keys.get(key)).unwrap_or(key).clone()
    }

    /// What a class of the file is called now; `None` when it is gone.
    pub fn successor(&self, class: &Name) -> Option<&Name> {
        self.lineage.successor(class)
    }

    fn move_classes(&mut self, connection: &Connection, old: &Catalogue) -> Result<()> {
        let Lineage { before, after, .. } = &self.lineage;
        // Embedded classes have no objects of their own, so they are as well made anew.
        let has_new_embedded =
            self.lineage.moves_classes() || !self.lineage.changed_embedded().is_empty();
        for class in before.classes() {
            let is_gone = self.lineage.successor(&class.name).is_none();
            if is_gone || (class.embedded && has_new_embedded) {
                Catalogue::drop_class(connection, &class.name)?;
            }
        }
        let ids: Vec<(i64, &Name)> = after
            .classes()
            .filter_map(|class| {
                let origin = self.lineage.origin(&class.name)?;
                let table = old.class(&origin.name)?;
                (origin.name != class.name).then_some((table.id, &class.name))
            })
            .collect();
        // Two classes may swap their names.
        let mut rename = connection.prepare_cached("UPDATE class SET name = ?1 WHERE id = ?2")?;
        for (id, _) in &ids {
            rename.execute(params![format!("\0{id}"), id])?;
        }
        for (id, name) in ids {
            rename.execute(params![&**name, id])?;
        }
        for class in after.classes() {
            let is_there = self.lineage.origin(&class.name).is_some();
            if !is_there || (class.embedded && has_new_embedded) {
                add_class(connection, after, class)?;
            }
        }
        Ok(())
    }

    fn move_properties(&mut self, connection: &Connection, old: &Catalogue) -> Result<()> {
        let after = self.lineage.after.clone();
        for class in after.classes().filter(|class| !class.embedded) {
            let origin = self.lineage.origin(&class.name);
            let Some(table) = origin.and_then(|origin| old.class(&origin.name)) else { continue };
            let layout = self.layout(class, table);
            let kept: BTreeSet<u32> = layout.columns.iter().map(|(number, ..)| *number).collect();
            let left = table.columns.iter().map(|column| column.number);
            let left = left.filter(|number| !kept.contains(number));
            self.leftovers.extend(left.map(|number| (table.id, number)));
            layout.make(connection, &after, class, table)?;
            let Layout { converted: columns, added, .. } = layout;
            self.added.extend(added.into_iter().map(|name| (class.name.clone(), name)));
            if !columns.is_empty() {
                self.tasks.push(Task { class: class.name.clone(), columns, done_to: i64::MIN });
            }
        }
        Ok(())
    }

    fn layout(&self, class: &ClassSchema, table: &ClassTable) -> Layout {
        let mut layout = Layout::default();
        let greatest = table.columns.iter().map(|column| column.number).max().unwrap_or(0);
        let mut numbers = greatest + 1..;
        let mut fresh = || numbers.next().expect("columns are few");
        let changed = self.lineage.changed_embedded();
        for to in &class.properties {
            if to.name == class.primary_key {
                layout.columns.push((0, to.clone(), None));
                continue;
            }
            let from = self.lineage.origin_of(&class.name, &to.name);
            let Some(from) = from.and_then(|from| table.column(&from.name)) else {
                let number = fresh();
                layout.columns.push((number, to.clone(), None));
                layout.fresh.push(number);
                layout.added.push(to.name.clone());
                continue;
            };
            if !from.is_primary_key && self.lineage.is_same(&from.property, to) {
                layout.columns.push((from.number, to.clone(), from.index));
                if self.is_rewritten(from, to, &changed) {
                    layout.converted.push((from.clone(), to.name.clone()));
                }
            } else {
                let number = fresh();
                layout.columns.push((number, to.clone(), None));
                layout.fresh.push(number);
                layout.converted.push((from.clone(), to.name.clone()));
            }
        }
        layout
    }

    /// Whether what is in a column changes although its definition does not.
    fn is_rewritten(&self, from: &Column, to: &Property, changed: &BTreeSet<Name>) -> bool {
        let keys = &self.plan.keys;
        if !from.is_content {
            return to.target.as_ref().is_some_and(|target| keys.contains_key(target));
        }
        let after = &self.lineage.after;
        let may_link = to.target.is_some() || to.ty == skerry_model::PropertyType::Mixed;
        (may_link && (self.lineage.moves_classes() || !keys.is_empty()))
            || changed.iter().any(|embedded| reaches(after, to, embedded, &mut Vec::new()))
    }

    /// Converts the next objects, at most `rows_max`; whether some are left.
    ///
    /// # Errors
    ///
    /// [`FileFault::Migration`](crate::FileFault::Migration) for a null that cannot stay, if the plan
    /// refuses them.
    pub fn step(
        &mut self,
        tables: &ObjectTables,
        connection: &Connection,
        rows_max: u32,
    ) -> Result<bool> {
        let Some(mut task) = self.tasks.pop() else { return Ok(false) };
        let count = self.convert(tables, connection, &mut task, rows_max)?;
        self.done += u64::from(count);
        if count == rows_max {
            self.tasks.push(task);
        }
        Ok(!self.tasks.is_empty())
    }

    fn convert(
        &self,
        tables: &ObjectTables,
        connection: &Connection,
        task: &mut Task,
        rows_max: u32,
    ) -> Result<u32> {
        let table = tables.class("migration", &task.class)?;
        let held: Vec<String> = task.columns.iter().map(|(column, _)| column.sql_name()).collect();
        let mut statement = connection.prepare(&format!(
            "SELECT row_id, p0, {} FROM {} WHERE row_id > ?1 ORDER BY row_id LIMIT ?2",
            held.join(", "),
            table.table()
        ))?;
        let mut rows = statement.query(params![task.done_to, rows_max])?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let row_id = row.get(0)?;
            for (index, (from, to)) in task.columns.iter().enumerate() {
                let held = from.content_from_sql(&self.lineage.before, row.get_ref(2 + index)?)?;
                let has_lost_null = Cell::new(false);
                let converter = Converter {
                    lineage: &self.lineage,
                    keys: &self.plan.keys,
                    has_lost_null: &has_lost_null,
                };
                let column = table.column(to).expect("the new schema has it");
                let content = converter.property(&from.property, &column.property, held);
                if has_lost_null.get() && self.plan.nulls == Nulls::Refuse {
                    let origin = self.lineage.origin(&task.class).expect("it has objects");
                    let key = key_from_sql(origin.key_kind(), row.get_ref(1)?)?;
                    return Err(refusal(&task.class, Some(to), lost_null(&key)));
                }
                put(connection, table, (from, column), row_id, &content)?;
            }
            task.done_to = row_id;
            count += 1;
        }
        Ok(count)
    }

    /// Does what is left once [`Migrator::step`] has nothing to do any more.
    pub fn finish(self, tables: &mut ObjectTables, connection: &Connection) -> Result<()> {
        debug_assert!(self.tasks.is_empty(), "all objects are converted");
        for (class, keys) in &self.plan.keys {
            let origin = self.lineage.origin(class).expect("it was resolved").key_kind();
            keys::replace(connection, tables.class("migration", class)?, origin, keys)?;
        }
        for (id, number) in &self.leftovers {
            drop_index(connection, *id, *number)?;
            connection
                .prepare_cached("DELETE FROM content_link WHERE class_id = ?1 AND number = ?2")?
                .execute(params![id, number])?;
            connection.execute_batch(&format!("ALTER TABLE o{id} DROP COLUMN p{number}"))?;
        }
        tables.ensure_indexes(connection, &self.wanted)?;
        tables.reload(connection)
    }
}

impl Layout {
    fn make(
        &self,
        connection: &Connection,
        schema: &Schema,
        class: &ClassSchema,
        table: &ClassTable,
    ) -> Result<()> {
        let id = table.id;
        for (number, property, _) in &self.columns {
            if self.fresh.contains(number) {
                add_column(connection, schema, id, *number, property)?;
            }
        }
        let is_as_before = self.columns.len() == table.columns.len()
            && self.columns.iter().all(|(number, property, _)| {
                let mut columns = table.columns.iter();
                columns.any(|column| column.number == *number && column.property == *property)
            });
        if is_as_before {
            return Ok(());
        }
        connection.prepare_cached("DELETE FROM property WHERE class_id = ?1")?.execute([id])?;
        for (number, property, index) in &self.columns {
            let is_key = property.name == class.primary_key;
            Catalogue::insert_property(connection, id, *number, property, is_key)?;
            connection
                .prepare_cached(
                    "UPDATE property SET indexed = ?1 WHERE class_id = ?2 AND number = ?3",
                )?
                .execute(params![index.map(kind_name), id, number])?;
        }
        Ok(())
    }
}

fn add_class(connection: &Connection, schema: &Schema, class: &ClassSchema) -> Result<()> {
    let key = (!class.embedded).then(|| class.primary_key_property());
    let id = Catalogue::add_class(connection, &class.name, key)?;
    let others = class.properties.iter().filter(|property| Some(*property) != key);
    let first = u32::from(key.is_some());
    for (number, property) in (first..).zip(others) {
        Catalogue::insert_property(connection, id, number, property, false)?;
        add_column(connection, schema, id, number, property)?;
    }
    Ok(())
}

fn add_column(
    connection: &Connection,
    schema: &Schema,
    id: i64,
    number: u32,
    property: &Property,
) -> Result<()> {
    let is_scalar = schema.is_scalar(property);
    let is_indexed = is_scalar && property.target.is_some();
    Catalogue::add_column(connection, id, number, &zero_literal(property, is_scalar), is_indexed)
}

/// Writes a converted content, and what links it holds.
fn put(
    connection: &Connection,
    table: &ClassTable,
    (from, to): (&Column, &Column),
    row_id: i64,
    content: &skerry_model::Content,
) -> Result<()> {
    let (class, name) = (table.table(), to.sql_name());
    connection
        .prepare_cached(&format!("UPDATE {class} SET {name} = ?1 WHERE row_id = ?2"))?
        .execute(params![to.content_to_sql(content), row_id])?;
    let place = |number| Place { class_id: table.id, number, row_id };
    if from.is_content {
        content_link::forget_links_in(connection, place(from.number))?;
    }
    if to.is_content {
        let links = content_link::links_of(content);
        content_link::update_links(connection, place(to.number), &BTreeSet::new(), &links)?;
    }
    Ok(())
}

fn lost_null(key: &skerry_model::ObjectKey) -> String {
    format!(
        "the object with key {key:?} has null there, which the new schema does not allow; fill it in a \
         migration function"
    )
}

/// New keys by old ones.
type KeyMap = BTreeMap<skerry_model::ObjectKey, skerry_model::ObjectKey>;
