//! The objects that a query gives, of a file that is only looked into.

use skerry_model::{Content, Name};
use skerry_query::{Descriptor, Query};

use super::access::Opened;
use crate::error::Result;

/// The first objects of a result.
#[derive(Clone, Debug)]
pub struct Rows {
    /// The names of the properties.
    pub properties: Vec<Name>,
    /// What the objects hold, in that order; links to absent objects are null, as an application sees
    /// them.
    pub rows: Vec<Vec<Content>>,
    /// How many objects the query gives.
    pub total: u64,
}

pub(super) fn query(opened: &Opened<'_>, class: &Name, text: &str, limit: u64) -> Result<Rows> {
    let Opened { connection, tables, .. } = opened;
    let mut query = tables.compile(connection, class, text, &[])?;
    let total = tables.count_matching(connection, &unsorted(&query))?;
    query.descriptors.push(Descriptor::Limit(limit));
    let rows = tables.query(connection, &query)?;
    let properties = tables.class("query", class)?.schema.properties.iter();
    Ok(Rows { properties: properties.map(|property| property.name.clone()).collect(), rows, total })
}

/// A query that gives as many objects and, if that is so without regard to their order, in none: it is
/// counted without being read.
fn unsorted(query: &Query) -> Query {
    let mut query = query.clone();
    let is_sorted_only = query.descriptors.iter().all(|step| match step {
        Descriptor::Sort(_) => true,
        Descriptor::Distinct(_) | Descriptor::Limit(_) => false,
    });
    if is_sorted_only {
        query.descriptors.clear();
    }
    query
}
