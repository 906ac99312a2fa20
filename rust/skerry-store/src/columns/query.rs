//! Queries on one snapshot that columns answer, in whole or in part.
//!
//! Invariant: what it gives is what `sql` would give; `None` sends the caller there. Columns decide the
//! parts of a conjunction that are about single cached properties; what is left of the condition is
//! decided by the evaluator on the objects that remain, which are read from the file by their rows.

use std::sync::Arc;

use rusqlite::Connection;
use skerry_model::{ClientVersion, Content, IndexKind, ObjectId, ObjectKey, PropertyType, Value};
use skerry_query::evaluated::Evaluated;
use skerry_query::expression::PathExpr;
use skerry_query::{CompareOp, Descriptor, Operand, Predicate, PropertyRef, Query};

use super::arrange::arrange;
use super::chunk::Data;
use super::class::{CachedClass, Origin};
use super::plan::{Access, Plan, PlannedColumn};
use super::read::{Source, key_of};
use super::rows::position_of;
use super::select::{Node, Selection, any_source, is_decidable, ordered_source};
use super::{CHUNK_ROWS, CHUNK_ROWS_U32, ColumnCache, INDEXED_WAIT, Pins, Reason, Wanted};
use crate::error::{Result, StoreError};
use crate::objects::{ClassTable, Column, ObjectTables};
use crate::rows::Rows;
use crate::sql::Explained;

/// Values of an IN up to which an index of the file is asked for each.
const SEEKS_MAX: usize = 64;

/// Columns for the queries of one snapshot.
#[derive(Debug)]
pub(crate) struct Reader<'s> {
    pub(crate) cache: &'s ColumnCache,
    pub(crate) pins: &'s Pins,
    pub(crate) tables: &'s ObjectTables,
    pub(crate) connection: &'s Connection,
    pub(crate) version: ClientVersion,
}

/// What is to be had of the objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Count,
    Objects,
    Keys,
}

/// A query, taken apart.
#[derive(Debug)]
struct Parts<'q> {
    table: &'q ClassTable,
    node: Node<'q>,
    /// What columns decide.
    decided: Vec<&'q Predicate>,
    /// What the evaluator has to decide.
    evaluated: Vec<&'q Predicate>,
    /// Whether columns can also sort.
    arranges: bool,
    sources: Vec<Source<'q>>,
    /// Numbers of the properties with an index.
    indexed: Vec<u32>,
    patience: u32,
}

