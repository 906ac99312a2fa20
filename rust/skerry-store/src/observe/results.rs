//! `ResultsObserver`: what has changed in the results of a query.
//!
//! Rows are told apart by their ids; one that is erased while another takes its place is another.
//! Unless the order or other objects decide, only rows that were touched in what the condition reads
//! are decided anew; else the query is run again, when something was touched that it reads.

use std::collections::BTreeSet;

use skerry_model::{ClientVersion, Name};
use skerry_query::expression::PathExpr;
use skerry_query::{Argument, Descriptor, PropertyRef, Query};

use super::diff::{Diff, ListChanges, diff, diff_ascending, ranges_of};
use super::dirty::dirty;
use super::watch::{KeyPaths, Watch};
use crate::error::Result;
use crate::objects::ClassTable;
use crate::ranges::{Ranges, common, contains, count, merged};
use crate::realm::{ClassChanges, Snapshot};

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
    Rows(Vec<i64>),
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
        if let Next::Rows(rows) = next {
            state.rows = rows;
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
        let nothing = ClassChanges::default();
        let of_class = changes.class(table.id).unwrap_or(&nothing);
        let is_touched = changes.class_ids().next().is_some();
        let next = if *query == self.query {
            self.next(snapshot, (table, query), of_class, is_touched)?
        } else {
            Next::Rows(snapshot.row_ids(query)?)
        };
        let reborn = common(&of_class.created, &of_class.erased);
        let dirty =
            if is_touched { dirty(snapshot, &changes, watch)?.rows() } else { Ranges::new() };
        let rows = match &next {
            Next::Same => &self.rows,
            Next::Rows(rows) => rows,
        };
        let changes = self.differences(query, rows, &reborn, &dirty);
        Ok((next, changes))
    }

    /// What the query gives, which is the same as before.
    fn next(
        &self,
        snapshot: &Snapshot,
        (table, query): (&ClassTable, &Query),
        changes: &ClassChanges,
        is_touched: bool,
    ) -> Result<Next> {
        if reaches_objects(query) {
            let rows = if is_touched { Next::Rows(snapshot.row_ids(query)?) } else { Next::Same };
            return Ok(rows);
        }
        let undecided = undecided(table, query, changes);
        if undecided.is_empty() {
            return Ok(Next::Same);
        }
        if !query.descriptors.is_empty() || count(&undecided) > DECIDED_MAX {
            return Ok(Next::Rows(snapshot.row_ids(query)?));
        }
        let tables = snapshot.tables();
        let matching = snapshot.read(|connection| {
            tables.matching_row_ids(connection, table, &query.predicate, &undecided)
        })?;
        Ok(Next::Rows(replaced(&self.rows, &undecided, &matching)))
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

fn orders_by(query: &Query) -> Vec<&PathExpr> {
    let mut paths = Vec::new();
    query.descriptors.iter().for_each(|descriptor| match descriptor {
        Descriptor::Sort(keys) => paths.extend(keys.iter().map(|key| &key.path)),
        Descriptor::Distinct(distinct) => paths.extend(distinct),
        Descriptor::Limit(_) => {}
    });
    paths
}

/// Whether the results depend on other objects than each on itself.
fn reaches_objects(query: &Query) -> bool {
    query.predicate.reaches_objects() || orders_by(query).iter().any(|path| path.reaches_objects())
}

/// The rows of which it is not known any more whether, and where, they are among the results.
fn undecided(table: &ClassTable, query: &Query, changes: &ClassChanges) -> Ranges {
    let mut numbers: Option<BTreeSet<u32>> = Some(BTreeSet::new());
    let mut reads = |property: &PropertyRef| {
        let position = table.resolve(property);
        match (position, &mut numbers) {
            (Some(position), Some(numbers)) => {
                numbers.insert(table.columns[position].number);
            }
            (None | Some(_), _) => numbers = None,
        }
    };
    query.predicate.visit_properties(&mut reads);
    for path in orders_by(query) {
        path.visit_properties(&mut reads);
    }
    let properties = changes.properties.iter();
    let properties =
        properties.filter(|(number, _)| numbers.as_ref().is_none_or(|all| all.contains(number)));
    let rows = properties.flat_map(|(_, ranges)| ranges);
    let rows = rows.chain(&changes.created).chain(&changes.erased).chain(&changes.any);
    merged(rows.copied().collect())
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
