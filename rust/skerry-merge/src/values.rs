//! Rules for values of properties (sync-engine 2.4, values).
//!
//! Written so far for properties that hold a scalar, null or a link. What needs collections or
//! embedded objects (a longer path, a payload that makes one) is refused.

use skerry_model::{Instruction, Path, Payload, UpdateSide, Value};

use crate::MergeError;
use crate::place::same_place;
use crate::rules::Ruling;
use crate::slot::{Slot, discard_older};

/// What an Update puts into a property, when it is a plain value there.
struct Plain<'a> {
    value: &'a Value,
    is_default: bool,
}

fn plain(update: &Instruction) -> Option<Plain<'_>> {
    match update {
        Instruction::Update {
            path: Path { elements, .. },
            value: Payload::Value(value),
            side: UpdateSide::IsDefault(is_default),
        } if elements.is_empty() => Some(Plain { value, is_default: *is_default }),
        _ => None,
    }
}

/// Update / Update of one place: a default loses to a normal one, otherwise the older loses.
pub(crate) fn update_update(a: &mut Slot<'_>, b: &mut Slot<'_>) -> Result<Ruling, MergeError> {
    if !same_place(a.instruction(), b.instruction()) {
        return Ok(Ruling::Ruled);
    }
    let (Some(in_a), Some(in_b)) = (plain(a.instruction()), plain(b.instruction())) else {
        return Ok(Ruling::Refused);
    };
    match (in_a.is_default, in_b.is_default) {
        (true, false) => a.discard(),
        (false, true) => b.discard(),
        (true, true) | (false, false) => discard_older(a, b)?,
    }
    Ok(Ruling::Ruled)
}

/// Update / `AddInteger` of one place: an increment survives an older or default Update, and is
/// counted into its value so that both orders of applying them agree.
pub(crate) fn update_add(update: &mut Slot<'_>, add: &mut Slot<'_>) -> Result<Ruling, MergeError> {
    if !same_place(update.instruction(), add.instruction()) {
        return Ok(Ruling::Ruled);
    }
    let Some(Plain { value, is_default }) = plain(update.instruction()) else {
        return Ok(Ruling::Refused);
    };
    if !is_default && !update.is_older_than(add)? {
        add.discard();
        return Ok(Ruling::Ruled);
    }
    match value {
        // The increment stays in the history: it counts if an int turns up between the two.
        Value::Null => {}
        Value::Int(int) => {
            let sum = int.wrapping_add(increment(add.instruction()));
            if let Instruction::Update { value, .. } = update.change() {
                *value = Payload::Value(Value::Int(sum));
            }
        }
        Value::Bool(_)
        | Value::String(_)
        | Value::Binary(_)
        | Value::Timestamp(_)
        | Value::Float(_)
        | Value::Double(_)
        | Value::Decimal(_)
        | Value::Link(_)
        | Value::ObjectId(_)
        | Value::Uuid(_) => add.discard(),
    }
    Ok(Ruling::Ruled)
}

fn increment(add: &Instruction) -> i64 {
    match add {
        Instruction::AddInteger { value, .. } => *value,
        _ => unreachable!("the table of rules passes an AddInteger here"),
    }
}
