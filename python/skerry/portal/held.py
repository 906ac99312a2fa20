"""`Held`: a context manager of trio that is entered and left by calls of different tasks.

Cancel scopes and nurseries are left by the task that entered them, so one task of the portal holds
the block open, and the calls wait for it. Invariant: when `open` fails or is cancelled, the manager
has been left.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar, cast

import trio

from skerry.portal.portal import Portal

_R = TypeVar("_R")
_LOG = logging.getLogger("skerry.portal")


class _BlockFailedError(Exception):
    """Raised inside the manager in place of what the caller's block raised."""


class Held(Generic[_R]):
    """See the module. Its methods are calls for the portal's thread.

    Args:
        portal: Whose task it is.
        make: Makes the manager, on the portal's thread.
    """

    def __init__(self, portal: Portal, make: Callable[[], AbstractAsyncContextManager[_R]]) -> None:
        self._portal = portal
        self._make = make
        self._scope = trio.CancelScope()
        self._entered = trio.Event()
        self._ending = trio.Event()
        self._over = trio.Event()
        self._value: _R | None = None
        self._error: BaseException | None = None
        self._is_block_failed = False
        self.is_open = False

    async def open(self) -> _R:
        """Enter the manager and return its value.

        Raises:
            BaseException: What entering raised.
        """
        self._portal.nursery.start_soon(self._hold)
        try:
            await self._entered.wait()
        except trio.Cancelled:
            await self._give_up()
            raise
        self._raise_error()
        return cast("_R", self._value)

    async def close(self, *, is_block_failed: bool = False) -> None:
        """Leave the manager; harmless when it has been left.

        Args:
            is_block_failed: Whether it is left by an exception, so that a write is rolled back.

        Raises:
            BaseException: What leaving raised, or what ended the block from inside.

        Cancellation: leaving is cancelled, and still waited for.
        """
        if not self.is_open and not self._over.is_set():
            return
        self._is_block_failed = is_block_failed
        self._ending.set()
        try:
            await self._over.wait()
        except trio.Cancelled:
            await self._give_up()
            raise
        self._raise_error()

    def end(self) -> None:
        """Leave the manager soon; waits for nothing."""
        self._ending.set()

    async def _hold(self) -> None:
        try:
            with self._scope:
                async with self._make() as value:
                    self._value = value
                    self.is_open = True
                    self._entered.set()
                    await self._ending.wait()
                    if self._is_block_failed:
                        raise _BlockFailedError
        except _BlockFailedError:
            pass
        except trio.Cancelled:
            raise
        except BaseException as error:
            # It is the caller's, who gets it from `open` or `close`.
            self._error = _without_block_failure(error)
            if self.is_open and not self._ending.is_set():
                _LOG.exception("what %s holds open ended by a failure", self._portal.name)
        finally:
            self.is_open = False
            self._entered.set()
            self._over.set()

    async def _give_up(self) -> None:
        self._scope.cancel()
        self._ending.set()
        with trio.CancelScope(shield=True):
            await self._over.wait()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error


def _without_block_failure(error: BaseException) -> BaseException | None:
    """Return what is left of an error; a nursery in the manager makes groups."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(_BlockFailedError)[1]
    return error


class Holdings:
    """What is open on one portal, in the order of opening. For the portal's thread.

    Args:
        portal: Whose they are.
        cancels_calls: Whether calls that are under way are cancelled before the first manager is
            left, because they would not end with it.
    """

    def __init__(self, portal: Portal, *, cancels_calls: bool) -> None:
        self._portal = portal
        self._cancels_calls = cancels_calls
        self._open: list[Held[object]] = []
        self._closing = trio.Lock()

    async def open(self, held: Held[_R]) -> _R:
        """Enter a manager, which `close_all` leaves if nobody does before.

        Raises:
            BaseException: What entering raised.
        """
        value = await held.open()
        self._open = [one for one in self._open if one.is_open]
        self._open.append(cast("Held[object]", held))
        return value

    async def close_all(self) -> None:
        """Leave every manager, the newest first.

        Raises:
            BaseException: What the first one raised that did; the others have been left too.

        Cancellation: as `Held.close`.
        """
        failure: BaseException | None = None
        async with self._closing:
            while self._open:
                newest = self._open[-1]
                try:
                    await self._close(newest)
                except BaseException as error:
                    # After a cancellation too: then the others are cancelled as they are left.
                    failure = failure or error
                self._open = [one for one in self._open if one is not newest]
        if failure is not None:
            raise failure

    async def _close(self, held: Held[object]) -> None:
        try:
            if self._cancels_calls and self._open == [held]:
                # They use what is closed now, and would fail without a clear word.
                await self._portal.cancel_others()
        finally:
            await held.close()
