"""Tables (a), (c) and (d) of "one million Items" from Python, beside sqlite3 and ObjectBox.

`SKERRY_BENCH_ROWS` sets the number of rows, 100,000 if it is not set; what the reference does on
100,000 objects is done on a tenth of the rows here. Rows are made before the clock starts. "synced"
is a file that keeps history for a server, with no server; "local" keeps none. sqlite3 has
hand-written SQL with a table for the tags; ObjectBox has the tags as one text, for it has no lists of
texts. Every store flushes at each commit, sqlite3 in WAL mode with synchronous=FULL as Skerry does.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, time

from benches.python.items import Item, Row, draws, key, row
from benches.python.rig import print_table
from skerry import Schema, _core
from skerry.client.transaction import Transaction

BATCH = 1000
SINGLES = 2000
QUERY_CACHE_BYTES = 256 << 20


class Skerry:
    """A realm file through transactions and snapshots, as `Realm` uses them."""

    def __init__(self, folder: Path, *, synced: bool) -> None:
        self.path = folder / f"skerry-{'synced' if synced else 'local'}.realm"
        self._schema = Schema([Item])
        self._file = _core.RealmFile.open(str(self.path), self._schema.to_json(), synced=synced)
        if synced:
            query = (b"\0" * 12, None, "Item", "TRUEPREDICATE", 0, 0)
            self._file.commit_subscriptions([query], 0)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        core = self._file.begin_write(60_000)
        yield Transaction(self._schema, core)
        core.commit(int(time() * 1000))

    def insert(self, rows: Sequence[Row]) -> None:
        with self.write() as txn:
            txn.add_all(Item, rows)

    def insert_models(self, rows: Sequence[Item]) -> None:
        with self.write() as txn:
            txn.add_all(Item, rows)

    def insert_one(self, one: Row) -> None:
        with self.write() as txn:
            txn.add(Item(**one))

    def update(self, changes: Sequence[tuple[int, int]]) -> None:
        with self.write() as txn:
            for number, complexity in changes:
                item = txn.find(Item, key(number))
                assert item is not None
                item.complexity = complexity

    def delete(self, numbers: Sequence[int]) -> None:
        with self.write() as txn:
            for number in numbers:
                txn.delete(txn.find(Item, key(number)))

    def close(self) -> None:
        self._file.close()

    @property
    def size(self) -> int:
        return self.path.stat().st_size


class Sqlite:
    """The same with sqlite3."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "sqlite.db"
        self._db = sqlite3.connect(self.path, isolation_level=None)
        self._db.executescript(
            """
            PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
            CREATE TABLE item (row_id INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,
                owner TEXT NOT NULL, name TEXT NOT NULL, complexity INTEGER NOT NULL,
                price REAL NOT NULL, created INTEGER NOT NULL) STRICT;
            CREATE TABLE tag (item INTEGER NOT NULL, position INTEGER NOT NULL, tag TEXT NOT NULL,
                PRIMARY KEY (item, position)) STRICT, WITHOUT ROWID;
            """
        )

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        yield self._db
        self._db.execute("COMMIT")

    def insert(self, rows: Sequence[Row]) -> None:
        with self.write() as db:
            for one in rows:
                self._insert(db, one)

    def insert_one(self, one: Row) -> None:
        with self.write() as db:
            self._insert(db, one)

    def _insert(self, db: sqlite3.Connection, one: Row) -> None:
        created = int(one["created"].timestamp() * 1000)
        made = db.execute(
            "INSERT INTO item VALUES (NULL, ?, ?, ?, ?, ?, ?)",
            (
                one["_id"].binary,
                one["ownerId"],
                one["itemName"],
                one["complexity"],
                one["price"],
                created,
            ),
        )
        db.executemany(
            "INSERT INTO tag VALUES (?, ?, ?)",
            [(made.lastrowid, position, tag) for position, tag in enumerate(one["tags"])],
        )

    def find(self, identifier: bytes) -> int:
        found = self._db.execute("SELECT complexity FROM item WHERE id = ?", (identifier,))
        complexity: int = found.fetchone()[0]
        return complexity

    def update(self, changes: Sequence[tuple[int, int]]) -> None:
        with self.write() as db:
            db.executemany(
                "UPDATE item SET complexity = ? WHERE id = ?",
                [(complexity, key(number).binary) for number, complexity in changes],
            )

    def delete(self, numbers: Sequence[int]) -> None:
        with self.write() as db:
            for number in numbers:
                db.execute(
                    "DELETE FROM tag WHERE item = (SELECT row_id FROM item WHERE id = ?)",
                    (key(number).binary,),
                )
                db.execute("DELETE FROM item WHERE id = ?", (key(number).binary,))

    def close(self) -> None:
        self._db.close()

    @property
    def size(self) -> int:
        return self.path.stat().st_size


def timed(work: Callable[[], object]) -> float:
    """Return how long it takes, in seconds."""
    start = perf_counter()
    work()
    return perf_counter() - start
