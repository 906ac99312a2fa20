//! The merge of one pair of instructions (sync-engine 2.1, "pair merge").

use skerry_model::Instruction;

use crate::place::level;
use crate::rules::{Row, Rule, Ruling, nested_rule, pair_rule};
use crate::{MergeError, Slot};

/// A function that merges a pair. Everything here uses [`merge_pair`]; tests of the tests hand in a
/// wrong one and see it caught.
pub type PairMerge = fn(&mut Slot<'_>, &mut Slot<'_>) -> Result<(), MergeError>;

/// Merges our instruction `outer` with their concurrent instruction `inner`: the nested rule when
/// one addresses more than the other, then, if both are left, the rule for their types.
///
/// The result does not depend on which side is called ours.
pub fn merge_pair(outer: &mut Slot<'_>, inner: &mut Slot<'_>) -> Result<(), MergeError> {
    let (outer_level, inner_level) = (level(outer.instruction()), level(inner.instruction()));
    if outer_level < inner_level {
        let row = nested_rule(outer.instruction());
        run(&row, outer, inner)?;
    } else if inner_level < outer_level {
        let row = nested_rule(inner.instruction());
        run(&Row { swapped: true, ..row }, outer, inner)?;
    }
    if outer.is_discarded() || inner.is_discarded() {
        return Ok(());
    }
    let row = pair_rule(outer.instruction(), inner.instruction());
    run(&row, outer, inner)
}

fn run(row: &Row, outer: &mut Slot<'_>, inner: &mut Slot<'_>) -> Result<(), MergeError> {
    let ruling = match row.rule {
        Rule::NoEffect => return Ok(()),
        Rule::Apply(rule) if row.swapped => rule(inner, outer)?,
        Rule::Apply(rule) => rule(outer, inner)?,
        Rule::Refuse(meet) => {
            let (first, second) = in_order(row, outer.instruction(), inner.instruction());
            if meet(first, second) { Ruling::Refused } else { Ruling::Ruled }
        }
    };
    match ruling {
        Ruling::Ruled => Ok(()),
        Ruling::Refused => Err(MergeError::RuleNotImplemented {
            outer: outer.instruction().name(),
            inner: inner.instruction().name(),
            class: inner.instruction().class().clone(),
            section: row.section,
        }),
    }
}

fn in_order<'a>(
    row: &Row,
    outer: &'a Instruction,
    inner: &'a Instruction,
) -> (&'a Instruction, &'a Instruction) {
    if row.swapped { (inner, outer) } else { (outer, inner) }
}
