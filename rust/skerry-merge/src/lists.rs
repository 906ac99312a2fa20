//! Rules for lists (sync-engine 2.3 and 2.4, lists): positions follow their elements.
//!
//! The rules speak of instructions on one list. `prior_size` counts what the list has before the
//! instruction; both sides must agree on it wherever two instructions meet.

use skerry_model::{Instruction, PathElement, Schema};

use crate::place::{path, path_mut, prior_size, state_prior_size};
use crate::{MergeError, Slot};

/// The position at which a list instruction is, or through which a path goes, `depth` steps below
/// the property.
fn index(instruction: &Instruction, depth: usize) -> u32 {
    match path(instruction).map(|path| &path.elements[depth]) {
        Some(PathElement::Index(index)) => *index,
        Some(PathElement::Key(_)) | None => unreachable!("the rule has been found for a list"),
    }
}

pub(crate) fn set_index(slot: &mut Slot<'_>, depth: usize, to: u32) {
    if index(slot.instruction(), depth) != to {
        let path = path_mut(slot.change()).expect("the rule has been found for a list");
        path.elements[depth] = PathElement::Index(to);
    }
}

pub(crate) fn set_prior_size(slot: &mut Slot<'_>, to: u32) {
    if prior_size(slot.instruction()).is_some_and(|size| size != to) {
        state_prior_size(slot.change(), to);
    }
}

/// Depth of the position of a list instruction.
fn depth(instruction: &Instruction) -> usize {
    path(instruction).map_or(0, |path| path.elements.len()) - 1
}

fn at(slot: &Slot<'_>) -> u32 {
    index(slot.instruction(), depth(slot.instruction()))
}

fn put(slot: &mut Slot<'_>, to: u32) {
    let depth = depth(slot.instruction());
    set_index(slot, depth, to);
}

fn grow(slot: &mut Slot<'_>) {
    if let Some(size) = prior_size(slot.instruction()) {
        set_prior_size(slot, size.saturating_add(1));
    }
}

fn shrink(slot: &mut Slot<'_>) {
    if let Some(size) = prior_size(slot.instruction()) {
        set_prior_size(slot, size.saturating_sub(1));
    }
}

fn target(slot: &Slot<'_>) -> u32 {
    match slot.instruction() {
        Instruction::ArrayMove { to, .. } => *to,
        _ => unreachable!("the rule has been found for a move"),
    }
}

fn set_target(slot: &mut Slot<'_>, target: u32) {
    if self::target(slot) != target
        && let Instruction::ArrayMove { to, .. } = slot.change()
    {
        *to = target;
    }
}

/// Refuses instructions of the two sides that state different sizes of one list.
pub(crate) fn check_sizes(a: &Instruction, b: &Instruction) -> Result<(), MergeError> {
    match (prior_size(a), prior_size(b)) {
        (Some(one), Some(other)) if one != other => {
            let path = path(a).expect("what has a prior size has a path");
            let (class, field) = (path.object.class.clone(), path.field.clone());
            Err(MergeError::ListSizeMismatch { class, field, one, other })
        }
        _ => Ok(()),
    }
}

/// No list has more elements: positions and sizes that merging counts up stay within 32 bits.
const LIST_ELEMENTS_MAX: u32 = 1 << 31;

/// Refuses an edit that its own prior size shows to be impossible, and positions that no list has.
pub(crate) fn check_position(instruction: &Instruction) -> Result<(), MergeError> {
    let Some(path) = path(instruction) else { return Ok(()) };
    let out_of_range = |index, size| {
        let (class, field) = (path.object.class.clone(), path.field.clone());
        Err(MergeError::IndexOutOfRange { class, field, index, size })
    };
    for element in &path.elements {
        if let PathElement::Index(index) = element
            && *index >= LIST_ELEMENTS_MAX
        {
            return out_of_range(*index, LIST_ELEMENTS_MAX);
        }
    }
    let Some(size) = prior_size(instruction) else { return Ok(()) };
    if size >= LIST_ELEMENTS_MAX {
        return out_of_range(size, LIST_ELEMENTS_MAX);
    }
    let at = index(instruction, depth(instruction));
    match instruction {
        Instruction::ArrayInsert { .. } if at > size => out_of_range(at, size),
        Instruction::ArrayInsert { .. } => Ok(()),
        _ if at >= size => out_of_range(at, size),
        Instruction::ArrayMove { to, .. } if *to >= size => out_of_range(*to, size),
        _ => Ok(()),
    }
}

