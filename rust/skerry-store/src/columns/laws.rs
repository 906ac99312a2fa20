//! Columns give what the tables give: whatever is asked, whoever has written, however old the snapshot.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::path::Path as FilePath;
use std::time::Duration;

use proptest::prelude::*;
use skerry_model::edit::{Edit as ListEdit, Op};
use skerry_model::{
    Changeset, ClassSchema, CollectionType, FileIdent, IndexKind, Instruction, Name, ObjectId,
    ObjectKey, ObjectRef, Path, Payload, Property, PropertyType, QueryVersion, Schema,
    ServerVersion, Stamp, Timestamp, UpdateSide, Uuid, Value,
};
use skerry_query::Argument;

use super::{Access, CHUNK_ROWS};
use crate::Realm;
use crate::connection::Synchronous;
use crate::realm::{Options, Snapshot, Subscription, UpdatePolicy};

const WAIT: Duration = Duration::from_secs(20);

const SINGLE: [(&str, PropertyType, bool); 16] = [
    ("int", PropertyType::Int, false),
    ("intN", PropertyType::Int, true),
    ("wide", PropertyType::Int, false),
    ("bool", PropertyType::Bool, false),
    ("boolN", PropertyType::Bool, true),
    ("double", PropertyType::Double, false),
    ("doubleN", PropertyType::Double, true),
    ("float", PropertyType::Float, true),
    ("few", PropertyType::String, false),
    ("fewN", PropertyType::String, true),
    ("many", PropertyType::String, true),
    ("data", PropertyType::Binary, true),
    ("date", PropertyType::Timestamp, false),
    ("dateN", PropertyType::Timestamp, true),
    ("oid", PropertyType::ObjectId, true),
    ("uuid", PropertyType::Uuid, false),
];

