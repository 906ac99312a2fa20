"""`Connection`: one websocket for all sessions of a user, kept up for as long as one wants it.

It connects, hands the link to the `Driver`, and when the link ends does what the close code asks
for (sync-engine 4.12), after a pause that grows with failures (4.11). Invariants: no failure of the
network leaves it as an exception; without a session that wants it, the link is closed after the
linger time. It knows sessions only as sinks for events.
"""

import logging
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol

import trio

from skerry.client.backoff import Backoff
from skerry.client.driver import Driver
from skerry.client.environment import Environment
from skerry.client.http_errors import error_message
from skerry.client.pulse import Pulse
from skerry.client.sync_errors import connect_failed, link_error, protocol_error
from skerry.errors import (
    AppError,
    AuthExpiredError,
    ClientResetRequiredError,
    IllegalStateError,
    LinkError,
    SkerryError,
    SyncError,
)
from skerry.transport import LinkTarget
from skerry.transport.close_codes import LinkAction, action_for

if TYPE_CHECKING:
    from skerry import _core

_LOG = logging.getLogger("skerry.sync")
_SERVER_LOG = logging.getLogger("skerry.sync.server")
_LEVELS: Final = {
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "info": logging.INFO,
}
_PROGRESS_EVENTS: Final = frozenset({"integrated", "download_complete"})
EVERY_SESSION: Final = 0


class ConnectionState(Enum):
    """How far the connection to the server is."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"


class SessionSink(Protocol):
    """What the connection needs of a session. Called on the trio thread; must not raise."""

    @property
    def wants_connection(self) -> bool:
        """Whether it has anything to do with a link."""

    def take_event(self, event: "_core.SyncEvent") -> None:
        """Take an event of its own or of the whole connection."""

    def take_error(self, error: SyncError) -> None:
        """Take an error of the connection; a fatal one ends the session."""

    def connection_changed(self, state: ConnectionState) -> None:
        """Take note of the connection's state."""

    def token_awaited(self, *, is_awaited: bool) -> None:
        """Take note that the access token is being refreshed, or that this is over."""


class ConnectionOwner(Protocol):
    """What the connection needs of the app and the user."""

    @property
    def is_location_fresh(self) -> bool:
        """Whether the server's location is known from this run."""

    @property
    def needs_token(self) -> bool:
        """Whether the access token must be refreshed before connecting."""

    async def link_target(self) -> LinkTarget:
        """Return where to connect, with a valid token.

        Raises:
            AuthExpiredError: The user's login has ended.
            AppError: The server cannot be reached or refuses.
            IllegalStateError: The user is not logged in.
        """

    def token_rejected(self) -> None:
        """The present access token was refused; do not use it again."""

    def location_doubtful(self) -> None:
        """Ask for the location again before the next attempt."""

    async def log_out_locally(self) -> None:
        """The server forbids the user to sync; log out on this device."""


