//! Two peers that were offline for N transactions each: create + 3 sets, every tenth also an update of one of
//! 100 shared objects. Transform only, parsing of both sides included: one incoming changeset at a time, and all
//! of them in one call.
//!
//! The reference's figures grow with the square of N one at a time; the column N^ is the exponent.

use criterion::{BenchmarkId, Throughput};
use rustc_hash::FxHashMap;
use skerry_benches::growth::Growth;
use skerry_benches::items::{self, Names, item};
use skerry_benches::report::{self, Best};
use skerry_merge::{Author, Concurrent, Entry, Incoming, LocalChanges};
use skerry_model::{
    Changeset, ClientVersion, FileIdent, Instruction, ObjectKey, ObjectRef, Path, Payload, Stamp,
    UpdateSide, Value, decode_changeset, encode_changeset,
};

const SIZES: [u32; 5] = [1_000, 2_000, 4_000, 8_000, 10_000];
/// Merges the second peer's changesets with the first one's; how many it rewrote or discarded.
type Merge = fn(&[Vec<u8>], &[Vec<u8>]) -> usize;

const OURS: FileIdent = FileIdent(2);
const THEIRS: FileIdent = FileIdent(3);

fn update(object: &ObjectRef, field: &str, value: Value) -> Instruction {
    let path = Path::property(object.clone(), field);
    Instruction::Update { path, value: Payload::Value(value), side: UpdateSide::IsDefault(false) }
}

/// The transactions of one peer, encoded.
fn transactions(peer: FileIdent, count: u32) -> Vec<Vec<u8>> {
    let names = Names::default();
    let side = u32::try_from(peer.0).expect("a small number");
    let transaction = |number: u32| {
        let row = item(number * 4 + side);
        let object = ObjectRef::new(names.class.clone(), row.key());
        let mut all = vec![Instruction::CreateObject { object: object.clone() }];
        all.extend(
            names
                .pairs(&row)
                .into_iter()
                .take(3)
                .map(|(field, value)| update(&object, &field, value)),
        );
        if number.is_multiple_of(10) {
            let shared = ObjectRef::new("Item", ObjectKey::Int(i64::from(number / 10 % 100)));
            all.push(update(&shared, "complexity", Value::Int(number.into())));
        }
        encode_changeset(&Changeset::from(all)).expect("within the limits")
    };
    (0..count).map(transaction).collect()
}

fn decode(bytes: &[u8]) -> Changeset {
    decode_changeset(bytes).expect("it was just encoded")
}

fn stamp(number: usize) -> Stamp {
    Stamp(i64::try_from(number).expect("a small number"))
}

/// A device integrates the other's changesets, a call for each.
fn device(ours: &[Vec<u8>], theirs: &[Vec<u8>]) -> usize {
    let mut local = LocalChanges::new();
    for (number, bytes) in ours.iter().enumerate() {
        let version = ClientVersion(stamp(number).0 + 1);
        local.push(version, stamp(number), &decode(bytes)).expect("versions ascend");
    }
    let (mut rewritten, schema) = (0, items::schema());
    for (number, bytes) in theirs.iter().enumerate() {
        let mut incoming = [incoming(number, bytes)];
        let changed = local.integrate(&schema, OURS, ClientVersion(0), &mut incoming);
        rewritten += changed.expect("the two sides merge").len();
    }
    rewritten
}

fn incoming(number: usize, bytes: &[u8]) -> Incoming {
    let author = Author { stamp: stamp(number), ident: THEIRS };
    Incoming { author, changeset: decode(bytes) }
}

/// A device integrates the other's changesets in one call.
fn device_at_once(ours: &[Vec<u8>], theirs: &[Vec<u8>]) -> usize {
    let mut local = LocalChanges::new();
    for (number, bytes) in ours.iter().enumerate() {
        let version = ClientVersion(stamp(number).0 + 1);
        local.push(version, stamp(number), &decode(bytes)).expect("versions ascend");
    }
    let mut all: Vec<Incoming> =
        theirs.iter().enumerate().map(|(number, bytes)| incoming(number, bytes)).collect();
    let changed = local.integrate(&items::schema(), OURS, ClientVersion(0), &mut all);
    changed.expect("the two sides merge").len()
}

/// A server merges the second peer's changesets into the first one's history, object by object.
fn server(ours: &[Vec<u8>], theirs: &[Vec<u8>]) -> usize {
    let mut history: FxHashMap<ObjectRef, Vec<Entry>> = FxHashMap::default();
    for (number, bytes) in ours.iter().enumerate() {
        let author = Author { stamp: stamp(number), ident: OURS };
        for (object, instructions) in by_object(decode(bytes)) {
            history.entry(object).or_default().push(Entry::new(author, instructions));
        }
    }
    let mut kept: FxHashMap<ObjectRef, Concurrent> = FxHashMap::default();
    let (mut discarded, schema) = (0, items::schema());
    for (number, bytes) in theirs.iter().enumerate() {
        let author = Author { stamp: stamp(number), ident: THEIRS };
        for (object, instructions) in by_object(decode(bytes)) {
            let mut incoming = Entry::new(author, instructions);
            if let Some(entries) = history.remove(&object) {
                kept.insert(object.clone(), Concurrent::new(entries));
            }
            if let Some(concurrent) = kept.get_mut(&object) {
                let outcome = concurrent.merge(&schema, &mut incoming);
                discarded += outcome.expect("the two sides merge").discarded.len();
            }
        }
    }
    let entries = kept.into_values().flat_map(Concurrent::into_entries);
    discarded + entries.filter(|entry| entry.dirty).count()
}

/// The server's work on so many transactions, ready to be run.
pub(crate) fn prepared_server(size: u32) -> Box<dyn FnOnce() -> usize> {
    let (ours, theirs) = (transactions(OURS, size), transactions(THEIRS, size));
    Box::new(move || server(&ours, &theirs))
}

/// The device's work on so many transactions in one call, ready to be run.
pub(crate) fn prepared_device(size: u32) -> Box<dyn FnOnce() -> usize> {
    let (ours, theirs) = (transactions(OURS, size), transactions(THEIRS, size));
    Box::new(move || device_at_once(&ours, &theirs))
}

fn by_object(changeset: Changeset) -> Vec<(ObjectRef, Vec<Instruction>)> {
    let mut groups: Vec<(ObjectRef, Vec<Instruction>)> = Vec::new();
    for instruction in changeset.instructions {
        let object = instruction.object().expect("no schema instructions here").clone();
        match groups.iter_mut().find(|(known, _)| *known == object) {
            Some((_, group)) => group.push(instruction),
            None => groups.push((object, vec![instruction])),
        }
    }
    groups
}

pub(crate) fn run() {
    let mut criterion = report::criterion();
    let sides: [(&str, Merge); 3] =
        [("device", device), ("device, one call", device_at_once), ("server", server)];
    let title = "merge of two offline peers (transform only, both sides parsed)";
    let mut growth = Growth::new(title, "N each", &sides.map(|(name, _)| name));
    let mut group = criterion.benchmark_group("merge");
    for size in SIZES {
        group.throughput(Throughput::Elements(size.into()));
        let (ours, theirs) = (transactions(OURS, size), transactions(THEIRS, size));
        let mut took = Vec::new();
        for (name, merge) in sides {
            let best = Best::default();
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter_custom(|times| best.measure(times, || (), |()| merge(&ours, &theirs)));
            });
            took.push(best.get());
        }
        growth.row(size, &took);
    }
    group.finish();
    growth.print();
}
