"""Context managers of trio that are held open, and what is asked of many threads at once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
import trio

from skerry.blocking import Realm
from skerry.blocking.waiting import wait, wait_until_over
from skerry.portal import Held, Holdings, Portal, call_soon
from tests.support.portals import Item, configuration


@pytest.fixture
def portal():
    opened = Portal("a portal")
    opened.begin()
    yield opened
    opened.end()
    wait_until_over(opened)


class Story:
    """Makes managers that say what happens to them."""

    def __init__(self):
        self.lines = []

    @asynccontextmanager
    async def manager(self, name, fails_at=None, waits=False):
        if fails_at == "enter":
            raise ZeroDivisionError(name)
        async with trio.open_nursery() as nursery:
            self.lines.append(f"{name} entered")
            self.fail = lambda: nursery.start_soon(self.raise_in_task, name)
            try:
                if waits:
                    await trio.sleep_forever()
                yield name
            except BaseException as error:
                self.lines.append(f"{name} left by {type(error).__name__}")
                raise
            self.lines.append(f"{name} left")
        if fails_at == "leave":
            raise ZeroDivisionError(name)

    async def raise_in_task(self, name):
        raise LookupError(name)


@pytest.fixture
def story():
    return Story()


def test_a_manager_is_entered_and_left_by_one_task(portal, story):
    held = Held(portal, lambda: story.manager("one"))
    assert wait(portal, held.open) == "one"
    assert held.is_open
    wait(portal, held.close)
    wait(portal, held.close)
    assert story.lines == ["one entered", "one left"]


def test_a_block_that_failed_is_told_and_the_failure_stays_the_caller_s(portal, story):
    held = Held(portal, lambda: story.manager("one"))
    wait(portal, held.open)
    wait(portal, lambda: held.close(is_block_failed=True))
    assert story.lines[0] == "one entered"
    assert story.lines[1].startswith("one left by")


@pytest.mark.parametrize("at", ["enter", "leave"])
def test_what_the_manager_raises_reaches_who_waits(portal, story, at):
    held = Held(portal, lambda: story.manager("one", fails_at=at))

    async def both():
        await held.open()
        await held.close()

    with pytest.raises(ZeroDivisionError, match="one"):
        wait(portal, both)
    assert not held.is_open
    wait(portal, held.close)


def test_a_failure_from_inside_is_logged_and_raised_when_it_is_closed(portal, story, caplog):
    held = Held(portal, lambda: story.manager("one"))
    wait(portal, held.open)
    call_soon(portal, story.fail)
    wait(portal, held._over.wait)
    with pytest.raises(ExceptionGroup):
        wait(portal, held.close)
    assert "a portal holds open ended by a failure" in caplog.text


def test_entering_that_is_cancelled_leaves_nothing_entered(portal, story):
    held = Held(portal, lambda: story.manager("one", waits=True))

    async def impatient():
        with trio.move_on_after(0.01):
            await held.open()
            return "entered"
        return "given up"

    assert wait(portal, impatient) == "given up"
    assert story.lines == ["one entered", "one left by Cancelled"]


def test_all_are_left_the_newest_first_though_one_fails(portal, story):
    holdings = Holdings(portal, cancels_calls=True)
    names = {"one": None, "two": "leave", "three": None}
    for name, fails_at in names.items():
        held = Held(portal, lambda n=name, f=fails_at: story.manager(n, fails_at=f))
        wait(portal, lambda h=held: holdings.open(h))
    with pytest.raises(ZeroDivisionError, match="two"):
        wait(portal, holdings.close_all)
    assert story.lines[3:] == ["three left", "two left", "one left"]
    wait(portal, holdings.close_all)


def test_one_target_has_one_facade_however_many_threads_ask(tmp_path):
    with Realm.open(configuration(tmp_path)) as realm:
        results = realm.target.objects(Item)
        with ThreadPoolExecutor(8) as pool:
            facades = list(pool.map(lambda _: realm.bridge.wrap(results), range(200)))
        assert all(facade is facades[0] for facade in facades)
        assert realm.bridge.wrap(realm.target) is realm
