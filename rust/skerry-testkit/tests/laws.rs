//! The laws of merging (docs/merge.md), on what two clients did offline on one common state.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod config;

use proptest::prelude::*;
use skerry_merge::{Author, Concurrent, Entry, merge_by_place, merge_pair, merge_sequences};
use skerry_model::{Changeset, FileIdent, Instruction, ObjectRef, Schema, Stamp};
use skerry_testkit::generate;
use skerry_testkit::peers::{Cluster, Event, Merging, SchemaBy};
use skerry_testkit::program::{Conflict, conflict, schema};
use skerry_testkit::state::State;

/// The common state and the changesets that each client made on it.
fn concurrent(conflict: &Conflict) -> (State, Vec<Entry>, Vec<Entry>) {
    let mut cluster = Cluster::new(2, &schema(), SchemaBy::Server, Merging::Product).unwrap();
    cluster.run(&conflict.common).unwrap();
    cluster.exchange(&[0, 1]).unwrap();
    let state = cluster.server.state().clone();
    let made = |client: usize, cluster: &mut Cluster| {
        let before = cluster.clients[client].events().len();
        cluster.run(&conflict.offline[client]).unwrap();
        cluster.clients[client].events()[before..]
            .iter()
            .map(|event| match event {
                Event::Wrote(upload) => {
                    Entry::new(upload.author, upload.changeset.instructions.clone())
                }
                Event::Got(_) => panic!("nothing was exchanged"),
            })
            .collect()
    };
    let a = made(0, &mut cluster);
    let b = made(1, &mut cluster);
    (state, a, b)
}

fn merged(schema: &Schema, ours: &[Entry], theirs: &[Entry]) -> (Vec<Entry>, Vec<Entry>) {
    let (mut ours, mut theirs) = (ours.to_vec(), theirs.to_vec());
    merge_sequences(schema, &mut ours, &mut theirs, merge_pair).unwrap();
    (ours, theirs)
}

fn applied(state: &State, sequences: [&[Entry]; 2]) -> State {
    let mut state = state.clone();
    for entry in sequences.into_iter().flatten() {
        state.apply_all(&entry.instructions).unwrap();
    }
    state
}

/// What the entries do to each object, with the entries of all objects in the same places.
fn by_object(entries: &[Entry]) -> Vec<(ObjectRef, Vec<Entry>)> {
    let mut objects: Vec<ObjectRef> = entries
        .iter()
        .flat_map(|entry| entry.instructions.iter().filter_map(Instruction::object).cloned())
        .collect();
    objects.sort();
    objects.dedup();
    let only = |entry: &Entry, object: &ObjectRef| {
        let about = entry.instructions.iter().filter(|i| i.object() == Some(object));
        Entry { instructions: about.cloned().collect(), ..entry.clone() }
    };
    objects
        .into_iter()
        .map(|object| {
            let of_object = entries.iter().map(|entry| only(entry, &object)).collect();
            (object, of_object)
        })
        .collect()
}

/// Without the marks: what was changed and changed back is marked by some ways of merging only.
fn instructions(entries: &[Entry]) -> Vec<&[Instruction]> {
    entries.iter().map(|entry| entry.instructions.as_slice()).collect()
}

