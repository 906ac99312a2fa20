//! What observers say, case by case: no less than has changed (`observe.rs`), and not much more.
#![allow(missing_docs, unreachable_pub, reason = "modules of one test binary")]
#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use common::realms::{TIMEOUT, create_all, open, options, subscribed, write};
use common::{all, erase, link, named, set};
use rusqlite::Connection;
use skerry_model::edit::{Edit, Op};
use skerry_model::{
    Changeset, FileIdent, Name, ObjectKey, ObjectRef, Path, Payload, ServerVersion, Stamp, Value,
};
use skerry_store::observe::{
    IndexRange, KEY_PATH_PARTS_MAX, KEY_PATHS_MAX, ListChanges, ObjectChange, ObjectObserver,
    ResultsObserver,
};
use skerry_store::realm::{Options, WriteTxn};
use skerry_store::{Realm, StoreError};

fn results(realm: &Realm, class: &str, text: &str, paths: Option<&[&str]>) -> ResultsObserver {
    let paths = paths.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect());
    let snapshot = realm.snapshot().unwrap();
    let mut observer = ResultsObserver::new(&snapshot, &class.into(), text, &[], paths).unwrap();
    assert_eq!(observer.advance(&snapshot).unwrap(), None);
    observer
}

fn object(realm: &Realm, object: &ObjectRef, paths: Option<&[&str]>) -> ObjectObserver {
    let paths = paths.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect());
    let snapshot = realm.snapshot().unwrap();
    let mut observer = ObjectObserver::new(&snapshot, &object.class, &object.key, paths).unwrap();
    assert_eq!(observer.advance(&snapshot).unwrap(), None);
    observer
}

fn set_all(txn: &mut WriteTxn, key: i64, field: &str, value: &Value) {
    txn.set(&"All".into(), &ObjectKey::Int(key), &field.into(), value).unwrap();
}

fn set_named(txn: &mut WriteTxn, key: &str, field: &str, value: &Value) {
    let key = ObjectKey::String(key.into());
    txn.set(&"Named".into(), &key, &field.into(), value).unwrap();
}

fn create_named(txn: &mut WriteTxn, key: &str) {
    let object = named(key);
    txn.edit(&Op::Create { object, values: Vec::new(), is_default: false }).unwrap();
}

fn at(start: usize, length: usize) -> Vec<IndexRange> {
    vec![IndexRange { start, length }]
}

fn changes(realm: &Realm, observer: &mut ResultsObserver) -> Option<ListChanges> {
    observer.advance(&realm.snapshot().unwrap()).unwrap()
}

fn names(realm: &Realm, observer: &mut ObjectObserver) -> Vec<String> {
    match observer.advance(&realm.snapshot().unwrap()).unwrap() {
        None => Vec::new(),
        Some(ObjectChange::Updated(names)) => names.iter().map(ToString::to_string).collect(),
        Some(ObjectChange::Deleted) => vec!["deleted".to_owned()],
    }
}

#[test]
fn several_commits_come_as_one_change() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    write(&realm, 1, |txn| {
        for key in 0..10 {
            create_all(txn, key, &[("int", Value::Int(key))]);
        }
    });
    let mut observer = results(&realm, "All", "int < 8", None);
    write(&realm, 2, |txn| txn.delete(&"All".into(), &ObjectKey::Int(3)).unwrap());
    write(&realm, 3, |txn| set_all(txn, 9, "int", &Value::Int(0)));
    write(&realm, 4, |txn| set_all(txn, 5, "string", &Value::string("x")));
    write(&realm, 5, |txn| create_all(txn, 20, &[("int", Value::Int(100))]));
    let told = changes(&realm, &mut observer).unwrap();
    let expected = ListChanges {
        deletions: at(3, 1),
        insertions: at(7, 1),
        modifications: at(4, 1),
        old_modifications: at(5, 1),
    };
    assert_eq!(told, expected);
    assert_eq!(changes(&realm, &mut observer), None);
}

