//! The loop over pairs (sync-engine 2.1).

use smallvec::SmallVec;

use crate::{MergeError, PairMerge, Slot};

/// Slots of one side of one conflict. Most conflicts are one instruction against one.
pub(crate) type Slots<'a> = SmallVec<[Slot<'a>; 4]>;

/// Merges `ours`, in the order of our history, with `theirs`, in the order of arrival.
///
/// Every rule looks at one object (or one class), so running the loop for each of them alone
/// gives what running it over whole changesets would.
pub(crate) fn run(
    ours: &mut [Slot<'_>],
    theirs: &mut [Slot<'_>],
    merge: PairMerge,
) -> Result<(), MergeError> {
    for outer in ours {
        for inner in theirs.iter_mut() {
            if inner.is_discarded() {
                continue;
            }
            merge(outer, inner)?;
            if outer.is_discarded() {
                break;
            }
        }
    }
    Ok(())
}
