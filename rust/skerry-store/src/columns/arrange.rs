//! SORT, DISTINCT and LIMIT on positions.
//!
//! Invariant: the same rows in the same order as [`Descriptor::apply`] gives. A sort of which only the
//! first rows are wanted keeps no more than those.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use rustc_hash::FxHashMap;
use skerry_query::expression::PathExpr;
use skerry_query::{Descriptor, Direction};

use super::CHUNK_ROWS;
use super::chunk::{Chunk, Data, Key};
use super::class::{CachedClass, CachedColumn};
use super::select::ordered_source;
use super::text::Text;
use crate::objects::ClassTable;

/// Applies the descriptors, whose columns the class has, to positions in the order of insertion.
pub(super) fn arrange(
    class: &CachedClass,
    table: &ClassTable,
    descriptors: &[Descriptor],
    mut positions: Vec<u32>,
) -> Vec<u32> {
    let columns = Columns { class, table };
    let mut descriptors = descriptors.iter().peekable();
    while let Some(descriptor) = descriptors.next() {
        positions = match descriptor {
            Descriptor::Limit(limit) => {
                positions.truncate(usize::try_from(*limit).unwrap_or(usize::MAX));
                positions
            }
            Descriptor::Distinct(paths) => columns.distinct(paths, positions),
            Descriptor::Sort(keys) => {
                let keys = keys.iter().map(|key| (columns.of(&key.path), key.direction));
                let keys: Vec<SortColumn<'_>> = keys.collect();
                if let Some(Descriptor::Distinct(paths)) = descriptors.peek()
                    && positions.is_sorted()
                {
                    // The first of each kind are found without sorting the others.
                    positions = firsts(&keys, columns.grouping(paths), &positions);
                    descriptors.next();
                    positions = sort(&keys, positions, usize::MAX);
                    continue;
                }
                let wanted = match descriptors.peek() {
                    Some(Descriptor::Limit(limit)) => usize::try_from(*limit).unwrap_or(usize::MAX),
                    Some(Descriptor::Sort(_) | Descriptor::Distinct(_)) | None => usize::MAX,
                };
                sort(&keys, positions, wanted)
            }
        };
    }
    positions
}

type SortColumn<'a> = (Option<&'a CachedColumn>, Direction);

struct Columns<'a> {
    class: &'a CachedClass,
    table: &'a ClassTable,
}

impl<'a> Columns<'a> {
    fn of(&self, path: &PathExpr) -> Option<&'a CachedColumn> {
        self.class.columns.get(&ordered_source(self.table, path)?.column.number)
    }

    fn distinct(&self, paths: &[PathExpr], mut positions: Vec<u32>) -> Vec<u32> {
        let (mut group, mut count) = (self.grouping(paths), 0);
        positions.retain(|&position| {
            // Groups are numbered as they come.
            let is_new = group(position) == count;
            count += usize::from(is_new);
            is_new
        });
        positions
    }

    /// Numbers combinations of values from 0 on, in the order in which they are asked for.
    fn grouping(&self, paths: &[PathExpr]) -> Box<dyn FnMut(u32) -> usize + 'a> {
        let columns: Vec<_> = paths.iter().map(|path| self.of(path)).collect();
        if let [Some(column)] = columns[..] {
            let mut groups = Groups::of(column);
            return Box::new(move |position| groups.number(position as usize));
        }
        let mut numbers: FxHashMap<Vec<Key<'a>>, usize> = FxHashMap::default();
        Box::new(move |position| {
            let next = numbers.len();
            *numbers
                .entry(columns.iter().map(|&column| key(column, position)).collect())
                .or_insert(next)
        })
    }
}

/// Numbers for the values of a column. Texts of a dictionary are looked for once in each chunk.
struct Groups<'a> {
    column: &'a CachedColumn,
    numbers: FxHashMap<Key<'a>, usize>,
    /// By chunk, and the number of the text there.
    known: Vec<Vec<Option<usize>>>,
}

impl<'a> Groups<'a> {
    fn of(column: &'a CachedColumn) -> Self {
        let known = vec![Vec::new(); column.chunks.len()];
        Self { column, numbers: FxHashMap::default(), known }
    }

