"""SIGKILL of the server and of devices, amid uploads and bootstraps: all come back.

Each upload adds one to a counter and creates one object, in one transaction: a change applied twice
shows in the counter, one that is lost shows in both.
"""

import subprocess
import sys
from pathlib import Path

import pytest
import trio

from skerry.errors import SyncConnectFailedError
from tests.support.app_config import READ_ALL_WRITE_OWN
from tests.support.device_process import COUNTER, write_one
from tests.support.devices import Item, oid, settle
from tests.support.proxy import Verdict
from tests.support.waiting import within

SYSTEM = {"role": READ_ALL_WRITE_OWN}
KILLS = 3
ITEMS = 3_000
ROOT = Path(__file__).parents[2]


async def test_server_killed_in_the_middle_of_uploads(system):
    """Killed three times; each time, what it had acknowledged is there before the device is."""
    written_at, checked = {}, 0
    async with system.device("writer", "alice") as device:
        await device.add(COUNTER)
        await settle(device)
        for round_number in range(KILLS):
            reached = cut_after_uploads(system, 3 + round_number)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(write_on, device, written_at)
                with within("the uploads reach the kill"):
                    await reached.wait()
                system.proxy.shut_out = {device.user.id}
                system.server.kill()
                nursery.cancel_scope.cancel()
            await system.server.start()
            checked += await check_acknowledged(system, device.user.id, written_at)
            system.proxy.shut_out = set()
            reconnect(device)
        await settle(device)
        server = await system.audit()
        assert device.objects == server
        # That the server could not be reached is told; nothing was undone.
        assert all(isinstance(error, SyncConnectFailedError) for error in device.errors)
    assert checked > 0, "nothing had been acknowledged at any kill"
    assert server.pop(oid(COUNTER).hex)[4] == len(server)
    assert set(server) >= {oid(number).hex for number in written_at}


async def write_on(device, written_at):
    """Write until cancelled, noting by which client version each object is in the file."""
    while True:
        number = await write_one(device)
        written_at[number] = device.realm.version


def cut_after_uploads(system, count):
    """Cut the link after that many UPLOADs with changes; return the event of its being cut."""
    reached = trio.Event()
    left = count

    def rule(frame):
        nonlocal left
        if not frame.is_upload_of_changes():
            return Verdict.PASS
        left -= 1
        if left == 0:
            reached.set()
        return Verdict.CUT_AFTER if left == 0 else Verdict.PASS

    system.proxy.rule = rule
    return reached


def reconnect(device):
    """Connect at once; a pause between attempts is not what is tested here."""
    device.session.pause()
    device.session.resume()


async def check_acknowledged(system, user_id, written_at):
    """Assert that the server has all it has acknowledged, each once; return how many."""
    acknowledged = max(
        (frame.acknowledged for frame in system.proxy.to_user(user_id) if frame.is_download()),
        default=0,
    )
    server = await system.audit("bob")
    counter = server.pop(oid(COUNTER).hex)
    expected = {number for number, version in written_at.items() if version <= acknowledged}
    missing = {number for number in expected if oid(number).hex not in server}
    assert missing == set(), f"acknowledged up to client version {acknowledged}"
    assert counter[4] == len(server)
    return len(expected)


@pytest.mark.parametrize(("batch_state", "skip"), [(0, 0), (0, 2), (1, 0)])
async def test_device_killed_in_the_middle_of_a_bootstrap(system, batch_state, skip):
    """Killed when the first, the third, or the last message of the bootstrap has been sent."""
    async with system.device("writer", "alice") as device:

        def fill(txn):
            for number in range(ITEMS):
                txn.add(Item(_id=oid(number), ownerId=device.user.id, name=name_of(number)))

        await device.write(fill)
        await settle(device)
        expected = device.objects
    command = await victim_command(system, "read", "bob")
    is_time, left = trio.Event(), skip

    def rule(frame):
        nonlocal left
        # The bootstrap of the subscription; that of the new file, version 0, is another.
        if frame.is_download(batch_state) and frame.query_version == 1:
            left -= 1
            if left < 0:
                is_time.set()
        return Verdict.PASS

    system.proxy.rule = rule
    with start(command) as victim:
        with within("the bootstrap of the victim reaches that message"):
            await is_time.wait()
        victim.kill()
        out, _ = victim.communicate(timeout=10)
    system.proxy.pass_all()
    assert (victim.returncode, out) == (-9, "")
    with start(command) as again:
        out, _ = await trio.to_thread.run_sync(again.communicate, None, 30)
    assert (again.returncode, out) == (0, f"{ITEMS}\n")
    async with system.device("victim", "bob") as device:
        await settle(device)
        assert device.objects == expected
        assert device.errors == []


async def test_device_killed_in_the_middle_of_uploads(system):
    """What it had committed is in its file, goes out once it is back, and counts once."""
    async with system.device("victim", "alice") as device:
        await device.add(COUNTER)
        await settle(device)
    reached = cut_after_uploads(system, 5)
    with start(await victim_command(system, "write", "alice")) as victim:
        with within("the victim's uploads reach the kill"):
            await reached.wait()
        victim.kill()
        victim.communicate(timeout=10)
    assert victim.returncode == -9
    async with system.device("victim", "alice") as device:
        committed = device.objects
        await settle(device)
        server = await system.audit()
        assert device.objects == server == committed
        assert device.errors == []
    assert server.pop(oid(COUNTER).hex)[4] == len(server) > 0


async def victim_command(system, task, user):
    """Return the command of a device in a process of its own."""
    email = await system.register(user)
    folder = system.folder / "devices" / "victim"
    module = (sys.executable, "-m", "tests.support.device_process")
    return [*module, task, system.server.http_url, str(folder), email]


def start(command):
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def name_of(number):
    """Return a text that does not compress, so that the bootstrap takes many messages."""
    return "".join(chr(33 + (number * 7919 + i * i * 104_729) % 90) for i in range(200))
