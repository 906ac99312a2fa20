//! The order of the elements of one list, on both sides of a conflict at once.
//!
//! A treap of units in the order in which they stand. A unit is a run of elements that both sides
//! have had from the beginning, or one element: that one side has inserted, or has erased. Erased
//! ones keep their place, because what was inserted before their erasure is placed relative to
//! them. Two counts are kept: of *shared* elements, which the incoming side knows (its positions
//! count them), and of those that are *left* once our side has done all that it did.
//!
//! Priorities are a fixed function of the unit's number, so nothing here is random.

/// Number of a unit; [`NIL`] is none.
pub(super) type Unit = u32;

/// No unit, and the empty order.
pub(super) const NIL: Unit = u32::MAX;

/// A time that never comes.
pub(super) const NEVER: u32 = u32::MAX;

/// What a position counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    /// Elements that the incoming side knows.
    Shared,
    /// Elements that are left after all of our edits.
    Left,
    /// Units of shared elements that our side never erases.
    Lasting,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    left: Unit,
    right: Unit,
    priority: u32,
    /// Number of shared elements in the unit: 0 for one that our side has inserted.
    shared: u32,
    /// Time of our insertion; `NEVER` for shared elements.
    birth: u32,
    /// Time of our erasure; `NEVER` for elements that are left.
    death: u32,
    total_shared: u64,
    total_left: u64,
    total_lasting: u32,
    total_dead: u32,
    total_inserted: u32,
    min_birth: u32,
}

impl Node {
    fn left_over(&self) -> u32 {
        if self.death != NEVER {
            0
        } else if self.birth != NEVER {
            1
        } else {
            self.shared
        }
    }

    fn own(&self, count: Count) -> u64 {
        match count {
            Count::Shared => self.shared.into(),
            Count::Left => self.left_over().into(),
            Count::Lasting => u64::from(self.birth == NEVER && self.death == NEVER),
        }
    }
}

/// The units; orders are named by their root.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    nodes: Vec<Node>,
}

/// A mixing of bits that spreads consecutive numbers over all values.
fn priority(number: u32) -> u32 {
    let mut mixed = number.wrapping_add(0x9e37_79b9);
    mixed = (mixed ^ (mixed >> 16)).wrapping_mul(0x85eb_ca6b);
    mixed = (mixed ^ (mixed >> 13)).wrapping_mul(0xc2b2_ae35);
    mixed ^ (mixed >> 16)
}

impl Orders {
    fn push(&mut self, shared: u32, birth: u32) -> Unit {
        let unit = u32::try_from(self.nodes.len()).expect("instructions are fewer than 2^32");
        self.nodes.push(Node {
            left: NIL,
            right: NIL,
            priority: priority(unit),
            shared,
            birth,
            death: NEVER,
            total_shared: 0,
            total_left: 0,
            total_lasting: 0,
            total_dead: 0,
            total_inserted: 0,
            min_birth: NEVER,
        });
        self.update(unit);
        unit
    }

    /// A unit of so many shared elements.
    pub(super) fn shared_unit(&mut self, elements: u32) -> Unit {
        self.push(elements, NEVER)
    }

    /// An element that our side inserts at that time.
    pub(super) fn inserted_unit(&mut self, birth: u32) -> Unit {
        self.push(0, birth)
    }

    fn node(&self, unit: Unit) -> &Node {
        &self.nodes[unit as usize]
    }

    fn node_mut(&mut self, unit: Unit) -> &mut Node {
        &mut self.nodes[unit as usize]
    }

    fn total(&self, root: Unit, count: Count) -> u64 {
        if root == NIL {
            return 0;
        }
        let node = self.node(root);
        match count {
            Count::Shared => node.total_shared,
            Count::Left => node.total_left,
            Count::Lasting => node.total_lasting.into(),
        }
    }

    /// How many elements are left in an order.
    pub(super) fn left_in(&self, root: Unit) -> u64 {
        self.total(root, Count::Left)
    }

    /// Whether our side has erased something in an order.
    pub(super) fn has_dead(&self, root: Unit) -> bool {
        root != NIL && self.node(root).total_dead > 0
    }

    /// Whether our side has inserted something in an order.
    pub(super) fn has_inserted(&self, root: Unit) -> bool {
        root != NIL && self.node(root).total_inserted > 0
    }

