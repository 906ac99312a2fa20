"""A local realm of `skerry.aio`: writes, iterators, cancellation both ways, several loops."""

import asyncio
import gc
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import trio

from skerry import Configuration, RealmObject, primary_key
from skerry.aio import Realm, Results
from skerry.aio.waiting import wait, wait_until_over
from skerry.errors import ClosedRealmError, IllegalStateError, LockTimeoutError, SchemaError
from skerry.portal import Portal, PortalOverError, call_soon
from tests.support.portals import DEADLINE_S, Item, configuration, on_thread, portal_threads

ROUNDS = 10


class Other(RealmObject, name="Item"):
    _id: str = primary_key()


def run(main):
    """Run a coroutine as strictly as asyncio can, under a deadline."""

    async def bounded():
        async with asyncio.timeout(DEADLINE_S):
            return await main

    return asyncio.run(bounded(), debug=True)


async def add(realm, key, **values):
    async with realm.write() as txn:
        txn.add(Item(_id=key, **values))


async def add_one(realm):
    async with realm.write() as txn:
        txn.increment(txn.find(Item, 0), "count")


async def started(portal):
    """Wait until everything that this loop began before has begun in the portal."""
    for _ in range(3):
        await asyncio.sleep(0)
        call_soon(portal, lambda: None)


def test_what_is_written_is_read(tmp_path):
    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            await add(realm, 1, count=3)
            results = realm.query(Item, "count > $0", 2)
            assert isinstance(results, Results)
            assert await results.load() is results
            assert [item._id for item in results] == [1]
            assert realm.find(Item, 1) == Item(_id=1, count=3)

    run(main())


def test_a_realm_needs_no_block(tmp_path):
    async def main():
        realm = await Realm.open(configuration(tmp_path))
        await add(realm, 1)
        await realm.close()
        await realm.close()
        with pytest.raises(ClosedRealmError, match=r"things\.realm is closed"):
            realm.changed()
        with pytest.raises(ClosedRealmError, match=r"things\.realm is closed"):
            await add(realm, 2)

    run(main())


def test_a_write_of_one_task_is_seen_by_an_iterator_of_another(tmp_path):
    async def watch(realm, changes, seen):
        async for _version in changes:
            seen.append(len(realm.objects(Item)))
            if seen[-1] == ROUNDS:
                return

    async def main():
        seen = []
        async with Realm.open(configuration(tmp_path)) as realm, asyncio.TaskGroup() as group:
            group.create_task(watch(realm, realm.changed(), seen))
            for key in range(ROUNDS):
                await add(realm, key)
        assert seen[-1] == ROUNDS

    run(main())


def test_an_iterator_begins_when_it_is_made_and_ends_with_its_realm(tmp_path):
    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            changes, other = realm.changed(), realm.changed()
            await add(realm, 1)
            assert await anext(changes) == realm.version
            waiting = asyncio.create_task(anext(changes, "ended"))
            await started(realm.bridge.portal)
            with pytest.raises(RuntimeError, match="another task"):
                await anext(changes)
        assert await waiting == "ended"
        assert [version async for version in changes] == []
        async with other:
            pass

    run(main())


def test_an_iterator_is_closed_under_a_task_that_waits(tmp_path):
    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            changes = realm.changed()
            waiting = asyncio.create_task(anext(changes, "ended"))
            await started(realm.bridge.portal)
            await changes.close()
            assert await waiting == "ended"
            await changes.close()

    run(main())


def test_a_timeout_or_cancellation_loses_no_element(tmp_path):
    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            changes = realm.changed()
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(changes)
            waiting = asyncio.create_task(anext(changes))
            await started(realm.bridge.portal)
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            await add(realm, 1)
            assert await anext(changes) == realm.version

    run(main())


