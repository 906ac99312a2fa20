"""A local realm of `skerry.blocking`: threads, iterators, writes, closing, and what is refused."""

import asyncio
import gc
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skerry import Configuration, RealmObject, primary_key
from skerry.blocking import Realm, Results, Stream
from skerry.blocking.waiting import wait_until_over
from skerry.errors import ClosedRealmError, IllegalStateError, LockTimeoutError, SchemaError
from tests.support.portals import DEADLINE_S, Item, configuration, on_thread, portal_threads

THREADS = 4
ROUNDS = 10


class Item2(RealmObject, name="Item"):
    _id: str = primary_key()


@pytest.fixture
def realm(tmp_path):
    with Realm.open(configuration(tmp_path)) as opened:
        yield opened


def add(realm, key, **values):
    with realm.write() as txn:
        txn.add(Item(_id=key, **values))


def add_one(realm):
    with realm.write() as txn:
        txn.increment(txn.find(Item, 0), "count")


def on_threads(work):
    start = threading.Barrier(THREADS)

    def run(number):
        start.wait(DEADLINE_S)
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, range(THREADS)))


def test_what_is_written_is_read(realm):
    add(realm, 1, count=3)
    assert realm.find(Item, 1) == Item(_id=1, count=3)
    results = realm.query(Item, "count > $0", 2)
    assert isinstance(results, Results)
    assert [item._id for item in results] == [1]
    assert (len(results), bool(results), results[0].count) == (1, True, 3)
    assert results.load() is results


def test_a_realm_needs_no_block(tmp_path):
    realm = Realm.open(configuration(tmp_path))
    add(realm, 1)
    assert len(realm.objects(Item)) == 1
    realm.close()
    realm.close()
    assert realm.is_closed


def test_its_configuration_is_the_same_object(tmp_path):
    mine = configuration(tmp_path)
    with Realm.open(mine) as realm:
        assert realm.configuration is mine
        assert realm.schema is mine.schema


def test_writes_of_several_threads_take_turns(realm):
    add(realm, 0)
    on_threads(lambda _: [add_one(realm) for _ in range(ROUNDS)])
    assert realm.find(Item, 0).count == THREADS * ROUNDS


def test_several_realms_of_one_file_are_open_in_several_threads(tmp_path):
    with Realm.open(configuration(tmp_path)) as realm:
        add(realm, 0)

    def work(_):
        with Realm.open(configuration(tmp_path)) as own:
            for _ in range(ROUNDS):
                add_one(own)

    on_threads(work)
    with Realm.open(configuration(tmp_path)) as realm:
        assert realm.find(Item, 0).count == THREADS * ROUNDS


def test_a_write_of_one_thread_is_seen_by_an_iterator_of_another(realm):
    changes = realm.changed()
    seen = []

    def watch():
        for _version in changes:
            seen.append(len(realm.objects(Item)))
            if seen[-1] == ROUNDS:
                return

    with on_thread(watch):
        for key in range(ROUNDS):
            add(realm, key)
    assert seen[-1] == ROUNDS
    assert seen == sorted(seen)


def test_an_iterator_begins_when_it_is_made(realm):
    changes = realm.changed()
    add(realm, 1)
    assert next(changes) == realm.version


def test_an_iterator_ends_when_its_realm_is_closed_meanwhile(tmp_path):
    realm = Realm.open(configuration(tmp_path))
    changes = realm.changed()
    with on_thread(lambda: [*changes]):
        realm.close()
    assert list(changes) == []


def test_an_iterator_ends_when_it_is_closed_by_another_thread(realm):
    changes = realm.changed()
    seen = []
    with on_thread(lambda: seen.extend(changes)):
        changes.close()
    changes.close()
    add(realm, 1)
    assert seen == []
    assert list(changes) == []


STEPS = st.lists(st.sampled_from(["write", "take", "time out", "interrupt"]), max_size=12)


