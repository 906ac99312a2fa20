//! Rules for what single places hold: properties, list elements, dictionary values (sync-engine 2.3
//! and 2.4, values).
#![allow(clippy::unnecessary_wraps, reason = "all rules of the table have one signature")]

use skerry_model::{CollectionType, Instruction, PathElement, Payload, Schema, UpdateSide, Value};

use crate::MergeError;
use crate::place::{fills, path};
use crate::slot::{Slot, discard_older};

fn payload(update: &Instruction) -> &Payload {
    match update {
        Instruction::Update { value, .. } => value,
        _ => unreachable!("the table of rules passes an Update here"),
    }
}

fn is_default(update: &Instruction) -> bool {
    matches!(update, Instruction::Update { side: UpdateSide::IsDefault(true), .. })
}

/// Update / Update of one place. Making an embedded object loses against everything that is none;
/// two collections of one kind are one; a default loses to a normal value; otherwise the older loses.
pub(crate) fn update_update(
    _: &Schema,
    a: &mut Slot<'_>,
    b: &mut Slot<'_>,
) -> Result<(), MergeError> {
    match (payload(a.instruction()), payload(b.instruction())) {
        (Payload::List, Payload::List) | (Payload::Dictionary, Payload::Dictionary) => {
            return Ok(());
        }
        (Payload::ObjectValue, other) if *other != Payload::ObjectValue => {
            a.discard();
            return Ok(());
        }
        (other, Payload::ObjectValue) if *other != Payload::ObjectValue => {
            b.discard();
            return Ok(());
        }
        _ => {}
    }
    match (is_default(a.instruction()), is_default(b.instruction())) {
        (true, false) => a.discard(),
        (false, true) => b.discard(),
        (true, true) | (false, false) => discard_older(a, b)?,
    }
    Ok(())
}

/// Update / `AddInteger` of one place: an increment survives an older or default Update, and is
/// counted into its value so that both orders of applying them agree.
pub(crate) fn update_add(
    _: &Schema,
    update: &mut Slot<'_>,
    add: &mut Slot<'_>,
) -> Result<(), MergeError> {
    if !is_default(update.instruction()) && !update.is_older_than(add)? {
        add.discard();
        return Ok(());
    }
    match payload(update.instruction()) {
        // The increment stays in the history: it counts if an int turns up between the two.
        Payload::Value(Value::Null) => {}
        Payload::Value(Value::Int(int)) => {
            let sum = int.wrapping_add(increment(add.instruction()));
            if let Instruction::Update { value, .. } = update.change() {
                *value = Payload::Value(Value::Int(sum));
            }
        }
        Payload::Value(
            Value::Bool(_)
            | Value::String(_)
            | Value::Binary(_)
            | Value::Timestamp(_)
            | Value::Float(_)
            | Value::Double(_)
            | Value::Decimal(_)
            | Value::Link(_)
            | Value::ObjectId(_)
            | Value::Uuid(_),
        )
        | Payload::ObjectValue
        | Payload::List
        | Payload::Dictionary
        | Payload::Erased => add.discard(),
    }
    Ok(())
}

fn increment(add: &Instruction) -> i64 {
    match add {
        Instruction::AddInteger { value, .. } => *value,
        _ => unreachable!("the table of rules passes an AddInteger here"),
    }
}

/// Update / Clear of one place: a collection that is made and one of that kind that is emptied both
/// pass, as emptying also says the kind; a removed key stays removed; otherwise the older loses.
pub(crate) fn update_clear(
    _: &Schema,
    update: &mut Slot<'_>,
    clear: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let Instruction::Clear { collection, .. } = clear.instruction() else {
        unreachable!("the table of rules passes a Clear here")
    };
    match (payload(update.instruction()), collection) {
        (Payload::List, CollectionType::List)
        | (Payload::Dictionary, CollectionType::Dictionary) => Ok(()),
        // What is cleared must exist: a Clear cannot bring a key back (docs/merge.md, E8).
        (Payload::Erased, _) => {
            clear.discard();
            Ok(())
        }
        _ => discard_older(update, clear),
    }
}

/// `AddInteger` / Clear of one place: what is cleared holds no int any more.
pub(crate) fn add_clear(
    _: &Schema,
    add: &mut Slot<'_>,
    _clear: &mut Slot<'_>,
) -> Result<(), MergeError> {
    add.discard();
    Ok(())
}

/// Clear / Clear of one place: the newer is kept, with what its side put in afterwards.
pub(crate) fn clear_clear(
    _: &Schema,
    a: &mut Slot<'_>,
    b: &mut Slot<'_>,
) -> Result<(), MergeError> {
    discard_older(a, b)
}

/// Clear / `SetInsert` and Clear / `SetErase`: clearing wins, whatever the times.
pub(crate) fn clear_set(
    _: &Schema,
    _clear: &mut Slot<'_>,
    set: &mut Slot<'_>,
) -> Result<(), MergeError> {
    set.discard();
    Ok(())
}

/// Set instructions on one element: the newer wins.
pub(crate) fn set_set(_: &Schema, a: &mut Slot<'_>, b: &mut Slot<'_>) -> Result<(), MergeError> {
    discard_older(a, b)
}

/// An Update against what is inside its place. What it overwrites is gone, whatever the times; making
/// the embedded object or the collection that the other side works in is transparent.
pub(crate) fn update_inside(
    schema: &Schema,
    update: &mut Slot<'_>,
    inside: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let outer = path(update.instruction()).expect("an Update has a path");
    let depth = outer.elements.len();
    let inner = path(inside.instruction()).expect("what is inside a place has a path");
    match (payload(update.instruction()), inner.elements.get(depth)) {
        // In a dictionary it replaces the object that was there (docs/merge.md, E3).
        (Payload::ObjectValue, _) if schema.is_embedded_dictionary_key(outer) => inside.discard(),
        (Payload::ObjectValue, _) => {}
        (Payload::List, Some(PathElement::Index(_)))
        | (Payload::Dictionary, Some(PathElement::Key(_))) => {
            // Where the other side has filled a collection of that kind it is made no more, and
            // must not win against what comes later there (docs/merge.md, E8).
            if fills(inside.instruction(), depth) {
                update.discard();
            }
        }
        _ => inside.discard(),
    }
    Ok(())
}

/// `AddInteger` or Clear against what is inside their place: it is gone, whatever the times.
pub(crate) fn discard_inside(
    _: &Schema,
    _outer: &mut Slot<'_>,
    inside: &mut Slot<'_>,
) -> Result<(), MergeError> {
    inside.discard();
    Ok(())
}
