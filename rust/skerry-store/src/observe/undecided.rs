//! Of which rows it is not known any more whether, and where, they are among the results of a query.
//!
//! Invariant: all other rows match, or not, as they did, and each two of them are in the same order. What
//! the condition reads of an object, and where the links of the order begin, are properties that were
//! touched; what lies behind those links is found as observers find it (`dirty`).

use std::collections::BTreeSet;

use skerry_query::expression::{End, Hop, PathExpr};
use skerry_query::{Descriptor, PropertyRef, Query};

use super::dirty::dirty;
use super::watch::{KEY_PATH_PARTS_MAX, KEY_PATHS_MAX, KeyPaths, Watch};
use crate::error::Result;
use crate::objects::ClassTable;
use crate::ranges::{Ranges, merged};
use crate::realm::{Changes, ClassChanges, Snapshot};

/// The undecided rows after changes; `None` when any may be.
pub(super) fn undecided(
    snapshot: &Snapshot,
    (table, query): (&ClassTable, &Query),
    changes: &Changes,
) -> Result<Option<Ranges>> {
    if query.predicate.reaches_objects() {
        return Ok(None);
    }
    let nothing = ClassChanges::default();
    let mut rows = touched(table, query, changes.class(table.id).unwrap_or(&nothing));
    let reaching = orders_by(query).into_iter().filter(|path| path.reaches_objects());
    let Some(paths) = reaching.map(key_path).collect::<Option<Vec<String>>>() else {
        return Ok(None);
    };
    if paths.is_empty() {
        return Ok(Some(merged(rows)));
    }
    if paths.len() > KEY_PATHS_MAX {
        return Ok(None);
    }
    let watch = Watch::compile(snapshot.tables(), table, &KeyPaths(Some(paths)))?;
    rows.extend(dirty(snapshot, changes, &watch)?.rows());
    Ok(Some(merged(rows)))
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

/// What is watched for a path that goes over links; `None` when key paths cannot say it.
fn key_path(path: &PathExpr) -> Option<String> {
    let mut names: Vec<&str> = Vec::new();
    for hop in &path.hops {
        match hop {
            Hop::Link { property, selector: None, .. } => names.push(&property.name),
            Hop::Link { selector: Some(_), .. } | Hop::Backlinks { .. } => return None,
        }
    }
    match &path.end {
        End::Property { property, selectors } if selectors.is_empty() => names.push(&property.name),
        End::Objects => {}
        End::Property { .. } | End::Incoming(_) => return None,
    }
    // A name with a dot in it would be taken for two.
    let is_plain = names.iter().all(|name| !name.contains('.') && *name != "*");
    (is_plain && names.len() <= KEY_PATH_PARTS_MAX && path.operation.is_none())
        .then(|| names.join("."))
}

/// The rows that were touched in what the query reads of them.
fn touched(table: &ClassTable, query: &Query, changes: &ClassChanges) -> Ranges {
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
    rows.copied().collect()
}
