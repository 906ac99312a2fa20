//! Spans of an axis with the conditions that hold them: which ones is a value in?
//!
//! Invariant: a search tree, ordered by where spans begin, whose two sides differ in height by one at
//! most, so that no choice of spans makes it deep; and every node knows the furthest end below it. A
//! value that lies in k of n spans finds them in O(k log n).

use std::cmp::Ordering;

use super::axis::{Cut, Ordered, Span};
use super::class::Entry;

/// A set of spans.
#[derive(Clone, Debug, Default)]
pub(super) struct Intervals {
    root: Tree,
    count: usize,
}

type Tree = Option<Box<Node>>;

#[derive(Clone, Debug)]
struct Node {
    span: Span,
    entry: Entry,
    /// The furthest end of this span and those below.
    reach: Cut,
    height: u8,
    left: Tree,
    right: Tree,
}

impl Intervals {
    pub(super) fn insert(&mut self, span: Span, entry: Entry) {
        let reach = span.high.clone();
        let node = Node { span, entry, reach, height: 1, left: None, right: None };
        self.count += usize::from(insert(&mut self.root, Box::new(node)));
    }

    pub(super) fn remove(&mut self, span: &Span, entry: Entry) {
        self.count -= usize::from(remove(&mut self.root, span, entry));
    }

    /// Calls `visit` for every span that the value lies in.
    pub(super) fn stab(&self, value: &Ordered, visit: &mut impl FnMut(Entry)) {
        stab(&self.root, value, visit);
    }

    pub(super) fn len(&self) -> usize {
        self.count
    }
}

impl Node {
    fn order(&self, span: &Span, entry: Entry) -> Ordering {
        self.span.cmp(span).then(self.entry.cmp(&entry))
    }

    /// Makes up for a change below.
    fn refresh(&mut self) {
        self.height = 1 + height(&self.left).max(height(&self.right));
        let below = [&self.left, &self.right].into_iter().flatten().map(|node| &node.reach);
        let reach = below.fold(&self.span.high, |furthest, reach| furthest.max(reach));
        if self.reach != *reach {
            self.reach = reach.clone();
        }
    }

    fn leans(&self) -> Ordering {
        height(&self.left).cmp(&height(&self.right))
    }
}

fn height(tree: &Tree) -> u8 {
    tree.as_ref().map_or(0, |node| node.height)
}

/// Tells whether it was not there yet.
fn insert(tree: &mut Tree, new: Box<Node>) -> bool {
    let Some(node) = tree else {
        *tree = Some(new);
        return true;
    };
    let is_new = match node.order(&new.span, new.entry) {
        Ordering::Greater => insert(&mut node.left, new),
        Ordering::Less => insert(&mut node.right, new),
        Ordering::Equal => false,
    };
    settle(tree);
    is_new
}

/// Tells whether it was there.
fn remove(tree: &mut Tree, span: &Span, entry: Entry) -> bool {
    let Some(node) = tree else { return false };
    let was_there = match node.order(span, entry) {
        Ordering::Greater => remove(&mut node.left, span, entry),
        Ordering::Less => remove(&mut node.right, span, entry),
        Ordering::Equal => {
            let (left, mut right) = (node.left.take(), node.right.take());
            *tree = match take_first(&mut right) {
                None => left,
                Some(mut first) => {
                    (first.left, first.right) = (left, right);
                    Some(first)
                }
            };
            true
        }
    };
    settle(tree);
    was_there
}

fn take_first(tree: &mut Tree) -> Tree {
    let node = tree.as_mut()?;
    if node.left.is_none() {
        let right = node.right.take();
        return std::mem::replace(tree, right);
    }
    let first = take_first(&mut node.left);
    settle(tree);
    first
}

/// Balances a node whose sides are balanced and differ by two at most.
fn settle(tree: &mut Tree) {
    let Some(node) = tree else { return };
    let (left, right) = (height(&node.left), height(&node.right));
    if left > right + 1 {
        if node.left.as_ref().is_some_and(|left| left.leans().is_lt()) {
            rotate_left(&mut node.left);
        }
        rotate_right(tree);
    } else if right > left + 1 {
        if node.right.as_ref().is_some_and(|right| right.leans().is_gt()) {
            rotate_right(&mut node.right);
        }
        rotate_left(tree);
    } else {
        node.refresh();
    }
}