/// Where an element is after a move.
fn moved(index: u32, from: u32, to: u32) -> u32 {
    if index == from {
        return to;
    }
    let without = if index > from { index - 1 } else { index };
    if without >= to { without + 1 } else { without }
}

/// Discards a move that a merge has turned into none.
fn discard_idle(slot: &mut Slot<'_>) {
    if at(slot) == target(slot) {
        slot.discard();
    }
}

/// `ArrayInsert` against an instruction at, or inside, an element of the list.
pub(crate) fn insert_element(
    _: &Schema,
    insert: &mut Slot<'_>,
    element: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let depth = depth(insert.instruction());
    let (inserted, found) = (at(insert), index(element.instruction(), depth));
    if is_at(element, depth) {
        check_sizes(insert.instruction(), element.instruction())?;
        grow(element);
    }
    if found >= inserted {
        set_index(element, depth, found + 1);
    }
    Ok(())
}

/// Whether the instruction is about the element itself, and not about something inside it.
fn is_at(slot: &Slot<'_>, depth: usize) -> bool {
    self::depth(slot.instruction()) == depth
}

/// `ArrayErase` against an instruction at, or inside, an element of the list.
pub(crate) fn erase_element(
    _: &Schema,
    erase: &mut Slot<'_>,
    element: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let depth = depth(erase.instruction());
    let (erased, found) = (at(erase), index(element.instruction(), depth));
    if is_at(element, depth) {
        check_sizes(erase.instruction(), element.instruction())?;
        shrink(element);
    }
    if found == erased {
        element.discard();
    } else if found > erased {
        set_index(element, depth, found - 1);
    }
    Ok(())
}

/// `ArrayMove` against an instruction at, or inside, an element of the list, which follows its
/// element (docs/merge.md, E2).
pub(crate) fn move_element(
    _: &Schema,
    mover: &mut Slot<'_>,
    element: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let depth = depth(mover.instruction());
    if is_at(element, depth) {
        check_sizes(mover.instruction(), element.instruction())?;
    }
    let found = index(element.instruction(), depth);
    set_index(element, depth, moved(found, at(mover), target(mover)));
    Ok(())
}

/// `ArrayInsert` / `ArrayInsert`: at one position the older stands first.
pub(crate) fn insert_insert(
    _: &Schema,
    a: &mut Slot<'_>,
    b: &mut Slot<'_>,
) -> Result<(), MergeError> {
    check_sizes(a.instruction(), b.instruction())?;
    let (at_a, at_b) = (at(a), at(b));
    let a_is_first = if at_a == at_b { a.is_older_than(b)? } else { at_a < at_b };
    if a_is_first {
        put(b, at_b + 1);
    } else {
        put(a, at_a + 1);
    }
    grow(a);
    grow(b);
    Ok(())
}

/// `ArrayInsert` / `ArrayErase`: the insertion stays in its place.
pub(crate) fn insert_erase(
    _: &Schema,
    insert: &mut Slot<'_>,
    erase: &mut Slot<'_>,
) -> Result<(), MergeError> {
    check_sizes(insert.instruction(), erase.instruction())?;
    let (inserted, erased) = (at(insert), at(erase));
    if inserted <= erased {
        put(erase, erased + 1);
    } else {
        put(insert, inserted - 1);
    }
    grow(erase);
    shrink(insert);
    Ok(())
}

