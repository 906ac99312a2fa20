//! The laws of merging (docs/merge.md), on what two clients did offline on one common state.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod config;

use proptest::prelude::*;
use skerry_merge::{Entry, merge_pair, merge_sequences};
use skerry_testkit::peers::{Cluster, Event, SchemaBy};
use skerry_testkit::program::{Conflict, conflict, schema};
use skerry_testkit::state::State;

/// The common state and the changesets that each client made on it.
fn concurrent(conflict: &Conflict) -> (State, Vec<Entry>, Vec<Entry>) {
    let mut cluster = Cluster::new(2, &schema(), SchemaBy::Server, merge_pair).unwrap();
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

fn merged(ours: &[Entry], theirs: &[Entry]) -> (Vec<Entry>, Vec<Entry>) {
    let (mut ours, mut theirs) = (ours.to_vec(), theirs.to_vec());
    merge_sequences(&mut ours, &mut theirs, merge_pair).unwrap();
    (ours, theirs)
}

fn applied(state: &State, sequences: [&[Entry]; 2]) -> State {
    let mut state = state.clone();
    for entry in sequences.into_iter().flatten() {
        state.apply_all(&entry.instructions).unwrap();
    }
    state
}

proptest! {
    #![proptest_config(config::cases(400))]

    #[test]
    fn both_ways_round_lead_to_one_state(conflict in conflict(2..=2, 4)) {
        let (state, a, b) = concurrent(&conflict);
        let (a_after, b_after) = merged(&a, &b);
        prop_assert_eq!(applied(&state, [&a, &b_after]), applied(&state, [&b, &a_after]));
    }

    #[test]
    fn the_roles_do_not_matter(conflict in conflict(2..=2, 4)) {
        let (_, a, b) = concurrent(&conflict);
        let (a_after, b_after) = merged(&a, &b);
        prop_assert_eq!(merged(&b, &a), (b_after, a_after));
    }

    #[test]
    fn merging_a_concatenation_is_merging_its_parts_in_turn(
        conflict in conflict(2..=2, 5), at in 0_usize..5,
    ) {
        let (_, a, b) = concurrent(&conflict);
        let whole = merged(&a, &b);
        let (a_start, a_end) = a.split_at(at.min(a.len()));
        let (start_after, b_between) = merged(a_start, &b);
        let (end_after, b_after) = merged(a_end, &b_between);
        prop_assert_eq!(&whole, &([start_after, end_after].concat(), b_after));
        let (b_start, b_end) = b.split_at(at.min(b.len()));
        let (a_between, start_after) = merged(&a, b_start);
        let (a_after, end_after) = merged(&a_between, b_end);
        prop_assert_eq!(&whole, &(a_after, [start_after, end_after].concat()));
    }
}
