"""Tables (a), (c) and (d) of "one million Items" from Python, beside sqlite3 and ObjectBox.

`SKERRY_BENCH_ROWS` sets the number of rows, 100,000 if it is not set; what the reference does on
100,000 objects is done on a tenth of the rows here. Rows are made before the clock starts. "synced"
is a file that keeps history for a server, with no server; "local" keeps none. sqlite3 has
hand-written SQL with a table for the tags; ObjectBox has the tags as one text, for it has no lists
of texts. Every store flushes at each commit; sqlite3 and Skerry in WAL mode with synchronous=FULL.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, time

from benches.python.items import Item, Row, draws, key, row
from benches.python.million_peers import ObjectBox, Sqlite, Store, is_objectbox_there
from benches.python.rig import print_table
from skerry import ObjectId, Schema, _core
from skerry.client.reader import Reader
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
            query = ("0" * 24, None, "Item", "TRUEPREDICATE", 0, 0)
            self._file.commit_subscriptions([query], 0)
        self._reader: Reader | None = None

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        core = self._file.begin_write(60_000)
        yield Transaction(self._schema, core)
        core.commit(int(time() * 1000))

    def insert(self, rows: Sequence[Row]) -> None:
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

    def begin_reading(self) -> None:
        self._reader = Reader(self._schema, self._file.snapshot(), None)  # type: ignore[arg-type]

    def find(self, number: int, identifier: ObjectId) -> int:
        assert self._reader is not None
        found = self._reader.get(Item, identifier)
        assert found is not None
        return found.complexity

    def delete(self, numbers: Sequence[int]) -> None:
        with self.write() as txn:
            for number in numbers:
                item = txn.find(Item, key(number))
                assert item is not None
                txn.delete(item)

    def close(self) -> None:
        self._reader = None
        self._file.close()

    @property
    def size(self) -> int:
        return self.path.stat().st_size


def timed(work: Callable[[], object]) -> float:
    """Return how long it takes, in seconds."""
    start = perf_counter()
    work()
    return perf_counter() - start


def phases(store: Store, count: int, rows: Sequence[Row]) -> dict[str, str]:
    """Run the phases of the reference on an empty store."""
    tenth, found = count // 10, {}
    inserting = sum(
        timed(lambda start=start: store.insert(rows[start : start + BATCH]))  # type: ignore[misc]
        for start in range(0, count, BATCH)
    )
    found["insert, transactions of 1,000, objects/s"] = f"{count / inserting:,.0f}"
    extra = [row(number) for number in range(count, count + SINGLES)]
    singles = sum(timed(lambda one=one: store.insert_one(one)) for one in extra)  # type: ignore[misc]
    found["single-object transaction, ms"] = f"{singles / SINGLES * 1e3:.3f}"
    draw = draws(7)
    numbers = [next(draw) % count for _ in range(tenth)]
    keys = [key(number) for number in numbers]
    store.begin_reading()

    def look_up() -> None:
        for number, identifier in zip(numbers, keys, strict=True):
            store.find(number, identifier)

    found["look up by key and read an int, us"] = f"{timed(look_up) / tenth * 1e6:.2f}"
    draw = draws(99)
    changes = [(next(draw) % count, index * 7 % 10) for index in range(tenth)]
    found["set an int of a tenth, 1 transaction, us each"] = (
        f"{timed(lambda: store.update(changes)) / tenth * 1e6:.2f}"
    )
    many = sum(
        timed(lambda start=start: store.update(changes[start : start + 100]))  # type: ignore[misc]
        for start in range(0, tenth, 100)
    )
    found["the same, transactions of 100, ms each"] = f"{many / (tenth / 100) * 1e3:.2f}"
    found["delete a tenth, 1 transaction, us each"] = (
        f"{timed(lambda: store.delete(range(0, count, 10))) / tenth * 1e6:.2f}"
    )
    store.close()
    found["file after all of it, MB"] = f"{store.size / 1e6:.1f}"
    return found


def sizes(folder: Path, rows: Sequence[Row], *, synced: bool) -> str:
    """Return the size of a file after inserting alone."""
    store = Skerry(folder, synced=synced)
    for start in range(0, len(rows), BATCH):
        store.insert(rows[start : start + BATCH])
    store.close()
    return f"{store.size / len(rows):.0f}"


async def run(folder: Path) -> None:
    """Measure and print."""
    count = int(os.environ.get("SKERRY_BENCH_ROWS", "100000"))
    rows = [row(number) for number in range(count)]
    stores: dict[str, Callable[[], Store]] = {
        "local": lambda: Skerry(folder / "local", synced=False),
        "synced": lambda: Skerry(folder / "synced", synced=True),
        "sqlite3": lambda: Sqlite(folder / "sqlite"),
    }
    if is_objectbox_there():
        stores["ObjectBox"] = lambda: ObjectBox(folder / "objectbox")
    measured: dict[str, dict[str, str]] = {}
    for name, make in stores.items():
        (folder / name.lower()).mkdir()
        (folder / "sqlite").mkdir(exist_ok=True)
        measured[name] = phases(make(), count, rows)
    names = list(measured)
    table = [("phase", *names)]
    table += [(phase, *(measured[name][phase] for name in names)) for phase in measured["local"]]
    for name, synced in (("local", False), ("synced", True)):
        (folder / f"size-{name}").mkdir()
        size = sizes(folder / f"size-{name}", rows, synced=synced)
        table.append((f"{name} file after insert, bytes an object", size, *[""] * (len(names) - 1)))
    print_table(f"one million Items, with {count}, from Python", table)
