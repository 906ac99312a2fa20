//! Sealed files through `SQLite`: what they keep, what they hide, and what they find out.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use proptest::prelude::*;
use rusqlite::{Connection, OpenFlags, params};
use skerry_vault::{DAMAGED_PAGE_CODE, EncryptionKey, HEADER_BYTES, OpenError, SealFault};

/// Text of which nothing may be found in any file.
const SECRET: &str = "Nobody may read this without the key.";

fn key(byte: u8) -> EncryptionKey {
    EncryptionKey::new(&[byte; 64]).unwrap()
}

fn uri(path: &Path) -> String {
    format!("file:{}", path.display())
}

fn flags() -> OpenFlags {
    OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
}

fn open(path: &Path, byte: u8) -> Result<Connection, OpenError> {
    skerry_vault::open(&uri(path), flags(), &key(byte))
}

/// A new file in WAL mode.
fn open_wal(path: &Path, byte: u8) -> Connection {
    let connection = open(path, byte).unwrap();
    let mode: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    connection
}

fn fill(connection: &Connection, rows: usize) {
    connection
        .execute_batch("CREATE TABLE IF NOT EXISTS t (i INTEGER PRIMARY KEY, x TEXT); BEGIN")
        .unwrap();
    for row in 0..rows {
        let text = format!("{SECRET} {row}");
        connection.execute("INSERT INTO t (x) VALUES (?1)", [text]).unwrap();
    }
    connection.execute_batch("COMMIT").unwrap();
}

fn rows(connection: &Connection) -> rusqlite::Result<Vec<(i64, String)>> {
    let mut statement = connection.prepare("SELECT i, x FROM t ORDER BY i")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.collect()
}

fn integrity(connection: &Connection) -> String {
    connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap()
}

fn fault(opened: Result<Connection, OpenError>) -> SealFault {
    match opened {
        Err(OpenError::Seal(fault)) => fault,
        Err(OpenError::Sqlite(error)) => panic!("not for the seal: {error}"),
        Ok(_) => panic!("it was opened"),
    }
}

/// Files of a folder, with what is in them.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            (path, bytes)
        })
        .collect()
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_file_is_read_again_with_its_key_and_with_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let connection = open_wal(&path, 1);
    fill(&connection, 500);
    let written = rows(&connection).unwrap();
    assert_eq!(fault(open(&path, 2)), SealFault::WrongKey);
    drop(connection);
    assert_eq!(fault(open(&path, 2)), SealFault::WrongKey);
    assert!(skerry_vault::is_sealed(&uri(&path)).unwrap());
    let again = open(&path, 1).unwrap();
    assert_eq!(rows(&again).unwrap(), written);
    assert_eq!(integrity(&again), "ok");
}

#[test]
fn a_plain_file_is_no_sealed_one_and_the_reverse() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("plain.db");
    assert!(!skerry_vault::is_sealed(&uri(&path)).unwrap());
    assert!(!path.exists());
    fill(&Connection::open(&path).unwrap(), 1);
    assert_eq!(fault(open(&path, 1)), SealFault::NotSealed);
    assert!(!skerry_vault::is_sealed(&uri(&path)).unwrap());
    assert_eq!(rows(&Connection::open(&path).unwrap()).unwrap().len(), 1);

    let text = dir.path().join("text");
    std::fs::write(&text, "short").unwrap();
    assert_eq!(fault(open(&text, 1)), SealFault::Foreign);
    assert_eq!(std::fs::read(&text).unwrap(), b"short");

    let path = dir.path().join("sealed.db");
    drop(open_wal(&path, 1));
    let plain = Connection::open(&path).unwrap();
    let error =
        plain.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    assert_eq!(error.unwrap_err().sqlite_error_code(), Some(rusqlite::ErrorCode::NotADatabase));
}

