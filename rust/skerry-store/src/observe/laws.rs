//! Sorted, limited and distinct results are followed as if the query were run again: whatever orders them,
//! whoever has written, with columns in memory and without.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::path::Path as FilePath;
use std::time::Duration;

use proptest::prelude::*;
use skerry_model::edit::{Edit as At, Op};
use skerry_model::{
    Changeset, ClassSchema, Decimal128, FileIdent, Instruction, Name, ObjectId, ObjectKey,
    ObjectRef, Path, PathElement, Payload, Property, PropertyType, QueryVersion, Schema,
    ServerVersion, Stamp, Timestamp, UpdateSide, Value,
};

use super::diff::{IndexRange, diff};
use super::merge::merged;
use super::results::ResultsObserver;
use super::undecided::undecided;
use crate::Realm;
use crate::connection::Synchronous;
use crate::ranges::{common, contains};
use crate::realm::{ClassChanges, Options, Snapshot, Subscription, UpdatePolicy};

const WAIT: Duration = Duration::from_secs(20);
const ITEMS: i64 = 40;
const PERSONS: i64 = 5;

/// What an item may be sorted by.
const KEYS: [&str; 14] = [
    "int",
    "intN",
    "text",
    "textN",
    "double",
    "dateN",
    "decimal",
    "mixed",
    "owner.name",
    "owner.rank",
    "owner.boss.rank",
    "next.text",
    "part.size",
    "part.who.rank",
];

fn schema() -> Schema {
    let class = |name: &str, embedded: bool, properties: Vec<Property>| {
        let key = Property::scalar("_id", PropertyType::Int, false);
        let (primary_key, key) = if embedded { ("", None) } else { ("_id", Some(key)) };
        let properties = key.into_iter().chain(properties).collect();
        ClassSchema { name: name.into(), primary_key: primary_key.into(), properties, embedded }
    };
    let item = vec![
        Property::scalar("int", PropertyType::Int, false),
        Property::scalar("intN", PropertyType::Int, true),
        Property::scalar("text", PropertyType::String, false),
        Property::scalar("textN", PropertyType::String, true),
        Property::scalar("double", PropertyType::Double, false),
        Property::scalar("dateN", PropertyType::Timestamp, true),
        Property::scalar("decimal", PropertyType::Decimal, false),
        Property::scalar("mixed", PropertyType::Mixed, true),
        Property::link("owner", "Person"),
        Property::link("next", "Item"),
        Property::link("part", "Part"),
    ];
    let person = vec![
        Property::scalar("name", PropertyType::String, false),
        Property::scalar("rank", PropertyType::Int, true),
        Property::link("boss", "Person"),
    ];
    let part =
        vec![Property::scalar("size", PropertyType::Int, false), Property::link("who", "Person")];
    let all = [("Item", false, item), ("Person", false, person), ("Part", true, part)];
    Schema::new(all.map(|(name, embedded, properties)| class(name, embedded, properties))).unwrap()
}

fn open(path: &FilePath, query_cache_bytes: usize) -> Realm {
    let synchronous = Synchronous::Normal;
    let options = Options {
        schema: schema(),
        synced: true,
        synchronous,
        query_cache_bytes,
        encryption_key: None,
    };
    Realm::open(path, &options).unwrap()
}

/// Three handles of one file, two with columns and one without.
fn realms(folder: &FilePath) -> [Realm; 3] {
    let path = folder.join("a.realm");
    let realms = [open(&path, 1 << 20), open(&path, 1 << 20), open(&path, 0)];
    let all = [(1, "Item"), (2, "Person")].map(|(id, class)| Subscription {
        id: ObjectId([id; 12]),
        name: None,
        class: class.into(),
        query: "TRUEPREDICATE".to_owned(),
        created_ms: 0,
        updated_ms: 0,
    });
    realms[0].commit_subscriptions(all.to_vec(), QueryVersion(0)).unwrap();
    realms
}

type Values = Vec<(Name, Value)>;