class Connection:
    """See the module.

    Args:
        environment: Core, clock, chance, network and threads.
        owner: The app's and user's side.
        linger_s: How long an unwanted link stays open.
    """

    def __init__(
        self, environment: Environment, owner: ConnectionOwner, *, linger_s: float
    ) -> None:
        self._environment = environment
        self._owner = owner
        self._linger_s = linger_s
        self._backoff = Backoff(environment.chance)
        self._sinks: dict[int, SessionSink] = {}
        self._listeners: list[SessionSink] = []
        self._wishes = Pulse()
        self._hurry = Pulse()
        self._is_stopping = False
        self._nursery: trio.Nursery | None = None
        self._state = ConnectionState.DISCONNECTED
        self.driver = Driver(environment, self._deliver, self._core_failed)

    @property
    def state(self) -> ConnectionState:
        """How far the connection is."""
        return self._state

    @property
    def has_sessions(self) -> bool:
        """Whether any session is attached."""
        return bool(self._sinks)

    async def run(self) -> None:
        """Keep connected until `stop`; then return when the goodbye has been said."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self.driver.run)
            while not self._is_stopping:
                if not self._is_wanted():
                    await self._wishes.wait()
                    continue
                await self._connect_once()
                if not self._is_stopping:
                    await self._rest(self._backoff.next_delay_s())
            nursery.cancel_scope.cancel()

    def listen(self, sink: SessionSink) -> None:
        """Tell a session of the end of the login from now on, also while it is not attached."""
        self._listeners.append(sink)

    def forget(self, sink: SessionSink) -> None:
        """Undo `listen`."""
        self._listeners.remove(sink)

    async def attach(self, sink: SessionSink, file: "_core.RealmFile") -> int:
        """Add a session for a file and return its ident."""

        def join(ident: int) -> None:
            self._sinks[ident] = sink
            self.wishes_changed()
            # A realm that is being opened does not wait out a pause that others caused.
            self._hurry.give()

        return await self.driver.call(lambda core, _: core.attach(file), join)

    async def detach(self, ident: int) -> None:
        """Remove a session; returns when the core has let go of its file."""
        try:
            await self.driver.call(lambda core, _: core.detach(ident))
        finally:
            self._sinks.pop(ident, None)
            self.wishes_changed()

    def wishes_changed(self) -> None:
        """Look again at which sessions want the link."""
        self._wishes.give()

    def reconnect_now(self) -> None:
        """End a pause between attempts, and begin again with the shortest one."""
        self._backoff.reset()
        self._hurry.give()

    def stop(self) -> None:
        """Close the link and let `run` return."""
        self._is_stopping = True
        self._wishes.give()
        self._hurry.give()

    def hang_up(self) -> None:
        """End the present link; it comes back if a session wants it."""
        self.driver.hang_up(1000, "")
        self._wishes.give()

    def fail_sessions(self, error: SyncError) -> None:
        """Give an error to every session that is attached, and the end of the login to all."""
        sinks = list(self._sinks.values())
        if isinstance(error, AuthExpiredError):
            sinks += self._unattached()
        for sink in sinks:
            sink.take_error(error)
        self._wishes.give()

    def _is_wanted(self) -> bool:
        return not self._is_stopping and any(sink.wants_connection for sink in self._sinks.values())

    async def _connect_once(self) -> None:
        """Connect, serve the link to its end, and do what the end asks for."""
        self._set_state(ConnectionState.CONNECTING)
        try:
            # An unwanted attempt is given up as an unwanted link is: after the linger time.
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._give_up_when_unwanted, nursery.cancel_scope)
                await self._link_up()
                nursery.cancel_scope.cancel()
        finally:
            self._set_state(ConnectionState.DISCONNECTED)

    async def _link_up(self) -> None:
        try:
            target = await self._target()
            async with self._environment.open_link(target) as link:
                end = await self.driver.serve(
                    link, on_open=lambda: self._set_state(ConnectionState.CONNECTED)
                )
        except AuthExpiredError as error:
            self.fail_sessions(error)
        except IllegalStateError:
            _LOG.debug("the user is logged out; not connecting")
        except AppError as error:
            self._owner.location_doubtful()
            self.fail_sessions(connect_failed(error))
        except LinkError as error:
            await self._after(error)
        else:
            await self._after(end)

    async def _target(self) -> LinkTarget:
        is_awaited = self._owner.needs_token
        self._tell_token_awaited(is_awaited=is_awaited)
        try:
            return await self._owner.link_target()
        finally:
            if is_awaited:
                self._tell_token_awaited(is_awaited=False)

    async def _after(self, end: LinkError) -> None:
        """Do what the end of a link, or of an attempt, asks for."""
        _LOG.info("the link ended: %s", end)
        action = action_for(end.close_code, is_location_fresh=self._owner.is_location_fresh)
        match action:
            case LinkAction.RECONNECT:
                pass
            case LinkAction.REPORT_AND_RECONNECT:
                # Next time the location is in doubt: the server may have moved.
                self._owner.location_doubtful()
                self.fail_sessions(connect_failed(end))
            case LinkAction.REFRESH_USER:
                self._owner.token_rejected()
            case LinkAction.REFRESH_LOCATION:
                self._owner.location_doubtful()
            case LinkAction.LOG_OUT_USER:
                await self._owner.log_out_locally()
                self.fail_sessions(link_error(end, AuthExpiredError, "AuthError", is_fatal=True))
            case LinkAction.CLIENT_RESET:
                self.fail_sessions(
                    link_error(end, ClientResetRequiredError, "LimitExceeded", is_fatal=True)
                )
            case LinkAction.STOP:
                self.fail_sessions(link_error(end, SyncError, "FatalError", is_fatal=True))

    async def _give_up_when_unwanted(self, scope: trio.CancelScope) -> None:
        while True:
            while self._is_wanted():
                await self._wishes.wait()
            if not self._is_stopping:
                with trio.move_on_after(self._linger_s):
                    while not self._is_wanted() and not self._is_stopping:
                        await self._wishes.wait()
                if self._is_wanted():
                    continue
            self.driver.hang_up(1000, "")
            if self._state is ConnectionState.CONNECTING:
                scope.cancel()
            return

    async def _rest(self, delay_s: float) -> None:
        with trio.move_on_after(delay_s):
            await self._hurry.wait()

    def _deliver(self, event: "_core.SyncEvent") -> None:
        if event.kind in _PROGRESS_EVENTS:
            self._backoff.reset()
        match event.kind:
            case "refresh_user":
                self._owner.token_rejected()
            case "refresh_location":
                self._owner.location_doubtful()
            case "log_out" if self._nursery is not None:
                # The error that says why is told by an event of its own.
                self._nursery.start_soon(self._owner.log_out_locally)
            case "log":
                _SERVER_LOG.log(_LEVELS.get(event.level or "", logging.DEBUG), "%s", event.message)
            case _:
                pass  # the session's business
        sinks: list[SessionSink] = list(self._sinks.values())
        if event.session != EVERY_SESSION:
            sinks = [self._sinks[event.session]] if event.session in self._sinks else []
        elif event.kind == "error" and isinstance(protocol_error(event), AuthExpiredError):
            sinks += self._unattached()
        for sink in sinks:
            sink.take_event(event)

    def _unattached(self) -> list[SessionSink]:
        attached = set(map(id, self._sinks.values()))
        return [sink for sink in self._listeners if id(sink) not in attached]

    def _core_failed(self, error: SkerryError) -> None:
        """Report what kept the core from going on; the link begins anew after a pause."""
        text = error_message("Sync", type(error).__name__, None, error.message)
        self.fail_sessions(SyncError(text, is_fatal=False, is_retryable=True, category="Sync"))

    def _tell_token_awaited(self, *, is_awaited: bool) -> None:
        for sink in list(self._sinks.values()):
            sink.token_awaited(is_awaited=is_awaited)

    def _set_state(self, state: ConnectionState) -> None:
        if state is self._state:
            return
        self._state = state
        for sink in list(self._sinks.values()):
            sink.connection_changed(state)
