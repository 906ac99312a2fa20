//! `ResultsObserver`: what has changed in the results of a query.
//!
//! Rows are told apart by their ids; one that is erased while another takes its place is another.
//! Only rows that were touched in what the query reads are decided anew, and in sorted results put where
//! they belong (`merge`); else, where other objects decide or DISTINCT does, the query is run again, when
//! something was touched that it reads.

use skerry_model::{ClientVersion, Name};
use skerry_query::{Argument, Descriptor, Query};

use super::diff::{Diff, ListChanges, diff, diff_ascending, ranges_of};
use super::dirty::dirty;
use super::merge::{Merged, merged, places};
use super::moved::Moved;
use super::undecided::undecided;
use super::watch::{KeyPaths, Watch};
use crate::error::Result;
use crate::objects::ClassTable;
use crate::ranges::{Ranges, common, contains, count};
use crate::realm::{Changes, ClassChanges, Snapshot};

/// Rows that are decided one by one; if there are more, the query is run again.
const DECIDED_MAX: u128 = 10_000;

/// Follows the results of a query.
#[derive(Debug)]
pub struct ResultsObserver {
    class: Name,
    text: String,
    arguments: Vec<Argument>,
    key_paths: KeyPaths,
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    version: ClientVersion,
    schema_version: i64,
    query: Query,
    watch: Watch,
    /// The results at the version, in their order.
    rows: Vec<i64>,
}

/// What the query gives now.
enum Next {
    Same,
    /// These rows.
    Rows(Vec<i64>),
    /// These rows, and how they differ from those before.
    Merged(Merged),
}

impl ResultsObserver {
    /// An observer of a query, with the key paths of what is watched of the results; `None` watches
    /// everything up to [`super::DEPTH_MAX`] links away.
    ///
    /// # Errors
    ///
    /// [`crate::StoreError::Query`] for a query, [`crate::StoreError::KeyPath`] for a key path that
    /// is wrong at the version of the snapshot.
    pub fn new(
        snapshot: &Snapshot,
        class: &Name,
        text: &str,
        arguments: &[Argument],
        key_paths: Option<Vec<String>>,
    ) -> Result<Self> {
        let observer = Self {
            class: class.clone(),
            text: text.to_owned(),
            arguments: arguments.to_vec(),
            key_paths: KeyPaths(key_paths),
            state: None,
        };
        observer.compile(snapshot)?;
        Ok(observer)
    }

    /// The version that was looked at last.
    pub fn version(&self) -> Option<ClientVersion> {
        self.state.as_ref().map(|state| state.version)
    }

    /// The results then, in their order.
    #[cfg(test)]
    pub(super) fn rows(&self) -> &[i64] {
        self.state.as_ref().map_or(&[], |state| &state.rows)
    }

    /// How many results there were then.
    pub fn len(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.rows.len())
    }

    /// Whether there were none then.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What has changed since the version that was looked at last, all commits together; `None` when
    /// nothing has, when the snapshot is not newer, and the first time. After an error the observer is
    /// where it was.
    pub fn advance(&mut self, snapshot: &Snapshot) -> Result<Option<ListChanges>> {
        let Some(state) = &self.state else {
            let (query, watch) = self.compile(snapshot)?;
            let rows = snapshot.row_ids(&query)?;
            self.state = Some(State::of(snapshot, query, watch, rows));
            return Ok(None);
        };
        if snapshot.version() <= state.version {
            return Ok(None);
        }
        let schema_version = snapshot.tables().catalogue().schema_version();
        let watch =
            if schema_version == state.schema_version { None } else { Some(self.watch(snapshot)?) };
        let query = self.query(snapshot)?;
        let watch_now = watch.as_ref().unwrap_or(&state.watch);
        let (next, changes) = state.changes(snapshot, &query, watch_now)?;
        let state = self.state.as_mut().expect("it was there above");
        state.query = query;
        state.version = snapshot.version();
        state.schema_version = schema_version;
        if let Some(watch) = watch {
            state.watch = watch;
        }
        match next {
            Next::Same => {}
            Next::Rows(rows) | Next::Merged(Merged { rows, .. }) => state.rows = rows,
        }
        Ok((!changes.is_empty()).then_some(changes))
    }

    fn compile(&self, snapshot: &Snapshot) -> Result<(Query, Watch)> {
        Ok((self.query(snapshot)?, self.watch(snapshot)?))
    }

    /// Compiled anew for each version: constants that are links depend on which objects there are.
    fn query(&self, snapshot: &Snapshot) -> Result<Query> {
        let tables = snapshot.tables();
        snapshot
            .read(|connection| tables.compile(connection, &self.class, &self.text, &self.arguments))
    }

    fn watch(&self, snapshot: &Snapshot) -> Result<Watch> {
        let tables = snapshot.tables();
        Watch::compile(tables, tables.class("query", &self.class)?, &self.key_paths)
    }
}

impl State {
    fn of(snapshot: &Snapshot, query: Query, watch: Watch, rows: Vec<i64>) -> Self {
        let schema_version = snapshot.tables().catalogue().schema_version();
        Self { version: snapshot.version(), schema_version, query, watch, rows }
    }

