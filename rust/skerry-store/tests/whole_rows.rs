//! Creating objects whole gives what one instruction after the other gives: the same objects in the same
//! order, or the same refusal.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use common::*;
use proptest::prelude::*;
use skerry_model::{Content, Instruction, Value};

fn instruction() -> impl Strategy<Value = Instruction> {
    let key = 0..3_i64;
    prop_oneof![
        3 => key.clone().prop_map(|key| create(all(key))),
        1 => key.clone().prop_map(|key| erase(all(key))),
        3 => (key.clone(), any::<i64>()).prop_map(|(key, int)| set(all(key), "int", Value::Int(int))),
        2 => (key.clone(), ".{0,3}").prop_map(|(key, text)| set(all(key), "string?", Value::string(text))),
        1 => (key.clone(), 0..4_i64).prop_map(|(key, to)| set(all(key), "next", link(all(to)))),
        1 => (key.clone(), 1..9_i64).prop_map(|(key, by)| add(all(key), "int", by)),
        1 => key.clone().prop_map(|key| set(all(key), "bool?", Value::Null)),
        1 => key.clone().prop_map(|key| create(named(&key.to_string()))),
    ]
}

/// As above, with something that no object takes here and there.
fn perhaps_bad() -> impl Strategy<Value = Instruction> {
    prop_oneof![
        12 => instruction(),
        1 => Just(set(all(1), "int", Value::Null)),
        1 => Just(set(all(1), "_id", Value::Int(1))),
        1 => Just(set(all(1), "nothing", Value::Int(1))),
    ]
}

/// The objects of class `All`, by insertion, after all instructions or the first refusal.
fn outcome(instructions: &[Instruction], whole: bool) -> (Option<String>, Vec<Vec<Content>>) {
    let (connection, mut tables) = memory_tables();
    let applied = if whole {
        tables.apply_all(&connection, instructions)
    } else {
        instructions.iter().try_for_each(|one| tables.apply(&connection, one))
    };
    let mut objects = Vec::new();
    tables
        .for_each(&connection, &"All".into(), |values| {
            objects.push(values);
            Ok(())
        })
        .unwrap();
    (applied.err().map(|error| error.to_string()), objects)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whole_rows_are_the_sum_of_their_instructions(
        instructions in prop::collection::vec(perhaps_bad(), 0..24),
    ) {
        prop_assert_eq!(outcome(&instructions, true), outcome(&instructions, false));
    }
}

#[test]
fn a_new_row_has_every_zero_that_a_created_object_has() {
    let at_once = outcome(&[create(all(1)), set(all(1), "int", Value::Int(0))], true);
    assert_eq!(at_once, outcome(&[create(all(1))], false));
    assert_eq!(at_once.1.len(), 1);
}
