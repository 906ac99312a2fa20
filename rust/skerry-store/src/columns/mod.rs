//! Columns of scalar properties in memory, so that queries over many objects need not read their rows.
//!
//! Invariant: a result from columns is that of the tables at the snapshot's version. A cached class
//! belongs to one version and one state of the catalogue, which are compared with those that the
//! snapshot's own read transaction sees. It follows the file from what each commit says of the rows it
//! touched (`realm::changed`), whichever process made it, reading those rows anew; where that is not
//! known it is dropped. A snapshot keeps the class that it has used, as the class itself never changes.
//!
//! Columns are read when a query first needs them, one scan for all that it lacks, and dropped, the least
//! recently used first, when the budget does not hold more. Not cached: links (one whose target is
//! absent reads as null, and nothing tells that from the row), decimals, mixed, embedded objects, sets
//! and dictionaries. Queries in a write transaction do not use columns.

mod arrange;
mod budget;
mod bytes_test;
mod chunk;
mod class;
#[cfg(test)]
mod laws;
mod leaf;
mod mask;
mod order;
mod plan;
mod query;
mod read;
mod rows;
mod select;
mod text;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rustc_hash::FxHashMap;

use crate::error::Result;
use crate::objects::{ClassTable, ObjectTables};
use crate::realm::touched_between;

use budget::Budget;
use class::{CachedClass, Filled, Followed, Origin};
use read::Source;

pub(crate) use order::RowKeys;
pub use plan::{Access, Plan, PlannedColumn};
pub(crate) use query::Reader;

/// Rows of a chunk, the unit that versions share or not. Small in tests, so that few objects make many.
const CHUNK_ROWS_U32: u32 = if cfg!(test) { 128 } else { 16_384 };
const CHUNK_ROWS: usize = CHUNK_ROWS_U32 as usize;

/// Objects below which reading the rows costs less than keeping columns.
const ROWS_MIN: i64 = if cfg!(test) { 1 } else { 2_000 };

/// Queries that go without a column that was dropped before it is read again.
const DROPPED_WAIT: u32 = 3;

/// The same for a column for which there was no memory.
const REFUSED_WAIT: u32 = 64;

/// Queries that an index of the file answers before the column is read for the sake of its own.
const INDEXED_WAIT: u32 = 64;

/// Why a query does not use columns.
pub(crate) type Reason = &'static str;

/// What is cached of one open file.
#[derive(Debug)]
pub(crate) struct ColumnCache {
    budget: Arc<Budget>,
    state: Mutex<State>,
    /// Held by whoever reads columns or drops some; never while the state is locked.
    building: Mutex<()>,
    /// Grows with every use.
    ticks: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// By class id.
    classes: FxHashMap<i64, Arc<CachedClass>>,
    /// Queries that a column, by class id and number, has still to wait for.
    waits: FxHashMap<(i64, u32), u32>,
}

/// What is in memory of an open file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    /// Bytes that columns may take; 0 when there are none.
    pub max_bytes: usize,
    /// Bytes that they take now, those that only older snapshots hold included.
    pub bytes: usize,
    /// The most that they have ever taken.
    pub peak_bytes: usize,
    /// Columns that a query could use.
    pub columns: usize,
}

/// The cached classes that a snapshot has used.
#[derive(Debug, Default)]
pub(crate) struct Pins(RefCell<FxHashMap<i64, Arc<CachedClass>>>);

/// What a query needs of a class.
#[derive(Debug)]
struct Wanted<'s> {
    connection: &'s Connection,
    tables: &'s ObjectTables,
    table: &'s ClassTable,
    origin: Origin,
    sources: &'s [Source<'s>],
    /// Queries that it shall wait for a column that was never there.
    patience: u32,
}

impl ColumnCache {
    /// A cache of so many bytes; of none, for 0.
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self {
            budget: Budget::new(max_bytes),
            state: Mutex::default(),
            building: Mutex::default(),
            ticks: AtomicU64::new(1),
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.budget.max_bytes() > 0
    }

