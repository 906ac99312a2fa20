//! An upload of 100 instructions against a history of 10 to 100,000 changesets on other objects: the cost must not
//! depend on what others did elsewhere.

use std::time::Duration;

use rustc_hash::FxHashMap;
use skerry_benches::growth::Growth;
use skerry_benches::items;
use skerry_benches::report::Best;
use skerry_merge::{Author, Concurrent, Entry, Incoming, LocalChanges};
use skerry_model::{
    Changeset, ClientVersion, FileIdent, Instruction, ObjectKey, ObjectRef, Path, Payload, Stamp,
    UpdateSide, Value,
};

const SIZES: [u32; 5] = [10, 100, 1_000, 10_000, 100_000];
const UPLOADED: u32 = 100;

fn set(key: u32, value: u32) -> Instruction {
    let object = ObjectRef::new("Item", ObjectKey::Int(key.into()));
    Instruction::Update {
        path: Path::property(object, "complexity"),
        value: Payload::Value(Value::Int(value.into())),
        side: UpdateSide::IsDefault(false),
    }
}

/// Keys of the upload are below those of the history, but for ten that both have.
fn upload() -> Vec<Instruction> {
    (0..UPLOADED).map(|number| set(number, number)).collect()
}

fn elsewhere(number: u32) -> Instruction {
    let key = if number < 10 { number } else { UPLOADED + number };
    set(key, number)
}

fn author(stamp: u32, ident: i64) -> Author {
    Author::new(Stamp(stamp.into()), FileIdent(ident))
}

/// A server looks each object up in its history.
fn server(size: u32) -> Duration {
    let mut history: FxHashMap<ObjectRef, Vec<Entry>> = FxHashMap::default();
    for number in 0..size {
        let instruction = elsewhere(number);
        let object = instruction.object().expect("it has one").clone();
        history.entry(object).or_default().push(Entry::new(author(number, 2), vec![instruction]));
    }
    let (schema, upload, best) = (items::schema(), upload(), Best::default());
    best.measure(
        200,
        || upload.clone(),
        |upload| {
            let mut discarded = 0;
            for instruction in upload {
                let entries = instruction.object().and_then(|object| history.get(object));
                let Some(entries) = entries else { continue };
                let mut concurrent = Concurrent::new(entries.clone());
                let mut entry = Entry::new(author(5, 3), vec![instruction]);
                let outcome = concurrent.merge(&schema, &mut entry).expect("the two sides merge");
                discarded += outcome.discarded.len();
            }
            discarded
        },
    );
    best.get()
}

/// A device has as many changes of its own pending.
fn device(size: u32) -> Duration {
    let mut local = LocalChanges::new();
    for number in 0..size {
        let changeset = Changeset::from(vec![elsewhere(number)]);
        let version = ClientVersion(i64::from(number) + 1);
        local.push(version, Stamp(number.into()), &changeset).expect("versions ascend");
    }
    let (schema, upload, best) = (items::schema(), upload(), Best::default());
    // What merging discards of ours is gone at the second time, so the incoming side is the older one.
    best.measure(
        200,
        || [Incoming { author: author(0, 1), changeset: upload.clone().into() }],
        |mut incoming| {
            let changed = local.integrate(&schema, FileIdent(2), ClientVersion(0), &mut incoming);
            changed.expect("the two sides merge").len()
        },
    );
    best.get()
}

pub(crate) fn run() {
    let title = "100 instructions against a history on other objects (ten objects are shared)";
    let mut growth = Growth::new(title, "changesets", &["server", "device"]);
    for size in SIZES {
        growth.row(size, &[server(size), device(size)]);
    }
    growth.print();
}
