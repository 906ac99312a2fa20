//! Peers that exchange everything hold one state: in random programs, in every order of
//! synchronisation, and with reciprocal forms that a merge from scratch gives too.
#![allow(clippy::unwrap_used, reason = "a failure here is a failed test")]

mod config;

use proptest::prelude::*;
use skerry_merge::{Entry, MergeError, PairMerge, Slot, merge_pair, merge_sequences};
use skerry_model::{ClientVersion, FileIdent, Instruction, Schema, ServerVersion};
use skerry_testkit::cases::program_to_json;
use skerry_testkit::peers::{Client, Cluster, Event, Merging, PeerError, SchemaBy, Server, Step};
use skerry_testkit::program::{Conflict, conflict, program, replayable_program, schema};

fn cluster(clients: usize, merging: Merging) -> Cluster {
    Cluster::new(clients, &schema(), SchemaBy::Server, merging).unwrap()
}

fn everybody(clients: usize) -> Vec<usize> {
    (0..clients).collect()
}

/// Runs a program and then exchanges the rest.
fn finished(clients: usize, steps: &[Step], merging: Merging) -> Result<Cluster, PeerError> {
    let mut cluster = cluster(clients, merging);
    cluster.run(steps)?;
    cluster.exchange(&everybody(clients))?;
    Ok(cluster)
}

/// Merges every upload of a client with the whole history, pair by pair, without index or trimming,
/// and compares all that the server appended and stored.
fn check_server_reciprocals(server: &Server, client: FileIdent) {
    let schema = server.state().classes();
    let mut ours: Vec<(ServerVersion, Entry)> = Vec::new();
    for (entry, version) in server.history().iter().zip((1..).map(ServerVersion)) {
        if entry.author.ident != client {
            ours.push((version, Entry::new(entry.author, entry.changeset.instructions.clone())));
            continue;
        }
        let past = ours.partition_point(|(version, _)| *version <= entry.base);
        let mut concurrent: Vec<Entry> = ours[past..].iter().map(|(_, e)| e.clone()).collect();
        let mut theirs = [Entry::new(entry.author, entry.original.instructions.clone())];
        merge_sequences(schema, &mut concurrent, &mut theirs, merge_pair).unwrap();
        assert_eq!(theirs[0].instructions, entry.changeset.instructions, "appended {version}");
        for ((_, entry), merged) in ours[past..].iter_mut().zip(concurrent) {
            *entry = merged;
        }
    }
    for (version, entry) in ours.iter().filter(|(version, _)| *version > server.base_of(client)) {
        // The server keeps its forms by object, so only the order inside one is compared.
        assert_eq!(server.reciprocal(client, *version), sorted(&entry.instructions), "{version}");
    }
    for (version, form) in server.stored_reciprocals(client) {
        let at = usize::try_from(version.0 - 1).unwrap();
        let plain = &server.history()[at].changeset.instructions;
        let unchanged = !form.is_empty() && form.iter().all(|i| plain.contains(i)) && {
            let object = form[0].object();
            plain.iter().filter(|i| i.object() == object).count() == form.len()
        };
        assert!(!unchanged, "version {version} is stored for {client} though nothing changed it");
    }
}

