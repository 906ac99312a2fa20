//! The merge of one pair of instructions (sync-engine 2.1, "pair merge").

use std::cmp::Ordering;

use skerry_model::Schema;

use crate::place::level;
use crate::rules::{Row, Rule, nested_rule, pair_rule};
use crate::{MergeError, Slot, lists};

/// A function that merges a pair. Everything here uses [`merge_pair`]; tests of the tests hand in a
/// wrong one and see it caught.
pub type PairMerge = fn(&Schema, &mut Slot<'_>, &mut Slot<'_>) -> Result<(), MergeError>;

/// Merges our instruction `outer` with their concurrent instruction `inner`: the nested rule when
/// one addresses more than the other, then, if both are left, the rule for their types.
///
/// The result does not depend on which side is called ours. `schema` has the classes of both.
pub fn merge_pair(
    schema: &Schema,
    outer: &mut Slot<'_>,
    inner: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let (outer_level, inner_level) = (level(outer.instruction()), level(inner.instruction()));
    let nested = match outer_level.cmp(&inner_level) {
        Ordering::Less => Some(nested_rule(outer.instruction())),
        Ordering::Equal => None,
        Ordering::Greater => Some(Row { swapped: true, ..nested_rule(inner.instruction()) }),
    };
    if let Some(row) = nested.filter(|row| meets(row, outer, inner)) {
        apply(schema, &row, outer, inner)?;
    }
    if outer.is_discarded() || inner.is_discarded() {
        return Ok(());
    }
    let row = pair_rule(outer.instruction(), inner.instruction());
    // What meets here meets at one place, or in one list.
    if meets(&row, outer, inner) {
        lists::check_sizes(outer.instruction(), inner.instruction())?;
        apply(schema, &row, outer, inner)?;
    }
    Ok(())
}

fn meets(row: &Row, outer: &Slot<'_>, inner: &Slot<'_>) -> bool {
    let (outer, inner) = (outer.instruction(), inner.instruction());
    match row.rule {
        Rule::NoEffect => false,
        Rule::Met(meets, _) if row.swapped => meets(inner, outer),
        Rule::Met(meets, _) => meets(outer, inner),
    }
}

/// Applies a rule to two instructions that are known to meet.
pub(crate) fn apply(
    schema: &Schema,
    row: &Row,
    outer: &mut Slot<'_>,
    inner: &mut Slot<'_>,
) -> Result<(), MergeError> {
    match row.rule {
        Rule::NoEffect => Ok(()),
        Rule::Met(_, rule) if row.swapped => rule(schema, inner, outer),
        Rule::Met(_, rule) => rule(schema, outer, inner),
    }
}
