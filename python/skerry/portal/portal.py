"""`Portal`: a trio loop in a thread of its own, which runs coroutines for callers of other threads.

One portal belongs to one open `App` or local `Realm`, is started by opening it and ended by closing
it. Invariants: every call that was started is finished, with its own outcome or with the news that
the portal is over; a call that is cancelled is waited for; no thread is left behind. How a caller
waits, and what it does when it is interrupted, is `skerry.blocking`'s and `skerry.aio`'s.

The thread is no daemon, so that the interpreter waits for it; and since nobody may be left to close
it then, it ends by itself when no other thread is left that keeps the interpreter alive.
"""

import logging
import os
import threading
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Final, Generic, TypeVar, cast

import trio

from skerry.errors import IllegalStateError

_R = TypeVar("_R")
_LOG = logging.getLogger("skerry.portal")

INTERPRETER_POLL_S: Final = 0.25
ANSWER_TIMEOUT_S: Final = 30.0


class PortalOverError(Exception):
    """The portal is not running, or ended before the call did. Never leaves the package."""


class Call(Generic[_R]):
    """One call into a portal.

    Args:
        function: Called, and awaited, on the portal's thread, in a copy of the present context.
        wake: Called once on the portal's thread when the call is done.
    """

    def __init__(self, function: Callable[[], Awaitable[_R]], wake: Callable[[], None]) -> None:
        self._function = function
        self._wake = wake
        self._scope = trio.CancelScope()
        self._value: _R | None = None
        self._error: BaseException | None = None
        self.context: Final = copy_context()
        self._turn = threading.Lock()
        self.is_done = False
        self.is_started = False
        """Whether its caller has to wait for it."""
        self.is_begun = False
        """Whether its task has been made."""
        self.task: trio.lowlevel.Task | None = None
        self.ended: Final = trio.Event()

    async def run(self) -> None:
        """Make the call. On the portal's thread."""
        self.task = trio.lowlevel.current_task()
        try:
            with self._scope:
                self._value = await self._function()
            if self._scope.cancelled_caught:
                self._error = PortalOverError("the call was cancelled")
        except trio.Cancelled:
            self._error = PortalOverError("closed while the call was waiting")
            raise
        except BaseException as error:
            # Whatever it is, it belongs to the caller and must not end the loop.
            self._error = error

    def cancel(self) -> None:
        """Cancel the call, begun or not. On the portal's thread."""
        self._scope.cancel()

    def finish(self) -> None:
        """Tell the caller that the call is done; only the first time counts."""
        if not self._turn.acquire(blocking=False):
            return
        self.is_done = True
        self._wake()

    def lose(self, error: PortalOverError) -> None:
        """Say that the call will never be made, or not to its end, unless it is done."""
        if not self.is_done:
            self._error = error
            self.finish()

    def result(self) -> _R:
        """Return what the call returned, or raise what it raised.

        Raises:
            PortalOverError: It was cancelled, or the portal ended before.
        """
        error, self._error = self._error, None
        if error is not None:
            try:
                raise error
            finally:
                del error  # or its traceback would hold this frame, and the frame the error
        return cast("_R", self._value)


class PortalThread(threading.Thread):
    """The thread of a portal; told from the threads that keep the interpreter alive."""


