//! The queries of the reference workload on the synced file of the same rows, without tags and indexes,
//! which `million` has.

use skerry_benches::items::{insert, rows, schema, subscribe};
use skerry_benches::report::{self, Best, Table, grouped, ms};
use skerry_benches::rig::Device;
use skerry_model::Name;
use skerry_store::connection::Synchronous;

const QUERIES: [&str; 5] = [
    "complexity <= 4",
    "ownerId == \"fb2c78c38a3c9338e6e9057d\"",
    "itemName CONTAINS[c] \"abc\"",
    "itemName BEGINSWITH \"ab\" AND complexity IN {1,3,5}",
    "price BETWEEN {10,20} SORT(created DESC) LIMIT(100)",
];

const PARSED: [&str; 2] = [
    "ownerId == \"x\" AND (complexity IN {1,3,5} OR price BETWEEN {10, 20}) \
     AND itemName BEGINSWITH[c] 'ab' SORT(created DESC) LIMIT(100)",
    "complexity <= 4",
];

pub(crate) fn run() {
    let mut criterion = report::criterion();
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let device = Device::new(folder.path(), "query", "u", Synchronous::Normal);
    subscribe(&device.realm, "TRUEPREDICATE");
    insert(&device.realm, 0..rows(), 10_000, None);
    let snapshot = device.realm.snapshot().expect("a snapshot can be had");
    let class = Name::from("Item");
    let title = format!(
        "queries on {} objects (parse + run; objects: every value read)",
        grouped(rows().into())
    );
    let mut table = Table::new(&title, &["query", "rows", "count ms", "objects ms"]);
    let mut group = criterion.benchmark_group("query");
    for query in QUERIES {
        let (counting, reading) = (Best::default(), Best::default());
        let count = || snapshot.count(&class, query, &[]).expect("the query is right");
        let read = || snapshot.query(&class, query, &[]).expect("the query is right");
        group.bench_function(format!("count/{query}"), |bencher| {
            bencher.iter_custom(|times| counting.measure(times, || (), |()| count()));
        });
        group.bench_function(format!("objects/{query}"), |bencher| {
            bencher.iter_custom(|times| reading.measure(times, || (), |()| read()));
        });
        let rows = [query.to_owned(), count().to_string(), ms(counting.get()), ms(reading.get())];
        table.row(rows);
    }
    group.finish();
    table.print();
    let mut table = Table::new("parsing a query", &["query", "µs"]);
    let (schema, mut group) = (schema(), criterion.benchmark_group("parse"));
    for query in PARSED {
        let best = Best::default();
        let compile = || skerry_query::Query::compile(&schema, &class, query, &[]);
        compile().expect("the query is right");
        group.bench_function(query, |bencher| {
            bencher.iter_custom(|times| best.measure(times, || (), |()| compile()));
        });
        table.row([query.to_owned(), format!("{:.2}", best.get().as_secs_f64() * 1e6)]);
    }
    group.finish();
    table.print();
}
