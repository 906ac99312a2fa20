//! Which rows a transaction has touched, and which of their properties.
//!
//! Invariant: whatever an application could see of an object before the transaction and not behind it,
//! or the reverse, is named: the row as created or erased, or the property. `SQLite` reports the rows,
//! and whoever writes a column says before which one it is. An object that comes or goes is also seen
//! in the properties that hold links to it, so these count as touched too. More than was changed may
//! be named: a value that is set to what it was, what a savepoint took back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::hooks::Action;
use skerry_model::ObjectKey;

use super::holders::{holders_of_key, holders_of_rows};
use super::{ClassTable, ObjectTables};
use crate::error::Result;
use crate::ranges::{Ranges, merged};

/// Ranges of rows beyond which a transaction is not written down: reading everything anew is then no
/// dearer.
const RANGES_MAX: usize = 60_000;

/// [`Touched::column`] while no one column is being written.
const NO_COLUMN: u64 = u64::MAX;

/// What was done to a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Touch {
    /// It is new.
    Created,
    /// It is gone.
    Erased,
    /// Something in it may differ, nobody knows what.
    Any,
    /// The property of this number.
    Property(u32),
}

/// By class id and what was done.
pub(crate) type TouchedRows = BTreeMap<(i64, Touch), Ranges>;

/// What the open transaction of a connection has touched; shared with its hook.
#[derive(Clone, Debug)]
pub(crate) struct Touched(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rows: Mutex<Rows>,
    /// Number of the column that is being written.
    column: AtomicU64,
}

#[derive(Debug, Default)]
struct Rows {
    touched: TouchedRows,
    count: usize,
    /// Whether there was too much, or something that rows cannot say.
    is_lost: bool,
}

impl Touched {
    /// Begins to take note of what the connection writes.
    pub(crate) fn watch(connection: &mut Connection) -> Result<Self> {
        let touched = Self::unwatched();
        let noted = touched.clone();
        connection.update_hook(Some(
            move |action: Action, _database: &str, table: &str, row_id: i64| {
                if let Some(class_id) = table.strip_prefix('o').and_then(|id| id.parse().ok()) {
                    noted.rows().add(class_id, noted.touch_of(action), row_id);
                }
            },
        ))?;
        Ok(touched)
    }

    /// Of no connection.
    pub(crate) fn unwatched() -> Self {
        let (rows, column) = (Mutex::default(), AtomicU64::new(NO_COLUMN));
        Self(Arc::new(Shared { rows, column }))
    }

    /// Runs what writes one column of rows.
    pub(super) fn writing<T>(&self, number: u32, write: impl FnOnce() -> T) -> T {
        // The hook runs on this thread, inside of `write`.
        self.0.column.store(u64::from(number), Ordering::Relaxed);
        let written = write();
        self.0.column.store(NO_COLUMN, Ordering::Relaxed);
        written
    }

    /// The transaction does what rows cannot say.
    pub(super) fn lose(&self) {
        *self.rows() = Rows { is_lost: true, ..Rows::default() };
    }

    /// Forgets what a transaction before this one has touched.
    pub(crate) fn clear(&self) {
        *self.rows() = Rows::default();
    }

    /// What was touched, with the holders of links to what was created; `None` when it was too much.
    /// To be called once, before the commit.
    pub(crate) fn take(
        &self,
        tables: &ObjectTables,
        connection: &Connection,
    ) -> Result<Option<TouchedRows>> {
        self.touch_holders_of_created(tables, connection)?;
        let mut rows = std::mem::take(&mut *self.rows());
        rows.merge();
        Ok((!rows.is_lost).then_some(rows.touched))
    }

    /// An object is about to be erased: who holds links to it will be seen to have lost them.
    pub(super) fn touch_holders_of_erased(
        &self,
        tables: &ObjectTables,
        connection: &Connection,
        table: &ClassTable,
        key: &ObjectKey,
    ) -> Result<()> {
        holders_of_key(tables, connection, table, key, &mut |class_id, number, row_id| {
            self.rows().add(class_id, Touch::Property(number), row_id);
        })
    }