    /// The earliest of our insertions in an order; `NEVER` if there is none.
    pub(super) fn first_birth(&self, root: Unit) -> u32 {
        if root == NIL { NEVER } else { self.node(root).min_birth }
    }

    /// When our side inserted the element; `NEVER` for shared ones.
    pub(super) fn birth(&self, unit: Unit) -> u32 {
        self.node(unit).birth
    }

    /// When our side erases the element; `NEVER` if it does not.
    pub(super) fn death(&self, unit: Unit) -> u32 {
        self.node(unit).death
    }

    /// How many elements of the unit there are before anything is erased.
    pub(super) fn weight(&self, unit: Unit) -> u32 {
        let node = self.node(unit);
        if node.birth == NEVER { node.shared } else { 1 }
    }

    /// Says when our side erases a unit of one element that stands alone as an order.
    pub(super) fn set_death(&mut self, unit: Unit, death: u32) {
        self.node_mut(unit).death = death;
        self.update(unit);
    }

    fn update(&mut self, unit: Unit) {
        let mut node = *self.node(unit);
        node.total_shared = node.shared.into();
        node.total_left = node.left_over().into();
        node.total_lasting = u32::from(node.birth == NEVER && node.death == NEVER);
        node.total_dead = u32::from(node.death != NEVER);
        node.total_inserted = u32::from(node.birth != NEVER);
        node.min_birth = node.birth;
        for child in [node.left, node.right] {
            if child != NIL {
                let child = self.node(child);
                node.total_shared += child.total_shared;
                node.total_left += child.total_left;
                node.total_lasting += child.total_lasting;
                node.total_dead += child.total_dead;
                node.total_inserted += child.total_inserted;
                node.min_birth = node.min_birth.min(child.min_birth);
            }
        }
        *self.node_mut(unit) = node;
    }

    /// One order behind another.
    pub(super) fn join(&mut self, first: Unit, second: Unit) -> Unit {
        if first == NIL {
            return second;
        }
        if second == NIL {
            return first;
        }
        if self.node(first).priority >= self.node(second).priority {
            let right = self.join(self.node(first).right, second);
            self.node_mut(first).right = right;
            self.update(first);
            first
        } else {
            let left = self.join(first, self.node(second).left);
            self.node_mut(second).left = left;
            self.update(second);
            second
        }
    }

    /// Cuts right behind the `at`-th element (at the beginning for 0): what counts nothing and stands
    /// there goes to the second part. A unit that the cut goes through is divided.
    pub(super) fn cut_after(&mut self, root: Unit, count: Count, at: u64) -> (Unit, Unit) {
        if root == NIL {
            return (NIL, NIL);
        }
        let Node { left, right, .. } = *self.node(root);
        let before = self.total(left, count);
        let own = self.node(root).own(count);
        if at <= before {
            let (first, rest) = self.cut_after(left, count, at);
            (first, self.with_left(root, rest))
        } else if at - before < own {
            self.divide(root, at - before)
        } else if at - before == own {
            let first = self.with_right(root, NIL);
            (first, right)
        } else {
            let (rest, second) = self.cut_after(right, count, at - before - own);
            (self.with_right(root, rest), second)
        }
    }

    /// Cuts right before the element at position `at`: what counts nothing and stands there goes to the
    /// first part. A unit that the cut goes through is divided.
    pub(super) fn cut_before(&mut self, root: Unit, count: Count, at: u64) -> (Unit, Unit) {
        if root == NIL {
            return (NIL, NIL);
        }
        let Node { left, right, .. } = *self.node(root);
        let before = self.total(left, count);
        let own = self.node(root).own(count);
        if at < before {
            let (first, rest) = self.cut_before(left, count, at);
            (first, self.with_left(root, rest))
        } else if at - before < own {
            if at == before {
                let second = self.with_left(root, NIL);
                (left, second)
            } else {
                self.divide(root, at - before)
            }
        } else {
            let (rest, second) = self.cut_before(right, count, at - before - own);
            (self.with_right(root, rest), second)
        }
    }

    /// Cuts behind the last element that our side inserted before `time`.
    pub(super) fn cut_after_born(&mut self, root: Unit, time: u32) -> (Unit, Unit) {
        if root == NIL {
            return (NIL, NIL);
        }
        let Node { left, right, birth, .. } = *self.node(root);
        if self.first_birth(right) < time {
            let (rest, second) = self.cut_after_born(right, time);
            (self.with_right(root, rest), second)
        } else if birth < time {
            let first = self.with_right(root, NIL);
            (first, right)
        } else {
            let (first, rest) = self.cut_after_born(left, time);
            (first, self.with_left(root, rest))
        }
    }