/// By class or object, classes first, and within one in the order given.
fn sorted(instructions: &[Instruction]) -> Vec<Instruction> {
    let mut sorted = instructions.to_vec();
    sorted.sort_by(|a, b| {
        let class = |i: &Instruction| i.object().is_none().then(|| i.class().clone());
        match (class(a), class(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => a.object().cmp(&b.object()),
        }
    });
    sorted
}

/// Merges every downloaded entry, one at a time, with all of the client's changes past its base.
fn check_client_reciprocals(client: &Client) {
    let schema = client.state().classes();
    let mut ours: Vec<(ClientVersion, Entry)> = Vec::new();
    for event in client.events() {
        match event {
            Event::Wrote(upload) => {
                let entry = Entry::new(upload.author, upload.changeset.instructions.clone());
                ours.push((upload.version, entry));
            }
            Event::Got(download) => {
                let past = ours.partition_point(|(version, _)| *version <= download.base);
                let mut concurrent: Vec<Entry> =
                    ours[past..].iter().map(|(_, entry)| entry.clone()).collect();
                let instructions = download.changeset.instructions.clone();
                let mut theirs = [Entry::new(download.author, instructions)];
                merge_sequences(schema, &mut concurrent, &mut theirs, merge_pair).unwrap();
                for ((_, entry), merged) in ours[past..].iter_mut().zip(concurrent) {
                    *entry = merged;
                }
            }
        }
    }
    let mut pending = 0;
    for (version, entry) in &ours {
        if let Some(kept) = client.local().reciprocal(*version) {
            assert_eq!(kept.instructions, entry.instructions, "client version {version}");
            pending += 1;
        }
    }
    assert_eq!(pending, client.local().len());
}

/// The first place at which a client differs from the server.
fn difference(cluster: &Cluster) -> String {
    let differs = |client: &Client| client.state().first_difference(cluster.server.state());
    let mut clients = cluster.clients.iter();
    clients.find_map(|client| Some(format!("{}: {}", client.ident(), differs(client)?))).unwrap()
}

fn permutations(items: &[usize]) -> Vec<Vec<usize>> {
    if items.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (at, first) in items.iter().enumerate() {
        let rest = [&items[..at], &items[at + 1..]].concat();
        all.extend(permutations(&rest).into_iter().map(|mut p| {
            p.insert(0, *first);
            p
        }));
    }
    all
}

/// A cluster in which the conflict has been made and nothing of it exchanged.
fn apart(conflict: &Conflict, by: SchemaBy) -> Cluster {
    let clients = conflict.offline.len();
    let mut cluster = Cluster::new(clients, &schema(), by, Merging::Product).unwrap();
    // With nothing in common, schemas made by clients are still apart when they write objects.
    if !conflict.common.is_empty() {
        cluster.run(&conflict.common).unwrap();
        cluster.exchange(&everybody(clients)).unwrap();
    }
    conflict.offline.iter().for_each(|steps| cluster.run(steps).unwrap());
    cluster
}

proptest! {
    #![proptest_config(config::cases(400))]

    #[test]
    fn random_programs_converge((clients, steps) in program(30)) {
        let cluster = finished(clients, &steps, Merging::Product).unwrap();
        prop_assert_eq!(cluster.parted(), []);
    }

    /// As above, with programs that the conformance runner replays: a failure is written to a file.
    #[test]
    fn random_programs_end_with_equal_peers((clients, steps) in replayable_program(36)) {
        let mut cluster = cluster(clients, Merging::Product);
        let ran = cluster.run(&steps).and_then(|()| cluster.exchange(&everybody(clients)));
        let why = match ran {
            Err(error) => error.to_string(),
            Ok(()) if cluster.parted().is_empty() => return Ok(()),
            Ok(()) => difference(&cluster),
        };
        let file = std::env::temp_dir().join("skerry-failing-program.jsonl");
        let mut done = cluster.done.clone();
        done.extend((0..clients).map(|client| Step::Upload { client, count: usize::MAX }));
        done.extend((0..clients).map(|client| Step::Download { client, count: usize::MAX }));
        std::fs::write(&file, program_to_json("failing", &schema(), clients, &done)).unwrap();
        prop_assert!(false, "{why}; replay: python -m skerry.testing.conformance merge --peers-only {file:?}");
    }

    #[test]
    fn reciprocal_forms_are_those_of_a_merge_from_scratch((clients, steps) in program(24)) {
        let mut cluster = cluster(clients, Merging::Product);
        cluster.run(&steps).unwrap();
        for client in &cluster.clients {
            check_client_reciprocals(client);
            check_server_reciprocals(&cluster.server, client.ident());
        }
        cluster.exchange(&everybody(clients)).unwrap();
        cluster.clients.iter().for_each(check_client_reciprocals);
    }

    #[test]
    fn two_clients_end_alike_in_whatever_order_they_exchange(
        conflict in conflict(2..=2, 4),
        parts in proptest::collection::vec((0_usize..2, any::<bool>(), 1_usize..3), 0..10),
    ) {
        let mut one = apart(&conflict, SchemaBy::Server);
        let mut other = one.clone();
        let mut in_parts = one.clone();
        one.exchange(&[0, 1]).unwrap();
        other.exchange(&[1, 0]).unwrap();
        for (client, up, count) in parts {
            if up { in_parts.upload(client, count) } else { in_parts.download(client, count) }
                .unwrap();
        }
        in_parts.exchange(&[0, 1]).unwrap();
        prop_assert_eq!(one.parted(), []);
        prop_assert_eq!(one.server.state().first_difference(other.server.state()), None);
        prop_assert_eq!(one.server.state().first_difference(in_parts.server.state()), None);
    }

    #[test]
    fn clients_that_make_the_schema_themselves_end_as_those_that_download_it(
        conflict in conflict(2..=4, 3),
    ) {
        let run = |by| {
            let mut cluster = apart(&conflict, by);
            cluster.exchange(&everybody(conflict.offline.len())).unwrap();
            assert_eq!(cluster.parted(), []);
            cluster.server.state().clone()
        };
        let (one, other) = (run(SchemaBy::Server), run(SchemaBy::Clients));
        prop_assert_eq!(one.first_difference(&other), None);
    }
}

proptest! {
    #![proptest_config(config::cases(60))]

    #[test]
    fn peers_agree_in_every_order_of_synchronisation(conflict in conflict(2..=4, 2)) {
        let apart = apart(&conflict, SchemaBy::Server);
        for up in permutations(&everybody(conflict.offline.len())) {
            let mut uploaded = apart.clone();
            for &client in &up {
                uploaded.upload(client, usize::MAX).unwrap();
            }
            uploaded.exchange(&up).unwrap();
            prop_assert_eq!(uploaded.parted(), []);
        }
    }

    #[test]
    fn peers_agree_in_every_order_of_rounds(conflict in conflict(2..=4, 2)) {
        // A round is an upload and a download of one client: those that come later have uploaded
        // nothing when the first download.
        let apart = apart(&conflict, SchemaBy::Server);
        for order in permutations(&everybody(conflict.offline.len())) {
            let mut synchronised = apart.clone();
            for &client in &order {
                synchronised.exchange(&[client]).unwrap();
            }
            for &client in order.iter().rev() {
                synchronised.download(client, usize::MAX).unwrap();
            }
            prop_assert_eq!(synchronised.parted(), []);
        }
    }
}

/// Runs programs with a rule until one of them is noticed to go wrong; whether that happened.
fn is_noticed(rule: PairMerge, programs: usize) -> bool {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..programs).any(|_| {
        let (clients, steps) = program(30).new_tree(&mut runner).unwrap().current();
        let ended = finished(clients, &steps, Merging::Pairs(rule));
        ended.map_or(true, |cluster| !cluster.parted().is_empty())
    })
}

