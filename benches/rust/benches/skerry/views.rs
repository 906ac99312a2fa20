//! Which of many views does a change touch: the predicate index beside evaluating every view.
//!
//! Views are conditions on class `Item`. A change is a row of the workload and the same row with another
//! complexity and price; each is handed over as the server has it, a row of named values. The clock covers
//! finding the views, not making the rows. Both ways must find the same.

use std::time::Duration;

use skerry_benches::items::{Names, item, owner, schema};
use skerry_benches::report::{self, Best, Table};
use skerry_model::{Content, Name, ObjectKey, Schema};
use skerry_query::index::PredicateIndex;
use skerry_query::{FieldRow, NoObjects, Predicate, Query, Row};

const COUNTS: [u32; 3] = [1_000, 10_000, 100_000];

/// Changes per measurement of the index, and of the peer, which takes long.
const CHANGES: u32 = 1_000;
const CHANGES_BY_EVALUATION: u32 = 10;

/// A family of views: the text of the view of a number, of so many.
type Family = fn(u32, u32) -> String;

/// What is measured, with its views. Owners beyond the workload's thousand are of nobody's rows.
const FAMILIES: [(&str, Family); 5] = [
    ("equality", |number, _| format!("ownerId == '{}'", owner(number))),
    ("IN of 5", |number, _| {
        let owners: Vec<_> = (0..5).map(|of| format!("'{}'", owner(number * 5 + of))).collect();
        format!("ownerId IN {{{}}}", owners.join(", "))
    }),
    ("two equalities", |number, _| {
        format!("ownerId == '{}' AND complexity == {}", owner(number / 10), number % 10)
    }),
    ("range", |number, count| {
        // One in a hundred of a hundredth of the prices, and the more views, the narrower.
        let width = 1_000.0 / f64::from(count);
        let low = f64::from(number) * 100.0 / f64::from(count);
        format!("price BETWEEN {{{low:.5}, {:.5}}}", low + width)
    }),
    ("mix, 1 % evaluated", mixed),
];

fn mixed(number: u32, count: u32) -> String {
    if number.is_multiple_of(100) {
        return format!("itemName CONTAINS[c] '{}'", &owner(number)[..6]);
    }
    let family = usize::try_from(number % 4).expect("below 4");
    FAMILIES[family].1(number, count)
}

struct Change {
    key: ObjectKey,
    before: Vec<(Name, Content)>,
    after: Vec<(Name, Content)>,
}

fn changes() -> Vec<Change> {
    let names = Names::default();
    let state =
        |item: &_| names.pairs(item).map(|(name, value)| (name, Content::Value(value))).to_vec();
    let change = |number| {
        let before = item(number);
        let mut after = before.clone();
        after.complexity = (after.complexity + 1) % 10;
        after.price = (after.price + 1.0) % 100.0;
        Change { key: before.key(), before: state(&before), after: state(&after) }
    };
    (0..CHANGES).map(change).collect()
}

fn compile(schema: &Schema, text: &str) -> Predicate {
    Query::compile(schema, "Item", text, &[]).expect("the query is right").predicate
}

/// How many views the changes touch, by index.
fn found(index: &PredicateIndex<u32>, changes: &[Change]) -> u32 {
    let mut count = 0;
    for change in changes {
        let rows = [&change.before, &change.after]
            .map(|fields| FieldRow { key: &change.key, fields: fields.as_slice() });
        let [before, after] = rows.each_ref().map(|row| Some(row as &dyn Row));
        index.touched("Item", before, after, &mut |_| count += 1);
    }
    count
}

/// The same by evaluating every view.
fn evaluated(views: &[Predicate], changes: &[Change]) -> u32 {
    let mut count = 0;
    for change in changes {
        let rows = [&change.before, &change.after]
            .map(|fields| FieldRow { key: &change.key, fields: fields.as_slice() });
        for view in views {
            count += u32::from(rows.iter().any(|row| view.matches(row, &NoObjects)));
        }
    }
    count
}

fn micros(time: Duration, count: u32) -> f64 {
    time.as_secs_f64() * 1e6 / f64::from(count)
}

const COLUMNS: [&str; 9] = [
    "views",
    "number",
    "touched",
    "index, µs per change",
    "N^",
    "evaluating all, µs per change",
    "N^",
    "adding, µs per view",
    "removing",
];

pub(crate) fn run() {
    let mut criterion = report::criterion();
    let (schema, changes) = (schema(), changes());
    let few = &changes[..usize::try_from(CHANGES_BY_EVALUATION).expect("a few")];
    let mut table = Table::new("views that a change touches (before and after)", &COLUMNS);
    let mut group = criterion.benchmark_group("views");
    for (name, family) in FAMILIES {
        let mut smaller: Option<[f64; 2]> = None;
        for count in COUNTS {
            let views: Vec<Predicate> =
                (0..count).map(|number| compile(&schema, &family(number, count))).collect();
            let mut index = PredicateIndex::default();
            let class = Name::from("Item");
            let (adding, ()) = report::timed(|| {
                for (id, view) in (0..).zip(&views) {
                    index.insert(id, &class, view);
                }
            });
            assert_eq!(found(&index, few), evaluated(&views, few), "{name}");
            let (by_index, by_evaluation) = (Best::default(), Best::default());
            group.bench_function(format!("{name}/{count}/index"), |bencher| {
                let work = |()| found(&index, &changes);
                bencher.iter_custom(|times| by_index.measure(times, || (), work));
            });
            group.bench_function(format!("{name}/{count}/evaluating"), |bencher| {
                let work = |()| evaluated(&views, few);
                bencher.iter_custom(|times| by_evaluation.measure(times, || (), work));
            });
            let times = [
                micros(by_index.get(), CHANGES),
                micros(by_evaluation.get(), CHANGES_BY_EVALUATION),
            ];
            let growth = |way: usize| {
                smaller.map_or(String::new(), |smaller| {
                    format!("{:.2}", (times[way] / smaller[way]).log10())
                })
            };
            let touched = f64::from(found(&index, &changes)) / f64::from(CHANGES);
            let (removing, ()) = report::timed(|| {
                (0..count).for_each(|id| {
                    index.remove(id);
                });
            });
            assert_eq!(index.entries(), 0);
            table.row([
                name.to_owned(),
                count.to_string(),
                format!("{touched:.1}"),
                format!("{:.2}", times[0]),
                growth(0),
                format!("{:.1}", times[1]),
                growth(1),
                format!("{:.1}", micros(adding, count)),
                format!("{:.1}", micros(removing, count)),
            ]);
            smaller = Some(times);
        }
    }
    group.finish();
    table.print();
}