#[test]
fn what_moves_in_a_sorted_list_is_deleted_and_inserted() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    write(&realm, 1, |txn| {
        for key in 0..6 {
            create_all(txn, key, &[("int", Value::Int(key))]);
        }
    });
    let mut observer = results(&realm, "All", "TRUEPREDICATE SORT(int ASC)", None);
    write(&realm, 2, |txn| set_all(txn, 1, "int", &Value::Int(10)));
    let told = changes(&realm, &mut observer).unwrap();
    let moved = ListChanges { deletions: at(1, 1), insertions: at(5, 1), ..Default::default() };
    assert_eq!(told, moved);
    write(&realm, 3, |txn| set_all(txn, 4, "bool", &Value::Bool(true)));
    let told = changes(&realm, &mut observer).unwrap();
    assert_eq!((told.modifications, told.old_modifications), (at(3, 1), at(3, 1)));
}

#[test]
fn key_paths_narrow_what_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    write(&realm, 1, |txn| {
        create_all(txn, 1, &[]);
        create_all(txn, 2, &[]);
        create_named(txn, "a");
        set_named(txn, "a", "all", &link(all(1)));
    });
    let mut narrow = results(&realm, "Named", "TRUEPREDICATE", Some(&["all.int"]));
    let mut shallow = results(&realm, "Named", "TRUEPREDICATE", Some(&["*"]));
    let mut nothing = results(&realm, "Named", "TRUEPREDICATE", Some(&[]));
    let mut deep = results(&realm, "Named", "TRUEPREDICATE", None);
    let mut count = |edit: &dyn Fn(&mut WriteTxn)| {
        write(&realm, 2, |txn| edit(txn));
        [&mut narrow, &mut shallow, &mut nothing, &mut deep]
            .map(|observer| changes(&realm, observer).is_some())
    };
    assert_eq!(count(&|txn| set_all(txn, 1, "int", &Value::Int(7))), [true, false, false, true]);
    assert_eq!(count(&|txn| set_all(txn, 2, "int", &Value::Int(7))), [false; 4]);
    let other = |txn: &mut WriteTxn| set_all(txn, 1, "bool", &Value::Bool(true));
    assert_eq!(count(&other), [false, false, false, true]);
    let relink = |txn: &mut WriteTxn| set_named(txn, "a", "all", &link(all(2)));
    assert_eq!(count(&relink), [true, true, false, true]);
    assert_eq!(count(&|txn| create_named(txn, "b")), [true; 4]);
}

#[test]
fn the_names_of_changed_properties_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    write(&realm, 1, |txn| {
        create_all(txn, 1, &[]);
        create_all(txn, 2, &[]);
        set_all(txn, 1, "next", &link(all(2)));
    });
    let mut observer = object(&realm, &all(1), None);
    let mut narrow = object(&realm, &all(1), Some(&["bool", "next.string"]));
    write(&realm, 2, |txn| set_all(txn, 1, "int", &Value::Int(7)));
    write(&realm, 2, |txn| set_all(txn, 1, "bool", &Value::Bool(true)));
    assert_eq!(names(&realm, &mut observer), ["int", "bool"]);
    assert_eq!(names(&realm, &mut narrow), ["bool"]);
    write(&realm, 2, |txn| set_all(txn, 2, "string", &Value::string("x")));
    assert_eq!(names(&realm, &mut observer), ["next"]);
    assert_eq!(names(&realm, &mut narrow), ["next"]);
    write(&realm, 3, |txn| create_all(txn, 3, &[]));
    assert!(names(&realm, &mut observer).is_empty());
    write(&realm, 4, |txn| txn.delete(&"All".into(), &ObjectKey::Int(1)).unwrap());
    assert_eq!(names(&realm, &mut observer), ["deleted"]);
    write(&realm, 5, |txn| create_all(txn, 1, &[]));
    assert!(names(&realm, &mut observer).is_empty(), "nothing follows");
}

