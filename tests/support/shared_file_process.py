"""A device in a process of its own, whose file another process has open as well.

Run as ``python -m tests.support.shared_file_process BASE_URL FOLDER EMAIL``. It answers each line
on its input with a line of JSON: ``agent`` waits until this process syncs the file, ``is-agent``
says whether it does; ``write FIRST COUNT`` creates so many objects, each in a transaction that also
adds one to the counter, and answers once for each; ``upload``, ``download`` and ``subscribe LEVEL``
wait for the session; ``objects`` tells what the realm shows; ``errors`` what the error handler was
told of. It ends with its input.
"""

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from skerry import Transaction
from tests.support.device_process import COUNTER
from tests.support.devices import Device, Item, log_in, oid, open_app, open_device
from tests.support.system import System
from tests.support.waiting import within

ROOT = Path(__file__).parents[2]


async def until_agent(device: Device) -> None:
    """Wait until this process syncs the file; its connection begins then."""
    changes = device.session.connection_state_changes()
    while not device.session.is_sync_agent:
        await anext(changes)


async def write_counted(device: Device, number: int) -> None:
    """Create an object and count it, in one transaction."""

    def change(txn: Transaction) -> None:
        txn.add(Item(_id=oid(number), ownerId=device.user.id))
        txn.increment(txn.find(Item, oid(COUNTER)), "count")

    await device.write(change)


async def obey(device: Device, task: str, *arguments: str) -> None:
    """Do what a line says, and answer."""
    answer: object = True
    match task:
        case "agent":
            await until_agent(device)
        case "is-agent":
            answer = device.session.is_sync_agent
        case "write":
            first, count = map(int, arguments)
            for number in range(first, first + count):
                await write_counted(device, number)
                say(number)
            return
        case "upload":
            answer = await device.session.upload_all_local_changes()
        case "download":
            answer = await device.session.download_all_server_changes()
        case "subscribe":
            await device.subscribe(f"complexity <= {arguments[0]}")
            answer = await device.realm.subscriptions.wait_for_synchronization()
        case "objects":
            answer = device.objects
        case "errors":
            answer = [type(error).__name__ for error in device.errors]
        case _:
            raise AssertionError(f"no such task: {task}")
    say(answer)


def say(answer: object) -> None:
    """Answer with a line."""
    sys.stdout.write(f"{json.dumps(answer)}\n")
    sys.stdout.flush()


async def run(base_url: str, folder: str, email: str) -> None:
    """Be the device."""
    async with open_app(base_url, Path(folder)) as app:
        user = await log_in(app, email)
        async with open_device(app, user) as device:
            say(device.session.is_sync_agent)
            while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
                await obey(device, *line.split())


class Peer:
    """The test's side of such a process."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._received = b""

    async def ask(self, line: str) -> object:
        """Have something done and return the answer, or the first of them."""
        await self.tell(line)
        return await self.answer(line)

    async def tell(self, line: str) -> None:
        """Have something done."""
        assert self.process.stdin is not None
        await self.process.stdin.send_all(f"{line}\n".encode())

    async def answer(self, what: str) -> object:
        """Return the next answer."""
        assert self.process.stdout is not None
        with within(f"an answer to {what!r}"):
            while b"\n" not in self._received:
                received = await self.process.stdout.receive_some()
                assert received, f"the process ended before it answered to {what!r}"
                self._received += received
        line, _, self._received = self._received.partition(b"\n")
        return json.loads(line)

    async def kill(self) -> list[int]:
        """Kill it and return the answers that nobody has read, of `write`."""
        self.process.kill()
        assert self.process.stdout is not None
        with within("the killed process ends"):
            async for received in self.process.stdout:
                self._received += received
            await self.process.wait()
        lines = self._received.split(b"\n")[:-1]
        return [json.loads(line) for line in lines]


@asynccontextmanager
async def open_peer(system: System, name: str, user: str = "alice") -> AsyncIterator[Peer]:
    """Start a process on the file of that device; at the end it is killed if it still runs."""
    email = await system.register(user)
    module = (sys.executable, "-m", "tests.support.shared_file_process")
    folder = str(system.folder / "devices" / name)
    process = await trio.lowlevel.open_process(
        [*module, system.server.http_url, folder, email],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    peer = Peer(process)
    try:
        await peer.answer("being started")
        yield peer
    finally:
        with trio.CancelScope(shield=True):
            if process.poll() is None:
                process.kill()
            await process.wait()


if __name__ == "__main__":
    trio.run(run, *sys.argv[1:])
