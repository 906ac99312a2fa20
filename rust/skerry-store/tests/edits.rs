//! Edits of collections in local writes: what they record, what they refuse, what is seen.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use common::kinds::*;
use common::realms::TIMEOUT;
use skerry_model::edit::{Edit, EditError, Op};
use skerry_model::{Content, Instruction, ObjectRef, Path, PathElement, Payload, Stamp, Value};
use skerry_store::connection::Synchronous;
use skerry_store::realm::{Options, QUERY_CACHE_DEFAULT_BYTES, WriteTxn};
use skerry_store::{Fault, Realm, StoreError};

fn open(dir: &tempfile::TempDir) -> Realm {
    let options = Options {
        schema: kinds(),
        synced: true,
        synchronous: Synchronous::Normal,
        query_cache_bytes: QUERY_CACHE_DEFAULT_BYTES,
        encryption_key: None,
    };
    let realm = Realm::open(dir.path().join("a.realm"), &options).unwrap();
    let items = ["Thing", "Other"].map(|c| common::realms::subscription(c, "TRUEPREDICATE"));
    let _ = realm.commit_subscriptions(items.into(), skerry_model::QueryVersion(0));
    realm
}

fn make(txn: &mut WriteTxn, object: &ObjectRef) {
    let (object, values) = (object.clone(), Vec::new());
    txn.edit(&Op::Create { object, values, is_default: false }).unwrap();
}

fn at(object: ObjectRef, field: &str, edit: Edit) -> Op {
    Op::At { path: Path::property(object, field), edit }
}

fn insert(index: u32, value: Value) -> Edit {
    Edit::ListInsert { index, value: Payload::Value(value) }
}

fn field(realm: &Realm, object: &ObjectRef, field: &str) -> Content {
    let position = kinds().class(&object.class).unwrap().position(field).unwrap();
    let read = realm.snapshot().unwrap().get(&object.class, &object.key).unwrap();
    read.unwrap()[position].clone()
}

#[test]
fn an_edit_of_two_instructions_is_refused_whole() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir);
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    make(&mut txn, &thing(1));
    txn.edit(&at(thing(1), "texts", insert(0, Value::string("a")))).unwrap();
    txn.edit(&at(thing(1), "mixed", Edit::Set { value: Value::Int(4), is_default: false }))
        .unwrap();
    let before = txn.instructions().len();
    // Each erases or empties the place first, and then cannot put an object there.
    let mut element = Path::property(thing(1), "texts");
    element.elements = [PathElement::Index(0)].into();
    let refused = txn.edit(&Op::At { path: element, edit: Edit::SetEmbedded });
    assert!(matches!(refused, Err(StoreError::BadInstruction { .. })), "{refused:?}");
    let refused = txn.edit(&at(thing(1), "mixed", Edit::SetEmbedded));
    assert!(matches!(refused, Err(StoreError::BadInstruction { .. })), "{refused:?}");
    assert_eq!(txn.instructions().len(), before);
    txn.edit(&at(thing(1), "texts", insert(1, Value::Null))).unwrap();
    txn.commit(Stamp(1)).unwrap();
    let texts = Content::List(vec![Value::string("a").into(), Content::NULL]);
    assert_eq!(field(&realm, &thing(1), "texts"), texts);
    assert_eq!(field(&realm, &thing(1), "mixed"), Value::Int(4));
}

#[test]
fn positions_in_lists_of_links_count_what_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir);
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    for key in 0..4 {
        make(&mut txn, &thing(key));
    }
    for index in 0..3 {
        let link = link_to(&thing(i64::from(index) + 1));
        txn.edit(&at(thing(0), "peers", insert(index, link))).unwrap();
    }
    txn.commit(Stamp(1)).unwrap();
    // Somebody else deletes an object: the link to it stays, and dangles.
    let mut integration = realm.begin_integration(TIMEOUT).unwrap();
    let erased = skerry_model::Changeset {
        instructions: vec![Instruction::EraseObject { object: thing(1) }],
    };
    let (version, ident) = (skerry_model::ServerVersion(2), skerry_model::FileIdent(7));
    integration.apply(&erased, version, ident, Stamp(2)).unwrap();
    integration.commit().unwrap();
    let seen =
        |keys: &[i64]| Content::List(keys.iter().map(|key| link_to(&thing(*key)).into()).collect());
    assert_eq!(field(&realm, &thing(0), "peers"), seen(&[2, 3]));

    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    txn.edit(&at(thing(0), "peers", Edit::ListErase { index: 0 })).unwrap();
    match txn.instructions() {
        [Instruction::ArrayErase { path, prior_size: 3 }] => {
            assert_eq!(*path.elements, [PathElement::Index(1)]);
        }
        other => panic!("{other:?}"),
    }
    let beyond = txn.edit(&at(thing(0), "peers", Edit::ListErase { index: 1 }));
    assert!(matches!(
        beyond,
        Err(StoreError::BadInstruction {
            fault: Fault::Edit(EditError::IndexOutOfRange { size: 1, .. }),
            ..
        })
    ));
    make(&mut txn, &thing(1));
    txn.commit(Stamp(3)).unwrap();
    assert_eq!(field(&realm, &thing(0), "peers"), seen(&[1, 3]), "the link came back");
}