/// `ArrayErase` / `ArrayErase`: of one element once is enough.
pub(crate) fn erase_erase(
    _: &Schema,
    a: &mut Slot<'_>,
    b: &mut Slot<'_>,
) -> Result<(), MergeError> {
    check_sizes(a.instruction(), b.instruction())?;
    let (at_a, at_b) = (at(a), at(b));
    if at_a == at_b {
        a.discard();
        b.discard();
        return Ok(());
    }
    if at_a > at_b {
        put(a, at_a - 1);
    } else {
        put(b, at_b - 1);
    }
    shrink(a);
    shrink(b);
    Ok(())
}

/// `ArrayInsert` / `ArrayMove`. At one place the move stands first if it is the newer: the opposite of
/// two insertions, but the engine's way.
pub(crate) fn insert_move(
    _: &Schema,
    insert: &mut Slot<'_>,
    mover: &mut Slot<'_>,
) -> Result<(), MergeError> {
    check_sizes(insert.instruction(), mover.instruction())?;
    let (mut inserted, mut from, mut to) = (at(insert), at(mover), target(mover));
    if inserted > from {
        inserted -= 1;
    } else {
        from += 1;
    }
    let insert_is_first = if inserted == to { mover.is_older_than(insert)? } else { inserted < to };
    if insert_is_first {
        to += 1;
    } else {
        inserted += 1;
    }
    put(insert, inserted);
    put(mover, from);
    set_target(mover, to);
    grow(mover);
    Ok(())
}

/// `ArrayMove` / `ArrayMove`: of one element the newer wins; at one place the older stands first.
pub(crate) fn move_move(_: &Schema, a: &mut Slot<'_>, b: &mut Slot<'_>) -> Result<(), MergeError> {
    check_sizes(a.instruction(), b.instruction())?;
    let (mut from_a, mut to_a) = (at(a), target(a));
    let (mut from_b, mut to_b) = (at(b), target(b));
    if from_a == from_b {
        let a_is_older = a.is_older_than(b)?;
        if a_is_older {
            keep_newer(a, b);
        } else {
            keep_newer(b, a);
        }
        return Ok(());
    }
    if from_a < from_b {
        from_b -= 1;
    } else {
        from_a -= 1;
    }
    if to_a > from_b {
        to_a -= 1;
    } else {
        from_b += 1;
    }
    if from_a < to_b {
        to_b -= 1;
    } else {
        from_a += 1;
    }
    let a_is_first = if to_a == to_b { a.is_older_than(b)? } else { to_a < to_b };
    if a_is_first {
        to_b += 1;
    } else {
        to_a += 1;
    }
    put(a, from_a);
    set_target(a, to_a);
    put(b, from_b);
    set_target(b, to_b);
    discard_idle(a);
    discard_idle(b);
    Ok(())
}

/// Of two moves of one element the newer goes on from where the older has put it.
fn keep_newer(older: &mut Slot<'_>, newer: &mut Slot<'_>) {
    let moved_to = target(older);
    put(newer, moved_to);
    older.discard();
    discard_idle(newer);
}

/// `ArrayErase` / `ArrayMove`: erasing wins and follows the element.
pub(crate) fn move_erase(
    _: &Schema,
    mover: &mut Slot<'_>,
    erase: &mut Slot<'_>,
) -> Result<(), MergeError> {
    check_sizes(mover.instruction(), erase.instruction())?;
    let (mut erased, mut from, mut to) = (at(erase), at(mover), target(mover));
    if erased == from {
        put(erase, to);
        mover.discard();
        return Ok(());
    }
    if erased > from {
        erased -= 1;
    } else {
        from -= 1;
    }
    if erased >= to {
        erased += 1;
    } else {
        to -= 1;
    }
    put(erase, erased);
    put(mover, from);
    set_target(mover, to);
    shrink(mover);
    discard_idle(mover);
    Ok(())
}
