"""Nothing that a test opened here runs after it."""

import gc
import signal

import pytest

from tests.support.portals import DEADLINE_S, portal_threads


@pytest.fixture(autouse=True, scope="package")
def interrupts_arrive():
    """What a shell starts in the background inherits that interrupts are ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    left = portal_threads()
    if left:
        gc.collect()
        for thread in left:
            thread.join(DEADLINE_S)
    assert [thread.name for thread in left] == []