/// A wrong Update / Update: the side that calls itself ours wins.
fn ours_wins(
    schema: &Schema,
    outer: &mut Slot<'_>,
    inner: &mut Slot<'_>,
) -> Result<(), MergeError> {
    match (outer.instruction(), inner.instruction()) {
        (Instruction::Update { path: a, .. }, Instruction::Update { path: b, .. }) if a == b => {
            inner.discard();
            Ok(())
        }
        _ => merge_pair(schema, outer, inner),
    }
}

/// A wrong `EraseObject`: what is inside survives.
fn erase_spares(
    schema: &Schema,
    outer: &mut Slot<'_>,
    inner: &mut Slot<'_>,
) -> Result<(), MergeError> {
    match (outer.instruction(), inner.instruction()) {
        (Instruction::EraseObject { .. }, Instruction::Update { .. })
        | (Instruction::Update { .. }, Instruction::EraseObject { .. }) => Ok(()),
        _ => merge_pair(schema, outer, inner),
    }
}

/// A wrong `AddInteger` / Update: the increment is not counted into the older Update.
fn increment_forgotten(
    schema: &Schema,
    outer: &mut Slot<'_>,
    inner: &mut Slot<'_>,
) -> Result<(), MergeError> {
    match (outer.instruction(), inner.instruction()) {
        (Instruction::AddInteger { .. }, Instruction::Update { .. })
        | (Instruction::Update { .. }, Instruction::AddInteger { .. }) => Ok(()),
        _ => merge_pair(schema, outer, inner),
    }
}

/// A wrong tie-break: on equal stamps the other side wins, whoever it is.
fn ties_are_theirs(
    schema: &Schema,
    outer: &mut Slot<'_>,
    inner: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let tie = outer.author().stamp == inner.author().stamp;
    match (outer.instruction(), inner.instruction()) {
        (Instruction::Update { path: a, .. }, Instruction::Update { path: b, .. })
            if a == b && tie =>
        {
            outer.discard();
            Ok(())
        }
        _ => merge_pair(schema, outer, inner),
    }
}

/// A wrong `ArrayInsert` / `ArrayInsert`: at one position the newer stands first on one side, and the
/// older on the other.
fn ours_stands_first(
    schema: &Schema,
    outer: &mut Slot<'_>,
    inner: &mut Slot<'_>,
) -> Result<(), MergeError> {
    let tie = match (outer.instruction(), inner.instruction()) {
        (Instruction::ArrayInsert { path: a, .. }, Instruction::ArrayInsert { path: b, .. }) => {
            a == b
        }
        _ => false,
    };
    if tie && outer.is_older_than(inner)? {
        return Ok(());
    }
    merge_pair(schema, outer, inner)
}

/// A wrong `ArrayErase` / Update: what is set does not follow its element.
fn sets_stay_where_they_are(
    schema: &Schema,
    outer: &mut Slot<'_>,
    inner: &mut Slot<'_>,
) -> Result<(), MergeError> {
    match (outer.instruction(), inner.instruction()) {
        (Instruction::ArrayErase { .. }, Instruction::Update { .. })
        | (Instruction::Update { .. }, Instruction::ArrayErase { .. }) => Ok(()),
        _ => merge_pair(schema, outer, inner),
    }
}

#[test]
fn a_wrong_rule_is_noticed() {
    assert!(!is_noticed(merge_pair, 200));
    for (name, wrong) in [
        ("ours wins", ours_wins as PairMerge),
        ("erase spares what is inside", erase_spares),
        ("increment forgotten", increment_forgotten),
        ("ties are theirs", ties_are_theirs),
        ("ours stands first", ours_stands_first),
        ("sets stay where they are", sets_stay_where_they_are),
    ] {
        assert!(is_noticed(wrong, 1_000), "{name}");
    }
}
