//! The laws of migrations: what is compatible is kept, all else starts with zeros; a migration that is
//! not committed leaves every table as it was; what links there are is known afterwards as before.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::content::Fields;
use skerry_model::{
    ClassSchema, CollectionType, Content, Link, Name, ObjectKey, ObjectRef, Property, PropertyType,
    Schema, Stamp, Timestamp, Value,
};
use skerry_store::connection::Synchronous;
use skerry_store::objects::{Nulls, Plan};
use skerry_store::realm::{ChangeKind, Opened, Options, UpdatePolicy};
use skerry_store::{ObjectTables, Realm};

const TIMEOUT: Duration = Duration::from_secs(20);
const PROPERTIES: usize = 5;
const OBJECTS: i64 = 4;
/// Added to every key of the first class when it gets new keys.
const SHIFT: i64 = 100;

/// What a property can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ty {
    Plain(PropertyType),
    First,
    Second,
    Part,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Def {
    ty: Ty,
    nullable: bool,
    collection: CollectionType,
}

fn defs() -> Vec<Def> {
    use CollectionType::{Dictionary, List, Set, Single};
    use PropertyType::{Bool, Decimal, Double, Float, Int, Mixed, String, Timestamp};
    let def = |ty, nullable, collection| Def { ty, nullable, collection };
    let mut defs = Vec::new();
    for ty in [Int, Bool, String, Float, Double, Decimal, Timestamp] {
        defs.push(def(Ty::Plain(ty), false, Single));
        defs.push(def(Ty::Plain(ty), true, Single));
    }
    defs.push(def(Ty::Plain(Mixed), true, Single));
    // Those that can become another often enough to do so.
    for _ in 0..4 {
        for (ty, nullable) in [
            (Int, false),
            (Int, true),
            (Float, false),
            (Double, false),
            (Decimal, true),
            (Mixed, true),
        ] {
            defs.push(def(Ty::Plain(ty), nullable, Single));
        }
    }
    for collection in [List, Set, Dictionary] {
        defs.push(def(Ty::Plain(Int), false, collection));
        defs.push(def(Ty::Plain(Int), true, collection));
        defs.push(def(Ty::Plain(String), true, collection));
        defs.push(def(Ty::Plain(Mixed), true, collection));
    }
    for ty in [Ty::First, Ty::Second, Ty::Part] {
        defs.push(def(ty, true, Single));
        defs.push(def(ty, false, List));
        defs.push(def(ty, true, Dictionary));
    }
    defs.push(def(Ty::First, false, Set));
    defs
}

/// The properties of a class; the name says the place.
type Class = Vec<Option<Def>>;

#[derive(Clone, Debug)]
struct World {
    /// First, second, part.
    classes: [Class; 3],
    first: &'static str,
}

fn name_of(index: usize) -> Name {
    format!("p{index}").into()
}

impl World {
    fn property(&self, index: usize, def: Def) -> Property {
        let target = match def.ty {
            Ty::Plain(_) => None,
            Ty::First => Some(self.first.into()),
            Ty::Second => Some("Second".into()),
            Ty::Part => Some("Part".into()),
        };
        let ty = if let Ty::Plain(ty) = def.ty { ty } else { PropertyType::Link };
        let Def { nullable, collection, .. } = def;
        Property { name: name_of(index), ty, nullable, collection, target }
    }

    fn schema(&self) -> Schema {
        let class = |at: usize, name: &str| {
            let key = (at < 2).then(|| Property::scalar("_id", PropertyType::Int, false));
            let others = self.classes[at].iter().enumerate();
            let others = others.filter_map(|(i, def)| def.map(|def| self.property(i, def)));
            ClassSchema {
                name: name.into(),
                primary_key: key.as_ref().map_or_else(|| "".into(), |key| key.name.clone()),
                properties: key.clone().into_iter().chain(others).collect(),
                embedded: key.is_none(),
            }
        };
        Schema::new([class(0, self.first), class(1, "Second"), class(2, "Part")]).unwrap()
    }

