"""`FileSession`: the sync session of one realm file, shared by every `Realm` open on it.

It keeps the state machine of client-api 1.7 and what is told to whom. While another process or app
is the file's sync agent it is active without a connection, and waits for transfers follow what the
agent does to the file. Invariants: every wait ends, by completion, by a fatal error, or by the
closing of the file; errors reach the realms in the order in which the core told them. It runs on
the trio thread; `SyncSession` is the public side, for any thread.
"""

import logging
import math
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol
from weakref import WeakSet

import trio

from skerry.client.agency import Agency
from skerry.client.connection import Connection, ConnectionState
from skerry.client.environment import Environment
from skerry.client.pulse import Pulse
from skerry.client.streams import (
    ConnectionStateChange,
    ConnectionStateChanges,
    Direction,
    ProgressMode,
    ProgressStream,
)
from skerry.client.sync_errors import compensating_write, protocol_error
from skerry.client.transfers import Transfers, file_trouble
from skerry.errors import (
    AuthExpiredError,
    IllegalStateError,
    SessionInactiveError,
    SkerryError,
    SyncError,
)

if TYPE_CHECKING:
    from skerry import _core


_LOG: Final = logging.getLogger("skerry.sync")


class SessionState(Enum):
    """What a session is doing (client-api 1.7)."""

    DYING = "dying"
    ACTIVE = "active"
    INACTIVE = "inactive"
    WAITING_FOR_ACCESS_TOKEN = "waiting for access token"
    PAUSED = "paused"


class SessionObserver(Protocol):
    """What the session tells a realm. Called on the trio thread; must not raise."""

    def integrated(self) -> None:
        """The server's changes are in the file."""

    def subscriptions_changed(self) -> None:
        """A subscription set has another state."""

    def report(self, error: SyncError) -> None:
        """An error for the error handler."""


