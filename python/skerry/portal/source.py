"""`Source`: an async iterator of the trio API, read by calls of another thread or loop.

Nothing is read ahead: an element is taken when it is asked for, so what the iterator promises about
slow readers stays true.
"""

import math
import weakref
from collections.abc import AsyncIterator
from enum import Enum
from typing import Final, Generic, Literal, TypeAlias, TypeVar

import trio

from skerry.portal.portal import Portal

_T = TypeVar("_T")


class End(Enum):
    """Why there is no element."""

    OVER = "over"
    TIMEOUT = "timeout"


Over: TypeAlias = Literal[End.OVER, End.TIMEOUT]
FOREVER: Final = math.inf


class Source(Generic[_T]):
    """See the module. Its methods are calls for the portal's thread, `take` one at a time."""

    def __init__(self, stream: AsyncIterator[_T]) -> None:
        self._stream: AsyncIterator[_T] | None = stream
        self._scope: trio.CancelScope | None = None
        self._is_closed = False

    async def take(self, timeout: float = FOREVER) -> _T | Over:
        """Return the next element, or why there is none.

        Args:
            timeout: Seconds.

        Cancellation: as the iterator has it; those of Skerry lose nothing.
        """
        if self._is_closed or self._stream is None:
            return End.OVER
        with trio.move_on_after(timeout) as self._scope:
            try:
                return await anext(self._stream)
            except StopAsyncIteration:
                self._is_closed = True
                return End.OVER
        return End.OVER if self._is_closed else End.TIMEOUT

    async def close(self) -> None:
        """End the iteration, also under a `take` that waits; harmless when it has ended."""
        self._is_closed = True
        if self._scope is not None:
            self._scope.cancel()
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()
        await trio.lowlevel.checkpoint()

    def drop_with(self, owner: object, portal: Portal) -> None:
        """Let the iterator go on the portal's thread when nobody refers to its owner any more.

        The realm holds its iterators weakly, and goes through them there: one that vanished on
        another thread meanwhile would disturb it.
        """
        weakref.finalize(owner, portal.post, self._drop).atexit = False

    def _drop(self) -> None:
        self._stream = None