fn schema() -> Schema {
    let mut properties = vec![Property::scalar("_id", PropertyType::Int, false)];
    let single = SINGLE.iter().map(|&(name, ty, nullable)| Property::scalar(name, ty, nullable));
    properties.extend(single);
    properties.push(Property::scalar("decimal", PropertyType::Decimal, false));
    properties.push(Property::link("next", "Item"));
    let tags = Property::scalar("tags", PropertyType::String, false);
    properties.push(Property { collection: CollectionType::List, ..tags });
    let item =
        ClassSchema { embedded: false, name: "Item".into(), primary_key: "_id".into(), properties };
    let schema = Schema::new([item]).unwrap();
    schema.with_index("Item", "fewN", IndexKind::General).unwrap()
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

fn subscribe(realm: &Realm) {
    let all = Subscription {
        id: ObjectId([1; 12]),
        name: None,
        class: "Item".into(),
        query: "TRUEPREDICATE".to_owned(),
        created_ms: 0,
        updated_ms: 0,
    };
    realm.commit_subscriptions(vec![all], QueryVersion(0)).unwrap();
}

fn value(name: &str, ty: PropertyType) -> BoxedStrategy<Value> {
    let one = |value: fn(u8) -> Value| (0..4_u8).prop_map(value).boxed();
    match ty {
        PropertyType::Int if name == "wide" => {
            prop_oneof![Just(i64::MIN), Just(i64::MAX), -300..300_i64].prop_map(Value::Int).boxed()
        }
        PropertyType::Int => (-3..4_i64).prop_map(Value::Int).boxed(),
        PropertyType::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        PropertyType::Double => {
            let some = vec![0.0, -0.0, 1.5, -1.0, f64::NAN, f64::INFINITY, 2.0, 1e-300];
            prop::sample::select(some).prop_map(Value::Double).boxed()
        }
        PropertyType::Float => {
            prop::sample::select(vec![0.1_f32, -1.0, f32::NAN, 2.0]).prop_map(Value::Float).boxed()
        }
        PropertyType::String if name == "many" => "[abAÉé ]{0,7}".prop_map(Value::string).boxed(),
        PropertyType::String => {
            let some = vec!["", "a", "A", "abc", "É", "é", "b*"];
            prop::sample::select(some).prop_map(Value::string).boxed()
        }
        PropertyType::Binary => one(|byte| Value::binary(vec![byte; usize::from(byte % 3)])),
        PropertyType::Timestamp => {
            let some = vec![(0, 0), (0, 1), (0, -1), (-1, 0), (-1, -5), (1, 5), (7, 0)];
            let date = |(s, ns)| Value::Timestamp(Timestamp::new(s, ns).unwrap());
            prop::sample::select(some).prop_map(date).boxed()
        }
        PropertyType::ObjectId => one(|byte| Value::ObjectId(ObjectId([byte; 12]))),
        PropertyType::Uuid => one(|byte| Value::Uuid(Uuid([byte; 16]))),
        _ => Just(Value::Null).boxed(),
    }
}

type Values = Vec<(Name, Value)>;

fn values() -> impl Strategy<Value = Values> {
    let of = |(name, ty, nullable): (&'static str, PropertyType, bool)| {
        let some = value(name, ty);
        let value =
            if nullable { prop_oneof![1 => Just(Value::Null), 4 => some].boxed() } else { some };
        value.prop_map(move |value| (Name::from(name), value))
    };
    let next = prop_oneof![
        Just(Value::Null),
        (0..400_i64).prop_map(|key| { Value::link("Item", ObjectKey::Int(key)) })
    ];
    let next = next.prop_map(|link| (Name::from("next"), link)).boxed();
    let each = SINGLE.iter().copied().map(of).map(Strategy::boxed).chain([next]);
    each.collect::<Vec<_>>()
}

/// An edit of the object with a key.
#[derive(Clone, Debug)]
enum Edit {
    Put(i64, Values),
    Set(i64, Name, Value),
    Tag(i64),
    Delete(i64),
}

fn edit() -> impl Strategy<Value = Edit> {
    let key = 0..420_i64;
    let set = prop::sample::select(SINGLE.to_vec()).prop_flat_map(|(name, ty, _)| {
        (0..420_i64, value(name, ty))
            .prop_map(move |(key, value)| Edit::Set(key, name.into(), value))
    });
    prop_oneof![
        2 => (key.clone(), values()).prop_map(|(key, values)| Edit::Put(key, values)),
        5 => set,
        1 => key.clone().prop_map(Edit::Tag),
        2 => key.prop_map(Edit::Delete),
    ]
}

/// What happens to the file.
#[derive(Clone, Debug)]
enum Step {
    /// A commit through the first, the second or the handle without cache.
    Commit(usize, Vec<Edit>),
    /// A download with these edits.
    Integrate(Vec<Edit>),
    /// Every object of a range of keys is deleted.
    Sweep(std::ops::Range<i64>),
    /// A snapshot that is kept.
    Hold,
    /// The oldest kept snapshot is let go.
    Release,
    /// The query is run on all kept snapshots and on a new one, more than once.
    Ask(String),
}

fn leaf() -> impl Strategy<Value = String> {
    let compare = prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
    let search = prop::sample::select(vec!["BEGINSWITH", "ENDSWITH", "CONTAINS", "LIKE", "=="]);
    let ints = prop::sample::select(vec!["int", "intN", "wide", "double", "doubleN", "float"]);
    let numbers = vec!["0", "1", "-1", "1.5", "0.1", "-300", "200", "NaN", "inf", "1e30"];
    let numbers = prop::sample::select(numbers);
    let texts = prop::sample::select(vec!["few", "fewN", "many"]);
    let needles = prop::sample::select(vec!["''", "'a'", "'AB'", "'é'", "'a*'", "'?b'", "NULL"]);
    let others = vec![
        "data == $0",
        "data != NULL",
        "date > $1",
        "dateN <= $1",
        "date == $2",
        "dateN != $2",
        "oid == $3",
        "oid >= $3",
        "uuid == $4",
        "uuid < $4",
        "boolN == true",
        "bool != false",
        "boolN == NULL",
        "intN == NULL",
        "int IN {0, 2, 77}",
        "intN IN {NULL, 1}",
        "wide IN {5}",
        "few IN {'a', 'É'}",
        "many IN {'a', NULL}",
        "doubleN IN {1.5, 2}",
        "int < intN",
        "few == fewN",
        "double == float",
        "date < dateN",
        "next == NULL",
        "decimal == 0",
        "_id > 100",
        "_id == 7",
        "TRUEPREDICATE",
        "FALSEPREDICATE",
        "doubleN == NULL",
        "dateN == NULL",
        "ANY tags == 't'",
        "NONE tags BEGINSWITH[c] 'T'",
        "tags.@count > 1",
        "next.int == 1",
        "ALL tags == 't'",
        "data CONTAINS $0",
    ];
    prop_oneof![
        4 => (ints, compare, numbers).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
        4 => (texts, search, any::<bool>(), needles).prop_map(|(a, op, folds, b)| {
            format!("{a} {op}{} {b}", if folds { "[c]" } else { "" })
        }),
        4 => prop::sample::select(others).prop_map(str::to_owned),
    ]
}

fn query() -> impl Strategy<Value = String> {
    let condition = leaf().prop_recursive(3, 8, 3, |inner| {
        let several = prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            several.clone().prop_map(|parts| format!("({})", parts.join(" AND "))),
            several.prop_map(|parts| format!("({})", parts.join(" OR "))),
            inner.prop_map(|part| format!("NOT ({part})")),
        ]
    });
    let names = || prop::sample::select(SINGLE.map(|(name, ..)| name).to_vec());
    let direction = prop::sample::select(vec!["ASC", "DESC"]);
    let key = (names(), direction).prop_map(|(name, direction)| format!("{name} {direction}"));
    let step = prop_oneof![
        3 => prop::collection::vec(key, 1..3).prop_map(|keys| format!("SORT({})", keys.join(", "))),
        2 => prop::collection::vec(names(), 1..3)
            .prop_map(|names| format!("DISTINCT({})", names.join(", "))),
        1 => Just("SORT(decimal DESC)".to_owned()),
        3 => prop::sample::select(vec!["LIMIT(0)", "LIMIT(3)", "LIMIT(150)"]).prop_map(str::to_owned),
    ];
    (condition, prop::collection::vec(step, 0..3))
        .prop_map(|(condition, steps)| format!("{condition} {}", steps.join(" ")))
}

