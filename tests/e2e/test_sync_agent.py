"""Several processes on one synced file: one syncs it, all write, and a killed one is replaced.

Each write creates one object and adds one to a counter, in one transaction: a change applied twice
shows in the counter, one that is lost shows in both.
"""

import random
from contextlib import AsyncExitStack

import pytest
import trio

from skerry import ConnectionState, Realm, SessionState, SyncConfiguration
from skerry.errors import DownloadingRealmTimeoutError
from tests.support.app_config import READ_ALL_WRITE_OWN
from tests.support.device_process import COUNTER
from tests.support.devices import Item, log_in, oid, open_app, open_device, settle
from tests.support.shared_file_process import open_peer
from tests.support.waiting import within

SYSTEM = {"role": READ_ALL_WRITE_OWN}
ROUNDS = 3
WRITES_MAX = 8


async def prepare(system):
    """Make the file, with its counter."""
    async with system.device("shared") as device:
        await device.add(COUNTER)
        await settle(device)


def as_told(objects):
    """Return objects as JSON has them."""
    return {key: list(row) for key, row in objects.items()}


@pytest.mark.parametrize("seed", [1, 2])
async def test_agents_are_killed_and_everything_arrives_once(system, seed):
    """Replayed by its seed; how far a process comes before it is killed also depends on timing."""
    chance, written, number = random.Random(seed), set(), 0
    await prepare(system)
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(open_peer(system, "shared"))
        other = await stack.enter_async_context(open_peer(system, "shared"))
        for round_number in range(ROUNDS):
            where = f"seed {seed}, round {round_number}"
            assert [await agent.ask("is-agent"), await other.ask("is-agent")] == [True, False]
            counts = [chance.randrange(1, WRITES_MAX + 1) for _ in range(2)]
            for peer, count in zip((agent, other), counts, strict=True):
                await peer.tell(f"write {number} {count}")
                number += count
            # Killed after some of its writes, while others are on the way to the server.
            for _ in range(chance.randrange(counts[0] + 1)):
                written.add(await agent.answer(f"write, {where}"))
            written.update(await agent.kill())
            for _ in range(counts[1]):
                written.add(await other.answer(f"write, {where}"))
            assert await other.ask("agent") is True, where
            agent, other = other, await stack.enter_async_context(open_peer(system, "shared"))
        for peer in (other, agent, other):
            assert await peer.ask("upload") is True
            assert await peer.ask("download") is True
        shown = [await peer.ask("objects") for peer in (agent, other)]
        assert [await peer.ask("errors") for peer in (agent, other)] == [[], []]
    server = as_told(await system.audit())
    assert shown == [server, server], f"seed {seed}"
    counter = server.pop(oid(COUNTER).hex)
    assert {oid(number).hex for number in written} <= set(server), f"seed {seed}"
    assert counter[4] == len(server) > 0, f"seed {seed}"


async def test_waits_of_a_process_that_is_not_the_agent_follow_the_file(system):
    await prepare(system)
    async with open_peer(system, "shared") as agent, open_peer(system, "shared") as other:
        assert await other.ask("write 1 1") == 1
        assert await other.ask("upload") is True
        assert oid(1).hex in await system.audit()
        async with system.device("elsewhere") as device:
            await settle(device)
            await device.change(1, name="from elsewhere")
            await device.session.upload_all_local_changes()
        assert await other.ask("download") is True
        assert (await other.ask("objects"))[oid(1).hex][2] == "from elsewhere"
        assert await other.ask("subscribe 0") is True
        assert await other.ask("objects") == {}
        assert [await agent.ask("is-agent"), await other.ask("is-agent")] == [True, False]


async def hold(system, may_end, task_status):
    """Keep the shared device open in an app of its own, in this process."""
    async with system.device("shared") as device:
        task_status.started(device)
        await may_end.wait()


async def test_two_apps_of_one_process_are_as_two_processes(system):
    await prepare(system)
    may_end = trio.Event()
    async with trio.open_nursery() as nursery:
        first = await nursery.start(lambda task_status: hold(system, may_end, task_status))
        async with system.device("shared") as second:
            assert (first.session.is_sync_agent, second.session.is_sync_agent) == (True, False)
            await second.add(1)
            await second.session.upload_all_local_changes()
            await first.until(lambda objects: oid(1).hex in objects, "the other app's write")
            assert second.session.state is SessionState.ACTIVE
            assert second.session.connection_state is ConnectionState.DISCONNECTED
            changes = second.session.connection_state_changes()
            may_end.set()
            with within("the other app takes over"):
                while not second.session.is_sync_agent:
                    await anext(changes)
            await second.add(2)
            await settle(second)
            assert set(await system.audit()) == {oid(number).hex for number in (1, 2, COUNTER)}


async def test_compensating_writes_are_told_where_the_file_is_synced(system):
    """And undone for all, whoever made the write."""
    async with system.device("owner", "bob") as owner:
        await owner.add(7, name="bob's")
        await settle(owner)
    async with system.device("shared") as agent, system.device("shared") as other:
        await settle(agent)
        await other.change(7, name="not mine")
        await agent.until_rejected(1)
        await other.until(lambda objects: objects[oid(7).hex][2] == "bob's", "it is undone")
        await other.session.download_all_server_changes()
        assert other.errors == []


def in_vain(user, seconds):
    """Return the configuration of a file that waits for a server that is not there."""
    return SyncConfiguration(user, [Item], name="late", wait_for_initial_remote_data=seconds)


async def test_a_file_that_could_not_be_opened_as_asked_leaves_nothing(system):
    system.proxy.is_down = True
    folder = system.folder / "devices" / "shared"
    async with open_app(system.server.http_url, folder) as app:
        configuration = in_vain(await log_in(app, await system.register("alice")), 0.5)
        with pytest.raises(DownloadingRealmTimeoutError):
            async with Realm.open(configuration):
                pytest.fail("it was opened")
        assert list(configuration.path.parent.iterdir()) == []


async def test_a_file_that_another_app_has_open_is_not_removed(system):
    system.proxy.is_down = True
    folder = system.folder / "devices" / "shared"
    async with (
        open_app(system.server.http_url, folder) as first,
        open_app(system.server.http_url, folder) as second,
        trio.open_nursery() as nursery,
    ):
        configuration = in_vain(await log_in(first, await system.register("alice")), 2)
        has_failed = trio.Event()

        async def open_in_vain():
            with pytest.raises(DownloadingRealmTimeoutError):
                async with Realm.open(configuration):
                    pytest.fail("it was opened")
            has_failed.set()

        nursery.start_soon(open_in_vain)
        while not configuration.path.exists():
            await trio.lowlevel.checkpoint()
        user = await log_in(second, await system.register("alice"))
        async with open_device(second, user, name="late") as late:
            with within("the first open fails"):
                await has_failed.wait()
            await late.subscribe("TRUEPREDICATE")
            await late.add(1)
            assert configuration.path.exists()
            assert set(late.objects) == {oid(1).hex}