class Portal:
    """See the module. Any thread may use it.

    Args:
        name: Of the thread; says what it is for.
    """

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._process_id = os.getpid()
        # Reentrant: a finalizer or a signal handler may come in between, on the same thread.
        self._lock = threading.RLock()
        self._is_begun = False
        self._is_over = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._early: list[Callable[[], None]] = []
        self._calls: set[Call[object]] = set()
        self._wakes: list[Callable[[], None]] = []
        self._thread: PortalThread | None = None
        self._nursery: trio.Nursery | None = None
        self._end: trio.Event | None = None
        self.last: Callable[[], Awaitable[None]] | None = None
        """What is to be done before the loop ends; set once, by what the portal is for."""

    @property
    def is_running(self) -> bool:
        """Whether it has begun and is not over."""
        return self._is_begun and not self._is_over

    @property
    def is_over(self) -> bool:
        """Whether it has ended, for ever."""
        return self._is_over

    @property
    def is_in_its_process(self) -> bool:
        """Whether this is the process that made it, and not a fork of that."""
        return os.getpid() == self._process_id

    @property
    def is_here(self) -> bool:
        """Whether this is its thread, which runs what applications give to be called there."""
        return threading.current_thread() is self._thread

    @property
    def nursery(self) -> trio.Nursery:
        """Where long-lived tasks run. On the portal's thread.

        Raises:
            PortalOverError: It is not running.
        """
        if self._nursery is None:
            raise PortalOverError(f"{self.name} is not running")
        return self._nursery

    def begin(self) -> None:
        """Start the thread; calls may be started at once.

        Raises:
            RuntimeError: The system has no thread to give.
        """
        with self._lock:
            self._is_begun = True
        self._thread = PortalThread(target=self._run, name=self.name, daemon=False)
        try:
            self._thread.start()
        except BaseException:
            self._is_over = True
            raise

    def check_process(self) -> None:
        """Refuse to go on in a fork, where the thread does not exist and the file is another's.

        Raises:
            IllegalStateError: It is a fork.
        """
        if os.getpid() != self._process_id:
            raise IllegalStateError(
                f"{self.name} was opened by process {self._process_id} before it forked; open it "
                "again in this one"
            )

    def start(self, call: "Call[_R]") -> None:
        """Begin a call.

        Raises:
            PortalOverError: It is not running; the call is not made.
            IllegalStateError: This is a fork of the process that made the portal.
        """
        self.check_process()
        with self._lock:
            if not self.is_running:
                raise PortalOverError(f"{self.name} is not open")
            # An interrupt may come between these steps: `cancel` finishes what did not get there.
            call.is_started = True
            self._calls.add(cast("Call[object]", call))
            self._post_locked(lambda: self._begin(cast("Call[object]", call)))

    def cancel(self, call: "Call[_R]") -> None:
        """Ask a call to end, which it does in its own time; one that was not begun is lost."""
        with self._lock:
            if self.is_running:
                self._post_locked(lambda: self._cancel(cast("Call[object]", call)))
                return
        call.lose(PortalOverError(f"{self.name} is closed"))

    def post(self, action: Callable[[], None]) -> None:
        """Make a short call on the portal's thread, soon, unless it is over; waits for nothing."""
        if not self.is_in_its_process:
            return
        with self._lock:
            if self.is_running:
                self._post_locked(action)

    def end(self) -> None:
        """Ask it to end, closing what it is for; waits for nothing, so it may be a finalizer."""
        self.post(self._set_end)

    def when_over(self, wake: Callable[[], None]) -> None:
        """Have a function called once when it is over, at once if it is."""
        with self._lock:
            if self.is_running:
                self._wakes.append(wake)
                return
        wake()

    def join(self) -> None:
        """Wait for the last instructions of the thread. After `when_over` has told."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    async def cancel_others(self) -> None:
        """Cancel every call but the one that makes this, and wait for their end. On its thread."""
        with self._lock:
            calls = list(self._calls)
        others = [call for call in calls if call.task is not trio.lowlevel.current_task()]
        for call in others:
            call.cancel()
        for call in others:
            await call.ended.wait()

    # --- On its thread --------------------------------------------------------------------------

    def _post_locked(self, action: Callable[[], None]) -> None:
        if self._token is None:
            self._early.append(action)
            return
        try:
            self._token.run_sync_soon(action)
        except trio.RunFinishedError:
            # The thread is about to say so, to every call.
            return

    def _run(self) -> None:
        error = PortalOverError(f"{self.name} is closed")
        try:
            trio.run(self._main)
        except BaseException as failure:
            _LOG.exception("%s ended by a failure", self.name)
            error.__cause__ = failure
        finally:
            with self._lock:
                self._is_over = True
                self._nursery = None
                left, self._calls = list(self._calls), set()
                wakes, self._wakes = self._wakes, []
            # trio may drop what was posted in its last moments, so nobody is left out here.
            for call in left:
                call.lose(error)
            for wake in wakes:
                wake()

    async def _main(self) -> None:
        self._end = trio.Event()
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            with self._lock:
                self._token = trio.lowlevel.current_trio_token()
                early, self._early = self._early, []
            for action in early:
                action()
            nursery.start_soon(self._watch_interpreter)
            await self._end.wait()
            try:
                if self.last is not None:
                    await self.last()
            except Exception:
                # Nobody waits for it: who closes in an orderly way has called it before.
                _LOG.exception("%s did not close properly", self.name)
            nursery.cancel_scope.cancel()

    def _set_end(self) -> None:
        if self._end is not None:
            self._end.set()

    def _begin(self, call: "Call[object]") -> None:
        if self._nursery is None or self._nursery.cancel_scope.cancel_called:
            return  # it is lost when the thread ends, which is now
        call.is_begun = True
        call.context.run(self._nursery.start_soon, self._make, call)

    def _cancel(self, call: "Call[object]") -> None:
        if call.is_begun:
            call.cancel()
            return
        # What is posted comes in order, so it will not begin any more.
        with self._lock:
            self._calls.discard(call)
        call.lose(PortalOverError("the call was cancelled"))

    async def _make(self, call: "Call[object]") -> None:
        try:
            await call.run()
        finally:
            with self._lock:
                self._calls.discard(call)
            call.finish()
            call.ended.set()

    async def _watch_interpreter(self) -> None:
        while _is_interpreter_used():  # noqa: ASYNC110 - no event tells of that
            await trio.sleep(INTERPRETER_POLL_S)
        self._set_end()


def call_soon(portal: Portal, function: Callable[[], _R]) -> _R:
    """Make a short call on the portal's loop and wait for it, on any thread.

    Raises:
        PortalOverError: It is not running.
        IllegalStateError: Its loop does not answer, since what the application gave to be called
            there, such as the block of an `update`, goes on for half a minute; or this is a fork.
        BaseException: What the call raised.
    """
    if portal.is_here:
        return function()
    done = threading.Lock()
    done.acquire()

    async def make() -> _R:
        return function()

    call = Call(make, done.release)
    portal.start(call)
    if not done.acquire(timeout=ANSWER_TIMEOUT_S):
        raise IllegalStateError(f"{portal.name} does not answer in {ANSWER_TIMEOUT_S} s")
    return call.result()


def _is_interpreter_used() -> bool:
    """Whether a thread is left that the interpreter waits for, other than portals'."""
    return threading.main_thread().is_alive() or any(
        not thread.daemon and not isinstance(thread, PortalThread) and thread.is_alive()
        for thread in threading.enumerate()
    )
