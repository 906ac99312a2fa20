//! Which rows of a cached class match a condition.
//!
//! Invariant: every node narrows a selection to the rows that match, so the parts of a conjunction look
//! only at what the others have left, and a negation is what a narrowing takes away. Nothing here reads
//! the file.

use std::borrow::Cow;
use std::sync::Arc;

use skerry_model::{Content, ObjectKey};
use skerry_query::ast::Quantifier;
use skerry_query::compare::Rule;
use skerry_query::evaluated::Evaluated;
use skerry_query::expression::{Comparison, Expr, PathExpr};
use skerry_query::{NoObjects, Operand, Predicate, PropertyRef, Row};

use super::CHUNK_ROWS;
use super::budget::Budget;
use super::chunk::Data;
use super::class::CachedClass;
use super::leaf::{Leaf, sides};
use super::mask::Mask;
use super::read::Source;
use super::text;
use crate::objects::ClassTable;

/// How dear it is to let the evaluator decide a row, in comparison with a number in a column.
const ROW_COST: u32 = 60;

/// A condition that columns decide.
#[derive(Debug)]
pub(super) enum Node<'p> {
    All,
    And(Vec<Node<'p>>),
    Or(Vec<Node<'p>>),
    Not(Box<Node<'p>>),
    Leaf(Leaf),
    /// Decided row by row.
    Rows(&'p Predicate),
}

/// The column that a property is read from.
pub(super) fn any_source<'t>(table: &'t ClassTable, property: &PropertyRef) -> Option<Source<'t>> {
    Source::of(&table.columns[table.resolve(property)?])
}

/// The column of single values that a property is read from.
pub(super) fn source<'t>(table: &'t ClassTable, property: &PropertyRef) -> Option<Source<'t>> {
    any_source(table, property).filter(Source::is_single)
}

/// The column that SORT or DISTINCT read.
pub(super) fn ordered_source<'t>(table: &'t ClassTable, path: &PathExpr) -> Option<Source<'t>> {
    source(table, path.as_property()?)
}

/// The condition on a list of the object itself that columns decide: that some element, or none,
/// compares with a constant as wanted.
fn elements<'p>(table: &ClassTable, predicate: &'p Predicate) -> Option<Node<'p>> {
    let Predicate::Evaluated(evaluated) = predicate else { return None };
    let Evaluated::Compare(comparison) = &**evaluated else { return None };
    let Comparison {
        left: Expr::Path(path),
        op,
        right: Expr::Constant(constant),
        case_insensitive,
    } = comparison
    else {
        return None;
    };
    let source = any_source(table, path.as_property()?).filter(|source| !source.is_single())?;
    let place = (source.column.number, source.kind);
    let leaf = Node::Leaf(Leaf::any_element(place, *op, constant, *case_insensitive)?);
    match path.quantifier {
        None | Some(Quantifier::Any) => Some(leaf),
        Some(Quantifier::None) => Some(Node::Not(Box::new(leaf))),
        Some(Quantifier::All) => None,
    }
}

/// Whether columns decide the condition.
pub(super) fn is_decidable(table: &ClassTable, predicate: &Predicate) -> bool {
    let is_column = |operand: &Operand| match operand {
        Operand::Property(property) => source(table, property).is_some(),
        Operand::Constant(_) => true,
    };
    match predicate {
        Predicate::True | Predicate::False => true,
        Predicate::And(parts) | Predicate::Or(parts) => {
            parts.iter().all(|part| is_decidable(table, part))
        }
        Predicate::Not(part) => is_decidable(table, part),
        Predicate::Compare { left, right, .. } => is_column(left) && is_column(right),
        Predicate::In { property, .. } => source(table, property).is_some(),
        Predicate::Evaluated(_) => elements(table, predicate).is_some(),
    }
}

impl<'p> Node<'p> {
    /// A condition for which [`is_decidable`] holds.
    pub(super) fn new(table: &ClassTable, predicate: &'p Predicate) -> Self {
        match predicate {
            Predicate::True => Self::All,
            Predicate::False => Self::Or(Vec::new()),
            Predicate::And(parts) => Self::and(table, parts.iter()),
            Predicate::Or(parts) => Self::Or(parts.iter().map(|p| Self::new(table, p)).collect()),
            Predicate::Not(part) => Self::Not(Box::new(Self::new(table, part))),
            Predicate::Compare { left, right, .. } => {
                let leaf = sides(predicate).and_then(|(property, op, constant, folds)| {
                    let source = source(table, property)?;
                    let place = (source.column.number, source.kind);
                    Leaf::compare(place, op, constant, (folds, Rule::of(left, right)))
                });
                leaf.map_or(Self::Rows(predicate), Self::Leaf)
            }
            Predicate::In { property, values } => {
                let leaf = source(table, property)
                    .and_then(|source| Leaf::is_in((source.column.number, source.kind), values));
                leaf.map_or(Self::Rows(predicate), Self::Leaf)
            }
            Predicate::Evaluated(_) => elements(table, predicate).unwrap_or(Self::Rows(predicate)),
        }
    }

    /// All of the parts, the cheapest first.
    pub(super) fn and(table: &ClassTable, parts: impl Iterator<Item = &'p Predicate>) -> Self {
        let mut nodes: Vec<Self> = parts.map(|part| Self::new(table, part)).collect();
        nodes.sort_by_key(Self::cost);
        match nodes.len() {
            0 => Self::All,
            1 => nodes.swap_remove(0),
            _ => Self::And(nodes),
        }
    }

