//! Ranges of indexed properties: whether an index or a scan finds them faster.
//!
//! `SQLite` keeps no statistics here and would guess by the form of a condition. An index pays while
//! a range is narrow; of a wide one every row would be looked up and all be sorted again. So ranges
//! are translated as unlikely, which makes `SQLite` use the index, and before rows are read the index
//! is asked how wide they are ([`settle`]), up to where that is decided. It costs nothing but time
//! to be wrong.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};
use skerry_model::IndexKind;
use skerry_query::{Operand, Predicate};

use super::Condition;
use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, Column};

/// A range is wide that holds more than one in so many rows (measured: at one in ten, a scan wins).
const WIDE_ONE_IN: i64 = 20;

/// A range that has no more rows than these is narrow in any class.
const NARROW_ROWS: i64 = 1000;

/// How a comparison is marked that an index should find, and how when it should not.
const NARROW: &str = "unlikely(";
const WIDE: &str = "likely(";

/// A comparison in order of an indexed property, as it stands in a condition.
#[derive(Debug)]
pub(crate) struct Range {
    number: u32,
    sql: String,
    parameters: Vec<SqlValue>,
}

/// The comparison of a column, marked when it has an index.
pub(super) fn mark(column: &Column, comparison: String) -> String {
    match column.index {
        Some(IndexKind::General) => format!("{NARROW}{comparison})"),
        Some(IndexKind::FullText) | None => comparison,
    }
}

/// The range that a part of a conjunction is. Marks are taken from whatever else has some: how wide
/// a disjunction is no single index can tell.
pub(super) fn note(
    table: &ClassTable,
    part: &Predicate,
    sql: &mut String,
    parameters: &[SqlValue],
) -> Option<Range> {
    if !sql.contains(NARROW) {
        return None;
    }
    if let Predicate::Compare { left: Operand::Property(property), .. } = part {
        let number = table.columns[table.resolve(property)?].number;
        return Some(Range { number, sql: sql.clone(), parameters: parameters.to_vec() });
    }
    *sql = sql.replace(NARROW, "(");
    None
}

/// Marks the ranges of a condition that are wide.
pub(super) fn settle(
    connection: &Connection,
    table: &ClassTable,
    condition: &mut Condition<'_>,
) -> Result<()> {
    let mut ranges = std::mem::take(&mut condition.ranges);
    ranges.sort_by_key(|range| range.number);
    for of_column in ranges.chunk_by(|a, b| a.number == b.number) {
        if is_wide(connection, table, of_column)? {
            for Range { sql, .. } in of_column {
                condition.sql = condition.sql.replace(sql, &sql.replace(NARROW, WIDE));
            }
        }
    }
    Ok(())
}

fn is_wide(connection: &Connection, table: &ClassTable, ranges: &[Range]) -> Result<bool> {
    let class = table.table();
    let last = format!("SELECT coalesce(max(row_id), 0) FROM {class}");
    let last: i64 = connection.prepare_cached(&last)?.query_row([], |row| row.get(0))?;
    let limit = NARROW_ROWS.max(last / WIDE_ONE_IN);
    let condition: Vec<&str> = ranges.iter().map(|range| &*range.sql).collect();
    let condition = condition.join(" AND ");
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {class} WHERE {condition} LIMIT ?)");
    let parameters = ranges.iter().flat_map(|range| range.parameters.iter().cloned());
    let parameters = parameters.chain([SqlValue::Integer(limit)]);
    let mut statement = connection.prepare_cached(&sql)?;
    let count: i64 = statement
        .query_row(params_from_iter(parameters), |row| row.get(0))
        .map_err(StoreError::from)?;
    Ok(count >= limit)
}
