//! The table of rules: every unordered pair of the fourteen instructions, once.
//!
//! A row names its rule and the section of the sync-engine specification that states it. "No
//! effect" is a rule like any other; `Refuse` marks a rule that is not written yet, with the test
//! by which the two instructions meet. The compiler checks that no pair is missing, a test that
//! none is there twice.

use skerry_model::{Instruction, Payload};

use crate::place::{
    container_prefix, links_to_erased, prefix, same_class, same_column, same_container, same_place,
};
use crate::{MergeError, Slot, objects, schema, values};

/// What a rule made of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ruling {
    /// The pair is merged.
    Ruled,
    /// The pair meets in a way for which the rule is not written yet.
    Refused,
}

/// How a pair is merged. Functions get the two in the order of the row.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Both pass unchanged.
    NoEffect,
    /// This function decides.
    Apply(fn(&mut Slot<'_>, &mut Slot<'_>) -> Result<Ruling, MergeError>),
    /// Not written yet: an error if the two meet, no effect if they do not.
    Refuse(fn(&Instruction, &Instruction) -> bool),
}

/// A row of the table, found for a pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) rule: Rule,
    /// Section of the sync-engine specification.
    pub(crate) section: &'static str,
    /// Whether the pair was given in the opposite order of the row.
    pub(crate) swapped: bool,
}

use Rule::{Apply, NoEffect, Refuse};

/// The rule for an instruction that addresses more (`outer`) against one that addresses less: an
/// object against something inside it, a collection against its elements (sync-engine 2.3).
#[allow(clippy::match_same_arms, reason = "transparent creation is a case of its own")]
pub(crate) fn nested_rule(outer: &Instruction) -> Row {
    let rule = match outer {
        Instruction::EraseTable { .. } => Refuse(same_class),
        Instruction::EraseObject { .. } => Apply(objects::erase_inside),
        // Creating the embedded object is transparent for what is done inside it.
        Instruction::Update { value: Payload::ObjectValue, .. } => NoEffect,
        Instruction::Update { .. } | Instruction::AddInteger { .. } | Instruction::Clear { .. } => {
            Refuse(prefix)
        }
        Instruction::ArrayInsert { .. }
        | Instruction::ArrayMove { .. }
        | Instruction::ArrayErase { .. } => Refuse(container_prefix),
        Instruction::AddTable { .. }
        | Instruction::CreateObject { .. }
        | Instruction::AddColumn { .. }
        | Instruction::EraseColumn { .. }
        | Instruction::SetInsert { .. }
        | Instruction::SetErase { .. } => NoEffect,
    };
    Row { rule, section: "2.3", swapped: false }
}

macro_rules! table {
    ($($first:ident $second:ident: $rule:expr, $section:literal;)*) => {
        /// The rule for two instructions by their types (sync-engine 2.4).
        // Of a pair of equal types the second order is the first one again.
        #[allow(unreachable_patterns)]
        pub(crate) fn pair_rule(outer: &Instruction, inner: &Instruction) -> Row {
            match (outer, inner) {
                $(
                    (Instruction::$first { .. }, Instruction::$second { .. }) => {
                        Row { rule: $rule, section: $section, swapped: false }
                    }
                    (Instruction::$second { .. }, Instruction::$first { .. }) => {
                        Row { rule: $rule, section: $section, swapped: true }
                    }
                )*
            }
        }

        #[cfg(test)]
        const PAIRS: &[(&str, &str)] = &[$((stringify!($first), stringify!($second))),*];
    };
}