    fn cost(&self) -> u32 {
        match self {
            Self::All => 0,
            Self::And(parts) | Self::Or(parts) => {
                parts.iter().map(Self::cost).fold(1, u32::saturating_add)
            }
            Self::Not(part) => part.cost(),
            Self::Leaf(leaf) => leaf.cost(),
            Self::Rows(_) => ROW_COST,
        }
    }
}

/// A condition together with the class that it is asked of.
#[derive(Debug)]
pub(super) struct Selection<'a> {
    pub(super) class: &'a CachedClass,
    pub(super) table: &'a ClassTable,
    pub(super) node: &'a Node<'a>,
    /// Numbers of the properties that have an index.
    pub(super) indexed: &'a [u32],
    pub(super) budget: &'a Arc<Budget>,
}

/// The rows of a chunk that were found.
pub(super) enum Found<'a> {
    Mask(&'a Mask),
    /// Ascending.
    Rows(&'a [u16]),
}

impl Found<'_> {
    fn count(&self) -> usize {
        match self {
            Self::Mask(mask) => mask.count(),
            Self::Rows(rows) => rows.len(),
        }
    }

    /// Until `visit` wants no more; whether it still did.
    fn visit(&self, mut visit: impl FnMut(usize) -> bool) -> bool {
        match self {
            Self::Mask(mask) => mask.visit(visit),
            Self::Rows(rows) => rows.iter().all(|&row| visit(row.into())),
        }
    }
}

impl Selection<'_> {
    /// How many rows match.
    pub(super) fn count(&self) -> usize {
        let mut count = 0;
        self.for_each_chunk(|_chunk, found| {
            count += found.count();
            true
        });
        count
    }

    /// The positions of the first rows that match, `limit` of them at most.
    pub(super) fn positions(&self, limit: usize) -> Vec<u32> {
        let mut positions = Vec::new();
        self.for_each_chunk(|chunk, found| {
            found.visit(|at| {
                if positions.len() < limit {
                    positions.push(position(chunk, at));
                }
                positions.len() < limit
            })
        });
        positions
    }

    fn for_each_chunk(&self, mut visit: impl FnMut(usize, Found<'_>) -> bool) {
        let indexed = self.indexed_leaf().and_then(|(leaf, wanted)| {
            Some((self.class.columns.get(&leaf.number)?, wanted, text::hash(wanted)))
        });
        let mut mask = Mask::first(0);
        for (chunk, rows) in self.class.rows.iter().enumerate() {
            let column = indexed.and_then(|(column, wanted, hash)| {
                let chunk = &column.chunks[chunk];
                // Null rows stand in the index as empty text.
                let is_usable =
                    rows.dead_count == 0 && (chunk.nulls.is_none() || !wanted.is_empty());
                match &chunk.data {
                    Data::Text(text) if is_usable => {
                        let (entries, index) = text.index(self.budget)?;
                        Some(index.rows_of(entries, wanted, hash))
                    }
                    _ => None,
                }
            });
            let goes_on = if let Some(found) = column {
                visit(chunk, Found::Rows(found))
            } else {
                mask.select_first(rows.len);
                if let Some(dead) = &rows.dead {
                    mask.without(dead);
                }
                self.narrow(self.node, chunk, &mut mask);
                visit(chunk, Found::Mask(&mask))
            };
            if !goes_on {
                return;
            }
        }
    }

    /// The condition, if it is one that an index answers alone, and what is looked for.
    fn indexed_leaf(&self) -> Option<(&Leaf, &[u8])> {
        match self.node {
            Node::Leaf(leaf) if self.indexed.contains(&leaf.number) => {
                Some((leaf, leaf.only_match()?))
            }
            _ => None,
        }
    }

    fn narrow(&self, node: &Node<'_>, chunk: usize, mask: &mut Mask) {
        match node {
            Node::All => {}
            Node::And(parts) => {
                for part in parts {
                    if mask.is_empty() {
                        return;
                    }
                    self.narrow(part, chunk, mask);
                }
            }
            Node::Or(parts) => {
                let mut rest = mask.clone();
                mask.clear();
                for part in parts {
                    let mut matching = rest.clone();
                    self.narrow(part, chunk, &mut matching);
                    rest.remove(&matching);
                    mask.add(&matching);
                }
            }
            Node::Not(part) => {
                let mut matching = mask.clone();
                self.narrow(part, chunk, &mut matching);
                mask.remove(&matching);
            }
            Node::Leaf(leaf) => match self.class.columns.get(&leaf.number) {
                Some(column) => leaf.narrow(&column.chunks[chunk], mask),
                None => mask.clear(),
            },
            Node::Rows(predicate) => mask.keep(|at| {
                let row = CachedRow { class: self.class, table: self.table, chunk, at };
                predicate.matches(&row, &NoObjects)
            }),
        }
    }
}

pub(super) fn position(chunk: usize, at: usize) -> u32 {
    u32::try_from(chunk * CHUNK_ROWS + at).expect("a class that fits into memory has fewer rows")
}

/// A row as the evaluator sees it: the single values of its cached columns.
struct CachedRow<'a> {
    class: &'a CachedClass,
    table: &'a ClassTable,
    chunk: usize,
    at: usize,
}

impl Row for CachedRow<'_> {
    fn key(&self) -> &ObjectKey {
        // Asked for only over links, which columns do not decide.
        &ObjectKey::Null
    }

    fn content(&self, property: &PropertyRef) -> Cow<'_, Content> {
        let column = self
            .table
            .resolve(property)
            .and_then(|position| self.class.columns.get(&self.table.columns[position].number));
        let value = column.map(|column| column.chunks[self.chunk].value(self.at));
        Cow::Owned(value.map_or(Content::NULL, Content::Value))
    }
}