#[test]
fn deleting_takes_the_links_to_the_object_away_wherever_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir);
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    make(&mut txn, &thing(0));
    make(&mut txn, &thing(1));
    make(&mut txn, &other("a"));
    let link = || link_to(&thing(1));
    let set = |value| Edit::Set { value, is_default: false };
    txn.edit(&at(other("a"), "thing", set(link()))).unwrap();
    txn.edit(&at(thing(0), "peer", set(link()))).unwrap();
    for index in [0, 1] {
        txn.edit(&at(thing(0), "peers", insert(index, link()))).unwrap();
    }
    txn.edit(&at(thing(0), "set", Edit::SetInsert(link()))).unwrap();
    let entry = Edit::DictionarySet { key: "k".into(), value: link() };
    txn.edit(&at(thing(0), "map", entry)).unwrap();
    txn.edit(&at(thing(0), "part", Edit::SetEmbedded)).unwrap();
    let mut owner = Path::property(thing(0), "part");
    owner.elements = [PathElement::Key("owner".into())].into();
    txn.edit(&Op::At { path: owner, edit: set(link()) }).unwrap();
    let before = txn.instructions().len();
    assert!(txn.delete(&"Thing".into(), &thing(1).key).unwrap());
    let names: Vec<_> = txn.instructions()[before..].iter().map(Instruction::name).collect();
    let expected = ["Update", "Update", "ArrayErase", "ArrayErase", "SetErase", "Update", "Update"];
    assert_eq!(names, [&expected[..], &["EraseObject"]].concat());
    txn.commit(Stamp(1)).unwrap();
    assert_eq!(field(&realm, &thing(0), "peers"), Content::List(Vec::new()));
}

#[test]
fn creation_needs_a_subscription_and_a_free_key_also_as_an_edit() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir);
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    make(&mut txn, &thing(1));
    let create = Op::Create { object: thing(1), values: Vec::new(), is_default: false };
    assert!(matches!(txn.edit(&create), Err(StoreError::PrimaryKeyExists { .. })));
    drop(txn);
    realm.commit_subscriptions(Vec::new(), skerry_model::QueryVersion(1)).unwrap();
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    assert!(matches!(txn.edit(&create), Err(StoreError::NoSubscriptionForWrite { .. })));
    assert!(txn.instructions().is_empty());
}

#[test]
fn an_exact_stamp_may_go_back_and_below_zero() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir);
    for (key, stamp) in [(1, 500), (2, -7), (3, 20)] {
        let mut txn = realm.begin_write(TIMEOUT).unwrap();
        make(&mut txn, &thing(key));
        txn.commit_stamped(Stamp(stamp)).unwrap();
    }
    let changes = realm.unacknowledged().unwrap().1;
    let stamps: Vec<i64> = changes.iter().skip(1).map(|change| change.stamp.0).collect();
    assert_eq!(stamps, [500, -7, 20]);
    let txn = realm.begin_write(TIMEOUT).unwrap();
    assert!(matches!(txn.commit_stamped(Stamp::SYNTHETIC), Err(StoreError::Misuse(_))));
}

#[test]
fn long_lists_are_filled_in_one_transaction_without_going_through_them_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir);
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    make(&mut txn, &thing(1));
    // Were each list decoded and encoded for every edit, or every link looked up, this would take
    // minutes.
    for index in 0..20_000 {
        txn.edit(&at(thing(1), "ints", insert(index, Value::Int(i64::from(index))))).unwrap();
        txn.edit(&at(thing(1), "peers", insert(index, link_to(&thing(1))))).unwrap();
    }
    txn.commit(Stamp(1)).unwrap();
    for name in ["ints", "peers"] {
        match field(&realm, &thing(1), name) {
            Content::List(list) => assert_eq!(list.len(), 20_000),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_transaction_counts_what_it_has_written_into_lists() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir);
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    make(&mut txn, &thing(1));
    let class = thing(1).class;
    for count in 1..4_u32 {
        txn.edit(&at(thing(1), "texts", insert(0, Value::string("a")))).unwrap();
        let text = format!("texts.@count == {count}");
        assert_eq!(txn.count(&class, &text, &[]).unwrap(), 1);
        assert_eq!(txn.query(&class, &text, &[]).unwrap().len(), 1);
    }
}
