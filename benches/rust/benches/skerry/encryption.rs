//! What encryption costs: the reference rows in a plain file and in an encrypted one, in turns.
//!
//! Scans and lookups are of a file that was just opened, so that its pages come from the system's cache and
//! through the cipher.

use std::path::Path;
use std::time::Duration;

use skerry_benches::items::{insert, item, rows, schema};
use skerry_benches::report::{Table, timed};
use skerry_store::connection::Synchronous;
use skerry_store::realm::Options;
use skerry_store::{EncryptionKey, Realm};

const SINGLE: u32 = 1_000;
const LOOKUPS: u32 = 10_000;
const TIMES: usize = 5;

fn open(path: &Path, key: Option<&EncryptionKey>) -> Realm {
    let options = Options {
        schema: schema(),
        synced: false,
        synchronous: Synchronous::Full,
        query_cache_bytes: 0,
        encryption_key: key.cloned(),
    };
    Realm::open(path, &options).expect("it can be opened")
}

/// Inserting, single commits, a scan and lookups, each in a part of the time.
fn measure(key: Option<&EncryptionKey>) -> ([Duration; 4], u64) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("a.realm");
    let realm = open(&path, key);
    let rows = rows();
    let (inserted, ()) = timed(|| insert(&realm, 0..rows, 1_000, None));
    let (committed, ()) = timed(|| insert(&realm, rows..rows + SINGLE, 1, None));
    drop(realm);
    let size = std::fs::metadata(&path).expect("it is there").len();
    let class = "Item".into();
    let realm = open(&path, key);
    let snapshot = realm.snapshot().expect("it can be read");
    let (scanned, found) = timed(|| snapshot.query(&class, "itemName CONTAINS 'in no name'", &[]));
    assert!(found.expect("it is a query").is_empty());
    drop((snapshot, realm));
    let realm = open(&path, key);
    let snapshot = realm.snapshot().expect("it can be read");
    let (looked_up, ()) = timed(|| {
        for number in 0..LOOKUPS {
            let key = item(number.wrapping_mul(7919) % rows).key();
            snapshot.get(&class, &key).expect("it can be read").expect("it is there");
        }
    });
    ([inserted, committed, scanned, looked_up], size)
}

pub(crate) fn run() {
    let key = EncryptionKey::new(&[7; 64]).expect("it has 64 bytes");
    let (mut plain, mut sealed, mut sizes) = (Vec::new(), Vec::new(), (0, 0));
    for _ in 0..TIMES {
        let (times, size) = measure(None);
        plain.push(times);
        sizes.0 = size;
        let (times, size) = measure(Some(&key));
        sealed.push(times);
        sizes.1 = size;
    }
    let mut table = Table::new(
        &format!("encryption, {} rows, synchronous = FULL (median of {TIMES})", rows()),
        &["case", "plain", "encrypted", "ratio"],
    );
    let median = |runs: &[[Duration; 4]], case: usize| {
        let mut times: Vec<f64> = runs.iter().map(|run| run[case].as_secs_f64()).collect();
        times.sort_by(f64::total_cmp);
        times[TIMES / 2]
    };
    for (case, (name, count, unit)) in [
        ("insert, transactions of 1,000, µs an object", rows(), 1e6),
        ("transaction of one object, ms", SINGLE, 1e3),
        ("scan of a file just opened, µs an object", rows(), 1e6),
        ("lookup in a file just opened, µs", LOOKUPS, 1e6),
    ]
    .into_iter()
    .enumerate()
    {
        let (one, other) = (median(&plain, case), median(&sealed, case));
        let shown = |time: f64| format!("{:.2}", time * unit / f64::from(count));
        table.row([name.to_owned(), shown(one), shown(other), format!("{:.2}", other / one)]);
    }
    let (one, other) = sizes;
    let ratio = other * 100 / one;
    table.row([
        "file, bytes".to_owned(),
        one.to_string(),
        other.to_string(),
        format!("{}.{:02}", ratio / 100, ratio % 100),
    ]);
    table.print();
}
