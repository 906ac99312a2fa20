"""`SyncSession`: the public side of a realm's sync session (client-api 1.7), for any thread.

Properties may be read, and `pause` and `resume` called, from any thread; the waits may be awaited
from any trio loop. Streams belong to the loop that opened the realm. It holds no state of its own
beyond the streams it gave out.
"""

import logging
import math
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakSet

import trio

from skerry.client.connection import ConnectionState
from skerry.client.file_session import FileSession, SessionState
from skerry.client.pulse import Pulse
from skerry.client.streams import (
    ConnectionStateChanges,
    Direction,
    ProgressMode,
    ProgressStream,
)
from skerry.errors import CompensatingWriteError, IllegalStateError, SyncError

if TYPE_CHECKING:
    from skerry.client.realm_configuration import SyncConfiguration
    from skerry.client.user import User

_LOG = logging.getLogger("skerry.sync")
ERRORS_WAITING_MAX: Final = 10_000
HOME_ANSWER_TIMEOUT_S: Final = 30.0

ErrorHandler: TypeAlias = "Callable[[SyncSession, SyncError], Awaitable[None] | None]"
Spawn: TypeAlias = Callable[[Callable[[], Awaitable[None]]], None]


class SyncSession:
    """Control of a realm's sync, got from `Realm.sync_session` or in the error handler.

    In the error handler it has no realm: `configuration`, `user`, the waits and the streams raise
    IllegalStateError there; `state`, `connection_state`, `pause` and `resume` work.
    """

    def __init__(
        self,
        session: FileSession,
        configuration: "SyncConfiguration",
        *,
        home: trio.lowlevel.TrioToken,
        spawn: Spawn,
        is_in_error_handler: bool = False,
    ) -> None:
        """Internal: use `Realm.sync_session`."""
        self._session = session
        self._configuration = configuration
        self._home = home
        self._spawn = spawn
        self._is_in_error_handler = is_in_error_handler
        self._is_closed = False
        self._streams: WeakSet[ConnectionStateChanges | ProgressStream] = WeakSet()

    @property
    def configuration(self) -> "SyncConfiguration":
        """The configuration that the realm was opened with; the same object."""
        self._refuse_in_error_handler("configuration")
        return self._configuration

    @property
    def user(self) -> "User":
        """The user it syncs for; the same object as in the configuration."""
        self._refuse_in_error_handler("user")
        return self._configuration.user

    @property
    def state(self) -> SessionState:
        """What the session is doing, live."""
        return self._session.state

    @property
    def connection_state(self) -> ConnectionState:
        """How far its connection is, live."""
        return self._session.connection_state

    @property
    def is_sync_agent(self) -> bool:
        """Whether this app is the one that syncs the file, live.

        One app at a time is, over all processes. In the others `state` is ACTIVE and
        `connection_state` DISCONNECTED, until the agent ends and one of them takes over.
        """
        return self._session.is_agent

    async def download_all_server_changes(self, timeout: float = math.inf) -> bool:
        """Wait until all that the server has now is in the file.

        Args:
            timeout: Seconds > 0.

        Returns:
            True; False after the timeout, with the transfer going on behind.

        Raises:
            ValueError: `timeout` is not more than 0.
            IllegalStateError: Called in the error handler, or the realm is closed.
            SyncError: A fatal error, a log-out or the closing of the realm ended the wait.
                Errors after which sync goes on do not.

        When another process syncs the file, the wait is for what that one does.

        Cancellation: the wait ends, the transfer goes on; an outer deadline is never taken for
        this one (client-api 1.14 p). While the session is paused the wait goes on until `resume`.
        """
        return await self._wait(Direction.DOWNLOAD, timeout, "download_all_server_changes")

    async def upload_all_local_changes(self, timeout: float = math.inf) -> bool:
        """Wait until the server has acknowledged every local change of this moment.

        It does not mean that the server accepted them: compensating writes come later, with a
        download. With nothing to send it returns at once, offline too.

        Args, returns, raises, cancellation: as `download_all_server_changes`.
        """
        return await self._wait(Direction.UPLOAD, timeout, "upload_all_local_changes")

    def pause(self) -> None:
        """Stop sync until `resume`; harmless when paused. Not remembered after closing.

        Raises:
            IllegalStateError: The realm is closed.
        """
        self._run_at_home(self._session.pause)

    def resume(self) -> None:
        """Go on, also after a fatal error, and connect without waiting out a pause.

        Raises:
            IllegalStateError: The realm is closed.
        """
        self._run_at_home(self._session.resume)

    def connection_state_changes(self) -> ConnectionStateChanges:
        """Return an async iterator of changes from now on; it ends when the realm closes.

        Raises:
            IllegalStateError: Called in the error handler, on another thread than the realm's, or
                the realm is closed.
        """
        self._refuse_in_error_handler("connection_state_changes")
        self._require_home("connection_state_changes")
        stream = self._session.change_stream()
        self._streams.add(stream)
        return stream

    def progress(self, direction: Direction, mode: ProgressMode) -> ProgressStream:
        """Return an async iterator of progress, beginning with what is known.

        CURRENT_CHANGES never falls and ends with 1.0, once what was to be transferred at the call
        has been, and is integrated; INDEFINITELY goes on and may fall when new work arrives. Both
        end when the realm closes; only the newest estimate waits for a slow reader.

        Raises:
            IllegalStateError: As `connection_state_changes`.
            SyncError: From the iterator in CURRENT_CHANGES: the session ended before.
        """
        self._refuse_in_error_handler("progress")
        self._require_home("progress")
        stream = self._session.progress_stream(direction, mode)
        self._streams.add(stream)
        if mode is ProgressMode.CURRENT_CHANGES:
            self._spawn(partial(self._session.watch_progress, stream, direction))
        return stream

    def for_error_handler(self) -> "SyncSession":
        """Return the session as the error handler gets it. Internal."""
        return SyncSession(
            self._session,
            self._configuration,
            home=self._home,
            spawn=self._spawn,
            is_in_error_handler=True,
        )

    def close(self) -> None:
        """End what depends on the realm. Internal: the realm calls it."""
        self._is_closed = True
        for stream in list(self._streams):
            stream.close()

    async def _wait(self, direction: Direction, timeout: float, name: str) -> bool:
        check_timeout(timeout)
        self._refuse_in_error_handler(name)
        self._refuse_closed()

        async def wait_at_home() -> bool:
            with trio.move_on_after(timeout) as scope:
                await self._session.wait_transfer(direction)
                return True
            # Only the deadline of this very scope is answered with False.
            return not scope.cancelled_caught

        if trio.lowlevel.current_trio_token() is self._home:
            return await wait_at_home()
        return await trio.to_thread.run_sync(
            lambda: trio.from_thread.run(wait_at_home, trio_token=self._home),
            abandon_on_cancel=True,
        )

    def _run_at_home(self, call: Callable[[], None]) -> None:
        """Make a short call on the realm's loop, from whatever thread this is."""
        self._refuse_closed()
        if self._is_at_home():
            call()
            return
        finished = threading.Event()
        failures: list[Exception] = []

        def make_call() -> None:
            try:
                call()
            except IllegalStateError as error:
                failures.append(error)
            finished.set()

        try:
            self._home.run_sync_soon(make_call)
        except trio.RunFinishedError as error:
            raise IllegalStateError("the realm is closed") from error
        if not finished.wait(HOME_ANSWER_TIMEOUT_S):
            raise IllegalStateError("the loop that opened the realm does not answer")
        for failure in failures:
            raise failure

    def _is_at_home(self) -> bool:
        try:
            return trio.lowlevel.current_trio_token() is self._home
        except RuntimeError:
            return False

    def _require_home(self, name: str) -> None:
        self._refuse_closed()
        if not self._is_at_home():
            raise IllegalStateError(f"{name} is for the trio loop that opened the realm")

    def _refuse_closed(self) -> None:
        if self._is_closed:
            raise IllegalStateError("the realm is closed")

    def _refuse_in_error_handler(self, name: str) -> None:
        if self._is_in_error_handler:
            raise IllegalStateError(f"{name} is not available in the error handler: no realm there")


