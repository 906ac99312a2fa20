"""From `write` on one device to the object on another, through a server process.

The clock starts before the writer asks for the lock and stops when the reader's `changed()` has
woken and `find` returns the object. One write is under way at a time.
"""

from pathlib import Path
from time import perf_counter

from benches.python.rig import add, open_realm, percentile, print_table, until_found
from tests.support.system import running_system

WRITES = 400
WARM_UP = 20


async def run(folder: Path) -> None:
    """Measure and print."""
    total_ms: list[float] = []
    written_ms: list[float] = []
    async with (
        running_system(folder, is_direct=True) as system,
        open_realm(system, "writer") as writer,
        open_realm(system, "reader") as reader,
    ):
        for number in range(WARM_UP + WRITES):
            start = perf_counter()
            await add(writer, number)
            written = perf_counter()
            await until_found(reader, number)
            if number >= WARM_UP:
                written_ms.append((written - start) * 1e3)
                total_ms.append((perf_counter() - start) * 1e3)
    rows = [("ms", "p50", "p95", "max")]
    for name, times in (("write returns", written_ms), ("seen on the other device", total_ms)):
        times.sort()
        shown = (percentile(times, 0.5), percentile(times, 0.95), times[-1])
        rows.append((name, *(f"{value:.2f}" for value in shown)))
    print_table(f"device to device over loopback sockets, {WRITES} writes", rows)
