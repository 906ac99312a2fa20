//! What rows are sorted by, row by row, read from the tables.
//!
//! Invariant: rows sorted by their places, and by their ids where places are equal, stand as
//! [`ObjectTables::find`] gives them. Of an object only what the order begins with is read.

use std::rc::Rc;

use rusqlite::{CachedStatement, Connection, Row};
use rustc_hash::FxHashMap;
use skerry_model::{Content, ObjectKey};
use skerry_query::{SortOrder, SortPlace};

use super::StoredRow;
use super::stored_objects::StoredObjects;
use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, ObjectTables};

/// Places that are kept at a time.
const KEPT_PLACES_MAX: usize = 10_000;

/// Reads where rows belong in an order.
pub(crate) struct StoredPlaces<'a> {
    tables: &'a ObjectTables,
    connection: &'a Connection,
    table: &'a ClassTable,
    order: &'a SortOrder<'a>,
    /// Positions of the columns that are read.
    positions: Vec<usize>,
    statement: CachedStatement<'a>,
    objects: StoredObjects<'a>,
    known: FxHashMap<i64, Rc<SortPlace>>,
}

impl<'a> StoredPlaces<'a> {
    /// For rows of a class.
    pub(crate) fn new(
        tables: &'a ObjectTables,
        connection: &'a Connection,
        table: &'a ClassTable,
        order: &'a SortOrder<'a>,
    ) -> Result<Self> {
        let mut positions: Vec<usize> = Vec::new();
        for key in order.keys() {
            key.path.visit_properties(&mut |property| positions.extend(table.resolve(property)));
        }
        positions.sort_unstable();
        positions.dedup();
        let name = table.table();
        let columns: Vec<String> =
            positions.iter().map(|&position| table.columns[position].visible_sql(&name)).collect();
        let columns = if columns.is_empty() { "NULL".to_owned() } else { columns.join(", ") };
        let sql = format!("SELECT {columns} FROM {name} WHERE row_id = ?1");
        let statement = connection.prepare_cached(&sql)?;
        let objects = StoredObjects::new(tables, connection);
        let known = FxHashMap::default();
        Ok(Self { tables, connection, table, order, positions, statement, objects, known })
    }

    /// Where the row of an object belongs.
    pub(crate) fn of(&mut self, row_id: i64) -> Result<Rc<SortPlace>> {
        if let Some(known) = self.known.get(&row_id) {
            return Ok(Rc::clone(known));
        }
        let (tables, table, positions) = (self.tables, self.table, &self.positions);
        let mut rows = self.statement.query([row_id])?;
        let row = rows.next()?.ok_or_else(|| StoreError::corrupted("a row is gone"))?;
        let mut values = read(tables, table, positions, row)?;
        tables.hide_dangling(self.connection, table, &mut values)?;
        // Keys of objects are asked for over backlinks only, which give no order.
        let row = StoredRow { table, row_id, key: ObjectKey::Null, values };
        self.objects.admit(&row, &[]);
        let place = Rc::new(self.order.place(&row, &self.objects));
        self.objects.check()?;
        if self.known.len() >= KEPT_PLACES_MAX {
            self.known.clear();
        }
        self.known.insert(row_id, Rc::clone(&place));
        Ok(place)
    }
}

/// What an object holds in the columns at some positions, and null elsewhere.
fn read(
    tables: &ObjectTables,
    table: &ClassTable,
    positions: &[usize],
    row: &Row<'_>,
) -> Result<Vec<Content>> {
    let mut values = vec![Content::NULL; table.columns.len()];
    for (place, &position) in positions.iter().enumerate() {
        let stored = row.get_ref(place)?;
        let schema = tables.catalogue().schema();
        values[position] = table.columns[position].content_from_sql(schema, stored)?;
    }
    Ok(values)
}