    /// Cuts before the first element that our side inserted before `time`.
    pub(super) fn cut_before_born(&mut self, root: Unit, time: u32) -> (Unit, Unit) {
        if root == NIL {
            return (NIL, NIL);
        }
        let Node { left, right, birth, .. } = *self.node(root);
        if self.first_birth(left) < time {
            let (first, rest) = self.cut_before_born(left, time);
            (first, self.with_left(root, rest))
        } else if birth < time {
            let second = self.with_left(root, NIL);
            (left, second)
        } else {
            let (rest, second) = self.cut_before_born(right, time);
            (self.with_right(root, rest), second)
        }
    }

    /// Cuts behind the last unit of shared elements that lasts.
    pub(super) fn cut_after_lasting(&mut self, root: Unit) -> (Unit, Unit) {
        let lasting = self.total(root, Count::Lasting);
        self.cut_after(root, Count::Lasting, lasting)
    }

    /// Cuts before the first unit of shared elements that lasts.
    pub(super) fn cut_before_lasting(&mut self, root: Unit) -> (Unit, Unit) {
        self.cut_before(root, Count::Lasting, 0)
    }

    fn with_left(&mut self, root: Unit, left: Unit) -> Unit {
        self.node_mut(root).left = left;
        self.update(root);
        root
    }

    fn with_right(&mut self, root: Unit, right: Unit) -> Unit {
        self.node_mut(root).right = right;
        self.update(root);
        root
    }

    /// Cuts through the unit at the root, which keeps its first `at` elements.
    fn divide(&mut self, root: Unit, at: u64) -> (Unit, Unit) {
        let Node { right, shared, .. } = *self.node(root);
        let kept = u32::try_from(at).expect("a part of a unit is not larger than the unit");
        let rest = self.shared_unit(shared - kept);
        self.node_mut(root).shared = kept;
        let first = self.with_right(root, NIL);
        (first, self.join(rest, right))
    }

    /// Takes the first element off an order that begins with one that counts: a unit of its own.
    pub(super) fn take_first(&mut self, root: Unit, count: Count) -> (Unit, Unit) {
        self.cut_after(root, count, 1)
    }

    /// The last unit of an order.
    pub(super) fn last(&self, mut root: Unit) -> Unit {
        while root != NIL && self.node(root).right != NIL {
            root = self.node(root).right;
        }
        root
    }

    /// The first unit of an order.
    pub(super) fn first(&self, mut root: Unit) -> Unit {
        while root != NIL && self.node(root).left != NIL {
            root = self.node(root).left;
        }
        root
    }

    /// The unit of the shared element at a position, and how many elements are left before the
    /// element.
    pub(super) fn find(&self, mut root: Unit, position: u64) -> Option<(Unit, u64)> {
        let (mut at, mut before) = (position, 0);
        while root != NIL {
            let node = self.node(root);
            let in_left = self.total(node.left, Count::Shared);
            if at < in_left {
                root = node.left;
                continue;
            }
            before += self.total(node.left, Count::Left);
            at -= in_left;
            if at < u64::from(node.shared) {
                return Some((root, before + if node.death == NEVER { at } else { 0 }));
            }
            at -= u64::from(node.shared);
            before += u64::from(node.left_over());
            root = node.right;
        }
        None
    }

    /// Number of units so far, also of those that stand in no order any more.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The units of an order, as they stand.
    pub(super) fn units(&self, root: Unit) -> Vec<Unit> {
        let (mut units, mut path, mut next) = (Vec::new(), Vec::new(), root);
        loop {
            while next != NIL {
                path.push(next);
                next = self.node(next).left;
            }
            let Some(unit) = path.pop() else { return units };
            units.push(unit);
            next = self.node(unit).right;
        }
    }

    /// Puts single units together in this order.
    pub(super) fn gather(&mut self, units: &[Unit]) -> Unit {
        let mut root = NIL;
        for &unit in units {
            let node = self.node_mut(unit);
            (node.left, node.right) = (NIL, NIL);
            self.update(unit);
            root = self.join(root, unit);
        }
        root
    }
}