@given(STEPS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_an_iterator_gives_the_newest_version_once_whatever_came_between(realm, steps):
    taken = realm.version
    with realm.changed() as changes:
        for step in steps:
            if step == "write":
                add_or_set(realm)
            elif step == "time out" and realm.version == taken:
                with pytest.raises(TimeoutError):
                    changes.next(0.001)
            elif step == "interrupt" and realm.version == taken:
                interrupted(lambda: next(changes))
            elif step == "take" and realm.version > taken:
                before, taken = taken, changes.next(DEADLINE_S)
                assert before < taken == realm.version


def add_or_set(realm):
    with realm.write() as txn:
        txn.add(Item(_id=1), update_policy="all")


def interrupted(call):
    """Make a call on the main thread that only an interrupt ends.

    Python drops an interrupt that comes in a callback of its garbage collection, and hypothesis has
    one; so nothing is collected meanwhile.
    """
    gc.disable()
    try:
        with pytest.raises(KeyboardInterrupt), on_thread(interrupt_main):
            call()
    finally:
        gc.enable()


def interrupt_main():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def test_a_block_closes_its_iterator(realm):
    with realm.changed() as changes:
        assert isinstance(changes, Stream)
    with pytest.raises(StopIteration):
        next(changes)


def test_a_timeout_loses_nothing(realm):
    changes = realm.changed()
    with pytest.raises(TimeoutError, match=r"nothing came in 0\.01 s"):
        changes.next(0.01)
    add(realm, 1)
    assert changes.next(DEADLINE_S) == realm.version
    with pytest.raises(ValueError, match="more than 0"):
        changes.next(0)


def test_an_iterator_that_is_asked_by_two_threads_gives_each_element_once(realm):
    changes = realm.changed()
    seen = []
    with on_thread(lambda: seen.extend(changes)), on_thread(lambda: seen.extend(changes)):
        for key in range(ROUNDS):
            add(realm, key)
        while realm.version not in seen:
            realm.find(Item, 0)
        changes.close()
    assert len(set(seen)) == len(seen)


def test_an_exception_in_a_write_rolls_it_back(realm):
    def fail():
        with realm.write() as txn:
            txn.add(Item(_id=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert realm.find(Item, 1) is None
    add(realm, 1)


def test_a_write_inside_a_write_of_the_thread_is_refused(realm):
    with (
        realm.write(),
        pytest.raises(IllegalStateError, match="open in this thread already"),
        realm.write(),
    ):
        pass
    add(realm, 1)


def test_a_write_waits_for_another_thread_s_only_so_long(realm):
    def work():
        with pytest.raises(LockTimeoutError, match=r"more than 0\.05 s"), realm.write(0.05):
            pass

    with realm.write(), on_thread(work):
        pass
    with pytest.raises(ValueError, match="more than 0"), realm.write(0):
        pass


def test_an_interrupt_ends_the_wait_for_the_lock(realm):
    held, done = threading.Event(), threading.Event()

    def hold():
        with realm.write():
            held.set()
            done.wait(DEADLINE_S)

    with on_thread(hold):
        held.wait(DEADLINE_S)
        try:
            interrupted(realm.write().__enter__)
        finally:
            done.set()
    add(realm, 1)


def test_an_interrupt_ends_the_wait_of_an_iterator_and_loses_nothing(realm):
    changes = realm.changed()

    interrupted(lambda: next(changes))
    add(realm, 1)
    assert next(changes) == realm.version


def test_a_live_object_belongs_to_the_thread_of_its_write(realm):
    with realm.write() as txn:
        item = txn.add(Item(_id=1))

        def work():
            with pytest.raises(IllegalStateError, match="for the thread that opened it"):
                item.count = 2
            with pytest.raises(IllegalStateError, match="for the thread that opened it"):
                txn.find(Item, 1)

        with on_thread(work):
            pass
        item.count = 3
    assert realm.find(Item, 1).count == 3


def test_frozen_objects_and_results_cross_threads(realm):
    with realm.write() as txn:
        txn.add(Item(_id=1, parent=Item(_id=2, count=7)))
    item, results = realm.find(Item, 1), realm.query(Item)
    counts = on_threads(lambda _: (item.parent.count, len(results), sum(i.count for i in results)))
    assert counts == [(7, 2, 7)] * THREADS


def test_a_closed_realm_says_so(tmp_path):
    with Realm.open(configuration(tmp_path)) as realm:
        pass
    for call in (
        lambda: realm.find(Item, 1),
        lambda: realm.query(Item),
        lambda: realm.version,
        realm.changed,
        realm.write().__enter__,
    ):
        with pytest.raises(ClosedRealmError, match=r"things\.realm is closed"):
            call()


def test_a_local_realm_has_no_sync(realm):
    with pytest.raises(IllegalStateError, match="no sync session"):
        _ = realm.sync_session
    with pytest.raises(IllegalStateError, match="no subscriptions"):
        _ = realm.subscriptions


def test_a_realm_that_cannot_be_opened_leaves_no_thread(tmp_path):
    with Realm.open(configuration(tmp_path)):
        pass
    other = Configuration([Item2], directory=tmp_path, name="things")
    with pytest.raises(SchemaError):
        Realm.open(other)
    assert portal_threads() == []


def test_what_is_no_configuration_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"Realm\.open takes a Configuration"):
        Realm.open(tmp_path)
    assert portal_threads() == []


def test_a_realm_that_is_forgotten_closes_by_itself(tmp_path):
    realm = Realm.open(configuration(tmp_path))
    add(realm, 1)
    item, portal = realm.find(Item, 1), realm.bridge.portal
    del realm
    gc.collect()
    wait_until_over(portal)
    assert portal_threads() == []
    assert item.count == 0


def test_what_is_got_from_a_realm_keeps_it_open(tmp_path):
    changes = Realm.open(configuration(tmp_path)).changed()
    gc.collect()
    assert len(portal_threads()) == 1
    with pytest.raises(TimeoutError):
        changes.next(0.01)
    portal = changes._bridge.portal
    del changes
    gc.collect()
    wait_until_over(portal)


def test_threads_close_at_once(tmp_path):
    realm = Realm.open(configuration(tmp_path))
    on_threads(lambda _: realm.close())
    assert portal_threads() == []


def test_a_loop_is_refused_wherever_it_would_stand_still(tmp_path, realm):
    changes = realm.changed()

    async def main():
        for call in (
            lambda: Realm.open(configuration(tmp_path)),
            lambda: next(changes),
            realm.write().__enter__,
            realm.close,
            realm.query(Item).load,
        ):
            with pytest.raises(IllegalStateError, match=r"skerry\.aio"):
                call()
        return realm.find(Item, 1), len(realm.query(Item))

    assert asyncio.run(main()) == (None, 0)
    assert not realm.is_closed
