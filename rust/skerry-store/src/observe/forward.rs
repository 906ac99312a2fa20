//! Which properties of one object differ, found forward along its links.
//!
//! For one object that is cheaper than going back from all that was touched (`dirty`), of which a part
//! may be linked to from everywhere. Invariant: it finds what `dirty` finds of the object, or gives up.

use std::collections::{BTreeSet, VecDeque};

use rustc_hash::FxHashSet;
use skerry_model::{Link, ObjectKey};

use super::watch::Watch;
use crate::error::Result;
use crate::objects::ClassTable;
use crate::ranges::contains;
use crate::realm::{Changes, Snapshot};

/// Links that are followed before it gives up.
const LINKS_MAX: usize = 2_000;

/// What differs in an object.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Something, nobody knows what.
    pub(super) is_any: bool,
    /// The properties of these numbers.
    pub(super) numbers: BTreeSet<u32>,
}

/// What differs in the object in a row; `None` when there are too many links.
pub(super) fn found(
    snapshot: &Snapshot,
    changes: &Changes,
    watch: &Watch,
    (table, key, row_id): (&ClassTable, &ObjectKey, i64),
) -> Result<Option<Found>> {
    let mut found = Found::default();
    let place = match watch {
        Watch::Deep { depth, .. } => *depth as usize,
        Watch::Paths { root, .. } => *root,
    };
    let mut forward = Forward { snapshot, changes, watch, left: LINKS_MAX };
    if let Some(changes) = changes.class(table.id) {
        found.is_any = contains(&changes.any, row_id);
        let touched = changes.properties.iter();
        let touched =
            touched.filter(|one| forward.watches(place, *one.0) && contains(one.1, row_id));
        found.numbers = touched.map(|one| *one.0).collect();
    }
    for (position, next) in forward.onward(table, place) {
        let number = table.columns[position].number;
        if found.numbers.contains(&number) {
            continue;
        }
        let links = forward.links(table, position, key)?;
        let Some(links) = links else { return Ok(None) };
        match forward.reaches(links, next)? {
            None => return Ok(None),
            Some(true) => {
                found.numbers.insert(number);
            }
            Some(false) => {}
        }
    }
    Ok(Some(found))
}

/// Places are links that are left to go when everything is watched, and else nodes.
struct Forward<'a> {
    snapshot: &'a Snapshot,
    changes: &'a Changes,
    watch: &'a Watch,
    left: usize,
}

impl Forward<'_> {
    fn watches(&self, place: usize, number: u32) -> bool {
        match self.watch {
            Watch::Deep { .. } => true,
            Watch::Paths { nodes, .. } => nodes[place].numbers.contains(&number),
        }
    }

    /// The columns over whose links it goes on, by position, and to which place.
    fn onward(&self, table: &ClassTable, place: usize) -> Vec<(usize, usize)> {
        let columns = table.columns.iter().enumerate();
        match self.watch {
            Watch::Deep { .. } if place == 0 => Vec::new(),
            Watch::Deep { .. } => {
                let holding =
                    columns.filter(|(_, column)| column.is_content || column.target_id.is_some());
                holding.map(|(position, _)| (position, place - 1)).collect()
            }
            Watch::Paths { nodes, .. } => {
                let links = &nodes[place].links;
                let onward = columns.flat_map(|(position, column)| {
                    let links = links.iter().filter(|link| link.0 == column.number);
                    links.map(move |link| (position, link.1))
                });
                onward.collect()
            }
        }
    }

    /// The links in a property; `None` when there are too many by now.
    fn links(
        &mut self,
        table: &ClassTable,
        position: usize,
        key: &ObjectKey,
    ) -> Result<Option<Vec<Link>>> {
        let tables = self.snapshot.tables();
        let read = |connection: &_| tables.read_content(connection, table, position, key);
        let mut links = Vec::new();
        if let Some((content, _row_id)) = self.snapshot.read(read)? {
            content.for_each_link(&mut |link| links.push(link.clone()));
        }
        let Some(left) = self.left.checked_sub(links.len()) else { return Ok(None) };
        self.left = left;
        Ok(Some(links))
    }

    /// Whether something that was touched is reached; `None` when there are too many links.
    fn reaches(&mut self, links: Vec<Link>, place: usize) -> Result<Option<bool>> {
        let snapshot = self.snapshot;
        let tables = snapshot.tables();
        let mut seen = FxHashSet::default();
        let mut next: VecDeque<(Link, usize)> =
            links.into_iter().map(|link| (link, place)).collect();
        while let Some((link, place)) = next.pop_front() {
            let Some(table) = tables.catalogue().class(&link.class) else { continue };
            if matches!(self.watch, Watch::Paths { nodes, .. } if nodes[place].class_id != table.id)
            {
                continue;
            }
            let row_id = snapshot.read(|connection| tables.position(connection, &link))?;
            let Some(row_id) = row_id else { continue };
            // Where everything is watched, the first to come has the most links left to go.
            let node = if matches!(self.watch, Watch::Deep { .. }) { 0 } else { place };
            if !seen.insert((table.id, row_id, node)) {
                continue;
            }
            if self.is_touched(table.id, row_id, place) {
                return Ok(Some(true));
            }
            for (position, onward) in self.onward(table, place) {
                let Some(links) = self.links(table, position, &link.key)? else { return Ok(None) };
                next.extend(links.into_iter().map(|link| (link, onward)));
            }
        }
        Ok(Some(false))
    }

    fn is_touched(&self, class_id: i64, row_id: i64, place: usize) -> bool {
        let Some(changes) = self.changes.class(class_id) else { return false };
        let mut properties = changes.properties.iter();
        contains(&changes.any, row_id)
            || properties
                .any(|(number, rows)| self.watches(place, *number) && contains(rows, row_id))
    }
}