    fn value(&self, ty: Ty, nullable: bool, seed: u64, depth: u32) -> Content {
        if nullable && seed.is_multiple_of(4) {
            return Content::NULL;
        }
        let n = i64::try_from(seed % 1000).unwrap();
        let key = ObjectKey::Int(n % (OBJECTS + 1));
        let value = match ty {
            Ty::First => Value::link(self.first, key),
            Ty::Second => Value::link("Second", key),
            Ty::Part if depth > 2 => return Content::NULL,
            Ty::Part => return Content::Object(self.part(seed / 3, depth + 1)),
            Ty::Plain(PropertyType::Int) => Value::Int(n - 500),
            Ty::Plain(PropertyType::Bool) => Value::Bool(n % 2 == 0),
            Ty::Plain(PropertyType::String) => Value::string(format!("text {n}")),
            Ty::Plain(PropertyType::Float) => {
                Value::Float(f32::from(i16::try_from(n).unwrap()) / 4.0)
            }
            Ty::Plain(PropertyType::Double) => {
                Value::Double(f64::from(i16::try_from(n).unwrap()) / 8.0)
            }
            Ty::Plain(PropertyType::Decimal) => Value::Decimal(n.into()),
            Ty::Plain(PropertyType::Timestamp) => Value::Timestamp(Timestamp::from_unix_ms(n)),
            Ty::Plain(_) => match seed % 5 {
                0 if depth < 3 => {
                    let inner = self.value(ty, true, seed / 5, depth + 1);
                    return Content::List(vec![inner, Value::Int(n).into()]);
                }
                1 if depth < 3 => {
                    let inner = self.value(ty, true, seed / 5, depth + 1);
                    return Content::Dictionary([("k".into(), inner)].into());
                }
                2 => Value::link(self.first, key),
                3 => Value::string("mixed"),
                _ => Value::Int(n),
            },
        };
        value.into()
    }

    fn part(&self, seed: u64, depth: u32) -> Fields {
        let fields = self.classes[2].iter().enumerate();
        let fields = fields.filter_map(|(i, def)| {
            def.map(|def| (name_of(i), self.content(def, seed.wrapping_mul(31) + i as u64, depth)))
        });
        fields.collect()
    }

    fn content(&self, def: Def, seed: u64, depth: u32) -> Content {
        let one = |seed| self.value(def.ty, def.nullable, seed, depth);
        let scalar = |seed| match one(seed) {
            Content::Value(value) => Some(value),
            _ => None,
        };
        match def.collection {
            CollectionType::Single => one(seed),
            CollectionType::List => {
                let elements = (0..seed % 3).map(|i| one(seed / 7 + i));
                // An element of a list of links or parts is never null.
                let is_link = !matches!(def.ty, Ty::Plain(_));
                Content::List(elements.filter(|one| !is_link || !one.is_null()).collect())
            }
            CollectionType::Set => {
                Content::Set((0..seed % 3).filter_map(|i| scalar(seed / 7 + i)).collect())
            }
            CollectionType::Dictionary => Content::Dictionary(
                (0..seed % 3).map(|i| (format!("k{i}").into(), one(seed / 7 + i))).collect(),
            ),
        }
    }
}

/// What a migration is to make of contents; written anew here, by the words of the documentation.
struct Oracle<'w> {
    before: &'w World,
    after: &'w World,
    rename: Option<(usize, usize)>,
    is_rekeyed: bool,
}

