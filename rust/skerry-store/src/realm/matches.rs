//! The objects of a query, refined step by step and looked for when they are asked for.
//!
//! Invariant: refinements apply in the order in which they were made, so what is asked of results is asked
//! of what they show: a condition behind LIMIT or DISTINCT is one on the objects that those have left. As
//! long as steps can be said as one query they are one; else the later ones look at the rows of the earlier.
//! What was found stays. All calls on one value, and on what was made from it, take the same snapshot.

use std::sync::{Arc, OnceLock};

use skerry_model::{Content, Name, ObjectKey};
use skerry_query::limits::DESCRIPTORS_MAX;
use skerry_query::{Argument, Descriptor, Predicate, Query, QueryError};

use super::Snapshot;
use crate::error::{Result, StoreError};
use crate::rows::Rows;

/// Results made of results from which on the earlier ones are looked for at once, so that no chain of
/// them grows deep.
const STAGES_MAX: usize = 32;

/// See the module.
#[derive(Debug)]
pub struct Matches {
    class: Name,
    origin: Origin,
    rows: OnceLock<Rows>,
    count: OnceLock<u64>,
    description: Description,
    /// How many of them look at the rows of others.
    stages: usize,
}

#[derive(Debug)]
enum Origin {
    /// All objects of the class.
    Class(Query),
    /// The objects of others.
    Within(Arc<Matches>, Query),
    /// Rows that are known.
    Known,
}

/// What it takes to say what was asked.
#[derive(Clone, Debug)]
struct Description {
    /// Of the results whose rows these look at.
    base: Option<Arc<str>>,
    /// Texts with their arguments, one added to the other.
    steps: Vec<(Box<str>, Arc<[Argument]>)>,
}

impl Matches {
    /// The objects that a query gives on a snapshot. The query is checked now and run when it has to be.
    pub fn new(
        snapshot: &Snapshot,
        class: &Name,
        text: &str,
        arguments: Vec<Argument>,
    ) -> Result<Self> {
        let query = snapshot.compile(class, text, &arguments)?;
        let steps = vec![(text.into(), arguments.into())];
        let description = Description { base: None, steps };
        Ok(Self::with(class, Origin::Class(query), description, 1))
    }

    fn with(class: &Name, origin: Origin, description: Description, stages: usize) -> Self {
        let (rows, count) = (OnceLock::new(), OnceLock::new());
        Self { class: class.clone(), origin, rows, count, description, stages }
    }

    fn known(class: &Name, rows: Rows, description: Description) -> Self {
        let known = Self::with(class, Origin::Known, description, 1);
        known.rows.set(rows).expect("it has just been made");
        known
    }

    /// What the object of a key holds, as [`Snapshot::get`]; `None` when it is not among these.
    pub fn get(&self, snapshot: &Snapshot, key: &ObjectKey) -> Result<Option<Vec<Content>>> {
        if let Origin::Class(Query { predicate: Predicate::True, descriptors, .. }) = &self.origin
            && descriptors.is_empty()
        {
            return snapshot.get(&self.class, key);
        }
        let Some(row) = self.row_of(snapshot, key)? else { return Ok(None) };
        Ok(snapshot.read_rows(&self.class, &[row])?.pop())
    }

    /// Those of these objects that match another query too, as it arranges them.
    pub fn refined(
        self: &Arc<Self>,
        snapshot: &Snapshot,
        text: &str,
        arguments: Vec<Argument>,
    ) -> Result<Self> {
        let added = snapshot.compile(&self.class, text, &arguments)?;
        let step = (text.into(), arguments.into());
        let joined = match &self.origin {
            Origin::Class(query) | Origin::Within(_, query) => joined(query, &added)?,
            Origin::Known => None,
        };
        let Some(query) = joined else {
            let base = Some(self.describe(snapshot)?.into());
            let description = Description { base, steps: vec![step] };
            let (base, stages) = if self.stages < STAGES_MAX {
                (Arc::clone(self), self.stages + 1)
            } else {
                let rows = self.rows(snapshot)?.clone();
                (Arc::new(Self::known(&self.class, rows, self.description.clone())), 2)
            };
            return Ok(Self::with(&self.class, Origin::Within(base, added), description, stages));
        };
        let mut description = self.description.clone();
        description.steps.push(step);
        let origin = match &self.origin {
            Origin::Within(base, _) => Origin::Within(Arc::clone(base), query),
            Origin::Class(_) | Origin::Known => Origin::Class(query),
        };
        Ok(Self::with(&self.class, origin, description, self.stages))
    }

    /// `len` of these objects at most, that at `start` and then those `step` places on. Looks for them.
    pub fn sliced(
        &self,
        snapshot: &Snapshot,
        (start, step, len): (usize, isize, usize),
    ) -> Result<Self> {
        let rows = self.rows(snapshot)?.slice(start, step, len);
        let base = format!("{} [{start}, {step}, {len}]", self.describe(snapshot)?);
        let description = Description { base: Some(base.into()), steps: Vec::new() };
        Ok(Self::known(&self.class, rows, description))
    }

    /// The class.
    pub fn class(&self) -> &Name {
        &self.class
    }

    /// Whether the rows have been looked for.
    pub fn is_found(&self) -> bool {
        self.rows.get().is_some()
    }

