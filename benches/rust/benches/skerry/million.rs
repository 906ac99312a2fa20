//! Table (b) of the reference workload: every query on the whole class, counted and with the primary keys of its
//! results read; from columns in memory, from the tables without a cache, and beside it hand-written SQL.
//!
//! `SKERRY_BENCH_ROWS=1000000` is the reference's size.

use std::time::Duration;

use rusqlite::{Connection, params};
use skerry_benches::items::{Item, Names, item, rows, schema_with_tags};
use skerry_benches::report::{Best, Table, grouped, timed};
use skerry_model::edit::{Edit, Op};
use skerry_model::{IndexKind, Name, ObjectRef, Path, Payload, Stamp, Value};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES, Realm, Snapshot, UpdatePolicy};

/// Text, the same for the peer, and whether it goes with an index.
const QUERIES: [(&str, &str, Index); 7] = [
    ("complexity <= 4", "complexity <= 4", Index::No),
    ("ownerId == \"fb2c78c38a3c9338e6e9057d\"", "owner = 'fb2c78c38a3c9338e6e9057d'", Index::No),
    (
        "ownerId == \"fb2c78c38a3c9338e6e9057d\"",
        "owner = 'fb2c78c38a3c9338e6e9057d'",
        Index::OnOwner,
    ),
    ("itemName CONTAINS[c] \"abc\"", "name LIKE '%abc%'", Index::No),
    (
        "itemName BEGINSWITH \"ab\" AND complexity IN {1,3,5}",
        "name >= 'ab' AND name < 'ac' AND complexity IN (1,3,5)",
        Index::No,
    ),
    (
        "price BETWEEN {10,20} SORT(created DESC) LIMIT(100)",
        "price BETWEEN 10 AND 20 ORDER BY created DESC, row_id LIMIT 100",
        Index::No,
    ),
    (
        "ANY tags == \"tag42\"",
        "EXISTS (SELECT 1 FROM tag WHERE item = row_id AND tag = 'tag42')",
        Index::No,
    ),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Index {
    No,
    OnOwner,
}

const REPEATS: u64 = 7;
/// An index answers until its column has been asked for so often.
const WARMING: u32 = 70;

fn options(index: Index, query_cache_bytes: usize) -> Options {
    let schema = schema_with_tags();
    let schema = match index {
        Index::No => schema,
        Index::OnOwner => {
            schema.with_index("Item", "ownerId", IndexKind::General).expect("text has indexes")
        }
    };
    Options {
        schema,
        synced: false,
        synchronous: Synchronous::Normal,
        query_cache_bytes,
        encryption_key: None,
    }
}

fn insert(realm: &Realm, count: u32) {
    let names = Names::default();
    let tags = Name::from("tags");
    let numbers: Vec<u32> = (0..count).collect();
    for chunk in numbers.chunks(1000) {
        let mut txn = realm.begin_write(Duration::from_mins(1)).expect("the lock is free");
        for &number in chunk {
            let item = item(number);
            let (key, values) = (item.key(), names.pairs(&item));
            txn.create(&names.class, &key, &values, &[], UpdatePolicy::Error)
                .expect("the row is new");
            let object = ObjectRef { class: names.class.clone(), key };
            for (index, tag) in (0..).zip(item.tags) {
                let path = Path::property(object.clone(), tags.clone());
                let value = Payload::Value(Value::string(format!("tag{tag}")));
                txn.edit(&Op::At { path, edit: Edit::ListInsert { index, value } })
                    .expect("the list takes it");
            }
        }
        txn.commit(Stamp(1)).expect("the file can be written");
    }
}

/// The same rows, with the tags in a table of their own.
fn peer(path: &std::path::Path, count: u32) -> Connection {
    let connection = Connection::open(path).expect("the file can be made");
    connection
        .execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN;
             CREATE TABLE item (row_id INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
                 owner TEXT NOT NULL, name TEXT NOT NULL, complexity INTEGER NOT NULL,
                 price REAL NOT NULL, created INTEGER NOT NULL) STRICT;
             CREATE TABLE tag (item INTEGER NOT NULL, position INTEGER NOT NULL, tag TEXT NOT NULL,
                 PRIMARY KEY (item, position)) STRICT, WITHOUT ROWID;",
        )
        .expect("the tables can be made");
    {
        let mut insert = connection
            .prepare("INSERT INTO item VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")
            .expect("the statement is right");
        let mut insert_tag = connection
            .prepare("INSERT INTO tag VALUES (?1, ?2, ?3)")
            .expect("the statement is right");
        for number in 0..count {
            let Item { id, owner, name, complexity, price, created_ms, tags } = item(number);
            insert
                .execute(params![number, id, owner, name, complexity, price, created_ms])
                .expect("the row is new");
            for (position, tag) in (0..).zip(tags) {
                let position: i64 = position;
                insert_tag
                    .execute(params![number, position, format!("tag{tag}")])
                    .expect("the row is new");
            }
        }
    }
    connection.execute_batch("COMMIT").expect("the file can be written");
    connection
}

fn cell(time: Duration) -> String {
    let ms = time.as_secs_f64() * 1e3;
    if ms < 1.0 { format!("{ms:.4}") } else { format!("{ms:.1}") }
}

/// Measures what takes less than a millisecond often enough to find its data where it lies.
fn measure_work<O>(mut work: impl FnMut() -> O) -> Duration {
    let best = Best::default();
    best.measure(REPEATS, || (), |()| work());
    if best.get() < Duration::from_millis(1) {
        best.measure(REPEATS * 100, || (), |()| work());
    }
    best.get()
}

