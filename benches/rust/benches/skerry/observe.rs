//! Change notifications: what it costs an observer of all objects to learn of a commit of 100 of them, and what
//! noting links adds to inserting objects that may be linked to.

use std::time::Duration;

use skerry_benches::items::{Names, item, rows, schema};
use skerry_benches::report::{Best, Table, grouped, ms, per_second, timed};
use skerry_model::{ClassSchema, Name, ObjectKey, Property, PropertyType, Schema, Stamp, Value};
use skerry_store::connection::Synchronous;
use skerry_store::observe::{ObjectObserver, ResultsObserver};
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES, Realm, UpdatePolicy, WriteTxn};

const CHANGED: u32 = 100;
const ITEMS_OF_A_PERSON: u32 = 10;
const ROUNDS: u64 = 15;
const WAIT: Duration = Duration::from_mins(1);

/// The reference items, each with a link to a person; persons and items may be linked to.
fn linked_schema() -> Schema {
    let mut item = schema().class("Item").expect("it is the one class").clone();
    item.properties.push(Property::link("person", "Person"));
    item.properties.push(Property::link("parent", "Item"));
    let person = ClassSchema {
        name: "Person".into(),
        primary_key: "_id".into(),
        properties: vec![
            Property::scalar("_id", PropertyType::Int, false),
            Property::scalar("name", PropertyType::String, false),
        ],
        embedded: false,
    };
    Schema::new([item, person]).expect("the links have targets")
}