fn link(class: &str, keys: i64) -> BoxedStrategy<Value> {
    let class = class.to_owned();
    (0..keys).prop_map(move |key| Value::link(class.clone(), ObjectKey::Int(key))).boxed()
}

fn value_of(field: &'static str) -> BoxedStrategy<Value> {
    let int = || (-2..3_i64).prop_map(Value::Int);
    let text = || prop::sample::select(vec!["", "a", "A", "ab", "É", "b"]).prop_map(Value::string);
    let double = prop::sample::select(vec![0.0, -0.0, 1.5, f64::NAN, f64::INFINITY, -1e300]);
    let double = double.prop_map(Value::Double);
    let date = prop::sample::select(vec![(0, 0), (0, 1), (-1, -5), (7, 0)]);
    let date = date.prop_map(|(s, ns)| Value::Timestamp(Timestamp::new(s, ns).unwrap()));
    let decimal = || (-2..3_i64).prop_map(|int| Value::Decimal(Decimal128::from(int)));
    let some = match field {
        "text" | "name" => return text().boxed(),
        "double" => return double.boxed(),
        "decimal" => return decimal().boxed(),
        "int" | "size" => return int().boxed(),
        "textN" => text().boxed(),
        "dateN" => date.boxed(),
        "mixed" => prop_oneof![int(), text(), double, date, link("Person", PERSONS)].boxed(),
        "next" => link("Item", ITEMS),
        "owner" | "boss" | "who" => link("Person", PERSONS),
        _ => int().boxed(),
    };
    prop_oneof![1 => Just(Value::Null), 4 => some].boxed()
}

fn values_of(fields: &'static [&'static str]) -> impl Strategy<Value = Values> {
    let of = |field: &'static str| value_of(field).prop_map(move |value| (field.into(), value));
    fields.iter().copied().map(of).collect::<Vec<_>>()
}

const ITEM: [&str; 10] =
    ["int", "intN", "text", "textN", "double", "dateN", "decimal", "mixed", "owner", "next"];
const PERSON: [&str; 3] = ["name", "rank", "boss"];

#[derive(Clone, Debug)]
enum Edit {
    Put(ObjectRef, Values),
    Set(ObjectRef, Name, Value),
    /// A property of what is embedded, which is made if it is not there.
    SetPart(ObjectRef, Name, Value),
    Delete(ObjectRef),
}

fn object(class: &'static str, keys: i64) -> impl Strategy<Value = ObjectRef> {
    (0..keys).prop_map(move |key| ObjectRef::new(class, ObjectKey::Int(key)))
}

fn edit() -> impl Strategy<Value = Edit> {
    let (item, person) = (|| object("Item", ITEMS), || object("Person", PERSONS));
    let set = |fields: &'static [&'static str]| {
        let field = prop::sample::select(fields);
        field.prop_flat_map(|field| value_of(field).prop_map(move |value| (field, value)))
    };
    let set_of = |(object, (field, value)): (ObjectRef, (&str, Value))| {
        Edit::Set(object, field.into(), value)
    };
    prop_oneof![
        3 => (item(), values_of(&ITEM)).prop_map(|(object, values)| Edit::Put(object, values)),
        8 => (item(), set(&ITEM)).prop_map(set_of),
        2 => (item(), set(&["size", "who"]))
            .prop_map(|(object, (field, value))| Edit::SetPart(object, field.into(), value)),
        3 => item().prop_map(Edit::Delete),
        1 => (person(), values_of(&PERSON)).prop_map(|(object, values)| Edit::Put(object, values)),
        2 => (person(), set(&PERSON)).prop_map(set_of),
        1 => person().prop_map(Edit::Delete),
    ]
}

/// What happens to the file, and by which handle; a download is by the first.
#[derive(Clone, Debug)]
enum Step {
    Commit(usize, Vec<Edit>),
    Integrate(Vec<Edit>),
}

