"""`Agency`: whether this app is the one that syncs a file, and its part of the connection then.

One open file at a time is, by a lock of the operating system, over all processes and all apps in
them (docs/decisions/010-sync-agent.md). Invariants: a session is on the connection only while the
lock is held, so what it reads of the file when it joins is what the agent before it has left; the
lock is kept while the session is paused or dying, and given up when it is inactive or closed. It
does not know what waits for the file: that is the session's.
"""

from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import trio

from skerry.client.connection import Connection, SessionSink
from skerry.client.environment import Environment
from skerry.client.pulse import Pulse
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from skerry import _core

# Between looks at the lock and at the file, plus a random part of up to as much. Each look takes a
# few system calls.
RETRY_DELAY_S: Final = 0.25


class AgencySession(SessionSink, Protocol):
    """What the agency needs of a session. All of it on the trio thread."""

    changed: Pulse

    @property
    def is_inactive(self) -> bool:
        """Whether it has ended, until it is resumed."""

    async def agency_gained(self, ident: int) -> None:
        """It is on the connection now; must not raise."""

    def agency_lost(self) -> None:
        """It is not on the connection any more; must not raise."""

    async def agency_awaited(self) -> None:
        """Somebody else is the agent: look at what it did to the file; must not raise."""

    def agency_failed(self, error: SkerryError) -> None:
        """The lock cannot be asked for; it is tried again. Must not raise."""


class Agency:
    """See the module.

    Args:
        environment: Core, chance and threads.
        connection: The user's connection.
        file: The open realm file.
        session: Whose agency it is.
    """

    def __init__(
        self,
        environment: Environment,
        connection: Connection,
        file: "_core.RealmFile",
        session: AgencySession,
    ) -> None:
        self._environment = environment
        self._connection = connection
        self._file = file
        self._session = session
        self._lock: _core.SyncAgentLock | None = None
        self._ident: int | None = None
        self._scope = trio.CancelScope()
        self._ended: trio.Event | None = None

    @property
    def ident(self) -> int | None:
        """The session's number on the connection; None while it is not on it."""
        return self._ident

    async def begin(self) -> bool:
        """Become the agent if nobody is; return whether it was possible.

        Raises:
            StoreError: The lock file cannot be made or locked.
            IllegalStateError: The connection has ended.

        Cancellation: it has not begun, or is carried out.
        """
        path = self._file.path
        # Once begun it is not abandoned, so that no lock gets lost on the way.
        self._lock = await self._environment.run_blocking(
            partial(self._environment.core.sync_agent_lock, path)
        )
        if self._lock is None:
            return False
        with trio.CancelScope(shield=True):
            try:
                self._ident = await self._connection.attach(self._session, self._file)
            except BaseException:
                await self.release()
                raise
            await self._session.agency_gained(self._ident)
        return True

    def start(self, nursery: trio.Nursery) -> None:
        """Try again and again from now on, until `stop`."""
        self._ended = trio.Event()
        nursery.start_soon(self._run, self._ended)

    async def stop(self) -> None:
        """End what `start` began. What is held is still held."""
        self._scope.cancel()
        if self._ended is not None:
            await self._ended.wait()

    async def leave(self) -> None:
        """Leave the connection; returns when the core has let go of the file."""
        if self._ident is not None:
            ident, self._ident = self._ident, None
            with trio.CancelScope(shield=True):
                try:
                    await self._connection.detach(ident)
                finally:
                    self._session.agency_lost()

    async def release(self) -> None:
        """Let somebody else be the agent; after `leave`."""
        if self._lock is not None:
            lock, self._lock = self._lock, None
            with trio.CancelScope(shield=True):
                await self._environment.run_blocking(lock.release)

    async def _run(self, ended: trio.Event) -> None:
        try:
            with self._scope:
                while True:
                    await self._step()
        finally:
            ended.set()

    async def _step(self) -> None:
        """Do what the state asks for; nothing is awaited between looking and waiting."""
        session = self._session
        if self._lock is not None and session.is_inactive:
            # Whatever ended the session, another process may fare better, or learn of it, too.
            try:
                await self.leave()
            finally:
                await self.release()
        elif self._lock is not None or not session.wants_connection:
            await session.changed.wait()
        elif not await self._try():
            await session.agency_awaited()
            await trio.sleep(RETRY_DELAY_S * (1 + self._environment.chance.random()))

    async def _try(self) -> bool:
        try:
            return await self.begin()
        except SkerryError as error:
            self._session.agency_failed(error)
            return False
