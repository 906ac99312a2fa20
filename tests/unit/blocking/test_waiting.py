"""Calls into a portal from a thread: outcomes, interrupts, ends, and the refusal of loops."""

import asyncio
import signal
import sys
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from types import SimpleNamespace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from skerry.blocking.waiting import refuse_loops, wait, wait_until_over
from skerry.errors import IllegalStateError
from skerry.portal import Call, Portal, PortalOverError, call_soon
from tests.support.portals import on_thread


@pytest.fixture
def portal():
    opened = Portal("a portal")
    opened.begin()
    yield opened
    opened.end()
    wait_until_over(opened)


def interrupt_main():
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def test_a_call_returns_what_the_coroutine_returns(portal):
    async def call():
        await trio.lowlevel.checkpoint()
        return threading.current_thread().name

    assert wait(portal, call) == "a portal"


def test_an_exception_has_its_own_class_and_shows_where_it_was_raised(portal):
    async def culprit():
        raise ZeroDivisionError("here")

    with pytest.raises(ZeroDivisionError, match="here") as caught:
        wait(portal, culprit)
    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert names[-1] == "culprit"
    assert "wait" in names
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_ends_programs_reaches_the_caller_and_not_the_loop(portal, error):
    async def culprit():
        raise error

    with pytest.raises(error):
        wait(portal, culprit)
    assert call_soon(portal, lambda: 1) == 1


def test_an_interrupt_cancels_the_call_and_waits_for_its_end(portal):
    story = []

    async def call():
        interrupt_main()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                for _ in range(10):
                    await trio.lowlevel.checkpoint()
            story.append("ended")

    with pytest.raises(KeyboardInterrupt):
        wait(portal, call)
    assert story == ["ended"]


@pytest.fixture
def interrupts(portal):
    """Wakes, on the portal's loop, who waits until the main thread has seen so many interrupts."""
    seen = []
    events = {1: trio.Event(), 2: trio.Event()}

    def handle(number, frame):
        seen.append(number)
        portal.post(events[len(seen)].set)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, handle)
    yield events
    signal.signal(signal.SIGINT, before)


def test_a_second_interrupt_changes_nothing(portal, interrupts):
    story = []

    async def call():
        interrupt_main()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                interrupt_main()
                await interrupts[2].wait()
            story.append("ended")

    with pytest.raises(KeyboardInterrupt):
        wait(portal, call)
    assert story == ["ended"]


def test_an_interrupt_is_raised_though_the_call_succeeds_all_the_same(portal, interrupts):
    story = []

    async def call():
        with trio.CancelScope(shield=True):
            interrupt_main()
            await interrupts[1].wait()
            story.append("succeeded")

    with pytest.raises(KeyboardInterrupt):
        wait(portal, call)
    assert story == ["succeeded"]


def test_a_call_that_waits_when_the_portal_ends_is_told(portal):
    async def call():
        portal.end()
        await trio.sleep_forever()

    with pytest.raises(PortalOverError, match="while the call was waiting"):
        wait(portal, call)
    wait_until_over(portal)
    with pytest.raises(PortalOverError, match="a portal is not open"):
        wait(portal, trio.lowlevel.checkpoint)


def test_a_portal_that_has_not_begun_is_told(portal):
    with pytest.raises(PortalOverError, match="another is not open"):
        wait(Portal("another"), trio.lowlevel.checkpoint)


def test_the_caller_s_context_is_the_call_s(portal):
    variable = ContextVar("variable", default="none")
    variable.set("the caller's")

    async def call():
        return variable.get()

    assert wait(portal, call) == "the caller's"


def test_a_short_call_on_the_portal_s_own_thread_is_made_at_once(portal):
    assert call_soon(portal, lambda: call_soon(portal, lambda: 2)) == 2