table! {
    // AddTable: what is inside the class is the business of what is inside it.
    AddTable AddTable: Apply(schema::add_table_twice), "2.4 schema";
    AddTable EraseTable: Refuse(same_class), "2.4 schema";
    AddTable CreateObject: NoEffect, "2.4";
    AddTable EraseObject: NoEffect, "2.4";
    AddTable Update: NoEffect, "2.4";
    AddTable AddInteger: NoEffect, "2.4";
    AddTable AddColumn: NoEffect, "2.4";
    AddTable EraseColumn: NoEffect, "2.4";
    AddTable ArrayInsert: NoEffect, "2.4";
    AddTable ArrayMove: NoEffect, "2.4";
    AddTable ArrayErase: NoEffect, "2.4";
    AddTable Clear: NoEffect, "2.4";
    AddTable SetInsert: NoEffect, "2.4";
    AddTable SetErase: NoEffect, "2.4";
    // EraseTable: what is inside the class is met by the nested rule.
    EraseTable EraseTable: Refuse(same_class), "2.4 schema";
    EraseTable CreateObject: NoEffect, "2.3";
    EraseTable EraseObject: NoEffect, "2.3";
    EraseTable Update: NoEffect, "2.3";
    EraseTable AddInteger: NoEffect, "2.3";
    EraseTable AddColumn: Refuse(links_to_erased), "2.4 schema";
    EraseTable EraseColumn: NoEffect, "2.3";
    EraseTable ArrayInsert: NoEffect, "2.3";
    EraseTable ArrayMove: NoEffect, "2.3";
    EraseTable ArrayErase: NoEffect, "2.3";
    EraseTable Clear: NoEffect, "2.3";
    EraseTable SetInsert: NoEffect, "2.3";
    EraseTable SetErase: NoEffect, "2.3";
    // CreateObject: creating twice is idempotent.
    CreateObject CreateObject: NoEffect, "2.4 objects";
    CreateObject EraseObject: Apply(objects::create_erase), "2.4 objects";
    CreateObject Update: NoEffect, "2.4";
    CreateObject AddInteger: NoEffect, "2.4";
    CreateObject AddColumn: NoEffect, "2.4";
    CreateObject EraseColumn: NoEffect, "2.4";
    CreateObject ArrayInsert: NoEffect, "2.4";
    CreateObject ArrayMove: NoEffect, "2.4";
    CreateObject ArrayErase: NoEffect, "2.4";
    CreateObject Clear: NoEffect, "2.4";
    CreateObject SetInsert: NoEffect, "2.4";
    CreateObject SetErase: NoEffect, "2.4";
    // EraseObject: what is inside the object is met by the nested rule.
    EraseObject EraseObject: Apply(objects::erase_erase), "2.4 objects";
    EraseObject Update: NoEffect, "2.3";
    EraseObject AddInteger: NoEffect, "2.3";
    EraseObject AddColumn: NoEffect, "2.4";
    EraseObject EraseColumn: NoEffect, "2.4";
    EraseObject ArrayInsert: NoEffect, "2.3";
    EraseObject ArrayMove: NoEffect, "2.3";
    EraseObject ArrayErase: NoEffect, "2.3";
    EraseObject Clear: NoEffect, "2.3";
    EraseObject SetInsert: NoEffect, "2.3";
    EraseObject SetErase: NoEffect, "2.3";
    // Update.
    Update Update: Apply(values::update_update), "2.4 values";
    Update AddInteger: Apply(values::update_add), "2.4 values";
    Update AddColumn: NoEffect, "2.4";
    Update EraseColumn: Refuse(same_column), "2.4 schema";
    Update ArrayInsert: Refuse(same_container), "2.4 lists";
    Update ArrayMove: Refuse(same_container), "2.4 lists";
    Update ArrayErase: Refuse(same_container), "2.4 lists";
    Update Clear: Refuse(same_place), "2.4 values";
    Update SetInsert: NoEffect, "2.4";
    Update SetErase: NoEffect, "2.4";
    // AddInteger: it stands on properties only, so it is in no list and in no set.
    AddInteger AddInteger: NoEffect, "2.4 values";
    AddInteger AddColumn: NoEffect, "2.4";
    AddInteger EraseColumn: Refuse(same_column), "2.4 schema";
    AddInteger ArrayInsert: NoEffect, "2.4";
    AddInteger ArrayMove: NoEffect, "2.4";
    AddInteger ArrayErase: NoEffect, "2.4";
    AddInteger Clear: Refuse(same_place), "2.4 values";
    AddInteger SetInsert: NoEffect, "2.4";
    AddInteger SetErase: NoEffect, "2.4";
    // AddColumn.
    AddColumn AddColumn: Apply(schema::add_column_twice), "2.4 schema";
    AddColumn EraseColumn: Refuse(same_column), "2.4 schema";
    AddColumn ArrayInsert: NoEffect, "2.4";
    AddColumn ArrayMove: NoEffect, "2.4";
    AddColumn ArrayErase: NoEffect, "2.4";
    AddColumn Clear: NoEffect, "2.4";
    AddColumn SetInsert: NoEffect, "2.4";
    AddColumn SetErase: NoEffect, "2.4";
    // EraseColumn: letting an instruction on an erased property pass would fail when applied.
    EraseColumn EraseColumn: Refuse(same_column), "2.4 schema";
    EraseColumn ArrayInsert: Refuse(same_column), "2.4 schema";
    EraseColumn ArrayMove: Refuse(same_column), "2.4 schema";
    EraseColumn ArrayErase: Refuse(same_column), "2.4 schema";
    EraseColumn Clear: Refuse(same_column), "2.4 schema";
    EraseColumn SetInsert: Refuse(same_column), "2.4 schema";
    EraseColumn SetErase: Refuse(same_column), "2.4 schema";
    // ArrayInsert: a Clear of an element of the list must follow its element.
    ArrayInsert ArrayInsert: Refuse(same_container), "2.4 lists";
    ArrayInsert ArrayMove: Refuse(same_container), "2.4 lists";
    ArrayInsert ArrayErase: Refuse(same_container), "2.4 lists";
    ArrayInsert Clear: Refuse(same_container), "2.4 lists";
    ArrayInsert SetInsert: NoEffect, "2.4";
    ArrayInsert SetErase: NoEffect, "2.4";
    // ArrayMove.
    ArrayMove ArrayMove: Refuse(same_container), "2.4 lists";
    ArrayMove ArrayErase: Refuse(same_container), "2.4 lists";
    ArrayMove Clear: Refuse(same_container), "2.4 lists";
    ArrayMove SetInsert: NoEffect, "2.4";
    ArrayMove SetErase: NoEffect, "2.4";
    // ArrayErase.
    ArrayErase ArrayErase: Refuse(same_container), "2.4 lists";
    ArrayErase Clear: Refuse(same_container), "2.4 lists";
    ArrayErase SetInsert: NoEffect, "2.4";
    ArrayErase SetErase: NoEffect, "2.4";
    // Clear.
    Clear Clear: Refuse(same_place), "2.4 values";
    Clear SetInsert: Refuse(same_place), "2.4 values";
    Clear SetErase: Refuse(same_place), "2.4 values";
    // SetInsert.
    SetInsert SetInsert: Refuse(same_place), "2.4 values";
    SetInsert SetErase: Refuse(same_place), "2.4 values";
    // SetErase.
    SetErase SetErase: Refuse(same_place), "2.4 values";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_unordered_pair_is_there_once() {
        let pairs: BTreeSet<_> =
            PAIRS.iter().map(|&(a, b)| if a < b { (a, b) } else { (b, a) }).collect();
        assert_eq!(PAIRS.len(), 14 * 15 / 2);
        assert_eq!(pairs.len(), PAIRS.len());
    }
}
