//! Rules for the creation and erasure of objects (sync-engine 2.3 and 2.4, objects).
#![allow(clippy::unnecessary_wraps, reason = "all rules of the table have one signature")]

use crate::MergeError;
use crate::place::same_object;
use crate::rules::Ruling;
use crate::slot::{Slot, discard_older};

/// `EraseObject` against anything inside the object: the erasure wins, whatever the times, and
/// whatever the kind of the instruction inside.
pub(crate) fn erase_inside(
    erase: &mut Slot<'_>,
    inside: &mut Slot<'_>,
) -> Result<Ruling, MergeError> {
    if same_object(erase.instruction(), inside.instruction()) {
        inside.discard();
    }
    Ok(Ruling::Ruled)
}

/// `CreateObject` / `EraseObject`: the erasure wins, whatever the times.
pub(crate) fn create_erase(
    create: &mut Slot<'_>,
    erase: &mut Slot<'_>,
) -> Result<Ruling, MergeError> {
    if same_object(create.instruction(), erase.instruction()) {
        create.discard();
    }
    Ok(Ruling::Ruled)
}

/// `EraseObject` / `EraseObject`: the newer is kept, so that a stale erasure cannot kill what a later
/// one re-creates behind itself.
pub(crate) fn erase_erase(a: &mut Slot<'_>, b: &mut Slot<'_>) -> Result<Ruling, MergeError> {
    if same_object(a.instruction(), b.instruction()) {
        discard_older(a, b)?;
    }
    Ok(Ruling::Ruled)
}