fn open(path: &std::path::Path, schema: Schema) -> Realm {
    let options = Options {
        schema,
        synced: false,
        synchronous: Synchronous::Normal,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    Realm::open(path, &options).expect("it can be opened")
}

fn write(realm: &Realm, edit: impl FnOnce(&mut WriteTxn)) {
    let mut txn = realm.begin_write(WAIT).expect("nobody writes");
    edit(&mut txn);
    txn.commit(Stamp(1)).expect("the file can be written");
}

fn person_of(number: u32) -> i64 {
    i64::from(number / ITEMS_OF_A_PERSON)
}

fn create(txn: &mut WriteTxn, names: &Names, number: u32, is_linked: bool) {
    let item = item(number);
    let mut values = names.pairs(&item).to_vec();
    if is_linked {
        let person = Value::link("Person", ObjectKey::Int(person_of(number)));
        values.push(("person".into(), person));
    }
    txn.create(&names.class, &item.key(), &values, &[], UpdatePolicy::Error)
        .expect("the row is new");
}

fn fill(realm: &Realm, count: u32, is_linked: bool) {
    let names = Names::default();
    let numbers: Vec<u32> = (0..count).collect();
    for chunk in numbers.chunks(1000) {
        write(realm, |txn| {
            for &number in chunk {
                if is_linked && number % ITEMS_OF_A_PERSON == 0 {
                    let (class, key) = ("Person".into(), ObjectKey::Int(person_of(number)));
                    txn.create(&class, &key, &[], &[], UpdatePolicy::Error).expect("it is new");
                }
                create(txn, &names, number, is_linked);
            }
        });
    }
}

fn scattered(count: u32, round: u64) -> impl Iterator<Item = u32> {
    let shift = u32::try_from(round).expect("few rounds") * 31;
    (0..CHANGED).map(move |number| (number * 7919 + shift) % count)
}

/// Those of [`scattered`] that no other case deletes.
fn remaining(count: u32, round: u64) -> impl Iterator<Item = u32> {
    scattered(count - 10_000, round).map(|number| number + 5_000)
}

fn set(txn: &mut WriteTxn, number: u32, field: &str, value: &Value) {
    txn.set(&"Item".into(), &item(number).key(), &field.into(), value).expect("it exists");
}

type Edit = fn(&mut WriteTxn, u32, u64);

const CASES: [(&str, &str, Edit); 13] = [
    ("what is not asked for", "TRUEPREDICATE", |txn, count, round| {
        for number in scattered(count, round) {
            set(txn, number, "price", &Value::Double(f64::from(number)));
        }
    }),
    ("what decides", "complexity >= 0 AND price >= 0", |txn, count, round| {
        for number in scattered(count, round) {
            set(txn, number, "complexity", &Value::Int(i64::from(number % 7) - 1));
        }
    }),
    ("50 deleted, 50 created", "TRUEPREDICATE", |txn, count, round| {
        let round = u32::try_from(round).expect("few rounds");
        let (class, names) = (Name::from("Item"), Names::default());
        for number in 0..CHANGED / 2 {
            let gone = item(round * CHANGED / 2 + number);
            txn.delete(&class, &gone.key()).expect("it can be deleted");
            create(txn, &names, count + round * CHANGED / 2 + number, true);
        }
    }),
    ("what orders", "TRUEPREDICATE SORT(price ASC)", |txn, count, round| {
        for number in remaining(count, round) {
            set(txn, number, "price", &Value::Double(f64::from(number) + 0.5));
        }
    }),
    ("persons, each of ten", "TRUEPREDICATE", |txn, count, round| {
        let persons = count / ITEMS_OF_A_PERSON;
        for number in scattered(persons - CHANGED, round) {
            let key = ObjectKey::Int(i64::from(number + CHANGED / 2));
            let (class, field) = ("Person".into(), "name".into());
            txn.set(&class, &key, &field, &Value::string(round.to_string())).expect("it exists");
        }
    }),
    ("its text", "TRUEPREDICATE SORT(itemName ASC)", |txn, count, round| {
        for number in remaining(count, round) {
            let name = format!("{}{round}", item((number * 31 + 7) % count).name);
            set(txn, number, "itemName", &Value::string(name));
        }
    }),
    ("the first key", "TRUEPREDICATE SORT(complexity DESC, itemName ASC)", |txn, count, round| {
        for number in remaining(count, round) {
            let complexity = (u64::from(number) + round) % 10;
            let complexity = i64::try_from(complexity).expect("it is small");
            set(txn, number, "complexity", &Value::Int(complexity));
        }
    }),
    ("what orders", "price > 50 SORT(price DESC)", |txn, count, round| {
        for number in remaining(count, round) {
            set(txn, number, "price", &Value::Double(f64::from((number + 37) % 100)));
        }
    }),
    ("what orders", "TRUEPREDICATE SORT(price ASC) LIMIT(1000)", |txn, count, round| {
        for number in remaining(count, round) {
            set(txn, number, "price", &Value::Double(f64::from((number + 37) % 100)));
        }
    }),
    ("what links", "TRUEPREDICATE SORT(person.name DESC, price ASC)", |txn, count, round| {
        for number in remaining(count, round) {
            let person = Value::link("Person", ObjectKey::Int(person_of((number * 31) % count)));
            set(txn, number, "person", &person);
        }
    }),
    ("persons, each of ten", "TRUEPREDICATE SORT(person.name ASC)", |txn, count, round| {
        let persons = count / ITEMS_OF_A_PERSON;
        for number in scattered(persons, round) {
            let (class, key) = ("Person".into(), ObjectKey::Int(i64::from(number)));
            let name = Value::string((u64::from(number) * 7 % 1000 + round).to_string());
            txn.set(&class, &key, &"name".into(), &name).expect("it exists");
        }
    }),
    ("what is distinct", "TRUEPREDICATE DISTINCT(ownerId)", |txn, count, round| {
        for number in remaining(count, round) {
            let owner = item((number * 31 + 7) % count).owner;
            set(txn, number, "ownerId", &Value::string(owner));
        }
    }),
    ("what orders", "TRUEPREDICATE SORT(price ASC) DISTINCT(ownerId)", |txn, count, round| {
        for number in remaining(count, round) {
            set(txn, number, "price", &Value::Double(f64::from((number + 37) % 100)));
        }
    }),
];

fn measure(realm: &Realm, count: u32) {
    let title = format!(
        "{} results, a commit of {CHANGED} objects, best of {ROUNDS}, ms",
        grouped(count.into())
    );
    let columns = ["changed", "query", "first", "commit", "advance", "told"];
    let mut table = Table::new(&title, &columns);
    for (name, query, edit) in CASES {
        let class = Name::from("Item");
        let snapshot = realm.snapshot().expect("a snapshot can be had");
        let mut observer =
            ResultsObserver::new(&snapshot, &class, query, &[], None).expect("the query is right");
        let (first, _) = timed(|| observer.advance(&snapshot).expect("it can be read"));
        drop(snapshot);
        let (committing, advancing) = (Best::default(), Best::default());
        let mut told = 0;
        for round in 0..ROUNDS {
            committing.measure(1, || (), |()| write(realm, |txn| edit(txn, count, round)));
            let mut work = |()| {
                let snapshot = realm.snapshot().expect("a snapshot can be had");
                observer.advance(&snapshot).expect("it can be read")
            };
            let mut found = None;
            advancing.measure(1, || (), |()| found = work(()));
            told = found.map_or(0, |changes| {
                let ranges = [changes.deletions, changes.insertions, changes.modifications];
                ranges.iter().flatten().map(|range| range.length).sum()
            });
        }
        let times = [first, committing.get(), advancing.get()].map(cell);
        table.row(
            [name.to_owned(), query.to_owned()].into_iter().chain(times).chain([told.to_string()]),
        );
    }
    let mut observer = {
        let snapshot = realm.snapshot().expect("a snapshot can be had");
        let mut observer =
            ObjectObserver::new(&snapshot, &"Item".into(), &item(count / 2).key(), None)
                .expect("it exists");
        observer.advance(&snapshot).expect("it can be read");
        observer
    };
    let (committing, advancing) = (Best::default(), Best::default());
    for round in 0..ROUNDS {
        let edit = |txn: &mut WriteTxn| {
            set(
                txn,
                count / 2,
                "complexity",
                &Value::Int(i64::try_from(round).expect("few rounds")),
            );
        };
        committing.measure(1, || (), |()| write(realm, edit));
        let work = |()| {
            let snapshot = realm.snapshot().expect("a snapshot can be had");
            observer.advance(&snapshot).expect("it can be read")
        };
        advancing.measure(1, || (), work);
    }
    let times = ["-".to_owned(), cell(committing.get()), cell(advancing.get()), "1".to_owned()];
    table.row(["one of an object".to_owned(), "-".to_owned()].into_iter().chain(times));
    table.print();
}

fn cell(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let count = rows();
    let mut table = Table::new("inserted in transactions of 1,000", &["objects", "obj/s", "ms"]);
    let plain = open(&folder.path().join("plain.realm"), schema());
    let (took, ()) = timed(|| fill(&plain, count, false));
    table.row(["linked to by nothing".to_owned(), per_second(count, took), ms(took)]);
    let realm = open(&folder.path().join("linked.realm"), linked_schema());
    let (took, ()) = timed(|| fill(&realm, count, true));
    table.row(["with links, and linked to".to_owned(), per_second(count, took), ms(took)]);
    table.print();
    measure(&realm, count);
}
