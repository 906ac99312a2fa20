//! The loop over pairs (sync-engine 2.1): the definition of merging.
//!
//! Every rule looks at one object (or one class), so running the loop for each of them alone gives
//! what running it over whole changesets would. The cost is the product of the lengths, which is
//! why only few instructions are merged like this; more are by [`crate::tree`], to the same result.

use skerry_model::Schema;
use smallvec::SmallVec;

use crate::tree::Side;
use crate::{MergeError, PairMerge, Slot, lists};

/// Slots of one side of one conflict. Most conflicts are one instruction against one.
pub(crate) type Slots<'a> = SmallVec<[Slot<'a>; 4]>;

/// Up to this number of pairs, visiting all costs less than sorting them by place.
pub(crate) const PAIRS_VISITED_MAX: usize = 256;

/// Merges `ours`, in the order of our history, with `theirs`, in the order of arrival.
pub(crate) fn run(
    schema: &Schema,
    ours: &mut [Slot<'_>],
    theirs: &mut [Slot<'_>],
) -> Result<(), MergeError> {
    let is_schema = |slots: &[Slot<'_>]| slots.iter().any(|slot| slot.instruction().is_schema());
    let are_few = ours.len().saturating_mul(theirs.len()) <= PAIRS_VISITED_MAX;
    if are_few || is_schema(ours) || is_schema(theirs) {
        return run_all(schema, ours, theirs, crate::merge_pair);
    }
    run_by_place(schema, ours, theirs)
}

/// As [`run_all`], for instructions on one object.
pub(crate) fn run_by_place(
    schema: &Schema,
    ours: &mut [Slot<'_>],
    theirs: &mut [Slot<'_>],
) -> Result<(), MergeError> {
    let mut side = Side::new(ours)?;
    theirs.iter_mut().try_for_each(|incoming| side.pass(schema, ours, incoming))?;
    side.settle(ours);
    Ok(())
}

/// Merges each with each.
pub(crate) fn run_all(
    schema: &Schema,
    ours: &mut [Slot<'_>],
    theirs: &mut [Slot<'_>],
    merge: PairMerge,
) -> Result<(), MergeError> {
    for slot in ours.iter().chain(theirs.iter()).filter(|slot| !slot.is_discarded()) {
        lists::check_position(slot.instruction())?;
    }
    let mut theirs = Theirs { more: Vec::new(), slots: theirs };
    for outer in ours.iter_mut() {
        let put_before = theirs.visit(schema, outer, 0, merge)?;
        for more in put_before {
            outer.put_before(more);
        }
    }
    theirs.finish();
    Ok(())
}

/// The inner side of the loop.
struct Theirs<'s, 'a> {
    slots: &'s mut [Slot<'a>],
    /// For each slot what rules have put before it, which is merged like all else. Empty as long as
    /// there is none, which is nearly always.
    more: Vec<Vec<Slot<'static>>>,
}

impl Theirs<'_, '_> {
    /// Merges one of ours with those of theirs from a number on; what rules have put before it and
    /// merging has left.
    fn visit(
        &mut self,
        schema: &Schema,
        outer: &mut Slot<'_>,
        from: usize,
        merge: PairMerge,
    ) -> Result<Vec<skerry_model::Instruction>, MergeError> {
        let mut put_before = Vec::new();
        for at in from..self.slots.len() {
            for inner in self.more.get_mut(at).into_iter().flatten() {
                if !outer.is_discarded() && !inner.is_discarded() {
                    merge(schema, outer, inner)?;
                }
            }
            let inner = &mut self.slots[at];
            if outer.is_discarded() {
                break;
            }
            if inner.is_discarded() {
                continue;
            }
            merge(schema, outer, inner)?;
            let (author, before) = (inner.author(), inner.take_before());
            if !before.is_empty() {
                self.more.resize_with(self.slots.len(), Vec::new);
                self.more[at].extend(before.into_iter().map(|more| Slot::owned(author, more)));
            }
            for more in outer.take_before() {
                let mut more = Slot::owned(outer.author(), more);
                put_before.extend(self.visit(schema, &mut more, at + 1, merge)?);
                if !more.is_discarded() {
                    put_before.push(more.instruction().clone());
                }
            }
        }
        Ok(put_before)
    }

    /// Puts what was put before an instruction where it belongs.
    fn finish(self) {
        for (slot, more) in self.slots.iter_mut().zip(self.more) {
            for inner in more.into_iter().filter(|inner| !inner.is_discarded()) {
                slot.put_before(inner.instruction().clone());
            }
        }
    }
}