    pub(crate) fn in_use(&self) -> CacheUse {
        CacheUse {
            max_bytes: self.budget.max_bytes(),
            bytes: self.budget.taken_bytes(),
            peak_bytes: self.budget.peak_bytes(),
            columns: self.state().classes.values().map(|class| class.columns.len()).sum(),
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&self) {
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        self.state().classes.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The class with the wanted columns at the wanted version.
    fn acquire(
        &self,
        wanted: &Wanted<'_>,
        pins: &Pins,
    ) -> Result<std::result::Result<Arc<CachedClass>, Reason>> {
        let class_id = wanted.origin.class_id;
        let pinned = pins.0.borrow().get(&class_id).cloned();
        let class = match pinned.filter(|class| wanted.is_met_by(class)) {
            Some(class) => class,
            None => match self.look_up(wanted)? {
                Ok(class) => class,
                Err(reason) => return Ok(Err(reason)),
            },
        };
        let tick = self.ticks.fetch_add(1, Ordering::Relaxed);
        for source in wanted.sources {
            class.columns[&source.column.number].use_at(tick);
        }
        pins.0.borrow_mut().insert(class_id, Arc::clone(&class));
        Ok(Ok(class))
    }

    fn look_up(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<std::result::Result<Arc<CachedClass>, Reason>> {
        let current = || self.state().classes.get(&wanted.origin.class_id).cloned();
        if let Some(class) = current().filter(|class| wanted.is_met_by(class)) {
            return Ok(Ok(class));
        }
        if let Err(reason) = self.is_worth_it(wanted)? {
            return Ok(Err(reason));
        }
        let _building = self.building.lock().unwrap_or_else(PoisonError::into_inner);
        let class = match current() {
            None => Arc::new(CachedClass::empty(wanted.origin)),
            Some(class) if class.origin == wanted.origin => class,
            Some(class) if class.origin.version < wanted.origin.version => {
                match self.follow(wanted, class)? {
                    Some(class) => class,
                    None => return Ok(Err("too much has changed since columns were read")),
                }
            }
            Some(_) => return Ok(Err("only a later version is in memory")),
        };
        if wanted.is_met_by(&class) { Ok(Ok(class)) } else { self.fill(wanted, class) }
    }

    /// Whether columns that are not there shall be read for this query.
    fn is_worth_it(&self, wanted: &Wanted<'_>) -> Result<std::result::Result<(), Reason>> {
        let class_id = wanted.origin.class_id;
        let mut state = self.state();
        let held = state.classes.get(&class_id).cloned();
        if held.is_none() && wanted.sources.is_empty() {
            return Ok(Err("nothing of the class is in memory"));
        }
        let mut must_wait = false;
        for source in wanted.sources {
            let number = source.column.number;
            if held.as_ref().is_some_and(|class| class.columns.contains_key(&number)) {
                continue;
            }
            let wait = state.waits.entry((class_id, number)).or_insert(wanted.patience);
            must_wait |= *wait > 0;
            *wait = wait.saturating_sub(1);
        }
        drop(state);
        if must_wait {
            return Ok(Err("a column is not in memory and not asked for often enough"));
        }
        if held.is_none() { wanted.is_large() } else { Ok(Ok(())) }
    }

    /// Brings a class to the wanted version; `None` when it had to be dropped. Owns the class, so that
    /// what is dropped meanwhile is given back.
    fn follow(
        &self,
        wanted: &Wanted<'_>,
        mut class: Arc<CachedClass>,
    ) -> Result<Option<Arc<CachedClass>>> {
        let Origin { class_id, version, schema_version } = wanted.origin;
        let touched = if class.origin.schema_version == schema_version {
            touched_between(wanted.connection, class_id, (class.origin.version, version))?
        } else {
            None
        };
        let Some(touched) = touched else {
            self.drop_class(class_id);
            return Ok(None);
        };
        let kind = (&**wanted.tables.catalogue().schema(), wanted.table);
        loop {
            let changes = (version, touched.as_slice());
            match class.followed(wanted.connection, kind, changes, &self.budget)? {
                Ok(Followed::At(next)) => return Ok(Some(self.publish(next))),
                Err(_) if self.drop_one(class_id, wanted.sources) => {
                    // What was dropped may have been of this class.
                    let current = self.state().classes.get(&class_id).cloned();
                    let Some(current) = current else { break };
                    class = current;
                }
                Ok(Followed::Lost) | Err(_) => break,
            }
        }
        self.drop_class(class_id);
        Ok(None)
    }

    /// Reads the columns that a class lacks.
    fn fill(
        &self,
        wanted: &Wanted<'_>,
        mut class: Arc<CachedClass>,
    ) -> Result<std::result::Result<Arc<CachedClass>, Reason>> {
        let class_id = wanted.origin.class_id;
        let kind = (&**wanted.tables.catalogue().schema(), wanted.table);
        loop {
            let is_missing =
                |source: &&Source<'_>| !class.columns.contains_key(&source.column.number);
            let missing: Vec<Source<'_>> =
                wanted.sources.iter().filter(is_missing).copied().collect();
            match class.filled(wanted.connection, kind, &missing, &self.budget)? {
                Filled::Whole(filled) => return Ok(Ok(self.publish(filled))),
                Filled::TooLarge(_) if self.drop_one(class_id, wanted.sources) => {
                    let current = self.state().classes.get(&class_id).cloned();
                    class = current.unwrap_or_else(|| Arc::new(CachedClass::empty(wanted.origin)));
                }
                Filled::TooLarge(number) => {
                    self.state().waits.insert((class_id, number), REFUSED_WAIT);
                    return Ok(Err("there is no memory for a column"));
                }
                Filled::Contradiction => {
                    self.drop_class(class_id);
                    return Ok(Err("too much has changed since columns were read"));
                }
            }
        }
    }

    /// What is in memory of the class, as a query that wants it would find it, or why it would go
    /// without. Reads nothing and drops nothing.
    fn held(
        &self,
        wanted: &Wanted<'_>,
        pins: &Pins,
    ) -> Result<std::result::Result<Option<Arc<CachedClass>>, Reason>> {
        let class_id = wanted.origin.class_id;
        let pinned = pins.0.borrow().get(&class_id).cloned();
        if let Some(class) = pinned.filter(|class| wanted.is_met_by(class)) {
            return Ok(Ok(Some(class)));
        }
        let state = self.state();
        let held = state.classes.get(&class_id).cloned();
        let lacks = |source: &&Source<'_>| {
            !held.as_ref().is_some_and(|class| class.columns.contains_key(&source.column.number))
        };
        let wait = |source: &Source<'_>| {
            state.waits.get(&(class_id, source.column.number)).copied().unwrap_or(wanted.patience)
        };
        if wanted.sources.iter().filter(lacks).any(|source| wait(source) > 0) {
            return Ok(Err("a column is not in memory and not asked for often enough"));
        }
        drop(state);
        match held {
            None => Ok(wanted.is_large()?.map(|()| None)),
            Some(class) if class.origin.version > wanted.origin.version => {
                Ok(Err("only a later version is in memory"))
            }
            Some(class) => Ok(Ok(Some(class))),
        }
    }

    fn publish(&self, class: CachedClass) -> Arc<CachedClass> {
        let class = Arc::new(class);
        self.state().classes.insert(class.origin.class_id, Arc::clone(&class));
        class
    }

    fn drop_class(&self, class_id: i64) {
        let mut state = self.state();
        let Some(class) = state.classes.remove(&class_id) else { return };
        for &number in class.columns.keys() {
            state.waits.insert((class_id, number), DROPPED_WAIT);
        }
    }

    /// Drops the column that was not used for the longest time and is not wanted now; whether there
    /// was one.
    fn drop_one(&self, class_id: i64, wanted: &[Source<'_>]) -> bool {
        let mut state = self.state();
        let is_wanted = |class: i64, number: u32| {
            class == class_id && wanted.iter().any(|source| source.column.number == number)
        };
        let all = state.classes.iter().flat_map(|(&class_id, class)| {
            class.columns.iter().map(move |(&number, column)| (column.used(), class_id, number))
        });
        let oldest = all.filter(|&(_, class, number)| !is_wanted(class, number)).min();
        let Some((_, class_id, number)) = oldest else { return false };
        state.waits.insert((class_id, number), DROPPED_WAIT);
        let Some(class) = state.classes.remove(&class_id) else { return false };
        let mut smaller = CachedClass::clone(&class);
        smaller.columns.remove(&number);
        if !smaller.columns.is_empty() {
            state.classes.insert(class_id, Arc::new(smaller));
        }
        true
    }
}

impl Wanted<'_> {
    /// Whether the class has so many objects that columns pay.
    fn is_large(&self) -> Result<std::result::Result<(), Reason>> {
        let sql = format!("SELECT max(row_id) FROM {}", self.table.table());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows: Option<i64> = statement.query_row([], |row| row.get(0))?;
        Ok(if rows.unwrap_or(0) < ROWS_MIN { Err("the class is small") } else { Ok(()) })
    }

    fn is_met_by(&self, class: &CachedClass) -> bool {
        class.origin == self.origin
            && self.sources.iter().all(|source| class.columns.contains_key(&source.column.number))
    }
}