class FileSession:
    """See the module.

    Args:
        environment: For blocking calls.
        connection: The user's connection.
        file: The open realm file; closed by `close`.
        schema_json: The schema it was opened with.
        encryption_key: The key it was opened with; None for a plain file.
    """

    def __init__(
        self,
        environment: Environment,
        connection: Connection,
        file: "_core.RealmFile",
        schema_json: str,
        encryption_key: bytes | None = None,
    ) -> None:
        self._environment = environment
        self._connection = connection
        self.file = file
        self.schema_json = schema_json
        self.encryption_key = encryption_key
        self.observers: list[SessionObserver] = []
        self.changed = Pulse()
        self.last_error: SyncError | None = None
        self.times_inactive = 0
        self._is_closed = False
        self._agency = Agency(environment, connection, file, self)
        self._agency_trouble = ""
        self._state = SessionState.ACTIVE
        self._connection_state = ConnectionState.DISCONNECTED
        self._transfers = Transfers(environment.run_blocking, connection.driver, file)
        self._progress: dict[Direction, float] = {}
        self._progress_streams: dict[Direction, WeakSet[ProgressStream]] = {
            Direction.DOWNLOAD: WeakSet(),
            Direction.UPLOAD: WeakSet(),
        }
        self._change_streams: WeakSet[ConnectionStateChanges] = WeakSet()

    @property
    def state(self) -> SessionState:
        """What it is doing."""
        return self._state

    @property
    def connection_state(self) -> ConnectionState:
        """How far its connection is; a paused or inactive session has none."""
        return self._connection_state

    @property
    def wants_connection(self) -> bool:
        """Whether it has anything to do with a link."""
        return self._state not in {SessionState.PAUSED, SessionState.INACTIVE}

    def matches(self, schema_json: str, encryption_key: bytes | None) -> bool:
        """Return whether the file would be opened with these just as it is."""
        return self.schema_json == schema_json and self.encryption_key == encryption_key

    @property
    def is_inactive(self) -> bool:
        """Whether it has ended, until it is resumed."""
        return self._state is SessionState.INACTIVE

    @property
    def is_agent(self) -> bool:
        """Whether it is the one that syncs the file."""
        return self._agency.ident is not None

    async def open(self, nursery: trio.Nursery) -> None:
        """Join the connection, now or when nobody else syncs the file any more.

        Args:
            nursery: In which it waits for that; until `close`.

        Raises:
            StoreError: The lock of the sync agent cannot be asked for.
        """
        self._connection.listen(self)
        await self._agency.begin()
        self._agency.start(nursery)

    async def close(self) -> None:
        """Leave the connection and close the file. Waits end with SessionInactiveError."""
        if not self._is_closed:
            self._connection.forget(self)
        self._is_closed = True
        error = SessionInactiveError("the realm was closed")
        self._transfers.fail(error)
        self.changed.give()
        with trio.CancelScope(shield=True):
            try:
                await self._agency.stop()
                await self._agency.leave()
            finally:
                self._state = SessionState.INACTIVE
                # Those that began while the session was leaving.
                self._transfers.fail(error)
                try:
                    await self._environment.run_blocking(self.file.close)
                finally:
                    await self._agency.release()

    async def finish_uploads(self) -> None:
        """Wait until local changes are acknowledged, or the session cannot send them."""
        self._state = SessionState.DYING
        try:
            await self.wait_transfer(Direction.UPLOAD)
        except SkerryError as error:
            # The changes stay in the file and go out when it is opened again. The file may have
            # been closed before this even began to wait.
            _LOG.debug("the last uploads of %s are left for later: %s", self.file.path, error)

    def revive(self) -> None:
        """A realm was opened on the file while its last changes were still going out."""
        if self._state is SessionState.DYING:
            self._state = SessionState.ACTIVE

    def local_change(self) -> None:
        """Something was committed to the file; there may be something to send."""
        if self._agency.ident is not None:
            self._connection.driver.wake()

    # --- Control ------------------------------------------------------------------------------

    def pause(self) -> None:
        """Stop traffic until `resume`."""
        if self._state is SessionState.PAUSED:
            return
        self._submit("pause")
        self._state = SessionState.PAUSED
        self._update_connection_state(ConnectionState.DISCONNECTED)
        self._connection.wishes_changed()
        self.changed.give()

    def resume(self) -> None:
        """Go on, from every state, without waiting out a pause between attempts."""
        if self._state in {SessionState.ACTIVE, SessionState.WAITING_FOR_ACCESS_TOKEN}:
            return
        self._submit("resume")
        self._state = SessionState.ACTIVE
        if self.is_agent:
            self._update_connection_state(self._connection.state)
        self._connection.wishes_changed()
        self._connection.reconnect_now()
        self.changed.give()

    def deactivate(self, reason: str) -> None:
        """Stop because the user is logged out."""
        self._become_inactive(SessionInactiveError(reason))

    async def wait_transfer(self, direction: Direction) -> None:
        """Wait until what is to be transferred now has been, and is integrated.

        Raises:
            SyncError: A fatal error ended the session, or the realm was closed.
        """
        await self._transfers.wait(direction, self._ident_now)

    async def watch_progress(self, stream: ProgressStream, direction: Direction) -> None:
        """Finish a stream when the transfer of this moment is complete."""
        try:
            await self.wait_transfer(direction)
        except (SyncError, IllegalStateError) as error:
            stream.fail(error)
        else:
            stream.finish()

    # --- Told by the agency -------------------------------------------------------------------

    async def agency_gained(self, ident: int) -> None:
        """It is the file's sync agent and on the connection."""
        self._agency_trouble = ""
        if self._state is SessionState.PAUSED:
            self._submit("pause")
        if self.wants_connection:
            self._update_connection_state(self._connection.state)
        await self._transfers.join(ident)

    def agency_lost(self) -> None:
        """It is not on the connection any more; waits go on without it."""
        self._transfers.part()

    async def agency_awaited(self) -> None:
        """Complete the waits for what the agent has done to the file."""
        await self._transfers.follow()

    def agency_failed(self, error: SkerryError) -> None:
        """Report what keeps the lock from being asked for; the same trouble once."""
        trouble = file_trouble(error)
        if str(trouble) != self._agency_trouble:
            self._agency_trouble = str(trouble)
            self.take_error(trouble)

    # --- Streams ------------------------------------------------------------------------------

    def progress_stream(self, direction: Direction, mode: ProgressMode) -> ProgressStream:
        """Return a new stream of a direction's progress."""
        stream = ProgressStream(mode, self._progress.get(direction))
        self._progress_streams[direction].add(stream)
        return stream

    def change_stream(self) -> ConnectionStateChanges:
        """Return a new stream of the connection's changes."""
        stream = ConnectionStateChanges()
        self._change_streams.add(stream)
        return stream

    # --- Told by the connection ---------------------------------------------------------------

    def take_event(self, event: "_core.SyncEvent") -> None:
        """Do what an event asks for."""
        match event.kind:
            case "integrated":
                for observer in list(self.observers):
                    observer.integrated()
            case "subscription":
                self._subscriptions_changed()
            case "download_complete" | "upload_complete":
                self._transfers.complete(event.request or 0)
            case "progress":
                self._take_progress(event)
            case "error":
                self.take_error(protocol_error(event))
            case "compensating_write":
                self._report(compensating_write(event))
            case "session":
                self._take_state(event.state or "")
            case "refresh_user" | "refresh_location" | "log_out" | "log":
                pass  # the connection has seen to it
            case unknown:
                raise AssertionError(f"the core told of {unknown!r}")

    def take_error(self, error: SyncError) -> None:
        """Report an error; a fatal one makes the session inactive.

        Errors of a session that is not at work are dropped (client-api 1.7), but for the end of
        the login, which is what made it stop.
        """
        is_at_work = self._state not in {SessionState.INACTIVE, SessionState.PAUSED}
        if is_at_work or isinstance(error, AuthExpiredError):
            self._report(error)
        if is_at_work and error.is_fatal:
            self._become_inactive(error)

    def connection_changed(self, state: ConnectionState) -> None:
        """Take note of the connection's state."""
        if self.wants_connection:
            self._update_connection_state(state)

    def token_awaited(self, *, is_awaited: bool) -> None:
        """Take note that the access token is being refreshed, or that this is over."""
        before, after = SessionState.ACTIVE, SessionState.WAITING_FOR_ACCESS_TOKEN
        if not is_awaited:
            before, after = after, before
        if self._state is before:
            self._state = after
            self.changed.give()

    # --- Inside -------------------------------------------------------------------------------

    def _submit(self, name: str) -> None:
        ident = self._ident_now()
        if ident is None:
            return  # when it joins the connection, its state is told
        if name == "pause":
            self._connection.driver.submit(lambda core, _: core.pause(ident))
        else:
            self._connection.driver.submit(lambda core, _: core.resume(ident))

    def _ident_now(self) -> int | None:
        if self._is_closed:
            raise IllegalStateError("the realm is closed")
        return self._agency.ident

    def _take_state(self, state: str) -> None:
        if state == "inactive" and self.wants_connection:
            self._become_inactive(SessionInactiveError("the session became inactive"))
        elif state == "active" and self._state is SessionState.WAITING_FOR_ACCESS_TOKEN:
            self._state = SessionState.ACTIVE
        elif state == "waiting" and self._state is SessionState.ACTIVE:
            self._state = SessionState.WAITING_FOR_ACCESS_TOKEN
        self.changed.give()

    def _take_progress(self, event: "_core.SyncEvent") -> None:
        direction = Direction(event.direction)
        estimate = event.estimate
        if estimate is None or math.isnan(estimate):
            return
        bounded = min(1.0, max(0.0, estimate))
        self._progress[direction] = bounded
        for stream in list(self._progress_streams[direction]):
            stream.put(bounded)

    def _become_inactive(self, error: SyncError) -> None:
        if self._state is SessionState.INACTIVE:
            return
        self._state = SessionState.INACTIVE
        self.last_error = error
        self.times_inactive += 1
        self._update_connection_state(ConnectionState.DISCONNECTED)
        self._transfers.fail(error)
        self._connection.wishes_changed()
        self._subscriptions_changed()

    def _report(self, error: SyncError) -> None:
        # A dying session has no realm left that could be told.
        for observer in list(self.observers):
            observer.report(error)

    def _subscriptions_changed(self) -> None:
        self.changed.give()
        for observer in list(self.observers):
            observer.subscriptions_changed()

    def _update_connection_state(self, state: ConnectionState) -> None:
        if state is self._connection_state:
            return
        change = ConnectionStateChange(self._connection_state, state)
        self._connection_state = state
        for stream in list(self._change_streams):
            stream.put(change)
