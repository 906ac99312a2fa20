"""`Stream`: an async iterator of the trio API as an ordinary iterator."""

import math
import threading
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

from skerry.blocking.waiting import acquire, wait
from skerry.portal import Bridge, End, PortalOverError, Source

_T = TypeVar("_T")


class Stream(Generic[_T]):
    """What `Realm.changed` and its like return: ``for change in realm.changed(): ...``.

    It ends when the realm closes, and by `close`, also for a thread that waits in it. Several
    threads may take elements; each element goes to one. A ``with`` block closes it at its end.
    """

    def __init__(
        self, bridge: Bridge, iterator: AsyncIterator[_T], *, keeps: object = None
    ) -> None:
        """Internal: made by what it observes."""
        self._bridge = bridge
        self._source = Source(iterator)
        self._source.drop_with(self, bridge.portal)
        self._keeps = keeps
        self._turn = threading.Lock()
        self._is_closed = False

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        return self.next()

    def next(self, timeout: float = math.inf) -> _T:
        """Wait for the next element and return it.

        Args:
            timeout: Seconds > 0; without end by default.

        Raises:
            StopIteration: There is no next one: the realm or this has been closed.
            TimeoutError: None came in time; a later one is not lost.
            ValueError: `timeout` is not more than 0.
            IllegalStateError: This thread runs an event loop.
        """
        if not timeout > 0:
            raise ValueError(f"timeout is more than 0 seconds, not {timeout}")
        self._bridge.portal.check_process()
        if not acquire(self._turn, timeout):
            raise TimeoutError(f"another thread waited for the next element for {timeout} s")
        try:
            if self._is_closed:
                raise StopIteration
            taken = wait(self._bridge.portal, lambda: self._source.take(timeout))
        except PortalOverError:
            taken = End.OVER
        finally:
            self._turn.release()
        if taken is End.TIMEOUT:
            raise TimeoutError(f"nothing came in {timeout} s")
        if taken is End.OVER:
            self._is_closed = True
            raise StopIteration
        return taken

    def close(self) -> None:
        """End the iteration, also in threads that wait in it; harmless when it has ended."""
        self._is_closed = True
        if not self._bridge.portal.is_in_its_process:
            return
        try:
            wait(self._bridge.portal, self._source.close)
        except PortalOverError:
            return  # nothing is left that could be closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