impl Oracle<'_> {
    fn source(&self, class: usize, to: usize) -> Option<usize> {
        match self.rename {
            Some((from, renamed)) if class == 0 && renamed == to => Some(from),
            Some((from, _)) if class == 0 && from == to => None,
            _ => self.before.classes[class][to].map(|_| to),
        }
    }

    fn class(&self, class: usize, held: &BTreeMap<Name, Content>) -> BTreeMap<Name, Content> {
        let after = self.after.classes[class].iter().enumerate();
        let after = after.filter_map(|(i, def)| {
            let to = (*def)?;
            let zero = self.after.property(i, to).zero();
            let from = self.source(class, i);
            let from = from.map(|from| (self.before.classes[class][from].unwrap(), from));
            let content = match from {
                Some((def, from)) => self.content(def, to, &held[&name_of(from)]).unwrap_or(zero),
                None => zero,
            };
            Some((name_of(i), content))
        });
        after.collect()
    }

    fn content(&self, from: Def, to: Def, held: &Content) -> Option<Content> {
        if from.collection != to.collection {
            return None;
        }
        let one = |content: &Content| self.single(from, to, content);
        Some(match held {
            Content::List(elements) if from.collection == CollectionType::List => {
                Content::List(elements.iter().filter_map(one).collect())
            }
            Content::Set(set) => Content::Set(
                set.iter()
                    .filter_map(|value| one(&value.clone().into())?.as_value().cloned())
                    .collect(),
            ),
            Content::Dictionary(fields) if from.collection == CollectionType::Dictionary => {
                Content::Dictionary(
                    fields.iter().filter_map(|(k, v)| Some((k.clone(), one(v)?))).collect(),
                )
            }
            content => one(content)?,
        })
    }

    fn single(&self, from: Def, to: Def, held: &Content) -> Option<Content> {
        use PropertyType::{Decimal, Double, Float, Int, Mixed};
        if held.is_null() {
            return to.nullable.then_some(Content::NULL);
        }
        match (from.ty, to.ty) {
            (Ty::Part, Ty::Part) => {
                let Content::Object(fields) = held else { unreachable!() };
                Some(Content::Object(self.class(2, fields)))
            }
            (Ty::Part, _) | (_, Ty::Part) => None,
            (a, b) if a == b || b == Ty::Plain(Mixed) => Some(self.links(held)),
            (Ty::Plain(Int), Ty::Plain(Double)) => match held {
                Content::Value(Value::Int(int)) => {
                    Some(Value::Double(f64::from(i32::try_from(*int).unwrap())).into())
                }
                _ => unreachable!(),
            },
            (Ty::Plain(Int), Ty::Plain(Decimal)) => match held {
                Content::Value(Value::Int(int)) => {
                    Some(Value::Decimal(int.to_string().parse().unwrap()).into())
                }
                _ => unreachable!(),
            },
            (Ty::Plain(Float), Ty::Plain(Double)) => match held {
                Content::Value(Value::Float(float)) => {
                    Some(Value::Double(f64::from(*float)).into())
                }
                _ => unreachable!(),
            },
            _ => None,
        }
    }

    fn links(&self, held: &Content) -> Content {
        match held {
            Content::Value(Value::Link(link)) if *link.class == *self.before.first => {
                let ObjectKey::Int(key) = link.key else { unreachable!() };
                // A key that no object had is nobody's to replace.
                let is_moved = self.is_rekeyed && key < OBJECTS;
                let key = if is_moved { key + SHIFT } else { key };
                Value::link(self.after.first, ObjectKey::Int(key)).into()
            }
            Content::List(list) => Content::List(list.iter().map(|one| self.links(one)).collect()),
            Content::Dictionary(fields) => Content::Dictionary(
                fields.iter().map(|(name, field)| (name.clone(), self.links(field))).collect(),
            ),
            other => other.clone(),
        }
    }
}

fn options(world: &World) -> Options {
    let (synced, synchronous) = (false, Synchronous::Normal);
    Options {
        schema: world.schema(),
        synced,
        synchronous,
        query_cache_bytes: 1 << 20,
        encryption_key: None,
    }
}

