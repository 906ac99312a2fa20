//! Rows that a query gives, without what is in them.
//!
//! Invariant: the rows of what [`ObjectTables::query`] gives, in its order.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use skerry_model::{Link, ObjectKey};
use skerry_query::{Descriptor, Predicate, Query};

use super::stored_objects::StoredObjects;
use super::{range, split};
use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, ObjectTables};

impl ObjectTables {
    /// The rows of the objects that a query gives, in its order.
    pub(crate) fn query_row_ids(&self, connection: &Connection, query: &Query) -> Result<Vec<i64>> {
        let table = self.class("query", &query.class)?;
        let mut condition = split(self, table, &query.predicate);
        let limit = match query.descriptors.as_slice() {
            [] => Some(None),
            [Descriptor::Limit(limit)] => Some(Some(*limit)),
            _ => None,
        };
        let Some(limit) = limit.filter(|_| condition.residual.is_empty()) else {
            return self.row_ids_of_keys(connection, query);
        };
        range::settle(connection, table, &mut condition)?;
        let (name, sql) = (table.table(), &condition.sql);
        let mut sql = format!("SELECT row_id FROM {name} WHERE {sql} ORDER BY row_id");
        let mut parameters = condition.parameters;
        if let Some(limit) = limit {
            sql.push_str(" LIMIT ?");
            parameters.push(SqlValue::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
        }
        let mut statement = connection.prepare_cached(&sql)?;
        let rows = statement.query_map(params_from_iter(parameters), |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn row_ids_of_keys(&self, connection: &Connection, query: &Query) -> Result<Vec<i64>> {
        let mut link = Link { class: query.class.clone(), key: ObjectKey::Null };
        let mut row_ids = Vec::new();
        for key in self.query_keys(connection, query)? {
            link.key = key;
            let row_id = self.position(connection, &link)?;
            row_ids.push(row_id.ok_or_else(|| StoreError::corrupted("a row is gone"))?);
        }
        Ok(row_ids)
    }

    /// Those rows in ranges, which ascend, that a condition takes.
    pub(crate) fn matching_row_ids(
        &self,
        connection: &Connection,
        table: &ClassTable,
        predicate: &Predicate,
        ranges: &[(i64, i64)],
    ) -> Result<Vec<i64>> {
        let condition = split(self, table, predicate);
        let name = table.table();
        // The rows are known, so no index of a property is to be asked.
        let sql = format!(
            "SELECT row_id FROM {name} NOT INDEXED
             WHERE {} AND row_id BETWEEN ? AND ? ORDER BY row_id",
            condition.sql
        );
        let mut statement = connection.prepare_cached(&sql)?;
        let mut row_ids = Vec::new();
        for &(first, last) in ranges {
            let span = [SqlValue::Integer(first), SqlValue::Integer(last)];
            let parameters = condition.parameters.iter().chain(&span);
            let rows = statement.query_map(params_from_iter(parameters), |row| row.get(0))?;
            for row_id in rows {
                row_ids.push(row_id?);
            }
        }
        if condition.residual.is_empty() {
            return Ok(row_ids);
        }
        self.admitted(connection, table, row_ids, &condition.residual)
    }

    /// Those rows that the evaluator takes.
    fn admitted(
        &self,
        connection: &Connection,
        table: &ClassTable,
        row_ids: Vec<i64>,
        conditions: &[&Predicate],
    ) -> Result<Vec<i64>> {
        let objects = StoredObjects::new(self, connection);
        let sql = format!("{} WHERE row_id = ?1", table.visible_scan_sql());
        let mut statement = connection.prepare_cached(&sql)?;
        let mut admitted = Vec::new();
        for row_id in row_ids {
            let mut rows = statement.query([row_id])?;
            let row = rows.next()?.ok_or_else(|| StoreError::corrupted("a row is gone"))?;
            let row = self.stored_row(connection, table, row)?;
            if objects.admit(&row, conditions) {
                admitted.push(row_id);
            }
            if objects.has_failed() {
                break;
            }
        }
        objects.finish()?;
        Ok(admitted)
    }
}