fn step() -> impl Strategy<Value = Step> {
    let edits = || prop::collection::vec(edit(), 0..25);
    prop_oneof![
        4 => (prop_oneof![4 => Just(0), 2 => Just(1), 1 => Just(2_usize)], edits())
            .prop_map(|(handle, edits)| Step::Commit(handle, edits)),
        2 => edits().prop_map(Step::Integrate),
        1 => (0..300_i64, 0..150_i64).prop_map(|(first, count)| Step::Sweep(first..first + count)),
        2 => Just(Step::Hold),
        1 => Just(Step::Release),
        12 => query().prop_map(Step::Ask),
    ]
}

fn arguments() -> Vec<Argument> {
    let values = [
        Value::binary(vec![1]),
        Value::Timestamp(Timestamp::new(0, 1).unwrap()),
        Value::Timestamp(Timestamp::new(1, 5).unwrap()),
        Value::ObjectId(ObjectId([1; 12])),
        Value::Uuid(Uuid([2; 16])),
    ];
    values.map(Argument::Value).to_vec()
}

fn object(key: i64) -> ObjectRef {
    ObjectRef::new("Item", ObjectKey::Int(key))
}

fn commit(realm: &Realm, edits: &[Edit]) {
    let class = Name::from("Item");
    let mut txn = realm.begin_write(WAIT).unwrap();
    for edit in edits {
        match edit {
            Edit::Put(key, values) => {
                let key = ObjectKey::Int(*key);
                txn.create(&class, &key, values, &[], UpdatePolicy::All).unwrap();
            }
            Edit::Set(key, name, value) => {
                // The object may be absent, and then nothing happens.
                drop(txn.set(&class, &ObjectKey::Int(*key), name, value));
            }
            Edit::Tag(key) => {
                let path = Path::property(object(*key), Name::from("tags"));
                let value = Payload::Value(Value::string("t"));
                let insert = ListEdit::ListInsert { index: 0, value };
                drop(txn.edit(&Op::At { path, edit: insert }));
            }
            Edit::Delete(key) => {
                txn.delete(&class, &ObjectKey::Int(*key)).unwrap();
            }
        }
    }
    txn.commit(Stamp(1)).unwrap();
}