def test_an_exception_or_cancellation_in_a_write_rolls_it_back(tmp_path):
    async def fail(realm):
        async with realm.write() as txn:
            txn.add(Item(_id=1))
            raise ZeroDivisionError("mine")

    async def hang(realm, inside):
        async with realm.write() as txn:
            txn.add(Item(_id=1))
            inside.set()
            await asyncio.Event().wait()

    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            with pytest.raises(ZeroDivisionError, match="mine") as caught:
                await fail(realm)
            assert caught.value.__cause__ is None
            inside = asyncio.Event()
            task = asyncio.create_task(hang(realm, inside))
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert realm.find(Item, 1) is None
            await add(realm, 1)

    run(main())


def test_a_write_inside_a_write_of_the_task_is_refused(tmp_path):
    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            async with realm.write() as txn:
                with pytest.raises(IllegalStateError, match="open in this task already"):
                    await add(realm, 1)
                txn.add(Item(_id=2))
            assert [item._id for item in realm.objects(Item)] == [2]

    run(main())


def test_a_write_waits_for_another_task_s_only_so_long(tmp_path):
    async def short(realm):
        with pytest.raises(LockTimeoutError):
            async with realm.write(0.01):
                pass

    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            async with realm.write():
                await asyncio.create_task(short(realm))
            with pytest.raises(ValueError, match="more than 0"):
                async with realm.write(0):
                    pass

    run(main())


def test_a_cancelled_wait_for_the_lock_leaves_no_writer(tmp_path):
    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            async with realm.write():
                task = asyncio.create_task(add(realm, 1))
                await started(realm.bridge.portal)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            await add(realm, 2)
            assert [item._id for item in realm.objects(Item)] == [2]

    run(main())


def test_a_live_object_belongs_to_the_loop_s_thread(tmp_path):
    def use(item):
        with pytest.raises(IllegalStateError, match="for the thread that opened it"):
            item.count = 2

    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            async with realm.write() as txn:
                item = txn.add(Item(_id=1))
                await asyncio.to_thread(use, item)
                item.count = 3
            assert await asyncio.to_thread(lambda: realm.find(Item, 1).count) == 3

    run(main())


def test_several_loops_use_one_realm(tmp_path):
    async def work(realm):
        for _ in range(ROUNDS):
            await add_one(realm)

    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            await add(realm, 0)
            changes = realm.changed()
            with ThreadPoolExecutor(3) as pool:
                loop = asyncio.get_running_loop()
                runs = [loop.run_in_executor(pool, run, work(realm)) for _ in range(3)]
                await asyncio.gather(*runs)
            assert await anext(changes) == realm.version
            assert realm.find(Item, 0).count == 3 * ROUNDS

    run(main())


def test_a_realm_outlives_the_loop_that_opened_it(tmp_path):
    async def open_one():
        return await Realm.open(configuration(tmp_path))

    async def use(realm):
        await add(realm, 1)
        await realm.close()
        return realm.is_closed

    assert run(use(run(open_one())))


def test_a_realm_that_is_forgotten_closes_by_itself(tmp_path):
    async def main():
        realm = await Realm.open(configuration(tmp_path))
        portal = realm.bridge.portal
        del realm
        gc.collect()
        await wait_until_over(portal)

    run(main())
    assert portal_threads() == []


def test_a_realm_that_cannot_be_opened_leaves_no_thread(tmp_path):
    async def main():
        async with Realm.open(configuration(tmp_path)):
            pass
        other = Configuration([Other], directory=tmp_path, name="things")
        with pytest.raises(SchemaError):
            await Realm.open(other)
        with pytest.raises(TypeError, match=r"Realm\.open takes a Configuration"):
            await Realm.open(tmp_path)
        assert portal_threads() == []

    run(main())


def test_opening_that_is_cancelled_is_undone(tmp_path):
    async def open_one():
        return await Realm.open(configuration(tmp_path))

    async def main():
        task = asyncio.create_task(open_one())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert portal_threads() == []

    run(main())


