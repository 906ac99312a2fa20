"""`AioFacade`: an object of the trio API whose coroutines are awaited in asyncio."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from skerry.aio.stream import Stream
from skerry.aio.waiting import wait
from skerry.portal import Facade, PortalOverError, call_soon

_T = TypeVar("_T")
_R = TypeVar("_R")


class AioFacade(Facade[_T]):
    """See the module. Any loop may use it, and what is not awaited any thread."""

    async def _run(self, function: Callable[[], Awaitable[_R]]) -> _R:
        """Run a coroutine function on the portal's loop, and await it."""
        try:
            return await wait(self._bridge.portal, function)
        except PortalOverError as error:
            raise self._bridge.closed() from error.__cause__

    def _run_there(self, function: Callable[[], _R]) -> _R:
        """Make a short call on the portal's loop; this one stands still for that moment."""
        try:
            return call_soon(self._bridge.portal, function)
        except PortalOverError as error:
            raise self._bridge.closed() from error.__cause__

    def _stream(self, make: Callable[[], AsyncIterator[_R]]) -> Stream[_R]:
        """Return what iterates over an async iterator that is made on the portal's loop."""
        return Stream(self._bridge, self._run_there(make), keeps=self)
