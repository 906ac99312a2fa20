//! Which rows a query gives, and reading rows that are known.
//!
//! Invariant: the rows are those of the objects that [`ObjectTables::query`] gives, in its order. What of
//! the objects has been read for that is let go.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Row, params_from_iter};
use skerry_model::{Content, Name};
use skerry_query::{Descriptor, Predicate, Query};

use super::stored_objects::StoredObjects;
use super::{StoredRow, first_limit, range, split};
use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, ObjectTables, read_row};
use crate::rows::Rows;

impl ObjectTables {
    /// The rows that a query gives, in its order.
    pub(crate) fn find(&self, connection: &Connection, query: &Query) -> Result<Rows> {
        let table = self.class("query", &query.class)?;
        let limit = first_limit(query);
        let rest = query.descriptors.get(usize::from(limit.is_some())..).unwrap_or_default();
        if matches!(query.predicate, Predicate::True) && limit.is_none() && only_limits(rest) {
            return all(connection, table);
        }
        let condition = split(self, table, &query.predicate);
        let (is_decided, is_ordered) = (condition.residual.is_empty(), only_limits(rest));
        if is_decided && is_ordered {
            return Ok(limited(decided(connection, table, condition, limit)?, rest));
        }
        if !is_ordered {
            let rows = self.run(connection, query)?;
            return Ok(Rows::each(rows.into_iter().map(|row| row.row_id).collect()));
        }
        let objects = StoredObjects::new(self, connection);
        let mut ids = Vec::new();
        self.scan(&objects, connection, table, condition, limit, &mut |row| {
            ids.push(row.row_id);
            Ok(())
        })?;
        objects.finish()?;
        Ok(limited(Rows::each(ids), rest))
    }

    /// The rows that a query gives of these, which stand in their order where it does not sort, if
    /// `conditions` is what is not known of its condition.
    pub(crate) fn find_among(
        &self,
        connection: &Connection,
        (table, query): (&ClassTable, &Query),
        rows: impl Iterator<Item = i64>,
        conditions: &[&Predicate],
    ) -> Result<Rows> {
        let objects = StoredObjects::new(self, connection);
        if only_limits(&query.descriptors) {
            let mut ids = Vec::new();
            self.each_admitted(&objects, connection, table, rows, conditions, &mut |row| {
                ids.push(row.row_id);
            })?;
            objects.finish()?;
            return Ok(limited(Rows::each(ids), &query.descriptors));
        }
        let mut admitted = Vec::new();
        self.each_admitted(&objects, connection, table, rows, conditions, &mut |row| {
            admitted.push(row);
        })?;
        let arranged = query.arrange(admitted, &objects);
        objects.finish()?;
        Ok(Rows::each(arranged.into_iter().map(|row| row.row_id).collect()))
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
        let objects = StoredObjects::new(self, connection);
        let (rows, mut admitted) = (row_ids.into_iter(), Vec::new());
        let conditions = &condition.residual;
        self.each_admitted(&objects, connection, table, rows, conditions, &mut |row| {
            admitted.push(row.row_id);
        })?;
        objects.finish()?;
        Ok(admitted)
    }

    /// What the objects in these rows hold, in this order.
    pub(crate) fn read_rows(
        &self,
        connection: &Connection,
        class: &Name,
        ids: &[i64],
    ) -> Result<Vec<Vec<Content>>> {
        let table = self.class("read", class)?;
        let mut read = Vec::with_capacity(ids.len());
        let select = (table.visible_scan_sql(), table.columns.len());
        for_each_row(connection, select, ids, |row| {
            let mut values = read_row(self.catalogue().schema(), table, row)?;
            self.hide_dangling(connection, table, &mut values)?;
            read.push(values);
            Ok(())
        })?;
        Ok(read)
    }

    /// Hands what the conditions admit of the objects in these rows to `visit`, in this order.
    pub(super) fn each_admitted<'t>(
        &self,
        objects: &StoredObjects<'_>,
        connection: &Connection,
        table: &'t ClassTable,
        rows: impl Iterator<Item = i64>,
        conditions: &[&Predicate],
        visit: &mut dyn FnMut(StoredRow<'t>),
    ) -> Result<()> {
        let sql = format!("{} WHERE row_id = ?1", table.visible_scan_sql());
        let mut statement = connection.prepare_cached(&sql)?;
        for row_id in rows {
            let mut found = statement.query([row_id])?;
            let row = found.next()?.ok_or_else(gone)?;
            let row = self.stored_row(connection, table, row)?;
            if objects.admit(&row, conditions) {
                visit(row);
            }
            if objects.has_failed() {
                break;
            }
        }
        Ok(())
    }
}

