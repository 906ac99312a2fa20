//! What rows are sorted by, row by row, from columns that are in memory.
//!
//! Invariant: rows sorted by their keys, and by their ids where keys are equal, stand as [`super::arrange`]
//! puts them. No column is read for this: where one is not in memory, few rows are better read than all.

use std::cmp::Reverse;
use std::sync::Arc;

use skerry_query::{Direction, SortOrder};

use super::CHUNK_ROWS;
use super::arrange::Directed;
use super::class::CachedClass;
use super::query::Reader;
use super::read::Source;
use super::rows::position_of;
use super::select::ordered_source;
use crate::error::{Result, StoreError};
use crate::objects::ClassTable;

/// A column that was never in memory is not read.
const NEVER: u32 = u32::MAX;

/// Columns that rows are sorted by.
#[derive(Debug)]
pub(crate) struct RowKeys {
    class: Arc<CachedClass>,
    /// Numbers of the properties, the most significant first.
    columns: Vec<(u32, Direction)>,
}

/// What a row is sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RowKey<'a>(Vec<Directed<'a>>);

impl Reader<'_> {
    /// The columns of an order; `None` when not all of them can be had without reading the table.
    pub(crate) fn row_keys(
        &self,
        table: &ClassTable,
        order: &SortOrder<'_>,
    ) -> Result<Option<RowKeys>> {
        if !self.cache.is_on() {
            return Ok(None);
        }
        let keys = order.keys().iter();
        let sources = keys.map(|key| Some((ordered_source(table, &key.path)?, key.direction)));
        let Some(sources) = sources.collect::<Option<Vec<(Source<'_>, Direction)>>>() else {
            return Ok(None);
        };
        let columns = sources.iter().map(|(source, way)| (source.column.number, *way)).collect();
        let mut sources: Vec<Source<'_>> = sources.into_iter().map(|(source, _)| source).collect();
        sources.sort_by_key(|source| source.column.number);
        sources.dedup_by_key(|source| source.column.number);
        let wanted = self.wanting(table, &sources, NEVER);
        let is_held = |class: &Arc<CachedClass>| {
            sources.iter().all(|source| class.columns.contains_key(&source.column.number))
        };
        let held = self.cache.held(&wanted, self.pins)?;
        if !held.is_ok_and(|held| held.as_ref().is_some_and(is_held)) {
            return Ok(None);
        }
        let Ok(class) = self.cache.acquire(&wanted, self.pins)? else { return Ok(None) };
        Ok(Some(RowKeys { class, columns }))
    }
}

impl RowKeys {
    /// What the row of an object is sorted by.
    pub(crate) fn of(&self, row_id: i64) -> Result<RowKey<'_>> {
        let position = position_of(&self.class.rows, row_id);
        let position = position.ok_or_else(|| StoreError::corrupted("a row is gone"))?;
        let (chunk, at) = (position / CHUNK_ROWS, position % CHUNK_ROWS);
        let keys = self.columns.iter().map(|(number, direction)| {
            let key = self.class.columns[number].chunks[chunk].key(at);
            match direction {
                Direction::Ascending => Directed::Up(key),
                Direction::Descending => Directed::Down(Reverse(key)),
            }
        });
        Ok(RowKey(keys.collect()))
    }
}