fn step() -> impl Strategy<Value = Step> {
    let edits = || prop::collection::vec(edit(), 1..9);
    prop_oneof![
        3 => (0..3_usize, edits()).prop_map(|(handle, edits)| Step::Commit(handle, edits)),
        1 => edits().prop_map(Step::Integrate),
    ]
}

fn commit(realm: &Realm, edits: &[Edit]) {
    let mut txn = realm.begin_write(WAIT).unwrap();
    for edit in edits {
        match edit.clone() {
            Edit::Put(ObjectRef { class, key }, values) => {
                txn.create(&class, &key, &values, &[], UpdatePolicy::All).unwrap();
            }
            // What is absent is refused, and nothing happens.
            Edit::Set(ObjectRef { class, key }, name, value) => {
                drop(txn.set(&class, &key, &name, &value));
            }
            Edit::SetPart(object, name, value) => {
                let at = |elements| Path::new(object.clone(), "part", elements);
                let set = At::Set { value, is_default: false };
                let inner = Op::At { path: at(vec![PathElement::Key(name)]), edit: set };
                if txn.edit(&inner).is_err() {
                    drop(txn.edit(&Op::At { path: at(Vec::new()), edit: At::SetEmbedded }));
                    drop(txn.edit(&inner));
                }
            }
            Edit::Delete(ObjectRef { class, key }) => {
                txn.delete(&class, &key).unwrap();
            }
        }
    }
    txn.commit(Stamp(1)).unwrap();
}

/// As a download, which may leave links without a target and bring targets back.
fn integrate(realm: &Realm, edits: &[Edit], version: i64) {
    let mut instructions = Vec::new();
    let set = |object: &ObjectRef, name: &Name, value: &Value| Instruction::Update {
        path: Path::property(object.clone(), name.clone()),
        value: Payload::Value(value.clone()),
        side: UpdateSide::IsDefault(false),
    };
    for edit in edits {
        match edit {
            Edit::Put(object, values) => {
                instructions.push(Instruction::CreateObject { object: object.clone() });
                instructions.extend(values.iter().map(|(name, value)| set(object, name, value)));
            }
            Edit::Set(object, name, value) => {
                instructions.push(Instruction::CreateObject { object: object.clone() });
                instructions.push(set(object, name, value));
            }
            Edit::SetPart(..) => {}
            Edit::Delete(object) => {
                instructions.push(Instruction::EraseObject { object: object.clone() });
            }
        }
    }
    let mut integration = realm.begin_integration(WAIT).unwrap();
    let changeset = Changeset { instructions };
    integration.apply(&changeset, ServerVersion(version), FileIdent(2), Stamp(2)).unwrap();
    integration.commit().unwrap();
}

fn query() -> impl Strategy<Value = String> {
    let conditions = vec![
        "TRUEPREDICATE",
        "TRUEPREDICATE",
        "int >= 0",
        "intN != nil AND text != 'a'",
        "textN BEGINSWITH 'a' OR double > 0",
        "owner.rank > 0",
        "owner != nil",
    ];
    let key = || (prop::sample::select(&KEYS), prop::sample::select(vec!["ASC", "DESC"]));
    let sort = prop::collection::vec(key(), 1..4).prop_map(|keys| {
        let keys = keys.into_iter().map(|(path, way)| format!("{path} {way}"));
        format!("SORT({})", keys.collect::<Vec<_>>().join(", "))
    });
    let limit = (0..20_u32).prop_map(|count| format!("LIMIT({count})"));
    let distinct = prop::sample::select(&KEYS).prop_map(|path| format!("DISTINCT({path})"));
    let or_nothing = |step: BoxedStrategy<String>, weight| {
        prop_oneof![weight => step, 6 => Just(String::new())].boxed()
    };
    let steps = (
        prop::sample::select(conditions),
        or_nothing(distinct.clone().boxed(), 1),
        prop_oneof![8 => sort.clone(), 1 => Just(String::new())],
        or_nothing(sort.boxed(), 1),
        or_nothing(distinct.boxed(), 1),
        or_nothing(limit.boxed(), 4),
    );
    steps.prop_map(|(condition, a, b, c, d, e)| [condition, &a, &b, &c, &d, &e].join(" "))
}