proptest! {
    #![proptest_config(config::cases(400))]

    #[test]
    fn both_ways_round_lead_to_one_state(conflict in conflict(2..=2, 4)) {
        let (state, a, b) = concurrent(&conflict);
        let (a_after, b_after) = merged(state.classes(), &a, &b);
        let one = applied(&state, [&a, &b_after]);
        let other = applied(&state, [&b, &a_after]);
        prop_assert_eq!(one.first_difference(&other), None);
    }

    #[test]
    fn the_roles_do_not_matter(conflict in conflict(2..=2, 4)) {
        let (state, a, b) = concurrent(&conflict);
        let (a_after, b_after) = merged(state.classes(), &a, &b);
        let (b_first, a_second) = merged(state.classes(), &b, &a);
        prop_assert_eq!(instructions(&b_first), instructions(&b_after));
        prop_assert_eq!(instructions(&a_second), instructions(&a_after));
    }

    #[test]
    fn merging_a_concatenation_is_merging_its_parts_in_turn(
        conflict in conflict(2..=2, 5), at in 0_usize..5,
    ) {
        let (state, a, b) = concurrent(&conflict);
        let classes = state.classes();
        let (a_whole, b_whole) = merged(classes, &a, &b);
        let (a_start, a_end) = a.split_at(at.min(a.len()));
        let (start_after, b_between) = merged(classes, a_start, &b);
        let (end_after, b_after) = merged(classes, a_end, &b_between);
        let parts = [start_after, end_after].concat();
        prop_assert_eq!(instructions(&a_whole), instructions(&parts));
        prop_assert_eq!(instructions(&b_whole), instructions(&b_after));
        let (b_start, b_end) = b.split_at(at.min(b.len()));
        let (a_between, start_after) = merged(classes, &a, b_start);
        let (a_after, end_after) = merged(classes, &a_between, b_end);
        let parts = [start_after, end_after].concat();
        prop_assert_eq!(instructions(&a_whole), instructions(&a_after));
        prop_assert_eq!(instructions(&b_whole), instructions(&parts));
    }

    /// The definition visits each pair; what is done for many instructions must not differ.
    #[test]
    fn merging_by_place_is_merging_pair_by_pair(conflict in conflict(2..=2, 6)) {
        let (state, a, b) = concurrent(&conflict);
        let classes = state.classes();
        let others = by_object(&b);
        for (object, ours) in by_object(&a) {
            let Some((_, theirs)) = others.iter().find(|(other, _)| *other == object) else {
                continue;
            };
            let (our_pairs, their_pairs) = merged(classes, &ours, theirs);
            let (mut our_places, mut their_places) = (ours.clone(), theirs.clone());
            merge_by_place(classes, &mut our_places, &mut their_places).unwrap();
            prop_assert_eq!(instructions(&our_places), instructions(&our_pairs));
            prop_assert_eq!(instructions(&their_places), instructions(&their_pairs));
            let mut kept = Concurrent::new(ours);
            let mut one_by_one = theirs.clone();
            for entry in &mut one_by_one {
                kept.merge(classes, entry).unwrap();
            }
            let our_kept = kept.into_entries();
            prop_assert_eq!(instructions(&our_kept), instructions(&our_pairs));
            prop_assert_eq!(instructions(&one_by_one), instructions(&their_pairs));
        }
    }
}

/// Entries of arbitrary changesets: well-formed, and otherwise whatever they like.
fn arbitrary(changesets: &[Changeset], ident: i64) -> Vec<Entry> {
    let stamped = changesets.iter().zip(0..);
    stamped
        .map(|(changeset, stamp)| {
            let author = Author::new(Stamp(stamp), FileIdent(ident));
            Entry::new(author, changeset.instructions.clone())
        })
        .collect()
}

proptest! {
    #![proptest_config(config::cases(600))]

    /// Nobody who can send bytes makes merging panic, or leaves one side changed by a merge that fails.
    #[test]
    fn whatever_is_merged_ends_in_a_result_or_a_named_error(
        a in proptest::collection::vec(generate::changesets(), 1..4),
        b in proptest::collection::vec(generate::changesets(), 1..4),
    ) {
        let classes = Schema::default();
        let (a, b) = (arbitrary(&a, 2), arbitrary(&b, 3));
        let (mut ours, mut theirs) = (a.clone(), b.clone());
        if merge_sequences(&classes, &mut ours, &mut theirs, merge_pair).is_err() {
            prop_assert_eq!((&ours, &theirs), (&a, &b));
        }
        let others = by_object(&b);
        for (object, ours) in by_object(&a) {
            for (_, theirs) in others.iter().filter(|(other, _)| *other == object) {
                let (mut our_places, mut their_places) = (ours.clone(), theirs.clone());
                if merge_by_place(&classes, &mut our_places, &mut their_places).is_err() {
                    prop_assert_eq!((&our_places, &their_places), (&ours, theirs));
                }
                let mut kept = Concurrent::new(ours.clone());
                let merged = theirs.clone().iter_mut().try_for_each(|entry| {
                    kept.merge(&classes, entry).map(|_outcome| ())
                });
                if merged.is_ok() {
                    prop_assert_eq!(kept.into_entries().len(), ours.len());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(config::cases(1_000))]

    /// The same for one list alone, edited so much that everything meets.
    #[test]
    fn merging_one_list_by_place_is_merging_it_pair_by_pair(
        bytes in proptest::collection::vec(any::<u8>(), 0..240),
    ) {
        skerry_testkit::merging::check_lists(&bytes);
    }
}