impl Reader<'_> {
    /// How many objects a query gives.
    pub(crate) fn count(&self, query: &Query) -> Result<Option<u64>> {
        let Ok(parts) = self.take_apart(query, Purpose::Count)? else { return Ok(None) };
        let Ok(class) = self.acquire(&parts)? else { return Ok(None) };
        let selection = self.selection(&parts, &class);
        if !parts.is_whole() {
            let rows = self.survivors(query, &parts, &selection)?;
            return Ok(rows.map(|rows| rows.len() as u64));
        }
        let count = if query.descriptors.is_empty() {
            if matches!(parts.node, Node::All) { class.len() } else { selection.count() }
        } else {
            arranged(query, &parts, &selection).len()
        };
        Ok(Some(count as u64))
    }

    /// The objects that a query gives, as [`ObjectTables::query`].
    pub(crate) fn query(&self, query: &Query) -> Result<Option<Vec<Vec<Content>>>> {
        let Ok(parts) = self.take_apart(query, Purpose::Objects)? else { return Ok(None) };
        let Ok(class) = self.acquire(&parts)? else { return Ok(None) };
        let selection = self.selection(&parts, &class);
        if !parts.is_whole() {
            return self.survivors(query, &parts, &selection);
        }
        let positions = arranged(query, &parts, &selection);
        let is_in_order = query.descriptors.is_empty();
        if is_in_order && is_most(positions.len(), &class) {
            return Ok(None);
        }
        let ids = positions.iter().map(|&position| row_id(&class, position));
        self.tables.fetch(self.connection, parts.table, ids).map(Some)
    }

    /// The rows that a query gives, in its order.
    pub(crate) fn find(&self, query: &Query) -> Result<Option<Rows>> {
        let Ok(parts) = self.take_apart(query, Purpose::Objects)? else { return Ok(None) };
        let Ok(class) = self.acquire(&parts)? else { return Ok(None) };
        let selection = self.selection(&parts, &class);
        let ids = |positions: Vec<u32>| {
            positions.into_iter().map(|position| row_id(&class, position)).collect::<Vec<_>>()
        };
        if parts.is_whole() {
            return Ok(Some(Rows::each(ids(arranged(query, &parts, &selection)))));
        }
        let positions = selection.positions(usize::MAX);
        if is_most(positions.len(), &class) {
            return Ok(None);
        }
        let (place, rows) = ((parts.table, query), ids(positions).into_iter());
        self.tables.find_among(self.connection, place, rows, &parts.evaluated).map(Some)
    }

    /// Hands the values of one property in these rows to `visit`, in order; `false`, and no value, when
    /// the property cannot be had from a column.
    pub(crate) fn values(
        &self,
        table: &ClassTable,
        column: &Column,
        rows: &Rows,
        visit: &mut dyn FnMut(&Value),
    ) -> Result<bool> {
        let source = Source::of(column).filter(Source::is_single);
        let (true, Some(source)) = (self.cache.is_on(), source) else { return Ok(false) };
        let sources = [source];
        let wanted = self.wanting(table, &sources, 0);
        let Ok(class) = self.cache.acquire(&wanted, self.pins)? else { return Ok(false) };
        let chunks = &class.columns[&column.number].chunks;
        for id in rows.iter() {
            let position = position_of(&class.rows, id);
            let position = position.ok_or_else(|| StoreError::corrupted("a row is gone"))?;
            visit(&chunks[position / CHUNK_ROWS].value(position % CHUNK_ROWS));
        }
        Ok(true)
    }

    /// The keys of the objects that a query gives, in its order.
    pub(crate) fn keys(&self, query: &Query) -> Result<Option<Vec<ObjectKey>>> {
        let Ok(parts) = self.take_apart(query, Purpose::Keys)? else { return Ok(None) };
        if !parts.is_whole() {
            return Ok(None);
        }
        let Ok(class) = self.acquire(&parts)? else { return Ok(None) };
        let positions = arranged(query, &parts, &self.selection(&parts, &class));
        let column = &class.columns[&parts.table.key_column().number];
        let mut keys = Vec::with_capacity(positions.len());
        for run in positions.chunk_by(|a, b| a / CHUNK_ROWS_U32 == b / CHUNK_ROWS_U32) {
            let chunk = &column.chunks[run[0] as usize / CHUNK_ROWS];
            let places = run.iter().map(|&position| position as usize % CHUNK_ROWS);
            match &chunk.data {
                Data::ObjectIds(ids) if chunk.nulls.is_none() => {
                    keys.extend(places.map(|at| ObjectKey::ObjectId(ObjectId(ids[at]))));
                }
                _ => {
                    for at in places {
                        keys.push(key_of(chunk.get(at)).ok_or_else(|| {
                            StoreError::corrupted("a primary key of no key type")
                        })?);
                    }
                }
            }
        }
        Ok(Some(keys))
    }

    /// How [`Reader::query`], or the tables in its stead, would run a query.
    pub(crate) fn plan(&self, query: &Query) -> Result<Plan> {
        let descriptors = query.descriptors.iter().map(ToString::to_string).collect();
        let class = query.class.to_string();
        let reason = match self.take_apart(query, Purpose::Objects)? {
            Err(reason) => reason,
            Ok(parts) => match self.planned(&parts)? {
                Err(reason) => reason,
                Ok(access) => {
                    let evaluated = parts.evaluated.iter().map(ToString::to_string).collect();
                    return Ok(Plan { class, access, evaluated, descriptors });
                }
            },
        };
        let Explained { condition, steps, evaluated } =
            self.tables.explain(self.connection, query)?;
        let access = Access::Sql { condition, steps, reason };
        Ok(Plan { class, access, evaluated, descriptors })
    }

    fn planned(&self, parts: &Parts<'_>) -> Result<std::result::Result<Access, Reason>> {
        let held = self.cache.held(&self.wanted(parts), self.pins)?;
        let held = match held {
            Ok(held) => held,
            Err(reason) => return Ok(Err(reason)),
        };
        let columns = parts.sources.iter().map(|source| PlannedColumn {
            property: source.column.property.name.to_string(),
            bytes: held
                .as_ref()
                .and_then(|class| Some(class.columns.get(&source.column.number)?.reserved_bytes())),
        });
        let is_indexed = match &parts.node {
            Node::Leaf(leaf) => parts.indexed.contains(&leaf.number) && leaf.only_match().is_some(),
            Node::All | Node::And(_) | Node::Or(_) | Node::Not(_) | Node::Rows(_) => false,
        };
        let condition = parts.decided.iter().map(ToString::to_string).collect::<Vec<_>>();
        let condition =
            if condition.is_empty() { "all".to_owned() } else { condition.join(" and ") };
        Ok(Ok(Access::Columns { columns: columns.collect(), condition, is_indexed }))
    }

    fn take_apart<'q>(
        &'q self,
        query: &'q Query,
        purpose: Purpose,
    ) -> Result<std::result::Result<Parts<'q>, Reason>> {
        if !self.cache.is_on() {
            return Ok(Err("the cache is off"));
        }
        let table = self.tables.class("query", &query.class)?;
        let conjuncts = conjuncts(&query.predicate);
        let (decided, evaluated): (Vec<&Predicate>, Vec<&Predicate>) =
            conjuncts.iter().partition(|part| is_decidable(table, part));
        if conjuncts.iter().any(|part| Self::seeks_key(table, part)) {
            return Ok(Err("an index of the file finds the objects"));
        }
        if decided.is_empty() && !evaluated.is_empty() {
            return Ok(Err("the condition is about more than single cached properties"));
        }
        let mut wanted: Vec<&PropertyRef> = Vec::new();
        for part in &decided {
            part.visit_properties(&mut |property| wanted.push(property));
        }
        let mut ordering: Vec<&PathExpr> = Vec::new();
        query.descriptors.iter().for_each(|descriptor| match descriptor {
            Descriptor::Sort(keys) => ordering.extend(keys.iter().map(|key| &key.path)),
            Descriptor::Distinct(paths) => ordering.extend(paths),
            Descriptor::Limit(_) => {}
        });
        let arranges = evaluated.is_empty()
            && ordering.iter().all(|path| ordered_source(table, path).is_some());
        let is_needless = !arranges || (purpose == Purpose::Objects && ordering.is_empty());
        if wanted.is_empty() && is_needless {
            return Ok(Err("everything is read"));
        }
        let mut sources: Vec<Source<'_>> =
            wanted.iter().filter_map(|property| any_source(table, property)).collect();
        if arranges {
            sources.extend(ordering.iter().filter_map(|path| ordered_source(table, path)));
        }
        if purpose == Purpose::Keys {
            sources.extend(Source::of(table.key_column()));
        }
        sources.sort_by_key(|source| source.column.number);
        sources.dedup_by_key(|source| source.column.number);
        let indexed = Self::indexed(table);
        let seeks = decided.iter().any(|part| seeks(table, part, &indexed));
        let patience = if seeks { INDEXED_WAIT } else { 0 };
        let node = Node::and(table, decided.iter().copied());
        Ok(Ok(Parts { table, node, decided, evaluated, arranges, sources, indexed, patience }))
    }

    /// Numbers of the properties with a general index.
    fn indexed(table: &ClassTable) -> Vec<u32> {
        let indexed = table.columns.iter().filter(|c| c.index == Some(IndexKind::General));
        indexed.map(|column| column.number).collect()
    }

    /// Whether the file finds the few objects of a condition by their key, a link or words.
    fn seeks_key(table: &ClassTable, part: &Predicate) -> bool {
        let is_found = |column: &&Column| {
            column.is_primary_key
                || (column.property.ty == PropertyType::Link && !column.is_content)
        };
        let numbers: Vec<u32> =
            table.columns.iter().filter(is_found).map(|column| column.number).collect();
        let searches_text = matches!(part, Predicate::Evaluated(evaluated)
            if matches!(&**evaluated, Evaluated::Text(_)));
        searches_text || seeks(table, part, &numbers)
    }

    fn wanted<'p>(&'p self, parts: &'p Parts<'_>) -> Wanted<'p> {
        self.wanting(parts.table, &parts.sources, parts.patience)
    }

    pub(super) fn wanting<'p>(
        &'p self,
        table: &'p ClassTable,
        sources: &'p [Source<'p>],
        patience: u32,
    ) -> Wanted<'p> {
        let schema_version = self.tables.catalogue().schema_version();
        let origin = Origin { class_id: table.id, schema_version, version: self.version };
        let (connection, tables) = (self.connection, self.tables);
        Wanted { connection, tables, table, origin, sources, patience }
    }

    fn acquire(&self, parts: &Parts<'_>) -> Result<std::result::Result<Arc<CachedClass>, Reason>> {
        self.cache.acquire(&self.wanted(parts), self.pins)
    }

    fn selection<'p>(&'p self, parts: &'p Parts<'_>, class: &'p CachedClass) -> Selection<'p> {
        let budget = &self.cache.budget;
        Selection { class, table: parts.table, node: &parts.node, indexed: &parts.indexed, budget }
    }

    /// Reads the objects that columns have left, lets the evaluator decide them, and arranges them;
    /// `None` when columns have left so many that reading all is no dearer.
    fn survivors(
        &self,
        query: &Query,
        parts: &Parts<'_>,
        selection: &Selection<'_>,
    ) -> Result<Option<Vec<Vec<Content>>>> {
        let positions = selection.positions(usize::MAX);
        if is_most(positions.len(), selection.class) {
            return Ok(None);
        }
        let ids = positions.iter().map(|&position| row_id(selection.class, position));
        self.tables
            .fetch_arranged(self.connection, (parts.table, query), ids, &parts.evaluated)
            .map(Some)
    }
}

