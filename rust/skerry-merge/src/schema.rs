//! Rules for schema changes (sync-engine 2.4, schema). Adding is idempotent and must agree.

use skerry_model::Instruction;

use crate::place::{same_class, same_column};
use crate::rules::Ruling;
use crate::{MergeError, Slot};

/// `AddTable` / `AddTable` of one class: equal ones cancel, different ones are an error.
pub(crate) fn add_table_twice(a: &mut Slot<'_>, b: &mut Slot<'_>) -> Result<Ruling, MergeError> {
    if !same_class(a.instruction(), b.instruction()) {
        return Ok(Ruling::Ruled);
    }
    if a.instruction() != b.instruction() {
        return Err(MergeError::TableMismatch { class: a.instruction().class().clone() });
    }
    a.discard();
    b.discard();
    Ok(Ruling::Ruled)
}

/// `AddColumn` / `AddColumn` of one property: equal ones cancel, different ones are an error.
pub(crate) fn add_column_twice(a: &mut Slot<'_>, b: &mut Slot<'_>) -> Result<Ruling, MergeError> {
    if !same_column(a.instruction(), b.instruction()) {
        return Ok(Ruling::Ruled);
    }
    if let Instruction::AddColumn { class, field, .. } = a.instruction()
        && a.instruction() != b.instruction()
    {
        return Err(MergeError::ColumnMismatch { class: class.clone(), field: field.clone() });
    }
    a.discard();
    b.discard();
    Ok(Ruling::Ruled)
}