/// The best time of counting and of reading the keys.
fn measure(snapshot: &Snapshot, text: &str) -> [Duration; 2] {
    let class = Name::from("Item");
    [
        measure_work(|| snapshot.count(&class, text, &[]).expect("it is right")),
        measure_work(|| snapshot.matching_keys(&class, text, &[]).expect("it is right")),
    ]
}

fn measure_peer(peer: &Connection, condition: &str) -> [Duration; 2] {
    let count_sql = format!("SELECT count(*) FROM (SELECT 1 FROM item WHERE {condition})");
    let keys_sql = format!("SELECT id FROM item WHERE {condition}");
    let count = || {
        let mut statement = peer.prepare_cached(&count_sql).expect("the statement is right");
        statement.query_row([], |row| row.get::<_, i64>(0)).expect("there is a number")
    };
    let keys = || {
        let mut statement = peer.prepare_cached(&keys_sql).expect("the statement is right");
        let keys = statement.query_map([], |row| row.get::<_, [u8; 12]>(0)).expect("it runs");
        keys.collect::<rusqlite::Result<Vec<_>>>().expect("all have an id")
    };
    [measure_work(count), measure_work(keys)]
}

/// What commits cost with and without a cache, and what the first query after one costs.
fn measure_commits(path: &std::path::Path, count: u32) {
    let columns = ["objects changed", "commit", "next count", "commit, no cache", "next count"];
    let mut table =
        Table::new("complexity set in one commit, then `complexity <= 4`, ms", &columns);
    let (class, field) = (Name::from("Item"), Name::from("complexity"));
    for changed in [1, 100, 10_000_u32] {
        let mut row = vec![changed.to_string()];
        for bytes in [QUERY_CACHE_DEFAULT_BYTES, 0] {
            let realm = Realm::open(path, &options(Index::OnOwner, bytes)).expect("it opens");
            let ask = || {
                let snapshot = realm.snapshot().expect("a snapshot can be had");
                snapshot.count(&class, "complexity <= 4", &[]).expect("it is right")
            };
            // A column that was dropped is waited for.
            for _ in 0..5 {
                ask();
            }
            let (committing, asking) = (Best::default(), Best::default());
            for round in 0..REPEATS {
                let work = |()| {
                    let mut txn = realm.begin_write(Duration::from_mins(1)).expect("nobody writes");
                    for number in 0..changed {
                        let number = number.wrapping_mul(7919) % count;
                        let value = Value::Int(i64::from(number).wrapping_add_unsigned(round) % 10);
                        txn.set(&class, &item(number).key(), &field, &value).expect("it exists");
                    }
                    txn.commit(Stamp(1)).expect("the file can be written");
                };
                committing.measure(1, || (), work);
                asking.measure(1, || (), |()| ask());
            }
            row.extend([committing.get(), asking.get()].map(cell));
        }
        table.row(row);
    }
    table.print();
}

pub(crate) fn run() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("million.realm");
    let count = rows();
    let open = |index, bytes| Realm::open(&path, &options(index, bytes)).expect("it can be opened");
    let realm = open(Index::No, QUERY_CACHE_DEFAULT_BYTES);
    let (took, ()) = timed(|| insert(&realm, count));
    drop(realm);
    let peer = peer(&folder.path().join("peer.db"), count);
    let title = format!(
        "queries on {} objects with tags, ms (inserted in {:.1} s); first: with the columns to be read",
        grouped(count.into()),
        took.as_secs_f64()
    );
    let columns = ["query", "rows", "first", "count", "pks", "no cache", "pks", "SQL", "pks"];
    let mut table = Table::new(&title, &columns);
    let mut memory = Table::new("columns in memory", &["query", "bytes", "plan"]);
    for index in [Index::No, Index::OnOwner] {
        drop(open(index, 0));
        if index == Index::OnOwner {
            peer.execute_batch("CREATE INDEX item_owner ON item (owner)").expect("it can be made");
        }
        for (text, condition, _) in QUERIES.iter().filter(|(_, _, with)| *with == index) {
            // Opened anew, so that the first query finds nothing in memory.
            let cached = open(index, QUERY_CACHE_DEFAULT_BYTES);
            let snapshot = cached.snapshot().expect("a snapshot can be had");
            let class = Name::from("Item");
            let (first, found) = timed(|| snapshot.count(&class, text, &[]).expect("it is right"));
            let only = cached.query_cache().bytes;
            if index == Index::OnOwner {
                for _ in 0..WARMING {
                    snapshot.matching_keys(&class, text, &[]).expect("it is right");
                }
            }
            let [count, keys] = measure(&snapshot, text);
            let plain = open(index, 0);
            let [plain_count, plain_keys] =
                measure(&plain.snapshot().expect("a snapshot can be had"), text);
            let [peer_count, peer_keys] = measure_peer(&peer, condition);
            let mut row = vec![(*text).to_owned(), found.to_string()];
            row.extend(
                [first, count, keys, plain_count, plain_keys, peer_count, peer_keys].map(cell),
            );
            table.row(row);
            let plan = snapshot.explain(&class, text, &[]).expect("it is right").to_string();
            memory.row([
                (*text).to_owned(),
                grouped(f64::from(u32::try_from(only).unwrap_or(u32::MAX))),
                plan.lines().skip(1).collect::<Vec<_>>().join("; "),
            ]);
        }
    }
    table.print();
    memory.print();
    measure_commits(&path, count);
}
