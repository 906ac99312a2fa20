//! The order of the elements of one list, on both sides of a conflict at once.
//!
//! A balanced (AVL) tree of units in the order in which they stand. A unit is a run of elements that
//! both sides have had from the beginning, or one element: that one side has inserted, or has
//! erased. Erased ones keep their place, because what was inserted before their erasure is placed
//! relative to them. Two counts are kept: of *shared* elements, which the incoming side knows (its
//! positions count them), and of those that are *left* once our side has done all that it did.
//!
//! The height is at most 1.44 times the binary logarithm of the number of units, whatever was inserted
//! where, so that nobody who writes instructions can make it deep. Orders are cut and put together
//! by linking two of them with a unit between them.

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
    height: u8,
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

impl Orders {
    fn push(&mut self, shared: u32, birth: u32) -> Unit {
        let unit = u32::try_from(self.nodes.len()).expect("instructions are fewer than 2^32");
        self.nodes.push(Node {
            left: NIL,
            right: NIL,
            height: 0,
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

    fn height(&self, root: Unit) -> u8 {
        if root == NIL { 0 } else { self.node(root).height }
    }

    /// Sums up what is in the order under a unit, after its children have changed.
    fn update(&mut self, unit: Unit) {
        let mut node = *self.node(unit);
        node.height = 1;
        node.total_shared = node.shared.into();
        node.total_left = node.left_over().into();
        node.total_lasting = u32::from(node.birth == NEVER && node.death == NEVER);
        node.total_dead = u32::from(node.death != NEVER);
        node.total_inserted = u32::from(node.birth != NEVER);
        node.min_birth = node.birth;
        for child in [node.left, node.right] {
            if child != NIL {
                let child = self.node(child);
                node.height = node.height.max(child.height + 1);
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

    /// Puts two orders under a unit; their heights differ by one at most, or are about to be levelled.
    fn set_children(&mut self, unit: Unit, left: Unit, right: Unit) -> Unit {
        let node = self.node_mut(unit);
        (node.left, node.right) = (left, right);
        self.update(unit);
        unit
    }

    fn rotate_left(&mut self, root: Unit) -> Unit {
        let Node { left, right, .. } = *self.node(root);
        let Node { left: between, right: outer, .. } = *self.node(right);
        let lower = self.set_children(root, left, between);
        self.set_children(right, lower, outer)
    }

    fn rotate_right(&mut self, root: Unit) -> Unit {
        let Node { left, right, .. } = *self.node(root);
        let Node { left: outer, right: between, .. } = *self.node(left);
        let lower = self.set_children(root, between, right);
        self.set_children(left, outer, lower)
    }

    /// An order, a single unit behind it and another order behind that.
    fn link(&mut self, first: Unit, unit: Unit, second: Unit) -> Unit {
        if self.height(first) > self.height(second) + 1 {
            self.link_right(first, unit, second)
        } else if self.height(second) > self.height(first) + 1 {
            self.link_left(first, unit, second)
        } else {
            self.set_children(unit, first, second)
        }
    }

    /// As [`Orders::link`], where the first order is the higher one: goes down its right side.
    fn link_right(&mut self, first: Unit, unit: Unit, second: Unit) -> Unit {
        let Node { left, right, .. } = *self.node(first);
        if self.height(right) <= self.height(second) + 1 {
            let joined = self.set_children(unit, right, second);
            if self.height(joined) <= self.height(left) + 1 {
                return self.set_children(first, left, joined);
            }
            let joined = self.rotate_right(joined);
            let root = self.set_children(first, left, joined);
            return self.rotate_left(root);
        }
        let joined = self.link_right(right, unit, second);
        let root = self.set_children(first, left, joined);
        if self.height(joined) <= self.height(left) + 1 { root } else { self.rotate_left(root) }
    }

    /// As [`Orders::link`], where the second order is the higher one: goes down its left side.
    fn link_left(&mut self, first: Unit, unit: Unit, second: Unit) -> Unit {
        let Node { left, right, .. } = *self.node(second);
        if self.height(left) <= self.height(first) + 1 {
            let joined = self.set_children(unit, first, left);
            if self.height(joined) <= self.height(right) + 1 {
                return self.set_children(second, joined, right);
            }
            let joined = self.rotate_left(joined);
            let root = self.set_children(second, joined, right);
            return self.rotate_right(root);
        }
        let joined = self.link_left(first, unit, left);
        let root = self.set_children(second, joined, right);
        if self.height(joined) <= self.height(right) + 1 { root } else { self.rotate_right(root) }
    }

    /// An order without its last unit, and that unit.
    fn without_last(&mut self, root: Unit) -> (Unit, Unit) {
        let Node { left, right, .. } = *self.node(root);
        if right == NIL {
            return (left, root);
        }
        let (rest, last) = self.without_last(right);
        (self.link(left, root, rest), last)
    }

    /// One order behind another.
    pub(super) fn join(&mut self, first: Unit, second: Unit) -> Unit {
        if first == NIL {
            return second;
        }
        if second == NIL {
            return first;
        }
        let (first, last) = self.without_last(first);
        self.link(first, last, second)
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
            (first, self.link(rest, root, right))
        } else if at - before < own {
            self.divide(root, at - before)
        } else if at - before == own {
            (self.link(left, root, NIL), right)
        } else {
            let (rest, second) = self.cut_after(right, count, at - before - own);
            (self.link(left, root, rest), second)
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
            (first, self.link(rest, root, right))
        } else if at - before < own {
            if at == before {
                (left, self.link(NIL, root, right))
            } else {
                self.divide(root, at - before)
            }
        } else {
            let (rest, second) = self.cut_before(right, count, at - before - own);
            (self.link(left, root, rest), second)
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
            (self.link(left, root, rest), second)
        } else if birth < time {
            (self.link(left, root, NIL), right)
        } else {
            let (first, rest) = self.cut_after_born(left, time);
            (first, self.link(rest, root, right))
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
            (first, self.link(rest, root, right))
        } else if birth < time {
            (left, self.link(NIL, root, right))
        } else {
            let (rest, second) = self.cut_before_born(right, time);
            (self.link(left, root, rest), second)
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

    /// Cuts through the unit at the root, which keeps its first `at` elements.
    fn divide(&mut self, root: Unit, at: u64) -> (Unit, Unit) {
        let Node { left, right, shared, .. } = *self.node(root);
        let kept = u32::try_from(at).expect("a part of a unit is not larger than the unit");
        let rest = self.shared_unit(shared - kept);
        self.node_mut(root).shared = kept;
        (self.link(left, root, NIL), self.link(NIL, rest, right))
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
        let Some(middle) = units.len().checked_sub(1).map(|last| last / 2) else { return NIL };
        let (first, second) = (self.gather(&units[..middle]), self.gather(&units[middle + 1..]));
        self.set_children(units[middle], first, second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what every order keeps, and returns its height.
    fn checked(orders: &Orders, root: Unit) -> u8 {
        if root == NIL {
            return 0;
        }
        let node = *orders.node(root);
        let heights = [checked(orders, node.left), checked(orders, node.right)];
        assert!(heights[0].abs_diff(heights[1]) <= 1, "unit {root}");
        assert_eq!(node.height, heights[0].max(heights[1]) + 1);
        let total = |count| {
            let children = [node.left, node.right].map(|child| orders.total(child, count));
            children[0] + children[1] + node.own(count)
        };
        assert_eq!(node.total_shared, total(Count::Shared));
        assert_eq!(node.total_left, total(Count::Left));
        node.height
    }

    /// Numbers that repeat from their seed.
    fn draw(seed: &mut u64, below: u64) -> u64 {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*seed >> 33) % below
    }

    #[test]
    fn orders_stay_balanced_and_in_order_wherever_they_are_cut() {
        for case in 0..40 {
            let mut seed = case;
            let mut orders = Orders::default();
            let mut root = orders.shared_unit(50);
            let mut model: Vec<Option<u32>> = vec![None; 50];
            for birth in 0..300 {
                let at = match case % 4 {
                    0 => 0,
                    1 => model.len() as u64,
                    _ => draw(&mut seed, model.len() as u64 + 1),
                };
                let (first, second) = if draw(&mut seed, 2) == 0 {
                    orders.cut_after(root, Count::Left, at)
                } else {
                    orders.cut_before(root, Count::Left, at)
                };
                let unit = orders.inserted_unit(birth);
                let first = orders.join(first, unit);
                root = orders.join(first, second);
                model.insert(usize::try_from(at).unwrap(), Some(birth));
                checked(&orders, root);
            }
            let standing: Vec<Option<u32>> = orders
                .units(root)
                .into_iter()
                .flat_map(|unit| {
                    let birth = orders.birth(unit);
                    let count = orders.weight(unit) as usize;
                    vec![(birth != NEVER).then_some(birth); count]
                })
                .collect();
            assert_eq!(standing, model, "seed {case}");
            assert!(orders.height(root) <= 13);
            let time = u32::try_from(draw(&mut seed, 300)).unwrap();
            let (first, second) = orders.cut_after_born(root, time);
            assert!(checked(&orders, first) > 0 || time == 0);
            checked(&orders, second);
            assert!(orders.first_birth(second) >= time);
        }
    }

    #[test]
    fn gathered_units_stand_as_given() {
        let mut orders = Orders::default();
        let units: Vec<Unit> = (0..100).map(|birth| orders.inserted_unit(birth)).collect();
        let root = orders.gather(&units);
        checked(&orders, root);
        assert_eq!(orders.units(root), units);
        assert_eq!(orders.gather(&[]), NIL);
    }
}
