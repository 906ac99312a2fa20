"""`BlockingFacade`: an object of the trio API whose coroutines are waited for by the thread."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from skerry.blocking.stream import Stream
from skerry.blocking.waiting import wait
from skerry.portal import Facade, PortalOverError, call_soon

_T = TypeVar("_T")
_R = TypeVar("_R")


class BlockingFacade(Facade[_T]):
    """See the module. Any thread may use it."""

    def _run(self, function: Callable[[], Awaitable[_R]]) -> _R:
        """Run a coroutine function on the portal's loop, and wait for it."""
        try:
            return wait(self._bridge.portal, function)
        except PortalOverError as error:
            raise self._bridge.closed() from error.__cause__

    def _run_there(self, function: Callable[[], _R]) -> _R:
        """Make a short call on the portal's loop."""
        try:
            return call_soon(self._bridge.portal, function)
        except PortalOverError as error:
            raise self._bridge.closed() from error.__cause__

    def _stream(self, make: Callable[[], AsyncIterator[_R]]) -> Stream[_R]:
        """Return what iterates over an async iterator that is made on the portal's loop."""
        return Stream(self._bridge, self._run_there(make), keeps=self)
