"""How an asyncio task waits for a call into a portal.

Invariant: when `wait` is left the call is done. A cancellation of the task cancels the call, is
waited for, and is raised when the call has ended, however it has. Nothing here is of one loop: each
call uses the one that runs.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

from skerry.errors import IllegalStateError
from skerry.portal import Call, Portal

_R = TypeVar("_R")


async def wait(portal: Portal, function: Callable[[], Awaitable[_R]]) -> _R:
    """Make a call on the portal's thread and return what it returns.

    Raises:
        IllegalStateError: No asyncio loop runs here; or the process is a fork of the one that made
            the portal.
        PortalOverError: The portal is not running, or ended before the call.
        BaseException: What the call raised, with its traceback.

    Cancellation: as the module says.
    """
    done = asyncio.Event()
    call = Call(function, waker(done))
    portal.start(call)
    cancelled: asyncio.CancelledError | None = None
    while not call.is_done:
        try:
            await done.wait()
        except asyncio.CancelledError as error:
            cancelled = error
            portal.cancel(call)
        except BaseException:
            # The coroutine is closed, without a loop that could wait.
            portal.cancel(call)
            raise
    if cancelled is not None:
        raise cancelled
    return call.result()


async def wait_until_over(portal: Portal) -> None:
    """Wait until the portal has ended and its thread is gone; cancellation is raised afterwards."""
    done = asyncio.Event()
    portal.when_over(waker(done))
    cancelled: asyncio.CancelledError | None = None
    while not portal.is_over:
        try:
            await done.wait()
        except asyncio.CancelledError as error:
            cancelled = error
    # Only its last instructions are left: this takes microseconds.
    portal.join()
    if cancelled is not None:
        raise cancelled


def waker(done: asyncio.Event) -> Callable[[], None]:
    """Return what sets an event of the running loop from any thread."""
    loop = running_loop()

    def wake() -> None:
        # A loop that has been closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(done.set)

    return wake


def running_loop() -> asyncio.AbstractEventLoop:
    """Return the loop that runs here.

    Raises:
        IllegalStateError: None does; the message says what to use instead.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        raise IllegalStateError(
            "skerry.aio is awaited in an asyncio loop, and none runs here; trio programs use "
            "skerry.Realm and skerry.App, threads without a loop skerry.blocking"
        ) from None
