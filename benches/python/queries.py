"""The queries of the reference workload through the public API, with columns in memory and without.

Rows are those of "one million Items", by its generator, without `tags`. `SKERRY_BENCH_ROWS` sets
their number, 100,000 if it is not set. Each time is the best of several; the clock covers making
the results, too.
"""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

from benches.python.rig import print_table
from skerry import Configuration, ObjectId, Realm, RealmObject, primary_key

REPEATS = 5
MASK = (1 << 64) - 1
YEAR_2020_S = 1_577_836_800
QUERIES = (
    "complexity <= 4",
    'ownerId == "fb2c78c38a3c9338e6e9057d"',
    'itemName CONTAINS[c] "abc"',
    'itemName BEGINSWITH "ab" AND complexity IN {1,3,5}',
    "price BETWEEN {10,20} SORT(created DESC) LIMIT(100)",
)


class Item(RealmObject):
    _id: ObjectId = primary_key()
    ownerId: str  # noqa: N815 - the reference's name
    itemName: str  # noqa: N815 - the reference's name
    complexity: int
    price: float
    created: datetime


def draws(seed: int) -> Iterator[int]:
    """Yield the numbers of the reference's generator."""
    state = seed
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        yield state >> 33


def owner(number: int) -> str:
    """Return the owner of that number, 0 to 999."""
    draw = draws(1000003 * (number + 1))
    return "".join("0123456789abcdef"[next(draw) & 15] for _ in range(24))


def item(number: int, owners: list[str]) -> Item:
    """Return the row of that number."""
    draw = draws((number * 2654435761 + 42) & MASK)
    next(draw)
    next(draw)
    owned_by = owners[next(draw) % 1000]
    letters = (next(draw) % 27 for _ in range(16 + next(draw) % 9))
    name = "".join(" " if letter == 26 else chr(97 + letter) for letter in letters)
    complexity, price = next(draw) % 10, next(draw) % 10000 / 100.0
    start = datetime(2020, 1, 1, tzinfo=UTC)
    key = (YEAR_2020_S + number).to_bytes(4) + b"\xa5" * 4 + number.to_bytes(4)
    return Item(
        _id=ObjectId(key.hex()),
        ownerId=owned_by,
        itemName=name,
        complexity=complexity,
        price=price,
        created=start + timedelta(seconds=next(draw) % 157680000),
    )


def best_ms(work: Callable[[], object]) -> float:
    """Return the shortest time of several."""
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        work()
        times.append((perf_counter() - start) * 1e3)
    return min(times)


async def measure(configuration: Configuration, text: str) -> tuple[int, float, float, float]:
    """Return the number of rows, and ms of the first count, of counting and of reading objects."""
    async with Realm.open(configuration) as realm:
        start = perf_counter()
        rows = len(realm.query(Item, text))
        first_ms = (perf_counter() - start) * 1e3
        count_ms = best_ms(lambda: len(realm.query(Item, text)))
        read_ms = best_ms(lambda: sum(1 for _ in realm.query(Item, text)))
    return rows, first_ms, count_ms, read_ms


def best_us(work: Callable[[], object], count: int) -> str:
    """Return the time of one of `count`, shown."""
    return f"{best_ms(work) * 1e3 / count:.2f}"


async def measure_results(configuration: Configuration, count: int) -> None:
    """Print what looking at results costs."""
    async with Realm.open(configuration) as realm:
        some = realm.query(Item, "complexity <= 4")
        found = len(some)
        keys = [one._id for one in realm.query(Item, "complexity <= 4 LIMIT(10000)")]
        rows = [
            ("what", "us"),
            ("query, checked", best_us(lambda: realm.query(Item, "complexity <= 4"), 1)),
            ("list(results), each", best_us(lambda: list(some[:]), found)),
            ("first", best_us(realm.query(Item, "complexity <= 4").first, 1)),
            ("find, each", best_us(lambda: [realm.find(Item, key) for key in keys], len(keys))),
            ("sum", best_us(lambda: some.sum("price"), 1)),
            ("to_pyarrow, each row", best_us(realm.objects(Item).to_pyarrow, count)),
            ("to_pandas, each row", best_us(realm.objects(Item).to_pandas, count)),
            ("to_polars, each row", best_us(realm.objects(Item).to_polars, count)),
        ]
    print_table(f"results of {count} objects", rows)


async def run(folder: Path) -> None:
    """Measure and print."""
    count = int(os.environ.get("SKERRY_BENCH_ROWS", "100000"))
    cached = Configuration([Item], directory=folder, name="items", synchronous="normal")
    plain = Configuration([Item], directory=folder, name="items", query_cache_bytes=0)
    owners = [owner(number) for number in range(1000)]
    async with Realm.open(cached) as realm:
        for first in range(0, count, 10_000):
            async with realm.write() as txn:
                for number in range(first, min(first + 10_000, count)):
                    txn.add(item(number, owners))
    rows = [("query", "rows", "first", "count", "objects", "no cache", "objects")]
    for text in QUERIES:
        found, *times = await measure(cached, text)
        _, _, plain_count, plain_read = await measure(plain, text)
        shown = (f"{ms:.2f}" for ms in (*times, plain_count, plain_read))
        rows.append((text, str(found), *shown))
    print_table(f"queries on {count} objects through the Python API, ms", rows)
    await measure_results(cached, count)
