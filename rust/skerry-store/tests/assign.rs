//! Whole contents in local writes: what was given is what is read, in memory and in a file that
//! replays the history.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]
#![allow(dead_code, reason = "the helpers serve other tests too")]

mod common;

use common::kinds::*;
use common::realms::*;
use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::content::Fields;
use skerry_model::{
    ClientVersion, Content, Instruction, Name, ObjectKey, Path, PathElement, PropertyType,
    QueryVersion, Value, ValueSet, decode_changeset, unpack,
};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES, UpdatePolicy, WriteTxn};
use skerry_store::{ObjectTables, Realm, StoreError};

fn link() -> impl Strategy<Value = Value> {
    (0..THINGS).prop_map(|key| link_to(&thing(key)))
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        (-3_i64..4).prop_map(Value::Int),
        any::<bool>().prop_map(Value::Bool),
        "[ab]{0,3}".prop_map(Value::string),
        link(),
    ]
}

fn mixed() -> impl Strategy<Value = Content> {
    scalar().prop_map(Content::Value).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Content::List),
            prop::collection::btree_map("[abc]".prop_map(Name::from), inner, 0..4)
                .prop_map(Content::Dictionary),
        ]
    })
}

fn list(element: impl Strategy<Value = Content>) -> impl Strategy<Value = Content> {
    prop::collection::vec(element, 0..5).prop_map(Content::List)
}

fn dictionary(value: impl Strategy<Value = Content>) -> impl Strategy<Value = Content> {
    prop::collection::btree_map("[abc]".prop_map(Name::from), value, 0..4)
        .prop_map(Content::Dictionary)
}

/// An embedded object, given as the dictionary of some of its properties.
fn part() -> impl Strategy<Value = Content> {
    let leaf = prop::collection::btree_map("size", (0_i64..3).prop_map(Value::Int), 0..2).prop_map(
        |fields| {
            Content::Dictionary(
                fields.into_iter().map(|(name, size)| (Name::from(name), size.into())).collect(),
            )
        },
    );
    let tags = prop::collection::vec("[ab]".prop_map(Value::string), 0..3);
    let peers = list(link().prop_map(Content::Value));
    (leaf, tags, peers, mixed(), any::<bool>()).prop_map(|(part, tags, peers, mixed, is_whole)| {
        let mut fields = Fields::from([("part".into(), part), ("mixed".into(), mixed)]);
        if is_whole {
            fields.insert("tags".into(), Content::Set(tags.into_iter().collect()));
            fields.insert("peers".into(), peers);
        }
        Content::Dictionary(fields)
    })
}

/// A property with a content that fits it.
fn given_property() -> impl Strategy<Value = (Name, Content)> {
    let nulls = |strategy: BoxedStrategy<Content>| {
        prop_oneof![1 => Just(Content::NULL), 4 => strategy].boxed()
    };
    let set = prop::collection::vec(scalar(), 0..4)
        .prop_map(|values| Content::Set(values.into_iter().collect::<ValueSet>()));
    let links = || list(link().prop_map(Content::Value));
    let of = |name: &'static str, strategy: BoxedStrategy<Content>| {
        strategy.prop_map(move |content| (Name::from(name), content)).boxed()
    };
    prop_oneof![
        of("int", (0_i64..9).prop_map(|int| Value::Int(int).into()).boxed()),
        of("ints", list((0_i64..9).prop_map(|int| Value::Int(int).into())).boxed()),
        of("peers", links().boxed()),
        of("peer", nulls(link().prop_map(Content::Value).boxed())),
        of("peer set", links().boxed()),
        of("set", set.boxed()),
        of("map", dictionary(mixed()).boxed()),
        of("peer map", dictionary(nulls(link().prop_map(Content::Value).boxed())).boxed()),
        of("part map", dictionary(nulls(part().boxed())).boxed()),
        of("part", nulls(part().boxed())),
        of("parts", list(part()).boxed()),
        of("mixed", mixed().boxed()),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Create(i64, Vec<(Name, Content)>, UpdatePolicy),
    Assign(i64, Name, Content),
    /// At an element of what is there, when it is a list or dictionary.
    Within(i64, Name, usize, Content),
    /// Into the list that is there.
    Insert(i64, Name, usize, Content),
}

