//! The peer: `SQLite` with hand-written SQL, doing the same rows with the same durability in the same run.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::items::Item;

/// A table of Items and nothing else: no history, no catalogue, no checks.
#[derive(Debug)]
pub struct Peer {
    connection: Connection,
}

impl Peer {
    /// Makes the file. Every commit is synced to the disk.
    pub fn new(path: &Path) -> Self {
        let connection = Connection::open(path).expect("the file can be made");
        let mode: String = connection
            .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
            .expect("the mode can be set");
        assert_eq!(mode, "wal");
        connection
            .execute_batch(
                "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
                 CREATE TABLE item (row_id INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
                     owner TEXT NOT NULL, name TEXT NOT NULL, complexity INTEGER NOT NULL,
                     price REAL NOT NULL, created INTEGER NOT NULL) STRICT;",
            )
            .expect("the table can be made");
        Self { connection }
    }

    /// Inserts rows in one transaction.
    pub fn insert(&self, items: impl IntoIterator<Item = Item>) {
        self.connection.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes");
        let mut insert = self
            .connection
            .prepare_cached(
                "INSERT INTO item (id, owner, name, complexity, price, created)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .expect("the statement is right");
        for item in items {
            let Item { id, owner, name, complexity, price, created_ms, tags: _ } = item;
            insert
                .execute(params![id, owner, name, complexity, price, created_ms])
                .expect("the row is new");
        }
        self.connection.execute_batch("COMMIT").expect("the file can be written");
    }
}