#[test]
fn objects_with_very_many_links_are_followed_too() {
    let dir = tempfile::tempdir().unwrap();
    let schema = common::kinds::kinds();
    let realm =
        Realm::open(dir.path().join("a.realm"), &Options { schema, ..options(false) }).unwrap();
    let thing = |key| ObjectRef::new("Thing", ObjectKey::Int(key));
    write(&realm, 1, |txn| {
        for key in 0..2_500 {
            let values = Vec::new();
            txn.edit(&Op::Create { object: thing(key), values, is_default: false }).unwrap();
        }
        for (index, key) in (0..).zip(1..2_500) {
            let path = Path::property(thing(0), "peers");
            let value = Payload::Value(link(thing(key)));
            txn.edit(&Op::At { path, edit: Edit::ListInsert { index, value } }).unwrap();
        }
    });
    let mut observer = object(&realm, &thing(0), None);
    let set = |key| {
        write(&realm, 2, |txn| {
            let (class, key) = ("Thing".into(), ObjectKey::Int(key));
            txn.set(&class, &key, &"int".into(), &Value::Int(7)).unwrap();
        });
    };
    set(2_400);
    assert_eq!(names(&realm, &mut observer), ["peers"]);
    set(0);
    assert_eq!(names(&realm, &mut observer), ["int"]);
}

#[test]
fn an_object_that_comes_back_is_the_same_and_all_of_it_may_differ() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    let mut observer = object(&realm, &all(1), Some(&["int", "bool"]));
    write(&realm, 2, |txn| {
        txn.delete(&"All".into(), &ObjectKey::Int(1)).unwrap();
        create_all(txn, 1, &[("int", Value::Int(1))])
    });
    assert_eq!(names(&realm, &mut observer), ["int", "bool"]);
}

#[test]
fn links_that_lose_and_regain_their_target_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let realm = subscribed(&dir.path().join("a.realm"));
    write(&realm, 1, |txn| {
        create_all(txn, 1, &[]);
        create_named(txn, "a");
        set_named(txn, "a", "all", &link(all(1)));
    });
    let mut observer = object(&realm, &named("a"), Some(&["*"]));
    let integrate = |instruction, version| {
        let mut integration = realm.begin_integration(TIMEOUT).unwrap();
        let changeset = Changeset { instructions: vec![instruction] };
        integration.apply(&changeset, ServerVersion(version), FileIdent(3), Stamp(5)).unwrap();
        integration.commit().unwrap();
    };
    integrate(erase(all(1)), 1);
    assert_eq!(names(&realm, &mut observer), ["all"]);
    integrate(common::create(all(1)), 2);
    assert_eq!(names(&realm, &mut observer), ["all"]);
    integrate(set(all(1), "int", Value::Int(4)), 3);
    assert!(names(&realm, &mut observer).is_empty(), "only the property itself is watched");
}

#[test]
fn a_handle_without_memory_for_columns_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = open(&path, false);
    let other = Realm::open(&path, &Options { query_cache_bytes: 0, ..options(false) }).unwrap();
    write(&other, 1, |txn| create_all(txn, 1, &[]) && create_all(txn, 2, &[]));
    let mut observer = results(&realm, "All", "TRUEPREDICATE", None);
    write(&other, 2, |txn| set_all(txn, 2, "int", &Value::Int(7)));
    assert_eq!(changes(&realm, &mut observer).unwrap().modifications, at(1, 1));
}

#[test]
fn without_word_of_what_commits_touched_everything_may_differ() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = open(&path, false);
    write(&realm, 1, |txn| create_all(txn, 1, &[]) && create_all(txn, 2, &[]));
    let mut observer = results(&realm, "All", "TRUEPREDICATE", None);
    let mut of_object = object(&realm, &all(1), Some(&["int", "bool"]));
    write(&realm, 2, |txn| txn.delete(&"All".into(), &ObjectKey::Int(2)).unwrap());
    Connection::open(&path).unwrap().execute_batch("DELETE FROM changed").unwrap();
    let told = changes(&realm, &mut observer).unwrap();
    assert_eq!((told.deletions, told.modifications), (at(1, 1), at(0, 1)));
    assert_eq!(names(&realm, &mut of_object), ["int", "bool"]);
}