/// Results as they were seen last.
struct Followed {
    text: String,
    observer: ResultsObserver,
    rows: Vec<i64>,
}

/// The rows of a query, which is run again, and by the evaluator too.
fn look(snapshot: &Snapshot, text: &str) -> Vec<i64> {
    let class = Name::from("Item");
    let query = snapshot.compile(&class, text, &[]).unwrap();
    let rows = snapshot.row_ids(&query).unwrap();
    let objects = snapshot.read_rows(&class, &rows).unwrap();
    assert_eq!(objects, snapshot.evaluate(&class, text, &[]).unwrap(), "{text}");
    rows
}

fn indices(ranges: &[IndexRange]) -> Vec<usize> {
    assert!(ranges.windows(2).all(|two| two[0].start + two[0].length < two[1].start), "{ranges:?}");
    ranges.iter().flat_map(|range| range.start..range.start + range.length).collect()
}

impl Followed {
    fn new(snapshot: &Snapshot, text: &str) -> Self {
        let observer = ResultsObserver::new(snapshot, &"Item".into(), text, &[], None);
        let mut observer = observer.unwrap();
        assert_eq!(observer.advance(snapshot).unwrap(), None);
        Self { text: text.to_owned(), observer, rows: look(snapshot, text) }
    }

    fn advance(&mut self, snapshot: &Snapshot) -> Result<(), TestCaseError> {
        let since = self.observer.version().unwrap();
        let changes = self.observer.advance(snapshot).unwrap().unwrap_or_default();
        let rows = look(snapshot, &self.text);
        prop_assert_eq!(self.observer.rows(), &rows, "{}", &self.text);
        let (deleted, inserted) = (indices(&changes.deletions), indices(&changes.insertions));
        let mut list = self.rows.clone();
        for &index in deleted.iter().rev() {
            list.remove(index);
        }
        for &index in &inserted {
            list.insert(index, rows[index]);
        }
        prop_assert_eq!(&list, &rows, "{}", &self.text);
        // As many are moved as when both lists are compared, and the same rows are modified if the
        // same are moved.
        let all = snapshot.changes_since(since).unwrap().unwrap();
        let table = snapshot.tables().class("query", &"Item".into()).unwrap();
        let nothing = ClassChanges::default();
        let of_class = all.class(table.id).unwrap_or(&nothing);
        let reborn = common(&of_class.created, &of_class.erased);
        let expected = diff(&self.rows, &rows, |row_id| contains(&reborn, row_id));
        prop_assert_eq!(deleted.len(), expected.deleted.len(), "{}", &self.text);
        let (before, after) =
            (indices(&changes.old_modifications), indices(&changes.modifications));
        prop_assert_eq!(before.len(), after.len());
        prop_assert!(before.iter().zip(&after).all(|(a, b)| self.rows[*a] == rows[*b]));
        prop_assert!(before.iter().all(|place| deleted.binary_search(place).is_err()));
        for (place, row_id) in self.rows.iter().enumerate() {
            let mut touched = of_class.properties.values().chain([&of_class.any]);
            let is_touched = touched.any(|ranges| contains(ranges, *row_id));
            let is_kept = deleted.binary_search(&place).is_err();
            prop_assert!(!is_touched || !is_kept || before.contains(&place), "{}", &self.text);
        }
        self.rows = rows;
        Ok(())
    }
}

