//! Two peers that were offline for N transactions each: create + 3 sets, every tenth also an update of one of
//! 100 shared objects. Transform only, one incoming changeset at a time, parsing of both sides included.
//!
//! The reference's figures grow with the square of N in this way of calling; the last column is the exponent.

use std::time::Duration;

use criterion::{BenchmarkId, Throughput};
use rustc_hash::FxHashMap;
use skerry_benches::items::{Names, item};
use skerry_benches::report::{self, Best, Table, ms};
use skerry_merge::{Author, Entry, Incoming, LocalChanges, merge_object};
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
    let mut rewritten = 0;
    for (number, bytes) in theirs.iter().enumerate() {
        let author = Author { stamp: stamp(number), ident: THEIRS };
        let mut incoming = [Incoming { author, changeset: decode(bytes) }];
        let changed = local.integrate(OURS, ClientVersion(0), &mut incoming);
        rewritten += changed.expect("every pair has a rule").len();
    }
    rewritten
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
    let mut discarded = 0;
    for (number, bytes) in theirs.iter().enumerate() {
        let author = Author { stamp: stamp(number), ident: THEIRS };
        for (object, instructions) in by_object(decode(bytes)) {
            let mut incoming = Entry::new(author, instructions);
            if let Some(entries) = history.get_mut(&object) {
                let outcome = merge_object(entries, &mut incoming);
                discarded += outcome.expect("every pair has a rule").discarded.len();
            }
        }
    }
    discarded
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
    let mut table = Table::new(
        "merge, one call per incoming changeset (transform only, both sides parsed)",
        &["N each", "device ms", "µs per tx", "N^", "server ms", "µs per tx", "N^"],
    );
    let mut group = criterion.benchmark_group("merge");
    let mut before: Option<(u32, [Duration; 2])> = None;
    for size in SIZES {
        group.throughput(Throughput::Elements(size.into()));
        let (ours, theirs) = (transactions(OURS, size), transactions(THEIRS, size));
        let best = [Best::default(), Best::default()];
        let sides: [(&str, Merge); 2] = [("device", device), ("server", server)];
        for ((name, merge), best) in sides.into_iter().zip(&best) {
            group.bench_function(BenchmarkId::new(name, size), |bencher| {
                bencher.iter_custom(|times| best.measure(times, || (), |()| merge(&ours, &theirs)));
            });
        }
        let took = [best[0].get(), best[1].get()];
        let mut row = vec![size.to_string()];
        for (side, time) in took.iter().enumerate() {
            row.push(ms(*time));
            row.push(format!("{:.2}", time.as_secs_f64() * 1e6 / f64::from(size)));
            row.push(before.map_or(String::new(), |(smaller, times)| {
                let growth = time.as_secs_f64() / times[side].as_secs_f64();
                format!("{:.2}", growth.ln() / (f64::from(size) / f64::from(smaller)).ln())
            }));
        }
        table.row(row);
        before = Some((size, took));
    }
    group.finish();
    table.print();
}
