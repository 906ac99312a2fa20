//! Full-text indexes find what a scan would find, at any moment.

#![allow(clippy::unwrap_used, reason = "a failure here fails the test")]

mod common;

use std::path::Path;

use common::notes::{Step, local, query, scan, schema, search, step, tables};
use common::realms::{TIMEOUT, write};
use proptest::prelude::*;
use rusqlite::Connection;
use skerry_model::{
    ClassSchema, IndexKind, Name, ObjectKey, ObjectRef, Property, PropertyType, Salt, Schema,
    Stamp, Value,
};
use skerry_query::{Query, TextQuery};
use skerry_store::connection::Synchronous;
use skerry_store::objects::register_functions;
use skerry_store::realm::UpdatePolicy;
use skerry_store::server::{Read, SqliteStore, Store};
use skerry_store::{ObjectTables, Realm};

/// What the transactions of two connections do, taking turns.
#[derive(Clone, Debug)]
enum Moment {
    Change(Step),
    Index,
    Mark,
    RollBackToMark,
    ReleaseMark,
    Commit { indexes: bool },
    RollBack,
}

fn moment() -> impl Strategy<Value = Moment> {
    prop_oneof![
        8 => step().prop_map(Moment::Change),
        1 => Just(Moment::Index),
        2 => Just(Moment::Mark),
        2 => Just(Moment::RollBackToMark),
        1 => Just(Moment::ReleaseMark),
        2 => any::<bool>().prop_map(|indexes| Moment::Commit { indexes }),
        1 => Just(Moment::RollBack),
    ]
}

/// One of two connections to a file.
struct Peer {
    connection: Connection,
    tables: ObjectTables,
    marks: u32,
}

impl Peer {
    fn open(path: &Path) -> Self {
        let connection = Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA trusted_schema = 0; PRAGMA synchronous = 0").unwrap();
        let tables = ObjectTables::open(&connection).unwrap();
        Self { connection, tables, marks: 0 }
    }

    fn run(&mut self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }

    fn index(&self) {
        self.tables.index_words(&self.connection).unwrap();
        assert_eq!(pending(&self.connection), 0);
        let rows = |sql: &str| {
            let mut statement = self.connection.prepare(sql).unwrap();
            let rows = statement.query_map([], |row| row.get(0)).unwrap();
            rows.collect::<Result<Vec<i64>, _>>().unwrap()
        };
        let with_text = rows("SELECT row_id FROM o1 WHERE typeof(p1) = 'text' ORDER BY 1");
        assert_eq!(rows("SELECT id FROM o1_p1_words_docsize ORDER BY 1"), with_text);
    }

    /// Whether the transaction is over.
    fn go_through(&mut self, moment: &Moment) -> bool {
        match moment {
            // An absent object refuses to be changed, and then nothing may be.
            Moment::Change(step) => {
                drop(self.tables.apply_all(&self.connection, &step.instructions()));
            }
            Moment::Index => self.index(),
            Moment::Mark => {
                self.run("SAVEPOINT mark");
                self.marks += 1;
            }
            Moment::RollBackToMark | Moment::ReleaseMark if self.marks == 0 => {}
            Moment::RollBackToMark => self.run("ROLLBACK TO mark"),
            Moment::ReleaseMark => {
                self.run("RELEASE mark");
                self.marks -= 1;
            }
            Moment::Commit { indexes } => {
                if *indexes {
                    self.index();
                }
                self.run("COMMIT");
            }
            Moment::RollBack => self.run("ROLLBACK"),
        }
        self.connection.is_autocommit()
    }

    fn finds_what_a_scan_finds(&self, queries: &[TextQuery]) -> Result<(), TestCaseError> {
        for query in queries {
            let found = search(&self.connection, &self.tables, query);
            let wanted = scan(&self.connection, &self.tables, query);
            prop_assert_eq!(found, wanted, "{:?}", query.source());
        }
        Ok(())
    }
}

