//! Rules for schema changes (sync-engine 2.3 and 2.4, schema). Adding is idempotent and must agree.
//! Erasing wins over all that is inside, whatever the times.
#![allow(clippy::unnecessary_wraps, reason = "all rules of the table have one signature")]

use skerry_model::{Instruction, Schema};

use crate::{MergeError, Slot};

/// `AddTable` / `AddTable` of one class: equal ones cancel, different ones are an error.
pub(crate) fn add_table_twice(
    _: &Schema,
    a: &mut Slot<'_>,
    b: &mut Slot<'_>,
) -> Result<(), MergeError> {
    if a.instruction() != b.instruction() {
        return Err(MergeError::TableMismatch { class: a.instruction().class().clone() });
    }
    discard_both(a, b)
}

/// `AddColumn` / `AddColumn` of one property: equal ones cancel, different ones are an error.
pub(crate) fn add_column_twice(
    _: &Schema,
    a: &mut Slot<'_>,
    b: &mut Slot<'_>,
) -> Result<(), MergeError> {
    if let Instruction::AddColumn { class, field, .. } = a.instruction()
        && a.instruction() != b.instruction()
    {
        return Err(MergeError::ColumnMismatch { class: class.clone(), field: field.clone() });
    }
    discard_both(a, b)
}

/// `EraseTable` / `EraseTable` and `EraseColumn` / `EraseColumn`: once is enough.
pub(crate) fn erase_twice(
    _: &Schema,
    a: &mut Slot<'_>,
    b: &mut Slot<'_>,
) -> Result<(), MergeError> {
    discard_both(a, b)
}

fn discard_both(a: &mut Slot<'_>, b: &mut Slot<'_>) -> Result<(), MergeError> {
    a.discard();
    b.discard();
    Ok(())
}

/// `AddTable` / `EraseTable` and `AddColumn` / `EraseColumn`: the addition found what the other side
/// has erased, and so added nothing.
pub(crate) fn add_erase(
    _: &Schema,
    add: &mut Slot<'_>,
    _erase: &mut Slot<'_>,
) -> Result<(), MergeError> {
    add.discard();
    Ok(())
}

/// An erased class, property or object against what is inside it, of whatever kind.
pub(crate) fn erase_inside(
    _: &Schema,
    _erase: &mut Slot<'_>,
    inside: &mut Slot<'_>,
) -> Result<(), MergeError> {
    inside.discard();
    Ok(())
}

/// As [`erase_inside`], for rows that name the erasure second.
pub(crate) fn inside_erase(
    _: &Schema,
    inside: &mut Slot<'_>,
    _erase: &mut Slot<'_>,
) -> Result<(), MergeError> {
    inside.discard();
    Ok(())
}

/// `EraseTable` / `AddColumn` of links to that class: where the property was added it has to go
/// first, and where the class is gone it is not added.
pub(crate) fn erase_target(
    _: &Schema,
    erase: &mut Slot<'_>,
    add: &mut Slot<'_>,
) -> Result<(), MergeError> {
    if let Instruction::AddColumn { class, field, .. } = add.instruction() {
        let (class, field) = (class.clone(), field.clone());
        erase.put_before(Instruction::EraseColumn { class, field });
    }
    add.discard();
    Ok(())
}
