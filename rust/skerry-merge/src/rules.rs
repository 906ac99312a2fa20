//! The table of rules: every unordered pair of the fourteen instructions, once.
//!
//! A row names the test by which two instructions meet, the rule for two that do, and the section of
//! the sync-engine specification that states it. "No effect" is a rule like any other. The compiler
//! checks that no pair is missing, a test that none is there twice. The rules are in modules by
//! family: `schema`, `objects`, `values` (with sets and what is inside a place), `lists`.

use skerry_model::{Instruction, Schema};

use crate::place::{
    links_to_erased, list_prefix, prefix, same_class, same_column, same_element, same_list,
    same_object, same_place,
};
use crate::{MergeError, Slot, lists, objects, schema, values};

/// Tells whether two instructions, in the order of the row, meet.
pub(crate) type Meets = fn(&Instruction, &Instruction) -> bool;

/// Merges two instructions that meet. Functions get the two in the order of the row.
pub(crate) type Apply = fn(&Schema, &mut Slot<'_>, &mut Slot<'_>) -> Result<(), MergeError>;

/// How a pair is merged.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    /// Both pass unchanged.
    NoEffect,
    /// If the two meet, the function decides.
    Met(Meets, Apply),
}

/// A row of the table, found for a pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) rule: Rule,
    /// Whether the pair was given in the opposite order of the row.
    pub(crate) swapped: bool,
}

use Rule::{Met, NoEffect};

/// The rule for an instruction that addresses more (`outer`) against one that addresses less: an
/// object against something inside it, a collection against its elements (sync-engine 2.3).
pub(crate) fn nested_rule(outer: &Instruction) -> Row {
    let rule = match outer {
        Instruction::EraseTable { .. } => Met(same_class, schema::erase_inside),
        Instruction::EraseObject { .. } => Met(same_object, schema::erase_inside),
        // E3, E8.
        Instruction::Update { .. } => Met(prefix, values::update_inside),
        Instruction::AddInteger { .. } | Instruction::Clear { .. } => {
            Met(prefix, values::discard_inside)
        }
        Instruction::ArrayInsert { .. } => Met(list_prefix, lists::insert_element),
        // E2.
        Instruction::ArrayMove { .. } => Met(list_prefix, lists::move_element),
        Instruction::ArrayErase { .. } => Met(list_prefix, lists::erase_element),
        Instruction::AddTable { .. }
        | Instruction::CreateObject { .. }
        | Instruction::AddColumn { .. }
        | Instruction::EraseColumn { .. }
        | Instruction::SetInsert { .. }
        | Instruction::SetErase { .. } => NoEffect,
    };
    Row { rule, swapped: false }
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
                        Row { rule: $rule, swapped: false }
                    }
                    (Instruction::$second { .. }, Instruction::$first { .. }) => {
                        Row { rule: $rule, swapped: true }
                    }
                )*
            }
        }

        /// Every unordered pair of instructions, with the section of the sync-engine specification
        /// that states its rule; `E…` are corrections of the engine, told in `docs/merge.md`.
        pub const RULES: &[(&str, &str, &str)] =
            &[$((stringify!($first), stringify!($second), $section)),*];
    };
}

