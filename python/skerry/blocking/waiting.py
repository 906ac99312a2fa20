"""How a thread waits for a call into a portal.

Invariant: when `wait` is left, whatever by, the call is done. An interrupt, such as Ctrl-C in the
main thread, cancels the call and is raised when that has ended.
"""

import math
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import trio

from skerry.errors import IllegalStateError
from skerry.portal import Call, Portal

_R = TypeVar("_R")

INTERRUPT_POLL_S: Final = 0.25


def wait(portal: Portal, function: Callable[[], Awaitable[_R]]) -> _R:
    """Make a call on the portal's thread and return what it returns.

    Raises:
        IllegalStateError: This thread runs an event loop, which would stand still; or the process
            is a fork of the one that made the portal.
        PortalOverError: The portal is not running, or ended before the call.
        BaseException: What the call raised, with its traceback.
    """
    refuse_loops()
    # A lock, since waiting for one is a single step, which an interrupt finds begun or not.
    done = threading.Lock()
    done.acquire()
    call = Call(function, done.release)
    interrupt: BaseException | None = None
    while not call.is_done:
        try:
            if not call.is_started:
                portal.start(call)
            elif interrupt is not None:
                portal.cancel(call)
            acquire(done)
        except BaseException as error:
            if not call.is_started:
                raise
            interrupt = error
    if interrupt is not None:
        raise interrupt
    return call.result()


def wait_until_over(portal: Portal) -> None:
    """Wait until the portal has ended and its thread is gone; an interrupt is raised afterwards."""
    done = threading.Lock()
    done.acquire()
    interrupt: BaseException | None = None
    portal.when_over(done.release)
    while not portal.is_over:
        try:
            acquire(done)
        except BaseException as error:
            interrupt = error
    portal.join()
    if interrupt is not None:
        raise interrupt


def acquire(lock: threading.Lock, timeout: float = math.inf) -> bool:
    """Acquire a lock so that an interrupt is seen, also one that came just before.

    A signal that arrives between the interpreter's last look for signals and the system call would
    otherwise be noticed when the lock is free, which may be never.

    Args:
        lock: Not held by this thread.
        timeout: Seconds.

    Returns:
        False after the timeout.
    """
    while timeout > INTERRUPT_POLL_S:
        if lock.acquire(timeout=INTERRUPT_POLL_S):
            return True
        timeout -= INTERRUPT_POLL_S
    return lock.acquire(timeout=max(timeout, 0))


def refuse_loops() -> None:
    """Refuse to block a thread that runs an event loop.

    The cells of a notebook run in the loop of its kernel, which stands still during every cell
    anyway, so there it is allowed.

    Raises:
        IllegalStateError: It runs one; the message says what to use instead.
    """
    try:
        trio.lowlevel.current_trio_token()
    except RuntimeError:
        pass
    else:
        raise IllegalStateError(
            "skerry.blocking would stop the trio loop of this thread: await skerry.Realm and "
            "skerry.App instead, or call it through trio.to_thread.run_sync"
        )
    if _is_in_asyncio() and not _is_in_notebook():
        raise IllegalStateError(
            "skerry.blocking would stop the asyncio loop of this thread: await skerry.aio instead, "
            "or call it through asyncio.to_thread"
        )


def _is_in_asyncio() -> bool:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _is_in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
