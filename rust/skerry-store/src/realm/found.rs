//! What a query gives on a snapshot, as rows: found first, read where they are looked at.
//!
//! Invariant: the rows are those of [`Snapshot::query`], in its order, and stay what they are for as long
//! as the snapshot lives. A compiled query is run on the snapshot that compiled it, because links in it to
//! objects that were absent have become null.

use skerry_model::{Content, Name, ObjectKey, Value};
use skerry_query::ast::Aggregate;
use skerry_query::{Argument, Predicate, Query, Running};

use super::Snapshot;
use crate::columns::Plan;
use crate::error::Result;
use crate::objects::{ClassTable, Column};
use crate::rows::Rows;
use crate::sql::for_each_row;

/// Rows that are read at a time where many are.
const BLOCK_ROWS: usize = 16_384;

impl Snapshot {
    /// Checks a query of a class of this version.
    pub fn compile(&self, class: &Name, text: &str, arguments: &[Argument]) -> Result<Query> {
        self.read(|connection| self.tables().compile(connection, class, text, arguments))
    }

    /// The same with links standing for themselves: what the text means wherever it is read.
    pub fn compile_portable(
        &self,
        class: &Name,
        text: &str,
        arguments: &[Argument],
    ) -> Result<Query> {
        let schema = self.tables().catalogue().schema();
        Ok(Query::compile(schema, class, text, arguments)?)
    }

    /// The rows that a query gives, in its order.
    pub fn find(&self, query: &Query) -> Result<Rows> {
        self.read(|connection| match self.columns(connection).find(query)? {
            Some(rows) => Ok(rows),
            None => self.tables().find(connection, query),
        })
    }

    /// The rows that a query gives of these, in their order where it does not sort.
    pub fn find_within(&self, query: &Query, rows: &Rows) -> Result<Rows> {
        self.read(|connection| {
            let table = self.tables().class("query", &query.class)?;
            let condition = [&query.predicate];
            let conditions =
                if query.predicate == Predicate::True { &[][..] } else { &condition[..] };
            let place = (table, query);
            self.tables().find_among(connection, place, rows.iter(), conditions)
        })
    }

    /// How many objects a query gives.
    pub fn count_found(&self, query: &Query) -> Result<u64> {
        self.read(|connection| match self.columns(connection).count(query)? {
            Some(count) => Ok(count),
            None => self.tables().count_matching(connection, query),
        })
    }

    /// How [`Snapshot::find`] would run a query now, for people to read.
    pub fn plan(&self, query: &Query) -> Result<Plan> {
        self.read(|connection| self.columns(connection).plan(query))
    }

    /// The row of an object; `None` when it does not exist.
    pub fn row_of(&self, class: &Name, key: &ObjectKey) -> Result<Option<i64>> {
        self.read(|connection| self.tables().row_of(connection, class, key))
    }

    /// What the objects in these rows hold, as [`Snapshot::get`], in this order.
    pub fn read_rows(&self, class: &Name, ids: &[i64]) -> Result<Vec<Vec<Content>>> {
        self.read(|connection| self.tables().read_rows(connection, class, ids))
    }

    /// An aggregate of a property over the objects in these rows.
    ///
    /// # Errors
    ///
    /// [`StoreError::Query`](crate::StoreError::Query) when there is no such property, or none of its
    /// type has such an aggregate.
    pub fn aggregate(
        &self,
        of: Aggregate,
        class: &Name,
        property: &str,
        rows: &Rows,
    ) -> Result<Value> {
        let table = self.tables().class("query", class)?;
        let column = self.tables().column_named(table, property)?;
        let mut running = Running::new(of, class, &column.property)?;
        self.visit_values(table, column, rows, &mut |value| running.push(value))?;
        Ok(running.finish())
    }

    fn visit_values(
        &self,
        table: &ClassTable,
        column: &Column,
        rows: &Rows,
        visit: &mut dyn FnMut(&Value),
    ) -> Result<()> {
        self.read(|connection| {
            if self.columns(connection).values(table, column, rows, visit)? {
                return Ok(());
            }
            let name = table.table();
            let select = format!("SELECT {}, row_id FROM {name}", column.visible_sql(&name));
            let schema = self.tables().catalogue().schema();
            for ids in rows.blocks(BLOCK_ROWS) {
                for_each_row(connection, (&select, 1), &ids, |row| {
                    if let Content::Value(value) =
                        column.content_from_sql(schema, row.get_ref(0)?)?
                    {
                        visit(&value);
                    }
                    Ok(())
                })?;
            }
            Ok(())
        })
    }
}