table! {
    // AddTable: what is inside the class is the business of what is inside it.
    AddTable AddTable: Met(same_class, schema::add_table_twice), "2.4 schema";
    AddTable EraseTable: Met(same_class, schema::add_erase), "2.4 schema";
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
    EraseTable EraseTable: Met(same_class, schema::erase_twice), "2.4 schema";
    EraseTable CreateObject: NoEffect, "2.3";
    EraseTable EraseObject: NoEffect, "2.3";
    EraseTable Update: NoEffect, "2.3";
    EraseTable AddInteger: NoEffect, "2.3";
    EraseTable AddColumn: Met(links_to_erased, schema::erase_target), "2.4 schema";
    EraseTable EraseColumn: NoEffect, "2.3";
    EraseTable ArrayInsert: NoEffect, "2.3";
    EraseTable ArrayMove: NoEffect, "2.3";
    EraseTable ArrayErase: NoEffect, "2.3";
    EraseTable Clear: NoEffect, "2.3";
    EraseTable SetInsert: NoEffect, "2.3";
    EraseTable SetErase: NoEffect, "2.3";
    // CreateObject: creating twice is idempotent.
    CreateObject CreateObject: NoEffect, "2.4 objects";
    CreateObject EraseObject: Met(same_object, objects::create_erase), "2.4 objects";
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
    EraseObject EraseObject: Met(same_object, objects::erase_erase), "2.4 objects";
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
    // Update. One at a list position, like whatever else is there, follows its element.
    Update Update: Met(same_place, values::update_update), "2.4 values";
    Update AddInteger: Met(same_place, values::update_add), "2.4 values";
    Update AddColumn: NoEffect, "2.4";
    Update EraseColumn: Met(same_column, schema::inside_erase), "2.4 schema";
    ArrayInsert Update: Met(same_list, lists::insert_element), "2.4 lists";
    ArrayMove Update: Met(same_list, lists::move_element), "2.4 lists";
    ArrayErase Update: Met(same_list, lists::erase_element), "2.4 lists";
    Update Clear: Met(same_place, values::update_clear), "2.4 values";
    Update SetInsert: NoEffect, "2.4";
    Update SetErase: NoEffect, "2.4";
    // AddInteger.
    AddInteger AddInteger: NoEffect, "2.4 values";
    AddInteger AddColumn: NoEffect, "2.4";
    AddInteger EraseColumn: Met(same_column, schema::inside_erase), "2.4 schema";
    ArrayInsert AddInteger: Met(same_list, lists::insert_element), "2.4 lists";
    ArrayMove AddInteger: Met(same_list, lists::move_element), "2.4 lists";
    ArrayErase AddInteger: Met(same_list, lists::erase_element), "2.4 lists";
    AddInteger Clear: Met(same_place, values::add_clear), "2.4 values";
    AddInteger SetInsert: NoEffect, "2.4";
    AddInteger SetErase: NoEffect, "2.4";
    // AddColumn.
    AddColumn AddColumn: Met(same_column, schema::add_column_twice), "2.4 schema";
    AddColumn EraseColumn: Met(same_column, schema::add_erase), "2.4 schema";
    AddColumn ArrayInsert: NoEffect, "2.4";
    AddColumn ArrayMove: NoEffect, "2.4";
    AddColumn ArrayErase: NoEffect, "2.4";
    AddColumn Clear: NoEffect, "2.4";
    AddColumn SetInsert: NoEffect, "2.4";
    AddColumn SetErase: NoEffect, "2.4";
    // EraseColumn: letting an instruction on an erased property pass would fail when applied.
    EraseColumn EraseColumn: Met(same_column, schema::erase_twice), "2.4 schema";
    EraseColumn ArrayInsert: Met(same_column, schema::erase_inside), "2.4 schema";
    EraseColumn ArrayMove: Met(same_column, schema::erase_inside), "2.4 schema";
    EraseColumn ArrayErase: Met(same_column, schema::erase_inside), "2.4 schema";
    EraseColumn Clear: Met(same_column, schema::erase_inside), "2.4 schema";
    EraseColumn SetInsert: Met(same_column, schema::erase_inside), "2.4 schema";
    EraseColumn SetErase: Met(same_column, schema::erase_inside), "2.4 schema";
    // ArrayInsert. A Clear of a collection in the list follows its element.
    ArrayInsert ArrayInsert: Met(same_list, lists::insert_insert), "2.4 lists";
    ArrayInsert ArrayMove: Met(same_list, lists::insert_move), "2.4 lists";
    ArrayInsert ArrayErase: Met(same_list, lists::insert_erase), "2.4 lists";
    ArrayInsert Clear: Met(same_list, lists::insert_element), "E4";
    ArrayInsert SetInsert: Met(same_list, lists::insert_element), "E4";
    ArrayInsert SetErase: Met(same_list, lists::insert_element), "E4";
    // ArrayMove.
    ArrayMove ArrayMove: Met(same_list, lists::move_move), "2.4 lists";
    ArrayMove ArrayErase: Met(same_list, lists::move_erase), "2.4 lists";
    ArrayMove Clear: Met(same_list, lists::move_element), "E4";
    ArrayMove SetInsert: Met(same_list, lists::move_element), "E4";
    ArrayMove SetErase: Met(same_list, lists::move_element), "E4";
    // ArrayErase.
    ArrayErase ArrayErase: Met(same_list, lists::erase_erase), "2.4 lists";
    ArrayErase Clear: Met(same_list, lists::erase_element), "E4";
    ArrayErase SetInsert: Met(same_list, lists::erase_element), "E4";
    ArrayErase SetErase: Met(same_list, lists::erase_element), "E4";
    // Clear.
    Clear Clear: Met(same_place, values::clear_clear), "2.4 values";
    Clear SetInsert: Met(same_place, values::clear_set), "2.4 values";
    Clear SetErase: Met(same_place, values::clear_set), "2.4 values";
    // SetInsert. Elements are compared as elements, by content.
    SetInsert SetInsert: Met(same_element, values::set_set), "2.4 values, E5";
    SetInsert SetErase: Met(same_element, values::set_set), "2.4 values, E5";
    // SetErase.
    SetErase SetErase: Met(same_element, values::set_set), "2.4 values, E1";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_unordered_pair_is_there_once() {
        let pairs: BTreeSet<_> =
            RULES.iter().map(|&(a, b, _)| if a < b { (a, b) } else { (b, a) }).collect();
        assert_eq!(RULES.len(), 14 * 15 / 2);
        assert_eq!(pairs.len(), RULES.len());
        assert!(RULES.iter().all(|(_, _, section)| !section.is_empty()));
    }
}
