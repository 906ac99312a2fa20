//! Reading objects of which the rows are known, and what there is to say of how a query is run.
//!
//! Invariant: an object read by its row is what a scan of the class would have given.

use rusqlite::{Connection, params_from_iter};
use skerry_model::{Content, ObjectKey};
use skerry_query::{Predicate, Query};

use super::stored_objects::StoredObjects;
use super::{StoredRow, scan_sql, split};
use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, ObjectTables};

/// How the tables run a query.
#[derive(Clone, Debug)]
pub(crate) struct Explained {
    /// What SQL decides.
    pub(crate) condition: String,
    /// What `SQLite` plans to do.
    pub(crate) steps: Vec<String>,
    /// What the evaluator decides on the rows that are left.
    pub(crate) evaluated: Vec<String>,
}

impl ObjectTables {
    /// The keys of the objects that a query gives, in its order.
    pub(crate) fn query_keys(
        &self,
        connection: &Connection,
        query: &Query,
    ) -> Result<Vec<ObjectKey>> {
        let rows = self.run(connection, query)?;
        Ok(rows.into_iter().map(|row| row.key).collect())
    }

    /// The objects in these rows, in this order.
    pub(crate) fn fetch(
        &self,
        connection: &Connection,
        table: &ClassTable,
        row_ids: impl Iterator<Item = i64>,
    ) -> Result<Vec<Vec<Content>>> {
        let objects = StoredObjects::new(self, connection);
        let rows = self.fetch_rows(&objects, connection, table, row_ids, &[])?;
        Ok(rows.into_iter().map(|row| row.values).collect())
    }

    /// What a query gives of the objects in these rows, which ascend, if `conditions` is what is not
    /// known of its condition.
    pub(crate) fn fetch_arranged(
        &self,
        connection: &Connection,
        (table, query): (&ClassTable, &Query),
        row_ids: impl Iterator<Item = i64>,
        conditions: &[&Predicate],
    ) -> Result<Vec<Vec<Content>>> {
        let objects = StoredObjects::new(self, connection);
        let rows = self.fetch_rows(&objects, connection, table, row_ids, conditions)?;
        let descriptors = query.descriptors.iter();
        let rows = descriptors.fold(rows, |rows, descriptor| descriptor.apply(rows, &objects));
        objects.finish()?;
        Ok(rows.into_iter().map(|row| row.values).collect())
    }

    fn fetch_rows<'t>(
        &self,
        objects: &StoredObjects<'_>,
        connection: &Connection,
        table: &'t ClassTable,
        row_ids: impl Iterator<Item = i64>,
        conditions: &[&Predicate],
    ) -> Result<Vec<StoredRow<'t>>> {
        let sql = format!("{} WHERE row_id = ?1", table.visible_scan_sql());
        let mut statement = connection.prepare_cached(&sql)?;
        let mut fetched = Vec::new();
        for row_id in row_ids {
            let mut rows = statement.query([row_id])?;
            let row = rows.next()?.ok_or_else(|| StoreError::corrupted("a row is gone"))?;
            let row = self.stored_row(connection, table, row)?;
            if conditions.iter().all(|part| part.matches(&row, objects)) {
                fetched.push(row);
            }
            if objects.has_failed() {
                break;
            }
        }
        Ok(fetched)
    }

    /// How [`ObjectTables::query`] runs a query.
    pub(crate) fn explain(&self, connection: &Connection, query: &Query) -> Result<Explained> {
        let table = self.class("query", &query.class)?;
        let condition = split(self, table, &query.predicate);
        let sql = format!("EXPLAIN QUERY PLAN {}", scan_sql(table, &condition.sql));
        let mut statement = connection.prepare(&sql)?;
        let steps =
            statement.query_map(params_from_iter(condition.parameters), |row| row.get("detail"))?;
        let steps = steps.collect::<rusqlite::Result<_>>()?;
        let evaluated = condition.residual.iter().map(ToString::to_string).collect();
        Ok(Explained { condition: condition.sql, steps, evaluated })
    }
}