    /// The rows, looked for at the first call.
    pub fn rows(&self, snapshot: &Snapshot) -> Result<&Rows> {
        if let Some(rows) = self.rows.get() {
            return Ok(rows);
        }
        let rows = match &self.origin {
            Origin::Class(query) => snapshot.find(query)?,
            Origin::Within(base, query) => snapshot.find_within(query, base.rows(snapshot)?)?,
            Origin::Known => {
                return Err(StoreError::Misuse("known rows are set when they are made"));
            }
        };
        Ok(self.rows.get_or_init(|| rows))
    }

    /// How many objects there are, without looking for their rows where counting does.
    pub fn count(&self, snapshot: &Snapshot) -> Result<u64> {
        if let Some(rows) = self.rows.get() {
            return u64::try_from(rows.len()).map_err(StoreError::corrupted);
        }
        if let Some(&count) = self.count.get() {
            return Ok(count);
        }
        let count = match &self.origin {
            Origin::Class(query) => snapshot.count_found(query)?,
            Origin::Within(..) | Origin::Known => {
                u64::try_from(self.rows(snapshot)?.len()).map_err(StoreError::corrupted)?
            }
        };
        Ok(*self.count.get_or_init(|| count))
    }

    /// The first row, without looking for the others where that is possible.
    pub fn first(&self, snapshot: &Snapshot) -> Result<Option<i64>> {
        match &self.origin {
            Origin::Class(query) if !self.is_found() => {
                let mut query = query.clone();
                query.descriptors.push(Descriptor::Limit(1));
                Ok(snapshot.find(&query)?.get(0))
            }
            Origin::Class(_) | Origin::Within(..) | Origin::Known => {
                Ok(self.rows(snapshot)?.get(0))
            }
        }
    }

    /// The row of an object, if it is one of these. A condition on single objects is asked of that object
    /// alone.
    pub fn row_of(&self, snapshot: &Snapshot, key: &ObjectKey) -> Result<Option<i64>> {
        let Some(row) = snapshot.row_of(&self.class, key)? else { return Ok(None) };
        let is_there = match &self.origin {
            Origin::Class(query) if !self.is_found() && sorts_only(query) => {
                let predicate = query.predicate.clone();
                let query = Query { class: self.class.clone(), predicate, descriptors: Vec::new() };
                !snapshot.find_within(&query, &Rows::run(row, 1))?.is_empty()
            }
            Origin::Class(_) | Origin::Within(..) | Origin::Known => {
                self.rows(snapshot)?.position(row).is_some()
            }
        };
        Ok(is_there.then_some(row))
    }

    /// Where an object stands among these.
    pub fn position_of(&self, snapshot: &Snapshot, key: &ObjectKey) -> Result<Option<usize>> {
        let Some(row) = snapshot.row_of(&self.class, key)? else { return Ok(None) };
        Ok(self.rows(snapshot)?.position(row))
    }

    /// What was asked, as one canonical query if it can be said as one. Else earlier results stand before a
    /// `|`, and slices as `[start, step, length]` behind what they are slices of.
    pub fn describe(&self, snapshot: &Snapshot) -> Result<String> {
        let Description { base, steps } = &self.description;
        let mut whole: Option<Query> = None;
        for (text, arguments) in steps {
            let query = snapshot.compile_portable(&self.class, text, arguments)?;
            whole = match whole {
                None => Some(query),
                Some(before) => joined(&before, &query)?,
            };
        }
        Ok(match (base, whole) {
            (None, Some(query)) => query.to_string(),
            (Some(base), Some(query)) => format!("{base} | {query}"),
            (Some(base), None) => base.to_string(),
            (None, None) => Predicate::True.to_string(),
        })
    }

    /// Whether [`Matches::describe`] is a query.
    pub fn is_one_query(&self) -> bool {
        matches!(self.origin, Origin::Class(_))
    }

    /// How the rows would be looked for now, for people to read.
    pub fn explain(&self, snapshot: &Snapshot) -> Result<String> {
        Ok(match &self.origin {
            Origin::Class(query) => snapshot.plan(query)?.to_string(),
            Origin::Within(base, query) => {
                format!("{}then on the rows found: {query}\n", base.explain(snapshot)?)
            }
            Origin::Known => format!("class {}\nrows that are known\n", self.class),
        })
    }
}

/// Both queries as one, if there is one: a condition comes before SORT, DISTINCT and LIMIT, and sorting is
/// all the same to it.
fn joined(before: &Query, added: &Query) -> Result<Option<Query>> {
    if added.predicate != Predicate::True && !sorts_only(before) {
        return Ok(None);
    }
    let predicate = Predicate::and([before.predicate.clone(), added.predicate.clone()]);
    let descriptors = before.descriptors.iter().chain(&added.descriptors).cloned();
    let descriptors: Vec<Descriptor> = descriptors.collect();
    if descriptors.len() > DESCRIPTORS_MAX {
        let error = QueryError::ListTooLong { max_elements: DESCRIPTORS_MAX, position: 0 };
        return Err(error.into());
    }
    Ok(Some(Query { class: before.class.clone(), predicate, descriptors }))
}

fn sorts_only(query: &Query) -> bool {
    query.descriptors.iter().all(|descriptor| matches!(descriptor, Descriptor::Sort(_)))
}
