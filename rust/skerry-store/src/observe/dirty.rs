//! Which objects differ in what is watched of them.
//!
//! It goes from what was touched back over links, through their indexes, so that the cost follows what
//! has changed and not what is observed. Invariant: found are all rows, other than new ones, from which
//! something touched can be reached over links that were not touched themselves; over one that was,
//! its holder is found anyway. Links are those of the snapshot.

use std::collections::BTreeMap;

use rustc_hash::{FxHashMap, FxHashSet};

use super::watch::{Node, Watch};
use crate::error::Result;
use crate::objects::{ClassTable, holders_of_rows};
use crate::ranges::{Ranges, contains, merged};
use crate::realm::{Changes, ClassChanges, Snapshot};

/// Rows of one class that differ.
#[derive(Clone, Debug, Default)]
pub(super) struct Dirty {
    /// In nobody knows what.
    pub(super) any: Ranges,
    /// By number of the property that differs, or over which something that does is reached.
    pub(super) properties: BTreeMap<u32, Ranges>,
}

impl Dirty {
    /// All of them.
    pub(super) fn rows(self) -> Ranges {
        merged(self.properties.into_values().flatten().chain(self.any).collect())
    }

    fn merge(&mut self) {
        self.any = merged(std::mem::take(&mut self.any));
        for ranges in self.properties.values_mut() {
            *ranges = merged(std::mem::take(ranges));
        }
    }

    fn add(&mut self, number: u32, row_id: i64) {
        self.properties.entry(number).or_default().push((row_id, row_id));
    }
}

/// The rows that differ in what is watched.
pub(super) fn dirty(snapshot: &Snapshot, changes: &Changes, watch: &Watch) -> Result<Dirty> {
    let mut dirty = match watch {
        Watch::Deep { class_id, depth, reach } => {
            deep(snapshot, changes, *class_id, *depth, reach)?
        }
        Watch::Paths { nodes, root } => {
            let mut known = FxHashMap::default();
            Paths { snapshot, changes, nodes }.dirty(*root, &mut known)?
        }
    };
    dirty.merge();
    Ok(dirty)
}

/// The rows in which something was touched that they held before.
fn touched(changes: &ClassChanges) -> Ranges {
    let properties = changes.properties.values().flatten();
    merged(properties.chain(&changes.any).copied().collect())
}

fn deep(
    snapshot: &Snapshot,
    changes: &Changes,
    class_id: i64,
    depth: u32,
    reach: &BTreeMap<i64, u32>,
) -> Result<Dirty> {
    let mut dirty = Dirty::default();
    if let Some(changes) = changes.class(class_id) {
        dirty.any.clone_from(&changes.any);
        dirty.properties.clone_from(&changes.properties);
    }
    let touched: BTreeMap<i64, Ranges> = reach
        .keys()
        .filter_map(|&id| Some((id, touched(changes.class(id)?))))
        .filter(|(_, ranges)| !ranges.is_empty())
        .collect();
    let mut seen: FxHashSet<(i64, i64)> = FxHashSet::default();
    let mut here = touched.clone();
    for step in 1..=depth {
        let mut next: BTreeMap<i64, Ranges> = BTreeMap::new();
        let wanted = |id: i64, _number| reach.get(&id).is_some_and(|hops| hops + step <= depth);
        for (id, ranges) in &here {
            let Some(table) = class_of(snapshot, *id) else { continue };
            let mut visit = |id, number, row_id| {
                if id == class_id {
                    dirty.add(number, row_id);
                }
                let was_touched = touched.get(&id).is_some_and(|rows| contains(rows, row_id));
                if !was_touched && seen.insert((id, row_id)) {
                    next.entry(id).or_default().push((row_id, row_id));
                }
            };
            let tables = snapshot.tables();
            snapshot.read(|connection| {
                holders_of_rows(tables, connection, table, ranges, &wanted, &mut visit)
            })?;
        }
        here = next.into_iter().map(|(id, ranges)| (id, merged(ranges))).collect();
    }
    Ok(dirty)
}

fn class_of(snapshot: &Snapshot, class_id: i64) -> Option<&ClassTable> {
    snapshot.tables().catalogue().classes().find(|table| table.id == class_id)
}

struct Paths<'a> {
    snapshot: &'a Snapshot,
    changes: &'a Changes,
    nodes: &'a [Node],
}

impl Paths<'_> {
    fn dirty(&self, at: usize, known: &mut FxHashMap<usize, Ranges>) -> Result<Dirty> {
        let node = &self.nodes[at];
        let mut dirty = Dirty::default();
        if let Some(changes) = self.changes.class(node.class_id) {
            // Even when nothing is watched: it says that everything may differ.
            dirty.any.clone_from(&changes.any);
            let watched = changes.properties.iter().filter(|one| node.numbers.contains(one.0));
            dirty.properties = watched.map(|(number, rows)| (*number, rows.clone())).collect();
        }
        for &(number, target) in &node.links {
            if !known.contains_key(&target) {
                let rows = self.dirty(target, known)?.rows();
                known.insert(target, rows);
            }
            let rows = &known[&target];
            let Some(table) = class_of(self.snapshot, self.nodes[target].class_id) else {
                continue;
            };
            if rows.is_empty() {
                continue;
            }
            let wanted = |id, property| id == node.class_id && property == number;
            let mut visit = |_id, number, row_id| dirty.add(number, row_id);
            let tables = self.snapshot.tables();
            self.snapshot.read(|connection| {
                holders_of_rows(tables, connection, table, rows, &wanted, &mut visit)
            })?;
        }
        Ok(dirty)
    }
}
