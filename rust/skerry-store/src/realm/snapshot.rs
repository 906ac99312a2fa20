//! One consistent version of the file, for reading.
//!
//! Invariant: everything read through one snapshot is of the same version, however long it lives;
//! links to absent objects are not seen.

use std::collections::btree_map::Entry;
use std::sync::{Arc, PoisonError};

use rusqlite::Connection;
use skerry_model::{ClientVersion, Content, Name, ObjectKey};
use skerry_query::{Argument, Query, SortOrder};

use super::changed::Changes;
use super::{Inner, Progress, layout};
use crate::columns::{Pins, Plan, Reader, RowKeys};
use crate::error::Result;
use crate::objects::{ClassTable, ObjectTables};

/// A read transaction. Holds back the cleaning of the write-ahead log while it lives.
#[derive(Debug)]
pub struct Snapshot {
    inner: Arc<Inner>,
    /// `None` only while it is being given back.
    connection: Option<Connection>,
    tables: ObjectTables,
    version: ClientVersion,
    pins: Pins,
}

impl Snapshot {
    pub(super) fn begin(inner: &Arc<Inner>) -> Result<Self> {
        let connection = inner.take_reader()?;
        let begun = (|| {
            connection.execute_batch("BEGIN")?;
            // The first read fixes the version.
            let version = layout::version(&connection)?;
            let mut tables = inner.newest_tables();
            inner.refresh(&mut tables, &connection)?;
            Ok((version, tables))
        })();
        match begun {
            Ok((version, tables)) => {
                let mut pinned = inner.pinned.lock().unwrap_or_else(PoisonError::into_inner);
                *pinned.entry(version).or_default() += 1;
                drop(pinned);
                let (inner, connection) = (Arc::clone(inner), Some(connection));
                Ok(Self { inner, connection, tables, version, pins: Pins::default() })
            }
            Err(error) => {
                inner.give_reader_back(connection);
                Err(crate::StoreError::in_file(error, inner.path()))
            }
        }
    }

    /// The version that is seen.
    pub fn version(&self) -> ClientVersion {
        self.version
    }

    /// The classes of this version.
    pub fn tables(&self) -> &ObjectTables {
        &self.tables
    }

    pub(crate) fn connection(&self) -> &Connection {
        self.connection.as_ref().expect("taken only at the end")
    }

    /// Counters and cursors of this version.
    pub fn progress(&self) -> Result<Progress> {
        self.read(Progress::load)
    }

    /// What an object holds, in the order of the declared properties; what the file has beyond
    /// them comes behind. Links to absent objects are null, and in lists and sets of links they are
    /// not there.
    pub fn get(&self, class: &Name, key: &ObjectKey) -> Result<Option<Vec<Content>>> {
        self.read(|connection| self.tables.read_visible(connection, class, key))
    }

    /// The objects that a query gives, in its order; without SORT in order of insertion.
    pub fn query(
        &self,
        class: &Name,
        text: &str,
        arguments: &[Argument],
    ) -> Result<Vec<Vec<Content>>> {
        self.read(|connection| {
            let query = self.tables.compile(connection, class, text, arguments)?;
            match self.columns(connection).query(&query)? {
                Some(rows) => Ok(rows),
                None => self.tables.query(connection, &query),
            }
        })
    }

    /// The same by the evaluator alone, which looks at every object: slow, and what the result of
    /// [`Snapshot::query`] must be.
    pub fn evaluate(
        &self,
        class: &Name,
        text: &str,
        arguments: &[Argument],
    ) -> Result<Vec<Vec<Content>>> {
        self.read(|connection| {
            let query = self.tables.compile(connection, class, text, arguments)?;
            self.tables.evaluate(connection, &query)
        })
    }

    /// How many objects a query gives.
    pub fn count(&self, class: &Name, text: &str, arguments: &[Argument]) -> Result<u64> {
        self.count_found(&self.compile(class, text, arguments)?)
    }

    /// The keys of the objects that a query gives, in its order.
    pub fn matching_keys(
        &self,
        class: &Name,
        text: &str,
        arguments: &[Argument],
    ) -> Result<Vec<ObjectKey>> {
        self.read(|connection| {
            let query = self.tables.compile(connection, class, text, arguments)?;
            match self.columns(connection).keys(&query)? {
                Some(keys) => Ok(keys),
                None => self.tables.query_keys(connection, &query),
            }
        })
    }

    /// How [`Snapshot::query`] would run a query now, for people to read.
    pub fn explain(&self, class: &Name, text: &str, arguments: &[Argument]) -> Result<Plan> {
        self.plan(&self.compile(class, text, arguments)?)
    }

    /// The keys of a class, in order of insertion.
    pub fn keys(&self, class: &Name) -> Result<Vec<ObjectKey>> {
        self.read(|connection| self.tables.keys(connection, class))
    }

    /// The rows of the objects that a query gives, in its order.
    pub(crate) fn row_ids(&self, query: &Query) -> Result<Vec<i64>> {
        Ok(self.find(query)?.iter().collect())
    }

    /// What rows of a class are sorted by, if it is in memory.
    pub(crate) fn row_keys(
        &self,
        table: &ClassTable,
        order: &SortOrder<'_>,
    ) -> Result<Option<RowKeys>> {
        self.read(|connection| self.columns(connection).row_keys(table, order))
    }

    /// What was done since an earlier version; `None` when that is not known.
    pub(crate) fn changes_since(&self, version: ClientVersion) -> Result<Option<Changes>> {
        self.read(|connection| Changes::between(connection, (version, self.version)))
    }

    pub(super) fn columns<'s>(&'s self, connection: &'s Connection) -> Reader<'s> {
        let (cache, pins, tables) = (&self.inner.columns, &self.pins, &self.tables);
        Reader { cache, pins, tables, connection, version: self.version }
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        read(self.connection()).map_err(|error| error.in_file(self.inner.path()))
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            self.inner.give_reader_back(connection);
            let mut pinned = self.inner.pinned.lock().unwrap_or_else(PoisonError::into_inner);
            if let Entry::Occupied(mut count) = pinned.entry(self.version) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}