def test_the_end_of_the_loop_cancels_what_waits(tmp_path):
    ended = []

    async def watch(changes):
        try:
            await anext(changes)
        finally:
            ended.append(True)

    async def main():
        realm = await Realm.open(configuration(tmp_path))
        realm_tasks.append(asyncio.create_task(watch(realm.changed())))
        await started(realm.bridge.portal)
        return realm

    realm_tasks = []
    realm = run(main())
    assert ended == [True]
    run(realm.close())


@pytest.fixture
def portal():
    opened = Portal("a portal")
    opened.begin()
    yield opened
    opened.end()
    asyncio.run(wait_until_over(opened))


def test_a_cancellation_waits_for_the_end_of_the_call(portal):
    story = []

    async def call(loop, begun, ending, may_end):
        loop.call_soon_threadsafe(begun.set)
        try:
            await trio.sleep_forever()
        finally:
            loop.call_soon_threadsafe(ending.set)
            with trio.CancelScope(shield=True):
                await may_end.wait()
            story.append("ended")

    async def main():
        begun, ending, may_end = asyncio.Event(), asyncio.Event(), trio.Event()
        loop = asyncio.get_running_loop()
        task = asyncio.create_task(wait(portal, lambda: call(loop, begun, ending, may_end)))
        await begun.wait()
        task.cancel()
        await ending.wait()
        task.cancel()
        try:
            for _ in range(10):
                await asyncio.sleep(0)
            assert not task.done()
        finally:
            call_soon(portal, may_end.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert story == ["ended"]

    run(main())


def test_a_call_that_waits_when_the_portal_ends_is_told(portal):
    async def call():
        portal.end()
        await trio.sleep_forever()

    async def main():
        with pytest.raises(PortalOverError, match="while the call was waiting"):
            await wait(portal, call)

    run(main())


def test_an_exception_has_its_own_class(portal):
    async def culprit():
        raise ZeroDivisionError("here")

    async def main():
        with pytest.raises(ZeroDivisionError, match="here"):
            await wait(portal, culprit)
        results = await asyncio.gather(
            *(wait(portal, culprit) for _ in range(20)), return_exceptions=True
        )
        assert {type(one) for one in results} == {ZeroDivisionError}

    run(main())


def test_a_coroutine_that_is_dropped_cancels_its_call(portal):
    cancelled = threading.Event()

    async def call():
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    async def main():
        coroutine = wait(portal, call)
        coroutine.send(None)
        coroutine.close()

    run(main())
    assert cancelled.wait(DEADLINE_S)


async def test_a_trio_loop_is_told_what_to_use(tmp_path):
    with pytest.raises(IllegalStateError, match=r"none runs here; trio programs use skerry\.Realm"):
        async with Realm.open(configuration(tmp_path)):
            pass


def test_a_loop_in_another_thread_sees_the_writes_of_this_one(tmp_path):
    ready = threading.Event()
    seen = []

    async def watch(realm):
        changes = realm.changed()
        ready.set()
        seen.append(await anext(changes))

    async def main():
        async with Realm.open(configuration(tmp_path)) as realm:
            with on_thread(lambda: run(watch(realm))):
                ready.wait(DEADLINE_S)
                await add(realm, 1)
            assert seen == [realm.version]

    run(main())


def test_closing_a_realm_under_a_write_ends_the_write(tmp_path):
    async def write(realm, inside, go_on):
        async with realm.write() as txn:
            txn.add(Item(_id=1))
            inside.set()
            await go_on.wait()

    async def main():
        realm = await Realm.open(configuration(tmp_path))
        inside, go_on = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(write(realm, inside, go_on))
        await inside.wait()
        await realm.close()
        go_on.set()
        with pytest.raises(ClosedRealmError):
            await task
        async with Realm.open(configuration(tmp_path)) as again:
            assert again.find(Item, 1) is None
            await add(again, 1)

    run(main())