    fn number(&mut self, position: usize) -> usize {
        let (at_chunk, at) = (position / CHUNK_ROWS, position % CHUNK_ROWS);
        let chunk: &'a Chunk = &self.column.chunks[at_chunk];
        let next = self.numbers.len();
        let Data::Text(Text::Dictionary { entries, codes, .. }) = &chunk.data else {
            return *self.numbers.entry(chunk.key(at)).or_insert(next);
        };
        if chunk.is_null(at) {
            return *self.numbers.entry(Key::Null).or_insert(next);
        }
        let (code, known) = (codes.get(at), &mut self.known[at_chunk]);
        known.resize(entries.len(), None);
        *known[code].get_or_insert_with(|| {
            *self.numbers.entry(Key::Bytes(entries.get(code))).or_insert(next)
        })
    }
}

/// Of each group the position that sorting would put before its others; ascending, as the positions are.
fn firsts(
    keys: &[SortColumn<'_>],
    mut group: impl FnMut(u32) -> usize,
    positions: &[u32],
) -> Vec<u32> {
    let mut firsts: Vec<u32> = Vec::new();
    for &position in positions {
        let number = group(position);
        if number == firsts.len() {
            firsts.push(position);
        } else if compare(keys, position, firsts[number]) == Ordering::Less {
            firsts[number] = position;
        }
    }
    firsts.sort_unstable();
    firsts
}

fn compare(keys: &[SortColumn<'_>], left: u32, right: u32) -> Ordering {
    let orders = keys.iter().map(|&(column, direction)| {
        let order = key(column, left).cmp(&key(column, right));
        match direction {
            Direction::Ascending => order,
            Direction::Descending => order.reverse(),
        }
    });
    orders.into_iter().find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

fn key(column: Option<&CachedColumn>, position: u32) -> Key<'_> {
    let position = position as usize;
    let chunk = column.map(|column| &column.chunks[position / CHUNK_ROWS]);
    chunk.map_or(Key::Null, |chunk: &std::sync::Arc<Chunk>| chunk.key(position % CHUNK_ROWS))
}

/// Sorts, and keeps the first `wanted`.
fn sort(keys: &[SortColumn<'_>], positions: Vec<u32>, wanted: usize) -> Vec<u32> {
    match keys {
        [(column, Direction::Ascending)] => {
            first(positions, wanted, |position| key(*column, position))
        }
        [(column, Direction::Descending)] => {
            first(positions, wanted, |position| Reverse(key(*column, position)))
        }
        _ => first(positions, wanted, |position| {
            let each = keys.iter().map(|(column, direction)| match direction {
                Direction::Ascending => Directed::Up(key(*column, position)),
                Direction::Descending => Directed::Down(Reverse(key(*column, position))),
            });
            each.collect::<Vec<_>>()
        }),
    }
}

/// The key of one of several columns; those of one column are all of one variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Directed<'a> {
    Up(Key<'a>),
    Down(Reverse<Key<'a>>),
}

/// The first `wanted` positions by their keys; those with equal keys in the order they came in.
fn first<K: Ord>(positions: Vec<u32>, wanted: usize, key: impl Fn(u32) -> K) -> Vec<u32> {
    if wanted == 0 {
        return Vec::new();
    }
    if wanted >= positions.len() / 4 {
        let mut keyed: Vec<(K, u32)> =
            positions.into_iter().map(|position| (key(position), position)).collect();
        keyed.sort_by(|(left, _), (right, _)| left.cmp(right));
        keyed.truncate(wanted);
        return keyed.into_iter().map(|(_, position)| position).collect();
    }
    // The greatest of those kept is on top; of equal ones that is the one that came last.
    let mut kept: BinaryHeap<(K, usize, u32)> = BinaryHeap::with_capacity(wanted);
    for (order, position) in positions.into_iter().enumerate() {
        let key = key(position);
        if kept.len() < wanted {
            kept.push((key, order, position));
        } else if let Some(mut worst) = kept.peek_mut()
            && key.cmp(&worst.0) == Ordering::Less
        {
            *worst = (key, order, position);
        }
    }
    kept.into_sorted_vec().into_iter().map(|(_, _, position)| position).collect()
}