/// How many rows of the first index wait for their words to be read.
fn pending(connection: &Connection) -> i64 {
    let sql = "SELECT count(*) FROM o1_p1_words_pending";
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_full_text_index_finds_what_a_scan_finds(
        steps in prop::collection::vec(step(), 0..20),
        made_after in 0..20_usize,
        queries in prop::collection::vec(query(), 10),
    ) {
        let (connection, mut tables) = tables(&[]);
        let indexed = schema(&[("Note", "text", IndexKind::FullText)]);
        let make = |tables: &mut ObjectTables| tables.ensure_indexes(&connection, &indexed).unwrap();
        for (number, step) in steps.iter().enumerate() {
            if number == made_after {
                make(&mut tables);
            }
            // An absent object refuses to be changed, and then nothing may be.
            drop(tables.apply_all(&connection, &step.instructions()));
        }
        make(&mut tables);
        for query in queries {
            let found = search(&connection, &tables, &query);
            prop_assert_eq!(found, scan(&connection, &tables, &query), "{:?}", query.source());
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_so_at_any_moment_of_anybodys_transaction(
        moments in prop::collection::vec(moment(), 0..40),
        queries in prop::collection::vec(query(), 3),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let (made, _) = tables(&[("Note", "text", IndexKind::FullText)]);
        made.execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
        let (mut writer, mut other) = (Peer::open(&path), Peer::open(&path));
        writer.run("PRAGMA journal_mode = WAL");
        writer.run("BEGIN IMMEDIATE");
        for moment in &moments {
            let is_over = writer.go_through(moment);
            writer.finds_what_a_scan_finds(&queries)?;
            other.finds_what_a_scan_finds(&queries)?;
            if is_over {
                writer.marks = 0;
                std::mem::swap(&mut writer, &mut other);
                writer.run("BEGIN IMMEDIATE");
            }
        }
        writer.index();
        writer.finds_what_a_scan_finds(&queries)?;
        writer.run("INSERT INTO o1_p1_words (o1_p1_words) VALUES ('integrity-check')");
    }
}

#[test]
fn a_query_searches_through_the_index() {
    let (connection, mut tables) = tables(&[("Note", "text", IndexKind::FullText)]);
    for (key, text) in [(1, "The quick fox"), (2, "quick, quick!"), (3, "a slow fox")] {
        let made = Step::Create(key, Some(text.to_owned()));
        tables.apply_all(&connection, &made.instructions()).unwrap();
    }
    tables.index_words(&connection).unwrap();
    // What the table of words says and the objects do not can only come from there.
    connection.execute("INSERT INTO o1_p1_words (rowid, words) VALUES (3, 'wquick')", []).unwrap();
    let count = |text: &str| {
        let query = tables.compile(&connection, &"Note".into(), text, &[]).unwrap();
        tables.count_matching(&connection, &query).unwrap()
    };
    assert_eq!(count("text TEXT 'quick'"), 3);
    assert_eq!(count("text TEXT 'QUICK -fox'"), 1);
    assert_eq!(count("NOT text TEXT 'quick' OR _id == 1"), 1);
    assert!(tables.compile(&connection, &"Note".into(), "title TEXT 'a'", &[]).is_err());
}

#[test]
fn what_a_transaction_rolls_back_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let schema = schema(&[("Note", "text", IndexKind::FullText)]);
    let path = dir.path().join("a.realm");
    let realm = Realm::open(&path, &local(schema)).unwrap();
    let class = Name::from("Note");
    let values = |text: &str| [(Name::from("text"), Value::string(text))];
    let key = ObjectKey::Int;
    write(&realm, 1, |txn| {
        txn.create(&class, &key(1), &values("kept"), &[], UpdatePolicy::Error).unwrap();
    });
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    txn.create(&class, &key(2), &values("gone"), &[], UpdatePolicy::Error).unwrap();
    txn.delete(&class, &key(1)).unwrap();
    assert_eq!(txn.count(&class, "text TEXT 'gone'", &[]).unwrap(), 1);
    assert_eq!(txn.count(&class, "text TEXT 'kept'", &[]).unwrap(), 0);
    txn.rollback();
    let mut txn = realm.begin_write(TIMEOUT).unwrap();
    txn.create(&class, &key(3), &values("also kept"), &[], UpdatePolicy::Error).unwrap();
    txn.commit(Stamp(3)).unwrap();
    let connection = Connection::open(&path).unwrap();
    let tables = ObjectTables::open(&connection).unwrap();
    let find = |text: &str| search(&connection, &tables, &TextQuery::parse(text).unwrap());
    assert_eq!(find("kept"), [1, 3]);
    assert_eq!(find("gone"), [0; 0]);
}

#[test]
fn a_null_key_has_no_words() {
    let keyed = ClassSchema {
        name: "Note".into(),
        primary_key: "_id".into(),
        properties: vec![Property::scalar("_id", PropertyType::String, true)],
        embedded: false,
    };
    let schema = Schema::new([keyed]).unwrap();
    let schema = schema.with_index("Note", "_id", IndexKind::FullText).unwrap();
    let connection = Connection::open_in_memory().unwrap();
    register_functions(&connection).unwrap();
    ObjectTables::create(&connection).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    tables.ensure_schema(&connection, &schema).unwrap();
    tables.ensure_indexes(&connection, &schema).unwrap();
    for key in [ObjectKey::Null, ObjectKey::String("a word".into())] {
        tables.apply(&connection, &common::create(ObjectRef::new("Note", key))).unwrap();
    }
    let table = tables.catalogue().class("Note").unwrap();
    for (text, expected) in [("word", 1), ("-word", 1), ("-none", 2), ("*", 1)] {
        let query = TextQuery::parse(text).unwrap();
        let (condition, parameters) = table.text_search(&"_id".into(), &query).unwrap();
        let sql = format!("SELECT count(*) FROM o1 WHERE {condition}");
        let count: i64 = connection.query_row(&sql, parameters, |row| row.get(0)).unwrap();
        assert_eq!(count, expected, "{text}");
        tables.index_words(&connection).unwrap();
    }
}

#[test]
fn long_searches_are_left_to_the_evaluator() {
    let (_connection, tables) = tables(&[("Note", "text", IndexKind::FullText)]);
    let table = tables.catalogue().class("Note").unwrap();
    let words = |count: u32| (0..count).map(|i| i.to_string()).collect::<Vec<_>>().join(" ");
    let query = |count| TextQuery::parse(&words(count)).unwrap();
    let search = |property: &str, count| table.text_search(&property.into(), &query(count));
    assert!(search("text", 1000).is_some() && search("text", 1001).is_none());
    assert!(search("title", 1).is_none(), "it has no index");
}

#[test]
fn a_commit_indexes_what_all_its_writes_have_left() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let class = Name::from("Note");
    let indexed = schema(&[("Note", "text", IndexKind::FullText)]);
    let realms = [(); 2].map(|()| Realm::open(&path, &local(indexed.clone())).unwrap());
    let connection = Connection::open(&path).unwrap();
    for number in 0..6 {
        let realm = &realms[usize::from(number % 2 == 1)];
        write(realm, number, |txn| {
            let text = [(Name::from("text"), Value::string("a word"))];
            let key = ObjectKey::Int(number);
            txn.create(&class, &key, &text, &[], UpdatePolicy::Error).unwrap();
            let before = ObjectKey::Int(number - 1);
            let found = txn.query(&class, "text TEXT 'word'", &[]).unwrap();
            assert_eq!(found.len(), if number == 0 { 1 } else { 2 });
            if number > 0 {
                txn.set(&class, &before, &"text".into(), &Value::string("changed")).unwrap();
            }
        });
        assert_eq!(pending(&connection), 0);
        let snapshot = realms[0].snapshot().unwrap();
        assert_eq!(snapshot.count(&class, "text TEXT 'word'", &[]).unwrap(), 1);
        assert_eq!(
            snapshot.count(&class, "text TEXT 'chang*'", &[]).unwrap(),
            number.unsigned_abs()
        );
    }
}

