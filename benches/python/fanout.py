"""Ten thousand changes of one device, each a changeset of its own, at ten other devices.

The writer makes them while it is paused; the clock runs from `resume` until the last device has the
last of them. The devices share one process and thus one core; the server has the other.
"""

import os
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter, process_time

import trio

from benches.python.rig import add, cpu_s, open_realm, print_table, until_found
from tests.support.system import running_system

CHANGES = 10_000
DEVICES = 10


async def run(folder: Path) -> None:
    """Measure and print."""
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        system = await enter(running_system(folder, is_direct=True))
        writer = await enter(open_realm(system, "writer", synchronous="normal"))
        readers = [await enter(open_realm(system, f"reader {at}")) for at in range(DEVICES)]
        writer.sync_session.pause()
        for number in range(CHANGES):
            await add(writer, number)
        server_s, devices_s, start = cpu_s(system.server.pid), process_time(), perf_counter()
        writer.sync_session.resume()
        await writer.sync_session.upload_all_local_changes()
        uploaded_s = perf_counter() - start
        async with trio.open_nursery() as nursery:
            for reader in readers:
                nursery.start_soon(until_found, reader, CHANGES - 1)
        took_s = perf_counter() - start
        server_s = cpu_s(system.server.pid) - server_s
        devices_s = process_time() - devices_s
        peak_mb = system.server.memory_peak_bytes() / 1e6
    rows = [
        ("what", "value"),
        ("uploaded and acknowledged after, s", f"{uploaded_s:.2f}"),
        ("at all ten devices after, s", f"{took_s:.2f}"),
        ("changes delivered per second, all devices", f"{CHANGES * DEVICES / took_s:,.0f}"),
        ("server, processor s", f"{server_s:.2f}"),
        ("devices, processor s (eleven of them)", f"{devices_s:.2f}"),
        ("server, peak MB", f"{peak_mb:.0f}"),
        ("processors", str(os.cpu_count())),
    ]
    print_table(f"{CHANGES:,} changes to {DEVICES} devices", rows)
