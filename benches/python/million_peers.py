"""What `million` is measured against: sqlite3 with hand-written SQL, and ObjectBox."""

import importlib.util
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from benches.python.items import Row, key
from skerry import ObjectId


class Store(Protocol):
    """What is measured."""

    def insert(self, rows: Sequence[Row]) -> None: ...

    def insert_one(self, one: Row) -> None: ...

    def begin_reading(self) -> None: ...

    def find(self, number: int, identifier: ObjectId) -> int: ...

    def update(self, changes: Sequence[tuple[int, int]]) -> None: ...

    def delete(self, numbers: Sequence[int]) -> None: ...

    def close(self) -> None: ...

    @property
    def size(self) -> int: ...


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

    def begin_reading(self) -> None:
        pass

    def find(self, number: int, identifier: ObjectId) -> int:
        found = self._db.execute("SELECT complexity FROM item WHERE id = ?", (identifier.binary,))
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


def is_objectbox_there() -> bool:
    """Whether ObjectBox is installed; nothing here needs it otherwise."""
    return importlib.util.find_spec("objectbox") is not None


class ObjectBox:
    """The same with ObjectBox, whose keys are ints that it gives."""

    def __init__(self, folder: Path) -> None:
        import objectbox

        @objectbox.Entity()  # type: ignore[untyped-decorator]
        class Item:
            id = objectbox.Id()
            key = objectbox.String()
            owner = objectbox.String()
            name = objectbox.String()
            complexity = objectbox.Int64()
            price = objectbox.Float64()
            created = objectbox.Int64()
            tags = objectbox.String()

        self._folder = folder
        self._item: Any = Item
        self._store = objectbox.Store(
            model=_model(objectbox, Item), directory=str(folder), max_db_size_in_kb=8 << 20
        )
        self._box = self._store.box(Item)
        self._first = 0

    def _make(self, one: Row) -> object:
        return self._item(
            key=one["_id"].hex,
            owner=one["ownerId"],
            name=one["itemName"],
            complexity=one["complexity"],
            price=one["price"],
            created=int(one["created"].timestamp() * 1000),
            tags=",".join(one["tags"]),
        )

    def insert(self, rows: Sequence[Row]) -> None:
        self._box.put([self._make(one) for one in rows])

    def insert_one(self, one: Row) -> None:
        self._box.put(self._make(one))

    def begin_reading(self) -> None:
        pass

    def find(self, number: int, identifier: ObjectId) -> int:
        complexity: int = self._box.get(number + 1).complexity
        return complexity

    def update(self, changes: Sequence[tuple[int, int]]) -> None:
        with self._store.write_tx():
            for number, complexity in changes:
                item = self._box.get(number + 1)
                item.complexity = complexity
                self._box.put(item)

    def delete(self, numbers: Sequence[int]) -> None:
        with self._store.write_tx():
            for number in numbers:
                self._box.remove(number + 1)

    def close(self) -> None:
        self._store.close()

    @property
    def size(self) -> int:
        return (self._folder / "data.mdb").stat().st_size


def _model(objectbox: Any, entity: object) -> object:
    model = objectbox.Model()
    model.entity(entity)
    return model