fn run(
    (items, persons): (&[Values], &[Values]),
    steps: &[(Step, Vec<bool>)],
    queries: &[String],
) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let realms = realms(folder.path());
    let put = |class: &'static str, all: &[Values]| {
        let edits = (0..).zip(all).map(|(key, values)| {
            Edit::Put(ObjectRef::new(class, ObjectKey::Int(key)), values.clone())
        });
        commit(&realms[0], &edits.collect::<Vec<_>>());
    };
    put("Person", persons);
    put("Item", items);
    let snapshots = || [realms[0].snapshot().unwrap(), realms[2].snapshot().unwrap()];
    let mut followed: Vec<(usize, Followed)> = Vec::new();
    for (handle, snapshot) in snapshots().iter().enumerate() {
        followed.extend(queries.iter().map(|text| (handle, Followed::new(snapshot, text))));
    }
    for (version, (step, looks)) in (1..).zip(steps) {
        match step {
            Step::Commit(handle, edits) => commit(&realms[*handle], edits),
            Step::Integrate(edits) => integrate(&realms[0], edits, version),
        }
        let snapshots = snapshots();
        for ((handle, one), _) in followed.iter_mut().zip(looks).filter(|(_, looks)| **looks) {
            one.advance(&snapshots[*handle])?;
        }
    }
    let snapshots = snapshots();
    followed.iter_mut().try_for_each(|(handle, one)| one.advance(&snapshots[*handle]))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("SKERRY_LAWS").map_or(48, |cases| cases.parse().unwrap()),
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    })]

    #[test]
    fn following_is_running_again(
        items in prop::collection::vec(values_of(&ITEM), 10..40),
        persons in prop::collection::vec(values_of(&PERSON), 1..5),
        steps in prop::collection::vec((step(), prop::collection::vec(any::<bool>(), 12)), 1..12),
        queries in prop::collection::vec(query(), 6),
    ) {
        run((&items, &persons), &steps, &queries)?;
    }
}

/// That the law above is about rows that are followed, and not about queries that are run again.
#[test]
fn sorted_and_limited_results_are_followed_without_running_the_query() {
    let folder = tempfile::tempdir().unwrap();
    let realms = realms(folder.path());
    let item = |key| ObjectRef::new("Item", ObjectKey::Int(key));
    let set = |key, int| Edit::Set(item(key), "int".into(), Value::Int(int));
    let puts = (0..ITEMS).map(|key| Edit::Put(item(key), vec![("int".into(), Value::Int(key))]));
    commit(&realms[0], &puts.collect::<Vec<_>>());
    for (text, edit, is_followed) in [
        ("TRUEPREDICATE SORT(int ASC)", set(3, 20), true),
        ("int > 5 SORT(textN DESC, int ASC)", set(3, 20), true),
        ("TRUEPREDICATE SORT(owner.boss.rank ASC, decimal DESC)", Edit::Delete(item(4)), true),
        ("TRUEPREDICATE SORT(int ASC) LIMIT(5)", set(39, -7), true),
        // The sixth is not known.
        ("TRUEPREDICATE SORT(int ASC) LIMIT(5)", set(0, 50), false),
        ("TRUEPREDICATE SORT(int ASC) DISTINCT(textN)", set(0, 50), false),
        ("owner.rank > 0 SORT(int ASC)", set(0, 50), false),
    ] {
        let class = Name::from("Item");
        let before = realms[0].snapshot().unwrap();
        let rows = before.row_ids(&before.compile(&class, text, &[]).unwrap()).unwrap();
        commit(&realms[1], &[edit]);
        for realm in [&realms[0], &realms[2]] {
            let snapshot = realm.snapshot().unwrap();
            let query = snapshot.compile(&class, text, &[]).unwrap();
            let table = snapshot.tables().class("query", &class).unwrap();
            let changes = snapshot.changes_since(before.version()).unwrap().unwrap();
            let undecided = undecided(&snapshot, (table, &query), &changes).unwrap();
            let merged = undecided
                .and_then(|rows_| merged(&snapshot, (table, &query), &rows, &rows_).unwrap());
            assert_eq!(merged.is_some(), is_followed, "{text}");
            if let Some(merged) = merged {
                assert_eq!(merged.rows, look(&snapshot, text), "{text}");
            }
        }
    }
}