    /// Links that dangled lead to objects that are new.
    fn touch_holders_of_created(
        &self,
        tables: &ObjectTables,
        connection: &Connection,
    ) -> Result<()> {
        let created: Vec<(i64, Ranges)> = {
            let mut rows = self.rows();
            rows.merge();
            let created = rows.touched.iter().filter(|((_, touch), _)| *touch == Touch::Created);
            created.map(|((class_id, _), ranges)| (*class_id, ranges.clone())).collect()
        };
        for (class_id, ranges) in created {
            let class = tables.catalogue().classes().find(|table| table.id == class_id);
            let Some(table) = class else { continue };
            let every = |_class_id, _number| true;
            holders_of_rows(
                tables,
                connection,
                table,
                &ranges,
                &every,
                &mut |class, number, row| {
                    self.rows().add(class, Touch::Property(number), row);
                },
            )?;
        }
        Ok(())
    }

    fn touch_of(&self, action: Action) -> Touch {
        match action {
            Action::SQLITE_INSERT => Touch::Created,
            Action::SQLITE_DELETE => Touch::Erased,
            _ => u32::try_from(self.0.column.load(Ordering::Relaxed))
                .map_or(Touch::Any, Touch::Property),
        }
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows {
    fn add(&mut self, class_id: i64, touch: Touch, row_id: i64) {
        if self.is_lost || self.is_new(class_id, touch, row_id) {
            return;
        }
        let ranges = self.touched.entry((class_id, touch)).or_default();
        match ranges.last_mut() {
            Some((first, last)) if (*first..=*last).contains(&row_id) => {}
            Some((_, last)) if last.checked_add(1) == Some(row_id) => *last = row_id,
            Some(_) | None => {
                ranges.push((row_id, row_id));
                self.count += 1;
            }
        }
        if self.count > RANGES_MAX {
            self.merge();
            // Merging again and again would cost more than it is worth.
            if self.count > RANGES_MAX / 4 * 3 {
                *self = Self { is_lost: true, ..Self::default() };
            }
        }
    }

    /// Whether it is about a property of a row that is known to be new as a whole.
    fn is_new(&self, class_id: i64, touch: Touch, row_id: i64) -> bool {
        match touch {
            Touch::Created | Touch::Erased => false,
            Touch::Any | Touch::Property(_) => {
                let newest = self.touched.get(&(class_id, Touch::Created)).and_then(|r| r.last());
                newest.is_some_and(|(first, last)| (*first..=*last).contains(&row_id))
            }
        }
    }

    fn merge(&mut self) {
        for ranges in self.touched.values_mut() {
            *ranges = merged(std::mem::take(ranges));
        }
        self.count = self.touched.values().map(Vec::len).sum();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_row_touched_many_times_takes_no_more_room() {
        let mut rows = Rows::default();
        for _ in 0..RANGES_MAX {
            rows.add(1, Touch::Property(1), 5);
            rows.add(1, Touch::Property(1), 9);
        }
        assert!(!rows.is_lost);
        rows.merge();
        assert_eq!(rows.touched[&(1, Touch::Property(1))], [(5, 5), (9, 9)]);
    }

    #[test]
    fn too_many_rows_are_lost_together() {
        let mut rows = Rows::default();
        for row_id in (0..).step_by(2).take(RANGES_MAX + 1) {
            rows.add(1, Touch::Erased, row_id);
        }
        assert!(rows.is_lost && rows.touched.is_empty());
    }

    proptest! {
        #[test]
        fn every_touched_row_is_noted(
            touches in prop::collection::vec((1..3_i64, 0..5_u32, 1..30_i64), 0..80),
        ) {
            let touch_of = |number| match number {
                0 => Touch::Created,
                1 => Touch::Erased,
                2 => Touch::Any,
                number => Touch::Property(number),
            };
            let mut rows = Rows::default();
            for &(class_id, number, row_id) in &touches {
                rows.add(class_id, touch_of(number), row_id);
            }
            rows.merge();
            let is_noted = |class_id, touch, row_id: i64| {
                let ranges = rows.touched.get(&(class_id, touch));
                ranges.is_some_and(|r| r.iter().any(|r| (r.0..=r.1).contains(&row_id)))
            };
            for (class_id, number, row_id) in touches {
                let touch = touch_of(number);
                prop_assert!(
                    is_noted(class_id, touch, row_id)
                        || (number >= 2 && is_noted(class_id, Touch::Created, row_id))
                );
            }
        }
    }
}