fn step() -> impl Strategy<Value = Step> {
    let properties = prop::collection::btree_map("x{0,12}", given_property(), 0..5);
    let properties = properties.prop_map(|all| {
        let named: std::collections::BTreeMap<_, _> = all.into_values().collect();
        named.into_iter().collect()
    });
    let policy = prop_oneof![Just(UpdatePolicy::All), Just(UpdatePolicy::Modified)];
    prop_oneof![
        (0..THINGS, properties, policy)
            .prop_map(|(key, given, policy)| Step::Create(key, given, policy)),
        (0..THINGS, given_property())
            .prop_map(|(key, (name, content))| Step::Assign(key, name, content)),
        (0..THINGS, given_property(), 0..4_usize)
            .prop_map(|(key, (name, content), at)| Step::Within(key, name, at, content)),
        (0..THINGS, given_property(), 0..4_usize)
            .prop_map(|(key, (name, content), at)| Step::Insert(key, name, at, content)),
    ]
}

fn open(path: &std::path::Path) -> Realm {
    let options = Options {
        schema: kinds(),
        synced: true,
        synchronous: Synchronous::Normal,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    let realm = Realm::open(path, &options).unwrap();
    let items = ["Thing", "Other"].map(|class| subscription(class, "TRUEPREDICATE"));
    realm.commit_subscriptions(items.into(), QueryVersion(0)).unwrap();
    realm
}

/// What the property holds is what was given for it, by the words of the application.
fn check(txn: &mut WriteTxn, key: i64, name: &Name, given: &Content) {
    let schema = kinds();
    let class = schema.class("Thing").unwrap();
    let property = class.property(name).unwrap();
    let place = skerry_model::content::Place::of(&schema, property);
    let fitted = given.clone().fitted(&schema, place, name).unwrap();
    let row = txn.get(&"Thing".into(), &ObjectKey::Int(key)).unwrap().unwrap();
    let held = &row[class.position(name).unwrap()];
    assert!(held.holds(&fitted), "{name}: {held:?} is not {fitted:?}");
}

fn perform(txn: &mut WriteTxn, step: &Step) {
    let class = Name::from("Thing");
    match step {
        Step::Create(key, given, policy) => {
            let object = ObjectKey::Int(*key);
            let is_new =
                txn.create_with(&class, &object, given.clone(), Vec::new(), *policy).unwrap();
            assert!(!is_new, "all exist");
            for (name, content) in given {
                check(txn, *key, name, content);
            }
        }
        Step::Assign(key, name, content) => {
            txn.assign(Path::property(thing(*key), name.clone()), content.clone()).unwrap();
            check(txn, *key, name, content);
        }
        Step::Within(key, name, at, content) => assign_within(txn, (*key, name, *at), content),
        Step::Insert(key, name, at, content) => insert_into(txn, (*key, name, *at), content),
    }
}

fn held(txn: &mut WriteTxn, key: i64, name: &Name) -> Content {
    let row = txn.get(&"Thing".into(), &ObjectKey::Int(key)).unwrap().unwrap();
    row[kinds().class("Thing").unwrap().position(name).unwrap()].clone()
}

fn assign_within(txn: &mut WriteTxn, (key, name, at): (i64, &Name, usize), content: &Content) {
    let schema = kinds();
    let element = match held(txn, key, name) {
        Content::List(list) if !list.is_empty() => {
            PathElement::Index(u32::try_from(at % list.len()).unwrap())
        }
        Content::Dictionary(_) => PathElement::Key(["a", "b", "c", "d"][at].into()),
        _ => return,
    };
    let inner = match content {
        Content::List(list) => list.first().cloned(),
        Content::Dictionary(fields) => fields.values().next().cloned(),
        Content::Set(_) | Content::Value(_) | Content::Object(_) => None,
    };
    let Some(inner) = inner else { return };
    let path = Path::new(thing(key), name.clone(), vec![element.clone()]);
    let before = held(txn, key, name);
    txn.assign(path, inner.clone()).unwrap();
    let (mut expected, after) = (before, held(txn, key, name));
    match (&mut expected, &after, element) {
        (Content::List(list), Content::List(after), PathElement::Index(index)) => {
            let index = index as usize;
            assert_same_element(&schema, name, &after[index], inner);
            list[index] = after[index].clone();
        }
        (Content::Dictionary(fields), Content::Dictionary(after), PathElement::Key(key)) => {
            assert_same_element(&schema, name, &after[&key], inner);
            fields.insert(key.clone(), after[&key].clone());
        }
        _ => panic!("the kind of {name} changed: {after:?}"),
    }
    assert_eq!(expected, after, "only the element changed");
}

fn insert_into(txn: &mut WriteTxn, (key, name, at): (i64, &Name, usize), content: &Content) {
    let schema = kinds();
    let (Content::List(mut before), Content::List(elements)) =
        (held(txn, key, name), content.clone())
    else {
        return;
    };
    if before.len() > 40 {
        return;
    }
    let at = at % (before.len() + 1);
    let path = Path::property(thing(key), name.clone());
    txn.insert_all(path, u32::try_from(at).unwrap(), elements.clone()).unwrap();
    let Content::List(after) = held(txn, key, name) else { panic!("it was a list") };
    for (offset, element) in elements.into_iter().enumerate() {
        assert_same_element(&schema, name, &after[at + offset], element);
        before.insert(at + offset, after[at + offset].clone());
    }
    assert_eq!(before, after, "the others moved aside");
}

fn assert_same_element(schema: &skerry_model::Schema, name: &Name, held: &Content, given: Content) {
    let property = schema.class("Thing").unwrap().property(name).unwrap();
    let place = skerry_model::content::Place::of(schema, property).element().unwrap();
    let place = skerry_model::content::Place::Single(place);
    let fitted = given.fitted(schema, place, name).unwrap();
    assert!(held.holds(&fitted), "{name}: {held:?} is not {fitted:?}");
}

fn replayed(realm: &Realm) -> Memory {
    let connection = Connection::open_in_memory().unwrap();
    ObjectTables::create(&connection).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    for entry in realm.uploads(ClientVersion(0), None, usize::MAX).unwrap().entries {
        let bytes = unpack(&entry.changeset, 1 << 24).unwrap();
        tables.apply_changeset(&connection, &decode_changeset(&bytes).unwrap()).unwrap();
    }
    stored(&connection, &tables)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_given_is_what_is_held(
        first in prop::collection::vec(prop::collection::vec(given_property(), 0..6), 3),
        steps in prop::collection::vec(step(), 0..12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.realm");
        let (realm, schema) = (open(&path), kinds());
        let mut memory = Memory::default();
        write(&realm, 1, |txn| {
            for (key, given) in (0..THINGS).zip(first) {
                let named: std::collections::BTreeMap<_, _> = given.into_iter().collect();
                let given: Vec<(Name, Content)> = named.into_iter().collect();
                let object = ObjectKey::Int(key);
                let class = Name::from("Thing");
                let (values, defaults) = given.split_at(given.len() / 2);
                let made = txn.create_with(
                    &class, &object, values.to_vec(), defaults.to_vec(), UpdatePolicy::Error,
                );
                assert!(made.unwrap());
            }
            memory.apply(&schema, txn.instructions());
        });
        write(&realm, 2, |txn| {
            for step in &steps {
                let before = txn.instructions().len();
                perform(txn, step);
                memory.apply(&schema, &txn.instructions()[before..]);
            }
        });
        let connection = Connection::open(&path).unwrap();
        let tables = ObjectTables::open(&connection).unwrap();
        prop_assert_eq!(&stored(&connection, &tables), &memory);
        prop_assert_eq!(replayed(&realm), memory, "the history says the same");
    }
}

#[test]
fn what_does_not_fit_is_refused_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"));
    let class = Name::from("Thing");
    write(&realm, 1, |txn| {
        let key = ObjectKey::Int(1);
        txn.create_with(&class, &key, Vec::new(), Vec::new(), UpdatePolicy::Error).unwrap();
        let count = txn.instructions().len();
        let text = || Content::Value(Value::string("text"));
        let unknown = Content::Dictionary(Fields::from([("no".into(), text())]));
        let deep = (0..200).fold(text(), |inner, _| Content::List(vec![inner]));
        let dangling = Content::List(vec![Content::Value(link_to(&thing(7)))]);
        for (name, content) in [
            ("ints", Content::List(vec![Value::Int(1).into(), text()])),
            ("ints", text()),
            ("ints", Content::NULL),
            ("part", unknown),
            ("part", text()),
            ("parts", Content::List(vec![Content::NULL])),
            ("mixed", deep),
            ("set", Content::Set(ValueSet::default()).clone_into_list()),
            ("peers", dangling),
            ("_id", Value::Int(2).into()),
            ("nothing", text()),
        ] {
            let refused = txn.assign(Path::property(thing(1), name), content.clone());
            assert!(
                matches!(refused, Err(StoreError::BadInstruction { .. })),
                "{name}: {content:?}: {refused:?}"
            );
            assert_eq!(txn.instructions().len(), count, "{name}");
        }
    });
}

#[test]
fn a_key_that_exists_is_named_whatever_else_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"));
    let class = Name::from("Thing");
    let right = || vec![("ints".into(), Content::List(vec![Value::Int(1).into()]))];
    let linked = || vec![("peers".into(), Content::List(vec![Content::Value(link_to(&thing(1)))]))];
    let wrong = || vec![("ints".into(), Content::Value(Value::string("text")))];
    let create = |txn: &mut WriteTxn, key, given| {
        txn.create_with(&class, &ObjectKey::Int(key), given, Vec::new(), UpdatePolicy::Error)
    };
    write(&realm, 1, |txn| {
        assert!(create(txn, 1, right()).unwrap());
        assert!(create(txn, 2, linked()).unwrap());
        let (count, held) = (txn.instructions().len(), txn.get(&class, &ObjectKey::Int(1)));
        let held = held.unwrap();
        for (key, given) in [(1, right()), (1, wrong()), (2, linked()), (1, Vec::new())] {
            let refused = create(txn, key, given);
            assert!(matches!(refused, Err(StoreError::PrimaryKeyExists { .. })), "{refused:?}");
        }
        let refused = create(txn, 3, wrong());
        assert!(matches!(refused, Err(StoreError::BadInstruction { .. })), "{refused:?}");
        assert_eq!(txn.instructions().len(), count);
        assert_eq!(txn.get(&class, &ObjectKey::Int(1)).unwrap(), held);
        assert_eq!(txn.get(&class, &ObjectKey::Int(3)).unwrap(), None);
    });
    realm.commit_subscriptions(Vec::new(), QueryVersion(1)).unwrap();
    write(&realm, 2, |txn| {
        let refused = create(txn, 1, right());
        assert!(matches!(refused, Err(StoreError::PrimaryKeyExists { .. })), "{refused:?}");
        let refused = create(txn, 3, wrong());
        assert!(matches!(refused, Err(StoreError::NoSubscriptionForWrite { .. })), "{refused:?}");
    });
}

trait IntoNested {
    /// A list in a list, which no set takes.
    fn clone_into_list(&self) -> Content;
}

impl IntoNested for Content {
    fn clone_into_list(&self) -> Content {
        Content::List(vec![Content::List(vec![self.clone()])])
    }
}

#[test]
fn the_creation_of_an_object_with_its_lists_is_one_row() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"));
    let class = Name::from("Thing");
    let ints = Content::List(vec![Value::Int(3).into(), Value::Int(1).into()]);
    write(&realm, 1, |txn| {
        let given = vec![("ints".into(), ints.clone())];
        txn.create_with(&class, &ObjectKey::Int(1), given, Vec::new(), UpdatePolicy::Error)
            .unwrap();
        let kinds: Vec<u8> = txn.instructions().iter().map(Instruction::code).collect();
        assert_eq!(kinds, [2, 8, 8], "a creation and two insertions");
    });
    let row = realm.snapshot().unwrap().get(&class, &ObjectKey::Int(1)).unwrap().unwrap();
    assert_eq!(row[4], ints);
    assert_eq!(kinds().class("Thing").unwrap().properties[4].ty, PropertyType::Int);
}