#[test]
fn nothing_that_was_written_is_in_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    let connection = open_wal(&path, 1);
    connection.pragma_update(None, "cache_size", 10).unwrap();
    fill(&connection, 20_000);
    // Sorting, temporary tables, statement journals, a rewrite of the file: all want to spill.
    connection.execute_batch("CREATE UNIQUE INDEX u ON t (x)").unwrap();
    connection.execute_batch("CREATE TEMP TABLE s AS SELECT x FROM t ORDER BY x DESC, i").unwrap();
    let failed = connection.execute(
        "UPDATE t SET x = CASE i WHEN 19999 THEN (SELECT x FROM t LIMIT 1) ELSE x || 'x' END",
        [],
    );
    assert!(failed.is_err());
    let look = |is_open: bool| {
        let files = contents(dir.path());
        let names: BTreeSet<_> =
            files.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
        let wanted: &[&str] = if is_open { &["a.db", "a.db-shm", "a.db-wal"] } else { &["a.db"] };
        assert_eq!(names, wanted.iter().copied().collect());
        for (path, bytes) in &files {
            for text in [SECRET, &SECRET[..12], "CREATE TABLE", "SQLite format 3"] {
                assert!(!has(bytes, text), "{text:?} is in {path:?}");
            }
        }
    };
    look(true);
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); VACUUM").unwrap();
    look(true);
    drop(connection);
    look(false);
    // The test would find it.
    let plain = dir.path().join("plain.db");
    fill(&Connection::open(&plain).unwrap(), 1);
    assert!(has(&std::fs::read(&plain).unwrap(), SECRET));
}

#[test]
fn equal_content_is_stored_differently_each_time() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = ["a.db", "b.db"].map(|name| {
        let path = dir.path().join(name);
        fill(&open_wal(&path, 1), 100);
        std::fs::read(path).unwrap()
    });
    let pages = |bytes: &[u8]| -> BTreeSet<Vec<u8>> {
        bytes[HEADER_BYTES..].chunks(64).map(<[u8]>::to_vec).collect()
    };
    assert!(pages(&bytes[0]).is_disjoint(&pages(&bytes[1])));
}

#[test]
fn a_file_is_copied_to_any_key_and_to_none() {
    let dir = tempfile::tempdir().unwrap();
    let sealed = dir.path().join("sealed.db");
    let connection = open_wal(&sealed, 1);
    fill(&connection, 300);
    let written = rows(&connection).unwrap();

    let other = dir.path().join("other.db");
    let admission = skerry_vault::admit(&key(2)).unwrap();
    connection.execute("VACUUM INTO ?1", [admission.uri(&uri(&other))]).unwrap();
    assert_eq!(rows(&open(&other, 2).unwrap()).unwrap(), written);
    assert_eq!(fault(open(&other, 1)), SealFault::WrongKey);

    let plain = dir.path().join("plain.db");
    let system = skerry_vault::system_vfs().unwrap();
    connection.execute("VACUUM INTO ?1", [format!("{}?vfs={system}", uri(&plain))]).unwrap();
    let plain = Connection::open(&plain).unwrap();
    assert_eq!(rows(&plain).unwrap(), written);

    let back = dir.path().join("back.db");
    plain.execute("VACUUM INTO ?1", [admission.uri(&uri(&back))]).unwrap();
    let back = open(&back, 2).unwrap();
    assert_eq!(rows(&back).unwrap(), written);
    assert_eq!(integrity(&back), "ok");
}

#[test]
fn a_key_is_admitted_only_as_long_as_its_admission_lives() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.db");
    drop(open_wal(&path, 1));
    let admission = skerry_vault::admit(&key(1)).unwrap();
    let name = admission.uri(&uri(&path));
    assert!(Connection::open_with_flags(&name, flags() | OpenFlags::SQLITE_OPEN_URI).is_ok());
    drop(admission);
    assert!(Connection::open_with_flags(&name, flags() | OpenFlags::SQLITE_OPEN_URI).is_err());
}

#[test]
fn many_who_make_one_file_at_once_make_one() {
    for _ in 0..20 {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let (path, start) = (&path, &Barrier::new(4));
        std::thread::scope(|scope| {
            for number in 0..4 {
                scope.spawn(move || {
                    start.wait();
                    let connection = open(path, 1).unwrap();
                    connection.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
                    connection.execute_batch("BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS t (i INTEGER PRIMARY KEY, x TEXT); COMMIT").unwrap();
                    connection.execute("INSERT INTO t VALUES (?1, 'x')", [number]).unwrap();
                });
            }
        });
        let keys: Vec<_> = rows(&open(path, 1).unwrap()).unwrap();
        assert_eq!(keys.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [0, 1, 2, 3]);
    }
}

#[test]
fn what_a_power_failure_leaves_of_making_a_file_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    for (number, length) in [0, 17, 4096].into_iter().enumerate() {
        let path = dir.path().join(number.to_string());
        std::fs::write(&path, vec![0; length]).unwrap();
        fill(&open_wal(&path, 1), 1);
        assert_eq!(rows(&open(&path, 1).unwrap()).unwrap().len(), 1);
    }
}

