"""Table (d) of "one million Items": sizes of a file, compacting, opening, and memory.

Each file is made by a process of its own, whose peak is measured; rows are made as they are
inserted. `SKERRY_BENCH_ROWS` sets their number, 100,000 if it is not set.
"""

import json
import os
import resource
import sys
from pathlib import Path
from time import perf_counter, time

import trio

from benches.python.items import Item, row
from benches.python.queries import QUERIES
from benches.python.rig import print_table
from skerry import Schema, _core
from skerry.client.transaction import Transaction

BATCH = 1000
OPENINGS = 20


def _peak_mb() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _measure(path: Path, count: int, *, synced: bool) -> dict[str, str]:
    schema = Schema([Item])
    file = _core.RealmFile.open(str(path), schema.to_json(), synced=synced)
    if synced:
        file.commit_subscriptions([("0" * 24, None, "Item", "TRUEPREDICATE", 0, 0)], 0)
    start_mb = _peak_mb()
    for start in range(0, count, BATCH):
        core = file.begin_write(60_000)
        Transaction(schema, core).add_all(Item, (row(n) for n in range(start, start + BATCH)))
        core.commit(int(time() * 1000))
    inserted_mb = _peak_mb()
    file.close()
    found = {"file after inserting, bytes": f"{path.stat().st_size:,}"}
    begin = perf_counter()
    assert _core.compact_file(str(path))
    found["compact(): bytes"] = f"{path.stat().st_size:,}"
    found["compact(): s"] = f"{perf_counter() - begin:.2f}"
    openings = []
    for _ in range(OPENINGS):
        begin = perf_counter()
        file = _core.RealmFile.open(str(path), schema.to_json(), synced=synced)
        file.snapshot().count("Item", "FALSEPREDICATE", ())
        openings.append(perf_counter() - begin)
        file.close()
    found["open and read, warm, ms"] = f"{sorted(openings)[OPENINGS // 2] * 1e3:.2f}"
    file = _core.RealmFile.open(str(path), schema.to_json(), synced=synced)
    snapshot = file.snapshot()
    for query in QUERIES:
        snapshot.count("Item", query, ())
        snapshot.count("Item", query, ())
    found["peak memory before, MB"] = f"{start_mb:.0f}"
    found["peak memory after inserting, MB"] = f"{inserted_mb:.0f}"
    found["peak memory after all queries, MB"] = f"{_peak_mb():.0f}"
    return found


async def run(folder: Path) -> None:
    """Measure and print."""
    count = int(os.environ.get("SKERRY_BENCH_ROWS", "100000"))
    measured = {}
    for name in ("local", "synced"):
        command = [sys.executable, "-m", "benches.python.million_file", name, str(count)]
        command.append(str(folder / f"{name}.realm"))
        printed = await trio.run_process(command, capture_stdout=True)
        measured[name] = json.loads(printed.stdout)
    table = [("what", *measured)]
    table += [(what, *(found[what] for found in measured.values())) for what in measured["local"]]
    print_table(f"one million Items: the file, with {count}", table)


if __name__ == "__main__":
    _name, _count, _path = sys.argv[1:]
    json.dump(_measure(Path(_path), int(_count), synced=_name == "synced"), sys.stdout)
