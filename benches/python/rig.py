"""Devices as an application has them: each an `App` of its own, so that each has its own socket.

Unlike the devices of the tests they commit with the default durability.
"""

import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from skerry import Realm, SyncConfiguration, where
from tests.support.devices import Item, log_in, oid, open_app
from tests.support.system import System

DEADLINE_S = 300.0


@asynccontextmanager
async def open_realm(
    system: System, name: str, *, synchronous: str = "full"
) -> AsyncIterator[Realm]:
    """Open the realm of a device that has everything there is."""
    email = await system.register("alice")
    folder = system.folder / "devices" / name
    async with open_app(system.server.http_url, folder) as app:
        configuration = SyncConfiguration(
            await log_in(app, email),
            [Item],
            initial_subscriptions=lambda subs: subs.add(where(Item, "complexity >= 0")),
            synchronous=synchronous,
        )
        async with Realm.open(configuration) as realm:
            with trio.fail_after(DEADLINE_S):
                await realm.subscriptions.wait_for_synchronization()
            yield realm


async def add(realm: Realm, number: int) -> None:
    """Create an object in a transaction of its own."""
    owner = realm.sync_session.user.id
    async with realm.write() as txn:
        txn.add(Item(_id=oid(number), ownerId=owner, complexity=number % 10, name="a small object"))


async def until_found(realm: Realm, number: int) -> None:
    """Wait until a device shows an object."""
    changes = realm.changed()
    with trio.fail_after(DEADLINE_S):
        while realm.find(Item, oid(number)) is None:
            await anext(changes)


def percentile(sorted_values: Sequence[float], share: float) -> float:
    """Return the smallest value that is not below `share` of them."""
    return sorted_values[max(0, math.ceil(share * len(sorted_values)) - 1)]


def cpu_s(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def print_table(title: str, rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a title: the first column to the left, the others to the right."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    print(f"\n{title}")
    for first, *rest in rows:
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        print("  " + "  ".join(cells).rstrip())