fn fill(path: &Path, world: &World, seed: u64) {
    let opened = Realm::open_versioned(path, &options(world), 1, TIMEOUT).unwrap();
    let Opened::Change(mut change) = opened else { panic!("a new file is made") };
    assert_eq!(change.kind(), ChangeKind::New);
    change.apply(Plan::default()).unwrap();
    assert!(!change.step(9).unwrap());
    let mut write = change.finish().unwrap().write;
    for (at, class) in [world.first, "Second"].into_iter().enumerate() {
        for key in 0..OBJECTS {
            let (class, object) = (Name::from(class), ObjectKey::Int(key));
            write.create(&class, &object, &[], &[], UpdatePolicy::Error).unwrap();
            for (i, def) in world.classes[at].iter().enumerate() {
                let Some(def) = def else { continue };
                let seed = seed
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(u64::try_from(key).unwrap() * 977 + i as u64 * 31 + at as u64)
                    >> 20;
                write.put(&class, &object, &name_of(i), world.content(*def, seed, 0)).unwrap();
            }
        }
    }
    write.commit(Stamp(1)).unwrap();
}

type Objects = BTreeMap<(Name, ObjectKey), BTreeMap<Name, Content>>;

/// Every object as it is stored, links to absent ones included.
fn objects(path: &Path) -> Objects {
    let connection = Connection::open(path).unwrap();
    let tables = ObjectTables::open(&connection).unwrap();
    let mut objects = Objects::new();
    for table in tables.catalogue().classes() {
        let class = &table.schema.name;
        for key in tables.keys(&connection, class).unwrap() {
            let values = tables.read_object(&connection, class, &key).unwrap().unwrap();
            let names = table.schema.properties.iter().map(|property| property.name.clone());
            let mut held: BTreeMap<Name, Content> = names.zip(values).collect();
            assert_eq!(held.remove("_id"), Some(Content::Value(key.clone().into())));
            objects.insert((class.clone(), key), held);
        }
    }
    objects
}

/// Who holds links to whom, by looking at everything, and as the file knows it.
fn check_links(path: &Path, first: &str) {
    let connection = Connection::open(path).unwrap();
    let tables = ObjectTables::open(&connection).unwrap();
    let mut scanned: BTreeMap<Link, BTreeSet<(ObjectRef, Name)>> = BTreeMap::new();
    for ((class, key), held) in objects(path) {
        for (property, content) in held {
            content.for_each_link(&mut |link| {
                let holder = ObjectRef { class: class.clone(), key: key.clone() };
                scanned.entry(link.clone()).or_default().insert((holder, property.clone()));
            });
        }
    }
    for class in [first, "Second"] {
        for key in (0..=OBJECTS).chain(SHIFT..=SHIFT + OBJECTS) {
            let target = ObjectRef::new(class, ObjectKey::Int(key));
            let holders = tables.holders(&connection, &target).unwrap();
            let link = Link { class: class.into(), key: ObjectKey::Int(key) };
            let expected = scanned.remove(&link).unwrap_or_default();
            assert_eq!(holders.into_iter().collect::<BTreeSet<_>>(), expected, "{link:?}");
        }
    }
    assert!(scanned.is_empty(), "{scanned:?}");
}

/// Every row of every table.
fn dump(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).unwrap();
    let mut tables =
        connection.prepare("SELECT name, sql FROM sqlite_schema ORDER BY type, name").unwrap();
    let tables: Vec<(String, Option<String>)> = tables
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut lines = Vec::new();
    for (name, sql) in tables {
        let is_table = sql.as_ref().is_some_and(|sql| sql.starts_with("CREATE TABLE"));
        lines.push(format!("{name} {sql:?}"));
        if !is_table {
            continue;
        }
        let mut statement = connection.prepare(&format!("SELECT * FROM {name}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values = (0..columns).map(|i| format!("{:?}", row.get_ref(i).unwrap()));
            lines.push(values.collect::<Vec<_>>().join(" "));
        }
    }
    lines
}

/// That objects made from now on are as in a new file.
fn check_new_objects(path: &Path, after: &World) {
    let opened = Realm::open_versioned(path, &options(after), 2, TIMEOUT).unwrap();
    let Opened::Ready(realm) = opened else { panic!("the file has the schema") };
    let (class, key) = (Name::from(after.first), ObjectKey::Int(7));
    let mut write = realm.begin_write(TIMEOUT).unwrap();
    write.create(&class, &key, &[], &[], UpdatePolicy::Error).unwrap();
    write.commit(Stamp(3)).unwrap();
    let made = objects(path).remove(&(class.clone(), key)).unwrap();
    for property in after.schema().class(&class).unwrap().properties.iter().skip(1) {
        assert_eq!(&made[&property.name], &property.zero());
    }
}