    /// What the query gives at the snapshot, and how that differs.
    fn changes(
        &self,
        snapshot: &Snapshot,
        query: &Query,
        watch: &Watch,
    ) -> Result<(Next, ListChanges)> {
        let table = snapshot.tables().class("query", &query.class)?;
        let Some(changes) = snapshot.changes_since(self.version)? else {
            let rows = snapshot.row_ids(query)?;
            let all = [(i64::MIN, i64::MAX)];
            let changes = self.differences(query, &rows, &[], &all);
            return Ok((Next::Rows(rows), changes));
        };
        let is_touched = changes.class_ids().next().is_some();
        let next = if *query != self.query {
            Next::Rows(snapshot.row_ids(query)?)
        } else if is_touched {
            self.next(snapshot, (table, query), &changes)?
        } else {
            Next::Same
        };
        let nothing = ClassChanges::default();
        let of_class = changes.class(table.id).unwrap_or(&nothing);
        let reborn = common(&of_class.created, &of_class.erased);
        let dirty =
            if is_touched { dirty(snapshot, &changes, watch)?.rows() } else { Ranges::new() };
        let changes = match &next {
            Next::Same => {
                self.moves(&Moved::nothing(self.rows.len()), self.rows.len(), &reborn, &dirty)
            }
            Next::Merged(Merged { rows, moved }) => self.moves(moved, rows.len(), &reborn, &dirty),
            Next::Rows(rows) => self.differences(query, rows, &reborn, &dirty),
        };
        Ok((next, changes))
    }

    /// What the query, which is the same as before, gives after changes.
    fn next(
        &self,
        snapshot: &Snapshot,
        (table, query): (&ClassTable, &Query),
        changes: &Changes,
    ) -> Result<Next> {
        let Some(undecided) = undecided(snapshot, (table, query), changes)? else {
            return Ok(Next::Rows(snapshot.row_ids(query)?));
        };
        if undecided.is_empty() {
            return Ok(Next::Same);
        }
        if !query.descriptors.is_empty() {
            let merged = merged(snapshot, (table, query), &self.rows, &undecided)?;
            return merged.map_or_else(
                || Ok(Next::Rows(snapshot.row_ids(query)?)),
                |merged| Ok(Next::Merged(merged)),
            );
        }
        if count(&undecided) > DECIDED_MAX {
            return Ok(Next::Rows(snapshot.row_ids(query)?));
        }
        let tables = snapshot.tables();
        let matching = snapshot.read(|connection| {
            tables.matching_row_ids(connection, table, &query.predicate, &undecided)
        })?;
        Ok(Next::Rows(replaced(&self.rows, &undecided, &matching)))
    }

    /// How results of which is known what has moved differ from what they are now.
    fn moves(
        &self,
        moved: &Moved,
        new_len: usize,
        reborn: &[(i64, i64)],
        dirty: &[(i64, i64)],
    ) -> ListChanges {
        let is_reborn = |row_id| !reborn.is_empty() && contains(reborn, row_id);
        let dirty: Vec<usize> =
            places(&self.rows, dirty).into_iter().map(|(place, _)| place).collect();
        moved.changes((self.rows.len(), new_len), is_reborn, &dirty)
    }

    /// How the results differ from what they are now.
    fn differences(
        &self,
        query: &Query,
        rows: &[i64],
        reborn: &[(i64, i64)],
        dirty: &[(i64, i64)],
    ) -> ListChanges {
        let is_reborn = |row_id| !reborn.is_empty() && contains(reborn, row_id);
        let (deleted, inserted, modified) = if is_ascending(query) && is_ascending(&self.query) {
            let (deleted, inserted) = diff_ascending(&self.rows, rows, is_reborn);
            (deleted, inserted, modified(&self.rows, rows, is_reborn, dirty))
        } else {
            let Diff { deleted, inserted, mut kept } = diff(&self.rows, rows, is_reborn);
            kept.retain(|&(old, _)| !dirty.is_empty() && contains(dirty, self.rows[old]));
            (deleted, inserted, kept)
        };
        ListChanges {
            deletions: ranges_of(deleted),
            insertions: ranges_of(inserted),
            modifications: ranges_of(modified.iter().map(|pair| pair.1)),
            old_modifications: ranges_of(modified.iter().map(|pair| pair.0)),
        }
    }
}

/// Indices in two ascending lists of the rows that are in both and dirty.
fn modified(
    old: &[i64],
    new: &[i64],
    is_reborn: impl Fn(i64) -> bool,
    dirty: &[(i64, i64)],
) -> Vec<(usize, usize)> {
    let mut modified = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    for &(first, last) in dirty {
        at_old += old[at_old..].partition_point(|&row_id| row_id < first);
        at_new += new[at_new..].partition_point(|&row_id| row_id < first);
        while let (Some(&a), Some(&b)) = (old.get(at_old), new.get(at_new))
            && a.max(b) <= last
        {
            if a == b && !is_reborn(a) {
                modified.push((at_old, at_new));
            }
            (at_old, at_new) = (at_old + usize::from(a <= b), at_new + usize::from(b <= a));
        }
    }
    modified
}

/// Whether results come in the order of their rows.
fn is_ascending(query: &Query) -> bool {
    query.descriptors.iter().all(|descriptor| match descriptor {
        Descriptor::Sort(_) => false,
        Descriptor::Distinct(_) | Descriptor::Limit(_) => true,
    })
}

/// Ascending rows with those in `ranges` replaced by `instead`, which are of these ranges.
fn replaced(rows: &[i64], ranges: &[(i64, i64)], instead: &[i64]) -> Vec<i64> {
    let mut next = Vec::with_capacity(rows.len() + instead.len());
    let (mut from, mut instead) = (0, instead.iter().copied().peekable());
    for &(first, last) in ranges {
        let start = from + rows[from..].partition_point(|&row_id| row_id < first);
        next.extend_from_slice(&rows[from..start]);
        while let Some(row_id) = instead.next_if(|&row_id| row_id <= last) {
            next.push(row_id);
        }
        from = start + rows[start..].partition_point(|&row_id| row_id <= last);
    }
    next.extend_from_slice(&rows[from..]);
    next
}
