//! One class as it is cached: its rows and some of its columns, at one version of the file.
//!
//! Invariant: a [`CachedClass`] never changes. At its version it has a row for every object, and every
//! column it has holds what the table of the class held. A later version shares all chunks in which
//! nothing differs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rusqlite::Connection;
use skerry_model::{ClientVersion, Schema};

use super::CHUNK_ROWS;
use super::budget::Budget;
use super::chunk::{Builder, Chunk, TooLarge};
use super::read::{Source, scan};
use super::rows::{self, RowChunk};
use crate::error::Result;
use crate::objects::ClassTable;

/// What a cached class is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) class_id: i64,
    /// Of the catalogue; any change of classes or properties is another one.
    pub(super) schema_version: i64,
    pub(super) version: ClientVersion,
}

/// A class as it is cached.
#[derive(Clone, Debug)]
pub(super) struct CachedClass {
    pub(super) origin: Origin,
    pub(super) rows: Vec<Arc<RowChunk>>,
    /// By number of the property.
    pub(super) columns: BTreeMap<u32, CachedColumn>,
}

/// A column of a cached class, with as many chunks as the class has.
#[derive(Clone, Debug)]
pub(super) struct CachedColumn {
    pub(super) chunks: Vec<Arc<Chunk>>,
    /// When it was last used; shared between versions.
    used: Arc<AtomicU64>,
}

impl CachedColumn {
    fn new(chunks: Vec<Arc<Chunk>>) -> Self {
        Self { chunks, used: Arc::new(AtomicU64::new(0)) }
    }

    pub(super) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(super) fn use_at(&self, tick: u64) {
        self.used.fetch_max(tick, Ordering::Relaxed);
    }

    pub(super) fn reserved_bytes(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.reserved_bytes()).sum()
    }
}

/// How reading columns ended.
#[derive(Debug)]
pub(super) enum Filled {
    /// With all of them.
    Whole(CachedClass),
    /// Memory gave out at the column of this number.
    TooLarge(u32),
    /// The rows are not those that the class has.
    Contradiction,
}

/// How following the file to a later version ended.
#[derive(Debug)]
pub(super) enum Followed {
    At(CachedClass),
    /// Too much has changed, or rows have come between others.
    Lost,
}

/// Makes of a reservation that failed what the caller can do something about.
type Fallible<T> = std::result::Result<T, TooLarge>;