fn rotate_right(tree: &mut Tree) {
    let Some(mut node) = tree.take() else { return };
    *tree = match node.left.take() {
        None => Some(node),
        Some(mut top) => {
            node.left = top.right.take();
            node.refresh();
            top.right = Some(node);
            top.refresh();
            Some(top)
        }
    };
}

fn rotate_left(tree: &mut Tree) {
    let Some(mut node) = tree.take() else { return };
    *tree = match node.right.take() {
        None => Some(node),
        Some(mut top) => {
            node.right = top.left.take();
            node.refresh();
            top.left = Some(node);
            top.refresh();
            Some(top)
        }
    };
}

fn stab(tree: &Tree, value: &Ordered, visit: &mut impl FnMut(Entry)) {
    let Some(node) = tree else { return };
    if node.reach.is_below(value) {
        return;
    }
    stab(&node.left, value, visit);
    if node.span.low.is_below(value) {
        if !node.span.high.is_below(value) {
            visit(node.entry);
        }
        stab(&node.right, value, visit);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use skerry_model::Value;

    use super::*;

    fn cut() -> impl Strategy<Value = Cut> {
        let at = |int: i64| Ordered(Value::Int(int));
        prop_oneof![
            1 => Just(Cut::Start),
            4 => (0..20_i64).prop_map(move |int| Cut::Before(at(int))),
            4 => (0..20_i64).prop_map(move |int| Cut::After(at(int))),
            1 => Just(Cut::End),
        ]
    }

    /// The height of a tree that keeps the invariant.
    fn check(tree: &Tree) -> u8 {
        let Some(node) = tree else { return 0 };
        let (left, right) = (check(&node.left), check(&node.right));
        assert!(left.abs_diff(right) <= 1);
        assert_eq!(node.height, 1 + left.max(right));
        let mut reach = &node.span.high;
        for child in [&node.left, &node.right].into_iter().flatten() {
            reach = reach.max(&child.reach);
        }
        assert_eq!(&node.reach, reach);
        node.height
    }

    proptest! {
        #[test]
        fn a_value_finds_the_spans_that_it_lies_in(
            steps in prop::collection::vec((cut(), cut(), 0..3_u32, any::<bool>()), 0..120)
        ) {
            let mut tree = Intervals::default();
            let mut naive: Vec<(Span, Entry)> = Vec::new();
            for (low, high, view, is_insertion) in steps {
                let (span, entry) = (Span { low, high }, Entry { view, branch: 0 });
                let pair = (span.clone(), entry);
                let known = naive.iter().position(|found| *found == pair);
                if is_insertion {
                    tree.insert(span, entry);
                    naive.extend(known.is_none().then_some(pair));
                } else {
                    // Whatever is there, so that removal is not of what never was.
                    let (span, entry) = match naive.get(usize::try_from(view).unwrap() * 7) {
                        Some(found) => found.clone(),
                        None => pair,
                    };
                    tree.remove(&span, entry);
                    naive.retain(|found| *found != (span.clone(), entry));
                }
                check(&tree.root);
                prop_assert_eq!(tree.len(), naive.len());
            }
            for int in -1..21 {
                let value = Ordered(Value::Int(int));
                let mut found = Vec::new();
                tree.stab(&value, &mut |entry| found.push(entry));
                found.sort_unstable();
                let holds = |span: &Span| {
                    span.low <= Cut::Before(value.clone()) && Cut::After(value.clone()) <= span.high
                };
                let mut wanted: Vec<_> =
                    naive.iter().filter(|(span, _)| holds(span)).map(|(_, entry)| *entry).collect();
                wanted.sort_unstable();
                prop_assert_eq!(found, wanted);
            }
        }
    }

    #[test]
    fn spans_in_ascending_order_do_not_make_the_tree_deep() {
        let mut tree = Intervals::default();
        for view in 0..4096 {
            let at = Ordered(Value::Int(view.into()));
            tree.insert(Span { low: Cut::Before(at), high: Cut::End }, Entry { view, branch: 0 });
        }
        assert!(check(&tree.root) <= 13);
    }
}