fn integrate(realm: &Realm, edits: &[Edit]) {
    let mut instructions = Vec::new();
    let set = |key: i64, name: &Name, value: &Value| Instruction::Update {
        path: Path::property(object(key), name.clone()),
        value: Payload::Value(value.clone()),
        side: UpdateSide::IsDefault(false),
    };
    for edit in edits {
        match edit {
            Edit::Put(key, values) => {
                instructions.push(Instruction::CreateObject { object: object(*key) });
                instructions.extend(values.iter().map(|(name, value)| set(*key, name, value)));
            }
            Edit::Set(key, name, value) => {
                instructions.push(Instruction::CreateObject { object: object(*key) });
                instructions.push(set(*key, name, value));
            }
            Edit::Tag(_) => {}
            Edit::Delete(key) => {
                instructions.push(Instruction::EraseObject { object: object(*key) });
            }
        }
    }
    let mut integration = realm.begin_integration(WAIT).unwrap();
    let changeset = Changeset { instructions };
    integration.apply(&changeset, ServerVersion(1), FileIdent(2), Stamp(2)).unwrap();
    integration.commit().unwrap();
}

/// The same version with and without columns.
struct Pair {
    cached: Snapshot,
    plain: Snapshot,
}

impl Pair {
    fn of(realms: &[Realm; 3]) -> Self {
        let pair =
            Self { cached: realms[0].snapshot().unwrap(), plain: realms[2].snapshot().unwrap() };
        assert_eq!(pair.cached.version(), pair.plain.version());
        pair
    }

    fn agree(&self, text: &str) -> Result<(), TestCaseError> {
        let (class, arguments) = (Name::from("Item"), arguments());
        let Ok(rows) = self.plain.query(&class, text, &arguments) else {
            // No number of the property's type, say.
            prop_assert!(self.cached.query(&class, text, &arguments).is_err());
            return Ok(());
        };
        let plan = self.cached.explain(&class, text, &arguments).unwrap();
        let found = self.cached.query(&class, text, &arguments).unwrap();
        prop_assert_eq!(&found, &rows, "{}\n{}", text, plan);
        let count = self.cached.count(&class, text, &arguments).unwrap();
        prop_assert_eq!(count, rows.len() as u64, "{}\n{}", text, plan);
        let keys = self.cached.matching_keys(&class, text, &arguments).unwrap();
        let wanted = self.plain.matching_keys(&class, text, &arguments).unwrap();
        prop_assert_eq!(keys, wanted, "{}\n{}", text, plan);
        Ok(())
    }
}