impl CachedClass {
    pub(super) fn empty(origin: Origin) -> Self {
        Self { origin, rows: Vec::new(), columns: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        let (all, dead) = rows::counts(&self.rows);
        all - dead
    }

    /// The same class with these columns too, read from the table at the class's version.
    pub(super) fn filled(
        &self,
        connection: &Connection,
        (schema, table): (&Schema, &ClassTable),
        sources: &[Source<'_>],
        budget: &Arc<Budget>,
    ) -> Result<Filled> {
        let mut reading = Reading::new(self, sources, budget);
        scan(connection, table, sources, (i64::MIN, i64::MAX), |row_id, row| {
            if reading.is_over() {
                return Ok(());
            }
            reading.skip_dead(row_id);
            for (place, (source, builder)) in (1..).zip(reading.builders()) {
                source.push(schema, row.get_ref(place)?, builder)?;
            }
            reading.end_row(row_id);
            Ok(())
        })?;
        Ok(reading.finish())
    }

    /// The class at a later version, in which the rows in `touched` may differ.
    pub(super) fn followed(
        &self,
        connection: &Connection,
        (schema, table): (&Schema, &ClassTable),
        (version, touched): (ClientVersion, &[(i64, i64)]),
        budget: &Arc<Budget>,
    ) -> Result<std::result::Result<Followed, TooLarge>> {
        let mut next = self.clone();
        next.origin.version = version;
        if touched.is_empty() {
            return Ok(Ok(Followed::At(next)));
        }
        let rows = self.rows.as_slice();
        let count: i128 =
            touched.iter().map(|range| i128::from(range.1) - i128::from(range.0) + 1).sum();
        if count > rows::counts(rows).0.max(CHUNK_ROWS) as i128 / 2 {
            return Ok(Ok(Followed::Lost));
        }
        let numbers: Vec<u32> = self.columns.keys().copied().collect();
        let columns = table.columns.iter().filter(|column| numbers.contains(&column.number));
        let sources: Vec<Source<'_>> = columns.filter_map(Source::of).collect();
        let mut found: Vec<i64> = Vec::new();
        let mut builders: Vec<Builder> = sources.iter().map(Source::builder).collect();
        for &range in touched {
            scan(connection, table, &sources, range, |row_id, row| {
                for (place, (source, builder)) in (1..).zip(sources.iter().zip(&mut builders)) {
                    source.push(schema, row.get_ref(place)?, builder)?;
                }
                found.push(row_id);
                Ok(())
            })?;
        }
        let found_columns: BTreeMap<u32, Chunk> = sources
            .iter()
            .zip(builders)
            .map(|(source, builder)| (source.column.number, builder.build()))
            .collect();
        let Some(changes) = Changes::new(rows, touched, &found) else {
            return Ok(Ok(Followed::Lost));
        };
        let changed = next.change(&changes, &found, &found_columns, budget);
        let (all, dead) = rows::counts(&next.rows);
        let is_sparse = dead > CHUNK_ROWS && dead > all / 4;
        Ok(changed.map(|()| if is_sparse { Followed::Lost } else { Followed::At(next) }))
    }

    fn change(
        &mut self,
        changes: &Changes,
        found: &[i64],
        found_columns: &BTreeMap<u32, Chunk>,
        budget: &Arc<Budget>,
    ) -> Fallible<()> {
        for (number, column) in &mut self.columns {
            let source = &found_columns[number];
            for (&chunk, places) in &changes.updates {
                let kept = &column.chunks[chunk];
                let differs = |&(at, from): &(usize, usize)| !kept.is_same(at, source, from);
                if places.iter().any(differs) {
                    let len = self.rows[chunk].len;
                    column.chunks[chunk] = replaced(kept, len, places, source, budget)?;
                }
            }
            let appended = Appended { rows: &self.rows, first: changes.first_new };
            appended.extend(&mut column.chunks, source, budget)?;
        }
        for (&chunk, places) in &changes.lives {
            self.rows[chunk] = Arc::new(self.rows[chunk].with_dead(places, budget)?);
        }
        append_rows(&mut self.rows, &found[changes.first_new..], budget)
    }
}

/// What is to be done to the rows of a class.
#[derive(Debug)]
struct Changes {
    /// By chunk: place, and number of the row found for it.
    updates: BTreeMap<usize, Vec<(usize, usize)>>,
    /// By chunk: place, and whether the row is no more.
    lives: BTreeMap<usize, Vec<(usize, bool)>>,
    /// From this one on the found rows are new.
    first_new: usize,
}

impl Changes {
    /// `None` when a row has come between others.
    fn new(rows: &[Arc<RowChunk>], touched: &[(i64, i64)], found: &[i64]) -> Option<Self> {
        let last = rows::last_id(rows).unwrap_or(i64::MIN);
        let first_new =
            if rows.is_empty() { 0 } else { found.partition_point(|&row_id| row_id <= last) };
        let mut changes = Self { updates: BTreeMap::new(), lives: BTreeMap::new(), first_new };
        for (number, &row_id) in found[..first_new].iter().enumerate() {
            let position = rows::position_of(rows, row_id)?;
            let (chunk, at) = (position / CHUNK_ROWS, position % CHUNK_ROWS);
            changes.updates.entry(chunk).or_default().push((at, number));
            if rows[chunk].is_dead(at) {
                changes.lives.entry(chunk).or_default().push((at, false));
            }
        }
        let mut found = found.iter().peekable();
        for &(first, end) in touched {
            for row_id in first..=end.min(last) {
                if found.next_if_eq(&&row_id).is_some() {
                    continue;
                }
                let Some(position) = rows::position_of(rows, row_id) else { continue };
                let (chunk, at) = (position / CHUNK_ROWS, position % CHUNK_ROWS);
                if !rows[chunk].is_dead(at) {
                    changes.lives.entry(chunk).or_default().push((at, true));
                }
            }
        }
        Some(changes)
    }
}

/// A chunk with other values in some places, which ascend.
fn replaced(
    kept: &Chunk,
    len: usize,
    places: &[(usize, usize)],
    source: &Chunk,
    budget: &Arc<Budget>,
) -> Fallible<Arc<Chunk>> {
    if let Some(patched) = kept.patched(places, source, budget) {
        return Ok(Arc::new(patched?));
    }
    let mut builder = Builder::like(kept);
    let mut places = places.iter().peekable();
    for at in 0..len {
        match places.next_if(|place| place.0 == at) {
            Some(&(_, from)) => builder.copy(source, from),
            None => builder.copy(kept, at),
        }
    }
    Ok(Arc::new(builder.finish(budget)?))
}

/// New rows behind those that there are.
struct Appended<'a> {
    /// As they were before.
    rows: &'a [Arc<RowChunk>],
    /// The first new one of those found.
    first: usize,
}

impl Appended<'_> {
    fn extend(
        &self,
        chunks: &mut Vec<Arc<Chunk>>,
        source: &Chunk,
        budget: &Arc<Budget>,
    ) -> Fallible<()> {
        let mut from = self.first;
        let count = source.len();
        if from == count {
            return Ok(());
        }
        let last_len = self.rows.last().map_or(CHUNK_ROWS, |chunk| chunk.len);
        if last_len < CHUNK_ROWS {
            let last = chunks.last_mut().expect("as many chunks as the class has");
            let mut builder = Builder::like(last);
            (0..last_len).for_each(|at| builder.copy(last, at));
            while from < count && builder.len() < CHUNK_ROWS {
                builder.copy(source, from);
                from += 1;
            }
            *last = Arc::new(builder.finish(budget)?);
        }
        while from < count {
            let mut builder = Builder::like(source);
            while from < count && builder.len() < CHUNK_ROWS {
                builder.copy(source, from);
                from += 1;
            }
            chunks.push(Arc::new(builder.finish(budget)?));
        }
        Ok(())
    }
}