/// One step of a program.
#[derive(Clone, Debug)]
enum Step {
    Insert(u16, u16),
    Update(u16, u16),
    Delete(u16, u16),
    RolledBack(u16),
    Checkpoint,
    Vacuum,
    Reopen,
    /// Everything is lost but what is in the files, which are copied while they are in use.
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..400_u16, 0..9000_u16).prop_map(|(count, length)| Step::Insert(count % 40, length)),
        2 => any::<(u16, u16)>().prop_map(|(at, length)| Step::Update(at, length % 9000)),
        2 => any::<(u16, u16)>().prop_map(|(at, count)| Step::Delete(at, count)),
        1 => (0..60_u16).prop_map(Step::RolledBack),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Vacuum),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

fn run(connection: &Connection, step: &Step) {
    let text = |length: u16| "abcdefghij".repeat(usize::from(length) / 10);
    let insert = |count: u16, length: u16| {
        for _ in 0..count {
            connection.execute("INSERT INTO t (x) VALUES (?1)", [text(length)]).unwrap();
        }
    };
    match *step {
        Step::Insert(count, length) => {
            connection.execute_batch("BEGIN").unwrap();
            insert(count, length);
            connection.execute_batch("COMMIT").unwrap();
        }
        Step::Update(at, length) => {
            connection
                .execute("UPDATE t SET x = ?1 WHERE i % 7 = ?2 % 7", params![text(length), at])
                .unwrap();
        }
        Step::Delete(at, count) => {
            connection
                .execute(
                    "DELETE FROM t WHERE i BETWEEN ?1 % 300 AND ?1 % 300 + ?2 % 50",
                    [at, count],
                )
                .unwrap();
        }
        Step::RolledBack(count) => {
            connection.execute_batch("BEGIN").unwrap();
            insert(count, 5000);
            connection.execute_batch("ROLLBACK").unwrap();
        }
        Step::Checkpoint => {
            connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0))
                .unwrap();
        }
        Step::Vacuum => connection.execute_batch("VACUUM").unwrap(),
        Step::Reopen | Step::Crash => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_sealed_file_holds_what_a_plain_one_does(steps in proptest::collection::vec(step(), 1..20)) {
        let dir = tempfile::tempdir().unwrap();
        let plain = Connection::open_in_memory().unwrap();
        let mut path = dir.path().join("0.db");
        let mut sealed = open_wal(&path, 1);
        for connection in [&plain, &sealed] {
            connection.execute_batch("PRAGMA cache_size = 8; CREATE TABLE t (i INTEGER PRIMARY KEY, x TEXT)").unwrap();
        }
        for (number, step) in steps.iter().enumerate() {
            run(&plain, step);
            run(&sealed, step);
            match step {
                Step::Reopen => {
                    drop(sealed);
                    sealed = open(&path, 1).unwrap();
                }
                Step::Crash => {
                    let copy = dir.path().join(format!("{}.db", number + 1));
                    std::fs::copy(&path, &copy).unwrap();
                    std::fs::copy(path.with_extension("db-wal"), copy.with_extension("db-wal")).unwrap();
                    drop(std::mem::replace(&mut sealed, open(&copy, 1).unwrap()));
                    path = copy;
                }
                _ => {}
            }
            prop_assert_eq!(rows(&plain).unwrap(), rows(&sealed).unwrap());
        }
        prop_assert_eq!(integrity(&sealed), "ok");
    }

    #[test]
    fn damage_is_found_or_harmless(at in any::<prop::sample::Index>(), bit in 0..8_u32, is_in_log in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.db");
        let connection = open_wal(&path, 1);
        fill(&connection, 200);
        connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        let before = rows(&connection).unwrap();
        connection.execute_batch("UPDATE t SET x = x || 'y'").unwrap();
        let after = rows(&connection).unwrap();
        let copy = dir.path().join("copy.db");
        for suffix in ["", "-wal"] {
            let mut bytes = std::fs::read(format!("{}{suffix}", path.display())).unwrap();
            if is_in_log == (suffix == "-wal") {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << bit;
            }
            std::fs::write(format!("{}{suffix}", copy.display()), bytes).unwrap();
        }
        match open(&copy, 1).map(|connection| rows(&connection)) {
            // A log that is damaged ends there, so that what it holds is what was before.
            Ok(Ok(read)) => prop_assert!(read == after || (is_in_log && read == before)),
            Ok(Err(error)) | Err(OpenError::Sqlite(error)) => {
                let code = error.sqlite_error().map(|error| error.extended_code);
                prop_assert_eq!(code, Some(DAMAGED_PAGE_CODE));
            }
            Err(OpenError::Seal(fault)) => prop_assert!(false, "{}", fault),
        }
    }
}