/// Hands the rows to `visit`, in this order. `select` is a `SELECT` that waits for its `WHERE`, and the
/// place in it of the row's id. Rows that lie close together are read in one scan.
pub(crate) fn for_each_row(
    connection: &Connection,
    (select, id_place): (&str, usize),
    ids: &[i64],
    mut visit: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let Some((first, last)) = dense(ids) else {
        let mut statement = connection.prepare_cached(&format!("{select} WHERE row_id = ?1"))?;
        for id in ids {
            let mut rows = statement.query([id])?;
            visit(rows.next()?.ok_or_else(gone)?)?;
        }
        return Ok(());
    };
    let sql = format!("{select} WHERE row_id BETWEEN ?1 AND ?2 ORDER BY row_id");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([first, last])?;
    for &wanted in ids {
        loop {
            let row = rows.next()?.ok_or_else(gone)?;
            let id: i64 = row.get(id_place)?;
            if id >= wanted {
                visit(if id == wanted { row } else { return Err(gone()) })?;
                break;
            }
        }
    }
    Ok(())
}

/// The first and the last of rows that ascend and lie so close that a scan is the cheaper.
fn dense(ids: &[i64]) -> Option<(i64, i64)> {
    let (&first, &last) = (ids.first()?, ids.last()?);
    let width = usize::try_from(last.checked_sub(first)?).ok()?;
    (ids.len() > 1 && width / 4 <= ids.len() && ids.is_sorted()).then_some((first, last))
}

fn gone() -> StoreError {
    StoreError::corrupted("a row is gone")
}

/// Every row of the class.
fn all(connection: &Connection, table: &ClassTable) -> Result<Rows> {
    let name = table.table();
    let sql = format!(
        "SELECT (SELECT min(row_id) FROM {name}), (SELECT max(row_id) FROM {name}), count(*) FROM {name}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let (first, last, count): (Option<i64>, Option<i64>, i64) =
        statement.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let (Some(first), Some(last)) = (first, last) else { return Ok(Rows::each(Vec::new())) };
    if last.checked_sub(first).and_then(|width| width.checked_add(1)) == Some(count) {
        return Ok(Rows::run(first, usize::try_from(count).map_err(StoreError::corrupted)?));
    }
    let mut statement =
        connection.prepare_cached(&format!("SELECT row_id FROM {name} ORDER BY row_id"))?;
    let ids = statement.query_map([], |row| row.get(0))?;
    Ok(Rows::each(ids.collect::<rusqlite::Result<_>>()?))
}

/// The rows of a condition that SQL decides.
fn decided(
    connection: &Connection,
    table: &ClassTable,
    mut condition: super::Condition<'_>,
    limit: Option<u64>,
) -> Result<Rows> {
    range::settle(connection, table, &mut condition)?;
    let mut sql =
        format!("SELECT row_id FROM {} WHERE {} ORDER BY row_id", table.table(), condition.sql);
    let mut parameters = condition.parameters;
    if let Some(limit) = limit {
        sql.push_str(" LIMIT ?");
        parameters.push(SqlValue::Integer(i64::try_from(limit).unwrap_or(i64::MAX)));
    }
    let mut statement = connection.prepare_cached(&sql)?;
    let ids = statement.query_map(params_from_iter(parameters), |row| row.get(0))?;
    Ok(Rows::each(ids.collect::<rusqlite::Result<_>>()?))
}

fn only_limits(descriptors: &[Descriptor]) -> bool {
    descriptors.iter().all(|descriptor| matches!(descriptor, Descriptor::Limit(_)))
}

/// The first rows, as limits say.
fn limited(rows: Rows, descriptors: &[Descriptor]) -> Rows {
    descriptors.iter().fold(rows, |rows, descriptor| match descriptor {
        Descriptor::Limit(limit) => rows.slice(0, 1, usize::try_from(*limit).unwrap_or(usize::MAX)),
        Descriptor::Sort(_) | Descriptor::Distinct(_) => rows,
    })
}