fn append_rows(
    rows: &mut Vec<Arc<RowChunk>>,
    mut new: &[i64],
    budget: &Arc<Budget>,
) -> Fallible<()> {
    if let Some(last) = rows.last_mut()
        && last.len < CHUNK_ROWS
        && !new.is_empty()
    {
        let (more, rest) = new.split_at(new.len().min(CHUNK_ROWS - last.len));
        *last = Arc::new(last.extended(more, budget)?);
        new = rest;
    }
    for ids in new.chunks(CHUNK_ROWS) {
        rows.push(Arc::new(RowChunk::new(ids, budget)?));
    }
    Ok(())
}

/// Columns that are being read in one scan of the table.
struct Reading<'a, 't> {
    class: &'a CachedClass,
    sources: &'a [Source<'t>],
    budget: &'a Arc<Budget>,
    builders: Vec<Builder>,
    chunks: Vec<Vec<Arc<Chunk>>>,
    /// Positions behind which the scan is.
    done: usize,
    /// Only when the class has no rows yet.
    ids: Vec<i64>,
    rows: Vec<Arc<RowChunk>>,
    failed: Option<Filled>,
}

impl<'a, 't> Reading<'a, 't> {
    fn new(class: &'a CachedClass, sources: &'a [Source<'t>], budget: &'a Arc<Budget>) -> Self {
        Self {
            class,
            sources,
            budget,
            builders: sources.iter().map(Source::builder).collect(),
            chunks: sources.iter().map(|_| Vec::new()).collect(),
            done: 0,
            ids: Vec::new(),
            rows: Vec::new(),
            failed: None,
        }
    }

    fn is_over(&self) -> bool {
        self.failed.is_some()
    }

    fn has_rows(&self) -> bool {
        !self.class.rows.is_empty()
    }

    fn builders(&mut self) -> impl Iterator<Item = (&Source<'t>, &mut Builder)> {
        self.sources.iter().zip(&mut self.builders)
    }

    /// The row that the class has at the position that comes next.
    fn expected(&self) -> Option<(&RowChunk, usize)> {
        let chunk = self.class.rows.get(self.done / CHUNK_ROWS)?;
        let at = self.done % CHUNK_ROWS;
        (at < chunk.len).then_some((&**chunk, at))
    }

    /// Leaves the positions of erased objects empty.
    fn skip_dead(&mut self, row_id: i64) {
        while let Some((chunk, at)) = self.expected()
            && chunk.is_dead(at)
            && chunk.id(at) < row_id
        {
            self.builders.iter_mut().for_each(|builder| builder.push(super::chunk::Datum::Null));
            self.end_position();
        }
    }

    fn end_row(&mut self, row_id: i64) {
        if self.has_rows() {
            let is_expected = self
                .expected()
                .is_some_and(|(chunk, at)| chunk.id(at) == row_id && !chunk.is_dead(at));
            if !is_expected {
                self.failed = Some(Filled::Contradiction);
                return;
            }
        } else {
            self.ids.push(row_id);
        }
        let too_large = self
            .builders
            .iter()
            .position(|builder| builder.grown_bytes() > self.budget.max_bytes());
        if let Some(at) = too_large {
            self.failed = Some(Filled::TooLarge(self.sources[at].column.number));
        }
        self.end_position();
    }

    fn end_position(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(CHUNK_ROWS) && self.failed.is_none() {
            self.end_chunk();
        }
    }

    fn end_chunk(&mut self) {
        for (at, source) in self.sources.iter().enumerate() {
            let builder = std::mem::replace(&mut self.builders[at], source.builder());
            let Ok(chunk) = builder.finish(self.budget) else {
                self.failed = Some(Filled::TooLarge(source.column.number));
                return;
            };
            self.chunks[at].push(Arc::new(chunk));
        }
        if !self.ids.is_empty() {
            if let Ok(chunk) = RowChunk::new(&self.ids, self.budget) {
                self.rows.push(Arc::new(chunk));
            } else {
                let number = self.sources.first().map_or(0, |source| source.column.number);
                self.failed = Some(Filled::TooLarge(number));
            }
            self.ids.clear();
        }
    }

    fn finish(mut self) -> Filled {
        if self.failed.is_none() && self.has_rows() {
            self.skip_dead(i64::MAX);
            let (all, _) = rows::counts(&self.class.rows);
            if self.done != all {
                return Filled::Contradiction;
            }
        }
        if self.failed.is_none() && !self.done.is_multiple_of(CHUNK_ROWS) {
            self.end_chunk();
        }
        if let Some(failed) = self.failed {
            return failed;
        }
        let mut class = self.class.clone();
        if class.rows.is_empty() {
            class.rows = self.rows;
        }
        for (source, chunks) in self.sources.iter().zip(self.chunks) {
            class.columns.insert(source.column.number, CachedColumn::new(chunks));
        }
        Filled::Whole(class)
    }
}
