//! Links in a collection to objects that differ.
//!
//! Invariant: a link is found when what is watched of its target differs, or when the target is another
//! object of the same key.

use rustc_hash::FxHashMap;
use skerry_model::{Content, Link, Name};

use super::dirty::dirty;
use super::watch::{DEPTH_MAX, KeyPaths, Watch};
use crate::error::Result;
use crate::objects::ClassTable;
use crate::ranges::{Ranges, contains, merged};
use crate::realm::{Changes, Snapshot};

/// Tells which links lead to objects that differ.
pub(super) struct DirtyLinks<'a> {
    snapshot: &'a Snapshot,
    /// `None` when everything may differ.
    changes: Option<&'a Changes>,
    /// What key paths watch, by number of the class; `None` for everything.
    watched: Option<Vec<(i64, Watch)>>,
    /// The rows that differ, by class.
    known: FxHashMap<Name, Ranges>,
}

impl<'a> DirtyLinks<'a> {
    pub(super) fn new(
        snapshot: &'a Snapshot,
        changes: Option<&'a Changes>,
        (table, field): (&ClassTable, &Name),
        key_paths: &KeyPaths,
    ) -> Result<Self> {
        let watched = match (&key_paths.0, table.column(field)) {
            (Some(_), Some(column)) => {
                let watch = Watch::compile(snapshot.tables(), table, key_paths)?;
                Some(watch.beyond(column.number))
            }
            (None, _) | (_, None) => None,
        };
        Ok(Self { snapshot, changes, watched, known: FxHashMap::default() })
    }

    /// Whether a link in an element leads to an object that differs.
    pub(super) fn is_in(&mut self, element: &Content) -> Result<bool> {
        let mut links = Vec::new();
        element.for_each_link(&mut |link| links.push(link));
        for link in links {
            if self.is_dirty(link)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn is_dirty(&mut self, link: &Link) -> Result<bool> {
        let Some(changes) = self.changes else { return Ok(true) };
        if !self.known.contains_key(&link.class) {
            let rows = self.rows(changes, &link.class)?;
            self.known.insert(link.class.clone(), rows);
        }
        let rows = &self.known[&link.class];
        if rows.is_empty() {
            return Ok(false);
        }
        let tables = self.snapshot.tables();
        let row_id = self.snapshot.read(|connection| tables.position(connection, link))?;
        Ok(row_id.is_some_and(|row_id| contains(rows, row_id)))
    }

    /// The objects of a class that differ in what is watched, or are others than before.
    fn rows(&self, changes: &Changes, class: &Name) -> Result<Ranges> {
        let tables = self.snapshot.tables();
        let Some(table) = tables.catalogue().class(class) else { return Ok(Ranges::new()) };
        let mut rows = changes.class(table.id).map_or_else(Ranges::new, |all| all.created.clone());
        match &self.watched {
            None => {
                let watch = Watch::deep(tables, table, DEPTH_MAX);
                rows.extend(dirty(self.snapshot, changes, &watch)?.rows());
            }
            Some(watched) => {
                for (_, watch) in watched.iter().filter(|(class_id, _)| *class_id == table.id) {
                    rows.extend(dirty(self.snapshot, changes, watch)?.rows());
                }
            }
        }
        Ok(merged(rows))
    }
}