def test_what_is_given_to_the_portal_cannot_wait_for_it(portal):
    with pytest.raises(IllegalStateError, match="trio loop of this thread"):
        call_soon(portal, lambda: wait(portal, trio.lowlevel.checkpoint))


def test_many_threads_call_at_once(portal):
    async def call(number):
        await trio.lowlevel.checkpoint()
        return number

    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda n: wait(portal, lambda: call(n)), range(200)))
    assert numbers == list(range(200))


class Recorder:
    """A call of a kind, and how often its caller was woken."""

    def __init__(self, kind):
        self.kind = kind
        self.wakes = 0
        self.call = Call(self.make, self.wake)

    async def make(self):
        if self.kind == "error":
            raise ZeroDivisionError
        if self.kind in {"cancelled", "left"}:
            await trio.sleep_forever()
        return self.kind

    def wake(self):
        self.wakes += 1

    def outcome(self):
        try:
            return self.call.result()
        except (ZeroDivisionError, PortalOverError) as error:
            return type(error)


@given(
    st.lists(st.sampled_from(["value", "error", "cancelled", "left"]), max_size=30),
    st.integers(min_value=1, max_value=4),
)
def test_every_call_is_finished_once_with_its_outcome_or_the_news_that_it_is_over(kinds, threads):
    portal = Portal("a portal")
    portal.begin()
    records = [Recorder(kind) for kind in kinds]

    def begin(record):
        portal.start(record.call)
        if record.kind == "cancelled":
            portal.cancel(record.call)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(begin, records))
    portal.end()
    wait_until_over(portal)
    assert [record.wakes for record in records] == [1] * len(records)
    own = {"value": "value", "error": ZeroDivisionError}
    for record in records:
        assert record.outcome() in {own.get(record.kind), PortalOverError}


def test_calls_that_came_before_the_end_are_made():
    portal = Portal("a portal")
    portal.begin()
    records = [Recorder("value") for _ in range(20)]
    for record in records:
        portal.start(record.call)
    assert call_soon(portal, lambda: None) is None
    assert [record.outcome() for record in records] == ["value"] * 20
    portal.end()
    wait_until_over(portal)


def test_a_call_that_comes_in_the_last_moment_is_told(portal):
    record = Recorder("value")

    async def last():
        portal.start(record.call)

    portal.last = last
    portal.end()
    wait_until_over(portal)
    assert (record.wakes, record.outcome()) == (1, PortalOverError)


def test_a_failure_of_the_loop_reaches_who_waits(portal, caplog):
    async def call():
        portal._nursery.start_soon(fail)
        await trio.sleep_forever()

    async def fail():
        raise ZeroDivisionError("in the loop")

    with pytest.raises(PortalOverError):
        wait(portal, call)
    wait_until_over(portal)
    assert "in the loop" in caplog.text


async def test_a_trio_loop_is_refused():
    with pytest.raises(IllegalStateError, match=r"await skerry\.Realm .* trio\.to_thread"):
        refuse_loops()
    await trio.to_thread.run_sync(refuse_loops)


def test_an_asyncio_loop_is_refused():
    async def main():
        with pytest.raises(IllegalStateError, match=r"await skerry\.aio .* asyncio\.to_thread"):
            refuse_loops()
        await asyncio.to_thread(refuse_loops)

    asyncio.run(main())


def test_the_loop_of_a_notebook_is_not(monkeypatch, portal):
    shell = SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))

    async def call():
        return "waited for"

    async def cell():
        return wait(portal, call)

    assert asyncio.run(cell()) == "waited for"


def test_the_loop_of_a_terminal_is(monkeypatch):
    shell = SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))

    async def cell():
        with pytest.raises(IllegalStateError):
            refuse_loops()

    asyncio.run(cell())


def test_several_threads_wait_for_the_end(portal):
    ends = []

    def work():
        wait_until_over(portal)
        ends.append(portal.is_over)

    with on_thread(work), on_thread(work):
        portal.end()
    assert ends == [True, True]