fn class() -> impl Strategy<Value = Class> {
    prop::collection::vec(prop::option::weighted(0.7, prop::sample::select(defs())), PROPERTIES)
}

fn classes() -> impl Strategy<Value = [Class; 3]> {
    [class(), class(), class()]
}

/// A new class that is the old one but for some properties.
fn after(before: &Class, drawn: &Class, kept: u8) -> Class {
    let pairs = before.iter().zip(drawn).enumerate();
    pairs.map(|(i, (old, new))| if kept & (1 << i) == 0 { *new } else { *old }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_compatible_is_kept_and_a_rollback_changes_nothing(
        before in classes(), drawn in classes(), kept in [any::<u8>(), any::<u8>(), any::<u8>()],
        is_class_renamed in any::<bool>(), is_rekeyed in any::<bool>(),
        rename in prop::option::of((0..PROPERTIES, 0..PROPERTIES)),
        rows_max in 1u32..6, seed in any::<u64>(),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        let classes = [0, 1, 2].map(|at| after(&before[at], &drawn[at], kept[at]));
        let before = World { classes: before, first: "First" };
        let first = if is_class_renamed { "Renamed" } else { "First" };
        let after = World { classes, first };
        let rename = rename.filter(|(from, to)| {
            let (old, new) = (&before.classes[0], &after.classes[0]);
            old[*from].is_some() && new[*from].is_none() && new[*to].is_some()
        });
        fill(&path, &before, seed);
        let (old, dumped) = (objects(&path), dump(&path));
        check_links(&path, "First");

        let mut plan = Plan { nulls: Nulls::Zero, ..Plan::default() };
        if is_class_renamed {
            plan.classes.insert("First".into(), first.into());
        }
        if let Some((from, to)) = rename {
            plan.properties.insert((first.into(), name_of(from)), name_of(to));
        }
        if is_rekeyed {
            let keys = (0..OBJECTS).map(|k| (ObjectKey::Int(k), ObjectKey::Int(k + SHIFT)));
            plan.keys.insert(first.into(), keys.collect());
        }
        for is_committed in [false, true] {
            let opened = Realm::open_versioned(&path, &options(&after), 2, TIMEOUT).unwrap();
            let Opened::Change(mut change) = opened else { panic!("another version") };
            prop_assert_eq!((change.kind(), change.from()), (ChangeKind::Migration, 1));
            let snapshot = change.take_before().unwrap();
            change.apply(plan.clone()).unwrap();
            while change.step(rows_max).unwrap() {}
            let (done, total) = change.progress();
            prop_assert_eq!(done, total);
            let write = change.finish().unwrap().write;
            let keys = snapshot.keys(&"First".into()).unwrap();
            prop_assert_eq!(keys.len(), usize::try_from(OBJECTS).unwrap(), "the old view stays");
            if is_committed {
                write.commit(Stamp(2)).unwrap();
            } else {
                drop(write);
                prop_assert_eq!(&dump(&path), &dumped);
            }
        }

        let oracle = Oracle { before: &before, after: &after, rename, is_rekeyed };
        let expected = old.into_iter().map(|((class, key), held)| {
            if &*class == "Second" {
                return ((class, key), oracle.class(1, &held));
            }
            let ObjectKey::Int(number) = key else { unreachable!() };
            let shift = if is_rekeyed { SHIFT } else { 0 };
            ((first.into(), ObjectKey::Int(number + shift)), oracle.class(0, &held))
        });
        prop_assert_eq!(objects(&path), expected.collect::<Objects>());
        check_links(&path, first);
        check_new_objects(&path, &after);
        let connection = Connection::open(&path).unwrap();
        let health: String =
            connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        prop_assert_eq!(health, "ok");
    }
}