fn run(steps: &[Step], first: &[Values], budget: usize) -> Result<(), TestCaseError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("laws.realm");
    let realms = [open(&path, budget), open(&path, budget), open(&path, 0)];
    subscribe(&realms[0]);
    let puts = (0..).zip(first).map(|(key, values)| Edit::Put(key, values.clone()));
    commit(&realms[0], &puts.collect::<Vec<_>>());
    let mut held = Vec::new();
    for step in steps {
        match step {
            Step::Commit(handle, edits) => commit(&realms[*handle], edits),
            Step::Integrate(edits) => integrate(&realms[0], edits),
            Step::Sweep(keys) => {
                commit(&realms[1], &keys.clone().map(Edit::Delete).collect::<Vec<_>>());
            }
            Step::Hold => held.push(Pair::of(&realms)),
            Step::Release if held.is_empty() => {}
            Step::Release => drop(held.remove(0)),
            Step::Ask(text) => {
                for pair in &held {
                    pair.agree(text)?;
                }
                Pair::of(&realms).agree(text)?;
                Pair::of(&realms).agree(text)?;
            }
        }
        let in_use = realms[0].query_cache();
        prop_assert!(in_use.peak_bytes <= budget && in_use.bytes <= in_use.peak_bytes);
    }
    prop_assert_eq!(realms[2].query_cache().peak_bytes, 0);
    drop(held);
    realms[0].close();
    prop_assert_eq!(realms[0].query_cache().bytes, 0, "everything is given back");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("SKERRY_LAWS").map_or(24, |cases| cases.parse().unwrap()),
        max_shrink_iters: 60,
        ..ProptestConfig::default()
    })]

    #[test]
    fn columns_give_what_the_tables_give(
        first in prop::collection::vec(values(), 100..300),
        steps in prop::collection::vec(step(), 10..50),
        budget in prop::sample::select(vec![4_000, 20_000, 60_000, 10_000_000]),
    ) {
        run(&steps, &first, budget)?;
    }
}

fn filled(budget: usize) -> (tempfile::TempDir, Realm) {
    let folder = tempfile::tempdir().unwrap();
    let realm = open(&folder.path().join("a.realm"), budget);
    subscribe(&realm);
    let puts: Vec<Edit> = (0..300)
        .map(|key| {
            let few = (
                Name::from("fewN"),
                Value::string(["a", "b", "c"][usize::try_from(key % 3).unwrap()]),
            );
            Edit::Put(key, vec![(Name::from("int"), Value::Int(key % 10)), few])
        })
        .collect();
    commit(&realm, &puts);
    (folder, realm)
}

fn is_columnar(snapshot: &Snapshot, text: &str) -> bool {
    let plan = snapshot.explain(&"Item".into(), text, &[]).unwrap();
    matches!(plan.access, Access::Columns { .. })
}

#[test]
fn columns_are_used_followed_and_shared_where_nothing_changes() {
    let (_folder, realm) = filled(10_000_000);
    let class = Name::from("Item");
    let snapshot = realm.snapshot().unwrap();
    assert!(is_columnar(&snapshot, "int == 3"));
    assert_eq!(realm.query_cache().columns, 0, "explaining reads nothing");
    assert_eq!(snapshot.count(&class, "int == 3", &[]).unwrap(), 30);
    let before = realm.query_cache();
    assert_eq!(before.columns, 1);
    commit(&realm, &[Edit::Set(5, "int".into(), Value::Int(3))]);
    let later = realm.snapshot().unwrap();
    assert_eq!(later.count(&class, "int == 3", &[]).unwrap(), 31);
    assert_eq!(snapshot.count(&class, "int == 3", &[]).unwrap(), 30);
    let after = realm.query_cache();
    let chunks = (before.bytes..before.bytes * 2).contains(&after.bytes);
    assert!(chunks && after.columns == 1, "one chunk of three is new: {before:?} {after:?}");
    drop(snapshot);
    assert!(realm.query_cache().bytes <= before.bytes + CHUNK_ROWS);
}

#[test]
fn a_commit_that_tells_nothing_has_the_columns_read_anew() {
    let (folder, realm) = filled(10_000_000);
    let class = Name::from("Item");
    assert_eq!(realm.snapshot().unwrap().count(&class, "int == 3", &[]).unwrap(), 30);
    commit(&open(&folder.path().join("a.realm"), 0), &[Edit::Set(5, "int".into(), Value::Int(3))]);
    for _ in 0..6 {
        assert_eq!(realm.snapshot().unwrap().count(&class, "int == 3", &[]).unwrap(), 31);
    }
    assert_eq!(realm.query_cache().columns, 1);
}

