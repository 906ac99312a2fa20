"""Deadlines of the end-to-end tests, and waiting for a condition without sleeping.

Every wait hangs on an event that something real gives, and ends in a named failure, never in
silence.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import trio

DEADLINE_S = 20.0


@contextmanager
def within(what: str, seconds: float = DEADLINE_S) -> Iterator[None]:
    """Fail the test, saying what was waited for, if the block takes too long."""
    with trio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        pytest.fail(f"not within {seconds} s: {what}")


class Bell:
    """Wakes everybody who waits for "something has changed"."""

    def __init__(self) -> None:
        self._event = trio.Event()

    def ring(self) -> None:
        event, self._event = self._event, trio.Event()
        event.set()

    async def until(
        self, condition: Callable[[], object], what: str, seconds: float = DEADLINE_S
    ) -> None:
        """Wait until the condition holds; looked at now and at each ring."""
        with within(what, seconds):
            while not condition():
                await self._event.wait()
