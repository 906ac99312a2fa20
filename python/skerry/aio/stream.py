"""`Stream`: an async iterator of the trio API as one of asyncio."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Generic, Self, TypeVar, cast

from skerry.aio.waiting import wait
from skerry.portal import Bridge, End, PortalOverError, Source

_T = TypeVar("_T")


class Stream(Generic[_T]):
    """What `Realm.changed` and its like return: ``async for change in realm.changed(): ...``.

    It ends when the realm closes, and by `close`, also for a task that waits in it. An
    ``async with`` block closes it at its end; one that is forgotten holds nothing open.
    """

    def __init__(
        self, bridge: Bridge, iterator: AsyncIterator[_T], *, keeps: object = None
    ) -> None:
        """Internal: made by what it observes."""
        self._bridge = bridge
        self._source = Source(iterator)
        self._source.drop_with(self, bridge.portal)
        self._keeps = keeps
        self._is_taking = False
        self._is_closed = False

    def __aiter__(self) -> AsyncIterator[_T]:
        return self

    async def __anext__(self) -> _T:
        """Wait for the next element; for a deadline use `asyncio.timeout`.

        Raises:
            StopAsyncIteration: There is no next one: the realm or this has been closed.
            RuntimeError: Another task waits for it.

        Cancellation: nothing is lost; the next call gets it.
        """
        self._bridge.portal.check_process()
        if self._is_closed:
            raise StopAsyncIteration
        if self._is_taking:
            raise RuntimeError("another task waits for the next element already")
        self._is_taking = True
        try:
            taken = await wait(self._bridge.portal, self._source.take)
        except PortalOverError:
            taken = End.OVER
        finally:
            self._is_taking = False
        if taken is End.OVER:
            self._is_closed = True
            raise StopAsyncIteration
        return cast("_T", taken)

    async def close(self) -> None:
        """End the iteration, also for a task that waits in it; harmless when it has ended."""
        self._is_closed = True
        if not self._bridge.portal.is_in_its_process:
            return
        try:
            await wait(self._bridge.portal, self._source.close)
        except PortalOverError:
            # Nothing is left that could be closed; as everywhere, others get their turn.
            await asyncio.sleep(0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