impl Parts<'_> {
    /// Whether columns do it all.
    fn is_whole(&self) -> bool {
        self.evaluated.is_empty() && self.arranges
    }
}

fn conjuncts(predicate: &Predicate) -> Vec<&Predicate> {
    match predicate {
        Predicate::And(parts) => parts.iter().collect(),
        Predicate::True => Vec::new(),
        Predicate::False
        | Predicate::Or(_)
        | Predicate::Not(_)
        | Predicate::Compare { .. }
        | Predicate::In { .. }
        | Predicate::Evaluated(_) => vec![predicate],
    }
}

/// Whether a condition gives few values of one of these properties.
fn seeks(table: &ClassTable, part: &Predicate, numbers: &[u32]) -> bool {
    let is_one = |property: &PropertyRef| {
        table.resolve(property).is_some_and(|at| numbers.contains(&table.columns[at].number))
    };
    match part {
        Predicate::Compare {
            left: Operand::Property(property),
            op: CompareOp::Equal,
            right: Operand::Constant(constant),
            case_insensitive: false,
        } => is_one(property) && !matches!(constant, Value::Null),
        Predicate::In { property, values } => {
            is_one(property) && values.len() <= SEEKS_MAX && !values.contains(&Value::Null)
        }
        _ => false,
    }
}

/// The positions that a query gives, of which columns do everything.
fn arranged(query: &Query, parts: &Parts<'_>, selection: &Selection<'_>) -> Vec<u32> {
    let limit = match query.descriptors.first() {
        Some(Descriptor::Limit(limit)) => usize::try_from(*limit).unwrap_or(usize::MAX),
        Some(Descriptor::Sort(_) | Descriptor::Distinct(_)) | None => usize::MAX,
    };
    let positions = selection.positions(limit);
    arrange(selection.class, parts.table, &query.descriptors, positions)
}

fn row_id(class: &CachedClass, position: u32) -> i64 {
    let position = position as usize;
    class.rows[position / CHUNK_ROWS].id(position % CHUNK_ROWS)
}

/// Whether so many rows are better read in one scan than one by one.
fn is_most(count: usize, class: &CachedClass) -> bool {
    count > class.len() / 4
}