#[test]
fn a_schema_that_grows_drops_the_columns() {
    let (folder, realm) = filled(10_000_000);
    let class = Name::from("Item");
    assert_eq!(realm.snapshot().unwrap().count(&class, "int == 3", &[]).unwrap(), 30);
    let mut item = schema().class("Item").unwrap().clone();
    item.properties.push(Property::scalar("more", PropertyType::Int, true));
    let options = Options {
        schema: Schema::new([item]).unwrap(),
        synced: true,
        synchronous: Synchronous::Normal,
        query_cache_bytes: 1 << 20,
        encryption_key: None,
    };
    let grown = Realm::open(folder.path().join("a.realm"), &options).unwrap();
    for _ in 0..6 {
        assert_eq!(grown.snapshot().unwrap().count(&class, "more == NULL", &[]).unwrap(), 300);
        assert_eq!(realm.snapshot().unwrap().count(&class, "int == 3", &[]).unwrap(), 30);
    }
    assert_eq!((grown.query_cache().columns, realm.query_cache().columns), (1, 1));
}

#[test]
fn without_a_budget_there_is_no_cache_and_with_a_small_one_no_column_too_large() {
    let (_folder, realm) = filled(0);
    let snapshot = realm.snapshot().unwrap();
    assert!(!is_columnar(&snapshot, "int == 3"));
    assert_eq!(snapshot.count(&"Item".into(), "int == 3", &[]).unwrap(), 30);
    assert_eq!(realm.query_cache(), super::CacheUse::default());
    let (_folder, realm) = filled(300);
    let snapshot = realm.snapshot().unwrap();
    assert_eq!(snapshot.count(&"Item".into(), "int == 3", &[]).unwrap(), 30);
    assert!(!is_columnar(&snapshot, "int == 3") && realm.query_cache().peak_bytes <= 300);
}

#[test]
fn the_least_recently_used_column_makes_room() {
    let (_folder, realm) = filled(1_500);
    let (class, snapshot) = (Name::from("Item"), realm.snapshot().unwrap());
    assert_eq!(snapshot.count(&class, "int == 3", &[]).unwrap(), 30);
    assert_eq!(realm.query_cache().columns, 1);
    drop(snapshot);
    let snapshot = realm.snapshot().unwrap();
    assert_eq!(snapshot.count(&class, "wide == 0", &[]).unwrap(), 300);
    assert_eq!(realm.query_cache().columns, 1);
    assert!(is_columnar(&snapshot, "wide == 0") && !is_columnar(&snapshot, "int == 3"));
}

#[test]
fn a_plan_says_what_is_done() {
    let (_folder, realm) = filled(10_000_000);
    let (class, snapshot) = (Name::from("Item"), realm.snapshot().unwrap());
    let text = "int == 3 AND next == NULL SORT(_id DESC)";
    let told = snapshot.explain(&class, text, &[]).unwrap().to_string();
    let wanted = "class Item\ncolumns in memory: int == 3\n  int: to be read\nevaluator: next == NULL\n\
                  then SORT(_id DESC)\n";
    assert_eq!(told, wanted);
    let told = snapshot.explain(&class, "_id == 3", &[]).unwrap().to_string();
    assert!(
        told.contains("SEARCH o1 USING INDEX o1_key") && told.contains("an index of the file"),
        "{told}"
    );
    // The file's index answers until the column has been asked for often enough.
    let text = "fewN == 'a'";
    assert!(!is_columnar(&snapshot, text));
    for _ in 0..=super::INDEXED_WAIT {
        assert_eq!(snapshot.count(&class, text, &[]).unwrap(), 100);
    }
    let told = snapshot.explain(&class, text, &[]).unwrap().to_string();
    assert!(told.contains("index in memory: fewN == \"a\""), "{told}");
}