#[test]
fn observers_keep_no_version_open() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = open(&path, false);
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    let mut observer = results(&realm, "All", "TRUEPREDICATE", None);
    write(&realm, 2, |txn| set_all(txn, 1, "int", &Value::Int(7)));
    let checkpoint = || {
        let connection = Connection::open(&path).unwrap();
        let sql = "PRAGMA wal_checkpoint(TRUNCATE)";
        connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(checkpoint(), 0, "no reader is in the way");
    assert!(changes(&realm, &mut observer).is_some());
}

#[test]
fn properties_that_are_added_are_no_change() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let realm = open(&path, false);
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    let mut observer = results(&realm, "All", "TRUEPREDICATE", Some(&["*"]));
    let mut classes: Vec<_> = common::schema().classes().cloned().collect();
    classes[0].properties.push(skerry_model::Property::scalar(
        "more",
        skerry_model::PropertyType::Int,
        false,
    ));
    let schema = skerry_model::Schema::new(classes).unwrap();
    let other = Realm::open(&path, &Options { schema, ..options(false) }).unwrap();
    assert_eq!(changes(&realm, &mut observer), None);
    write(&other, 2, |txn| set_all(txn, 1, "more", &Value::Int(7)));
    assert_eq!(changes(&realm, &mut observer).unwrap().modifications, at(0, 1));
}

#[test]
fn key_paths_that_lead_nowhere_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    let snapshot = realm.snapshot().unwrap();
    let refused = |paths: Vec<String>| {
        let class: Name = "Named".into();
        match ResultsObserver::new(&snapshot, &class, "TRUEPREDICATE", &[], Some(paths)) {
            Err(error @ StoreError::KeyPath { .. }) => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let one = |path: &str| refused(vec![path.to_owned()]);
    assert!(one("nope").contains("class \"Named\" has no property \"nope\""));
    assert!(one("all.nope").contains("class \"All\" has no property \"nope\""));
    assert!(one("all.int.more").contains("\"All.int\" holds no objects"));
    assert!(one("").contains("has no property \"\""));
    assert!(one("*.nope").contains("leads on to \"nope\""));
    let deep = vec!["peer"; KEY_PATH_PARTS_MAX + 1].join(".");
    assert!(one(&deep).contains("at most 16"));
    assert!(refused(vec!["all".to_owned(); KEY_PATHS_MAX + 1]).contains("at most 256"));
    let wild = vec!["*"; KEY_PATH_PARTS_MAX].join(".");
    let class: Name = "Named".into();
    let paths = Some(vec![wild, "*.int".to_owned()]);
    ResultsObserver::new(&snapshot, &class, "TRUEPREDICATE", &[], paths).unwrap();
}

#[test]
fn a_row_that_takes_the_place_of_another_is_another() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    write(&realm, 1, |txn| create_all(txn, 1, &[]) && create_all(txn, 2, &[]));
    for text in ["TRUEPREDICATE", "TRUEPREDICATE SORT(int ASC)"] {
        let mut observer = results(&realm, "All", text, None);
        let (class, last) = ("All".into(), ObjectKey::Int(2));
        write(&realm, 2, |txn| {
            txn.delete(&class, &last).unwrap();
            create_all(txn, 2, &[])
        });
        let told = changes(&realm, &mut observer).unwrap();
        let replaced =
            ListChanges { deletions: at(1, 1), insertions: at(1, 1), ..Default::default() };
        assert_eq!(told, replaced, "{text}");
    }
}

#[test]
fn an_edit_that_is_taken_back_changes_nothing_in_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let realm = open(&dir.path().join("a.realm"), false);
    write(&realm, 1, |txn| create_all(txn, 1, &[]));
    let mut observer = results(&realm, "All", "int == 0", None);
    write(&realm, 2, |txn| {
        let add =
            |amount| Op::At { path: Path::property(all(1), "int"), edit: Edit::AddInteger(amount) };
        txn.edit(&add(3)).unwrap();
        txn.edit(&add(-3)).unwrap();
    });
    let told = changes(&realm, &mut observer).unwrap();
    assert!(told.deletions.is_empty() && told.insertions.is_empty());
}
