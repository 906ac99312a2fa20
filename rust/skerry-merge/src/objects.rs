//! Rules for the creation and erasure of objects (sync-engine 2.3 and 2.4, objects).
#![allow(clippy::unnecessary_wraps, reason = "all rules of the table have one signature")]

use skerry_model::Schema;

use crate::MergeError;
use crate::slot::{Slot, discard_older};

/// `CreateObject` / `EraseObject`: the erasure wins, whatever the times.
pub(crate) fn create_erase(
    _: &Schema,
    create: &mut Slot<'_>,
    _erase: &mut Slot<'_>,
) -> Result<(), MergeError> {
    create.discard();
    Ok(())
}

/// `EraseObject` / `EraseObject`: the newer is kept, so that a stale erasure cannot kill what a later
/// one re-creates behind itself.
pub(crate) fn erase_erase(
    _: &Schema,
    a: &mut Slot<'_>,
    b: &mut Slot<'_>,
) -> Result<(), MergeError> {
    discard_older(a, b)
}