class ErrorPump:
    """Calls a realm's error handler, one error after the other, apart from sync.

    Args:
        handler: The application's, or None for a warning in the log.
        session: What it gets as its first argument.
    """

    def __init__(self, handler: "ErrorHandler | None", session: SyncSession) -> None:
        self._handler = handler or log_error
        self._session = session
        self._errors: list[SyncError] = []
        self._pulse = Pulse()

    def put(self, error: SyncError) -> None:
        """Queue an error; beyond ten thousand waiting ones only the log gets it."""
        if len(self._errors) >= ERRORS_WAITING_MAX:
            _LOG.error("the error handler is too slow; not delivered: %s", error)
            return
        self._errors.append(error)
        self._pulse.give()

    async def run(self) -> None:
        """Call the handler until cancelled; what it raises is logged and swallowed."""
        while True:
            while not self._errors:
                await self._pulse.wait()
            error = self._errors.pop(0)
            try:
                answer = self._handler(self._session, error)
                if isawaitable(answer):
                    await answer
            except Exception:
                _LOG.exception("the error handler raised; the error was: %s", error)
            # A handler that never awaits must not keep the loop to itself.
            await trio.lowlevel.checkpoint()


def log_error(_session: SyncSession, error: SyncError) -> None:
    """The default error handler: a warning, with each write that was undone."""
    _LOG.warning("%s", error)
    if isinstance(error, CompensatingWriteError):
        for write in error.writes:
            _LOG.warning("%s %s: %s", write.object_type, write.primary_key, write.reason)


def check_timeout(timeout: float) -> None:
    """Refuse a wait that could not succeed.

    Raises:
        ValueError: It is not more than 0.
    """
    if not timeout > 0:
        raise ValueError(f"timeout is more than 0 seconds, not {timeout}")
