//! The evaluator as an SQL function: what SQL cannot say of an object's own values.
//!
//! `skerry_matches(leaf, column, …)` is true when the condition that `leaf` stands for takes an object
//! with these values. Which conditions those are is kept here while their query runs. A condition on
//! other objects, or on a property that may hold links, of which some may dangle, cannot be asked
//! this way: a function reads nothing but its arguments.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rustc_hash::FxHashMap;
use skerry_model::{Content, Name, ObjectKey};
use skerry_query::{FieldRow, NoObjects, Predicate};

use crate::error::{Result, StoreError};
use crate::objects::{Catalogue, ClassTable, Column, may_hold_links};

/// Columns beyond which a condition is not asked in SQL; `SQLite` takes 127 arguments at least.
const COLUMNS_MAX: usize = 100;

/// A condition that is asked in SQL.
struct Leaf {
    predicate: Predicate,
    catalogue: Arc<Catalogue>,
    columns: Vec<Column>,
}

/// The conditions of the queries that run in this process.
static LEAVES: Mutex<Option<Leaves>> = Mutex::new(None);

#[derive(Default)]
struct Leaves {
    last: i64,
    by_number: FxHashMap<i64, Arc<Leaf>>,
}

/// Keeps a condition known while its query runs.
#[derive(Debug)]
pub(crate) struct LeafGuard {
    number: i64,
}

impl Drop for LeafGuard {
    fn drop(&mut self) {
        with_leaves(|leaves| leaves.by_number.remove(&self.number));
    }
}

fn with_leaves<T>(change: impl FnOnce(&mut Leaves) -> T) -> T {
    // A map that somebody panicked beside is still a map.
    let mut leaves = LEAVES.lock().unwrap_or_else(PoisonError::into_inner);
    change(leaves.get_or_insert_default())
}

/// Gives a connection the function.
pub(crate) fn register(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("skerry_matches", -1, flags, |context| {
        matches(context).map_err(|error| rusqlite::Error::UserFunctionError(Box::new(error)))
    })?;
    Ok(())
}

fn matches(context: &Context<'_>) -> Result<bool> {
    // The number is a parameter, so the leaf is looked up once for a whole scan.
    let leaf = context.get_or_create_aux(0, |number| -> Result<Leaf, StoreError> {
        let number = number.as_i64().map_err(StoreError::corrupted)?;
        let leaf = with_leaves(|leaves| leaves.by_number.get(&number).cloned());
        let leaf = leaf.ok_or_else(|| StoreError::corrupted("a condition of no query"))?;
        Ok(Leaf {
            predicate: leaf.predicate.clone(),
            catalogue: Arc::clone(&leaf.catalogue),
            columns: leaf.columns.clone(),
        })
    });
    let leaf = leaf.map_err(StoreError::from)?;
    let schema = leaf.catalogue.schema();
    let mut fields: Vec<(Name, Content)> = Vec::with_capacity(leaf.columns.len());
    for (i, column) in leaf.columns.iter().enumerate() {
        let content = column.content_from_sql(schema, context.get_raw(i + 1))?;
        fields.push((column.property.name.clone(), content));
    }
    let row = FieldRow { key: &ObjectKey::Null, fields: &fields };
    Ok(leaf.predicate.matches(&row, &NoObjects))
}

/// The call that asks the condition, with the number that is its parameter; `None` when it must be
/// asked elsewhere.
pub(super) fn call(
    catalogue: &Arc<Catalogue>,
    table: &ClassTable,
    predicate: &Predicate,
) -> Option<(String, i64, LeafGuard)> {
    if predicate.reaches_objects() {
        return None;
    }
    let mut positions = BTreeSet::new();
    let mut are_known = true;
    predicate.visit_properties(&mut |property| match table.resolve(property) {
        Some(position) => {
            positions.insert(position);
        }
        None => are_known = false,
    });
    let columns: Vec<Column> =
        positions.into_iter().map(|position| table.columns[position].clone()).collect();
    let hold_links =
        columns.iter().any(|column| may_hold_links(catalogue.schema(), &column.property));
    if !are_known || hold_links || columns.len() > COLUMNS_MAX {
        return None;
    }
    let names: Vec<String> =
        columns.iter().map(|column| format!(", {}.{}", table.table(), column.sql_name())).collect();
    let leaf = Leaf { predicate: predicate.clone(), catalogue: Arc::clone(catalogue), columns };
    let number = with_leaves(|leaves| {
        leaves.last += 1;
        leaves.by_number.insert(leaves.last, Arc::new(leaf));
        leaves.last
    });
    Some((format!("skerry_matches(?{})", names.concat()), number, LeafGuard { number }))
}
