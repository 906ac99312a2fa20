//! Two peers that edited one list while offline: each inserts N elements, appending or at the beginning or
//! anywhere, one or ten to a transaction. Transform only, all incoming in one call, and as a server merges them one
//! changeset after another. Then the same with a third of the edits erasing elements, and with moves.
//!
//! The reference meets every insertion with every other: 8.3 s at 10,000.

use std::time::Duration;

use skerry_benches::growth::Growth;
use skerry_benches::items;
use skerry_benches::report::Best;
use skerry_merge::{Author, Concurrent, Entry, merge_object};
use skerry_model::{
    FileIdent, Instruction, ObjectKey, ObjectRef, Path, PathElement, Payload, Stamp, Value,
};

const SIZES: [u32; 5] = [1_000, 2_000, 4_000, 8_000, 10_000];
const RUNS: u64 = 5;

/// Where a peer inserts.
#[derive(Clone, Copy)]
enum Place {
    End,
    Beginning,
    Anywhere,
}

/// What a peer does.
#[derive(Clone, Copy)]
struct Work {
    place: Place,
    /// Every so many edits one erases; none at 0.
    erases_every: u32,
    /// Every so many edits one moves; none at 0.
    moves_every: u32,
}

/// Numbers that repeat from their seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((self.0 >> 33) % u64::from(limit)).expect("below the limit")
    }
}

fn is_due(number: u32, every: u32) -> bool {
    every != 0 && number % every == every - 1
}

/// The peer's transactions on a list that has `size` elements.
fn entries(ident: i64, work: Work, edits: u32, per_transaction: u32, mut size: u32) -> Vec<Entry> {
    let object = ObjectRef::new("Item", ObjectKey::Int(1));
    let place = |index| Path::new(object.clone(), "tags", [PathElement::Index(index)]);
    let mut draw = Draw(u64::try_from(ident).expect("a small number"));
    let mut entries: Vec<Entry> = Vec::new();
    for number in 0..edits {
        if number.is_multiple_of(per_transaction) {
            let stamp = Stamp(i64::from(number) * 10);
            entries.push(Entry::new(Author::new(stamp, FileIdent(ident)), Vec::new()));
        }
        let prior_size = size;
        let instruction = if is_due(number, work.erases_every) && size > 0 {
            size -= 1;
            Instruction::ArrayErase { path: place(draw.below(prior_size)), prior_size }
        } else if is_due(number, work.moves_every) && size > 1 {
            let from = draw.below(size);
            let to = (from + 1 + draw.below(size - 1)) % size;
            Instruction::ArrayMove { path: place(from), to, prior_size }
        } else {
            size += 1;
            let index = match work.place {
                Place::End => prior_size,
                Place::Beginning => 0,
                Place::Anywhere => draw.below(size),
            };
            let value = Payload::Value(Value::Int(number.into()));
            Instruction::ArrayInsert { path: place(index), value, prior_size }
        };
        entries.last_mut().expect("pushed above").instructions.push(instruction);
    }
    entries
}

/// All incoming in one call.
fn at_once(ours: &[Entry], theirs: &[Entry]) -> Duration {
    let schema = items::schema();
    let best = Best::default();
    best.measure(
        RUNS,
        || (ours.to_vec(), theirs.to_vec()),
        |(ours, mut theirs)| {
            let mut ours = Concurrent::new(ours);
            for entry in &mut theirs {
                ours.merge(&schema, entry).expect("the two sides merge");
            }
            (ours.into_entries(), theirs)
        },
    );
    best.get()
}

/// One call for each incoming changeset, which knows nothing of the one before.
fn each_anew(ours: &[Entry], theirs: &[Entry]) -> Duration {
    let schema = items::schema();
    let best = Best::default();
    best.measure(
        1,
        || (ours.to_vec(), theirs.to_vec()),
        |(mut ours, mut theirs)| {
            for entry in &mut theirs {
                merge_object(&schema, &mut ours, entry).expect("the two sides merge");
            }
            (ours, theirs)
        },
    );
    best.get()
}

/// Both sides append so many elements, one to a transaction; ready to be merged.
pub(crate) fn prepared_appends(size: u32) -> Box<dyn FnOnce() -> usize> {
    let work = Work { place: Place::End, erases_every: 0, moves_every: 0 };
    let (ours, mut theirs) = (entries(2, work, size, 1, 0), entries(3, work, size, 1, 0));
    Box::new(move || {
        let (mut ours, schema) = (Concurrent::new(ours), items::schema());
        for entry in &mut theirs {
            ours.merge(&schema, entry).expect("the two sides merge");
        }
        ours.into_entries().len() + theirs.len()
    })
}

fn grow(title: &str, works: [Work; 2], base: u32) {
    let mut growth = Growth::new(title, "N each", &["1 per transaction", "10 per transaction"]);
    for size in SIZES {
        let took = [1, 10].map(|per_transaction| {
            let [ours, theirs] = works;
            let ours = entries(2, ours, size, per_transaction, base);
            let theirs = entries(3, theirs, size, per_transaction, base);
            at_once(&ours, &theirs)
        });
        growth.row(size, &took);
    }
    growth.print();
}

pub(crate) fn run() {
    let inserts = |place| Work { place, erases_every: 0, moves_every: 0 };
    let (end, beginning, anywhere) =
        (inserts(Place::End), inserts(Place::Beginning), inserts(Place::Anywhere));
    grow("one list, both append (transform only)", [end, end], 0);
    grow("one list, one appends and one prepends", [beginning, end], 0);
    grow("one list, both insert anywhere", [anywhere, anywhere], 1_000);
    let erasing = Work { erases_every: 3, ..anywhere };
    grow("one list, insertions and a third erasures", [erasing, erasing], 1_000);
    let moving = Work { moves_every: 100, ..erasing };
    grow("the same, and every hundredth edit a move", [moving, moving], 1_000);
    let mut growth = Growth::new(
        "one list, both append, ten per transaction: a call for each changeset that sorts anew",
        "N each",
        &["merge_object"],
    );
    for size in [1_000, 2_000, 4_000] {
        let took = each_anew(&entries(2, end, size, 10, 0), &entries(3, end, size, 10, 0));
        growth.row(size, &[took]);
    }
    growth.print();
}