#[test]
fn the_servers_store_finds_them_too_when_a_part_is_rolled_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("server.db");
    let open = || SqliteStore::open(&path, Synchronous::Normal, Salt(7)).unwrap();
    let indexed = schema(&[("Note", "text", IndexKind::FullText)]);
    let mut store = open();
    let mut txn = store.begin().unwrap();
    txn.apply_schema(&indexed.instructions_beyond(&Schema::default())).unwrap();
    txn.commit().unwrap();
    drop(store);
    // It makes no indexes of its own.
    let connection = Connection::open(&path).unwrap();
    let mut tables = ObjectTables::open(&connection).unwrap();
    tables.ensure_indexes(&connection, &indexed).unwrap();
    let mut store = open();
    let class = Name::from("Note");
    let predicate = |text: &str| Query::compile(&indexed, &class, text, &[]).unwrap().predicate;
    let (word, no_word) = (predicate("text TEXT 'word'"), predicate("text TEXT '-word'"));
    let create = |key, text: &str| Step::Create(key, Some(text.to_owned())).instructions();
    let mut txn = store.begin().unwrap();
    txn.apply(&create(1, "a word")).unwrap();
    txn.mark().unwrap();
    txn.apply(&create(2, "another word")).unwrap();
    txn.apply(&create(1, "nothing")).unwrap();
    let counts =
        |txn: &dyn Read| [&word, &no_word].map(|predicate| txn.count(&class, predicate).unwrap());
    assert_eq!(counts(&*txn), [1, 1]);
    txn.rollback_to_mark().unwrap();
    assert_eq!(counts(&*txn), [1, 0]);
    txn.commit().unwrap();
    assert_eq!(pending(&connection), 0);
    assert_eq!(counts(&*store.snapshot().unwrap()), [1, 0]);
}

#[test]
fn a_program_that_knows_no_words_cannot_make_an_index_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.realm");
    let indexed = schema(&[("Note", "text", IndexKind::FullText)]);
    let realm = Realm::open(&path, &local(indexed)).unwrap();
    let class = Name::from("Note");
    let create = |key, text| {
        write(&realm, key, |txn| {
            let values = [(Name::from("text"), Value::string(text))];
            txn.create(&class, &ObjectKey::Int(key), &values, &[], UpdatePolicy::Error).unwrap();
        });
    };
    create(1, "old");
    let foreign = Connection::open(&path).unwrap();
    foreign.execute("UPDATE o1 SET p1 = 'new word'", []).unwrap();
    assert_eq!(pending(&foreign), 1);
    let count = |text: &str| realm.snapshot().unwrap().count(&class, text, &[]).unwrap();
    for is_indexed in [false, true] {
        assert_eq!(count("text TEXT 'old'"), 0);
        assert_eq!(count("text TEXT 'new'"), 1);
        assert_eq!(count("text TEXT '-old'"), 1 + u64::from(is_indexed));
        if !is_indexed {
            create(2, "other");
        }
        assert_eq!(pending(&foreign), 0);
    }
}
