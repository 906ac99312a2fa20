# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`SyncSession`, as aio programs use it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from skerry.aio.base import AioFacade
from skerry.client.session import SyncSession as TrioSyncSession

if TYPE_CHECKING:
    from skerry.aio.configuration import SyncConfiguration
    from skerry.aio.stream import Stream
    from skerry.aio.user import User
    from skerry.client.connection import ConnectionState
    from skerry.client.file_session import SessionState
    from skerry.client.streams import ConnectionStateChange, Direction, Progress, ProgressMode


class SyncSession(AioFacade[TrioSyncSession]):
    """Control of a realm's sync; got from `Realm.sync_session` or in the error handler.

    Any asyncio loop may use it. The members are those of `skerry.SyncSession`.
    """

    @property
    def configuration(self) -> SyncConfiguration:
        """The configuration that the realm was opened with; the same object."""
        return cast("SyncConfiguration", self._wrap(self._here.configuration))

    @property
    def user(self) -> User:
        """The user it syncs for; the same object as in the configuration."""
        return cast("User", self._wrap(self._here.user))

    @property
    def state(self) -> SessionState:
        """What the session is doing, live."""
        return self._here.state

    @property
    def connection_state(self) -> ConnectionState:
        """How far its connection is, live."""
        return self._here.connection_state

    @property
    def is_sync_agent(self) -> bool:
        """Whether this app is the one that syncs the file, live.

        One app at a time is, over all processes. In the others `state` is ACTIVE and
        `connection_state` DISCONNECTED, until the agent ends and one of them takes over.
        """
        return self._here.is_sync_agent

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
        here = self._here
        return await self._run(lambda: here.download_all_server_changes(timeout))

    async def upload_all_local_changes(self, timeout: float = math.inf) -> bool:
        """Wait until the server has acknowledged every local change of this moment.

        It does not mean that the server accepted them: compensating writes come later, with a
        download. With nothing to send it returns at once, offline too.

        Args, returns, raises, cancellation: as `download_all_server_changes`.
        """
        here = self._here
        return await self._run(lambda: here.upload_all_local_changes(timeout))

    def pause(self) -> None:
        """Stop sync until `resume`; harmless when paused. Not remembered after closing.

        Raises:
            IllegalStateError: The realm is closed.
        """
        self._here.pause()

    def resume(self) -> None:
        """Go on, also after a fatal error, and connect without waiting out a pause.

        Raises:
            IllegalStateError: The realm is closed.
        """
        self._here.resume()

    def connection_state_changes(self) -> Stream[ConnectionStateChange]:
        """Return an async iterator of changes from now on; it ends when the realm closes.

        Raises:
            IllegalStateError: Called in the error handler or after closing.
        """
        here = self._here
        return self._stream(lambda: here.connection_state_changes())

    def progress(self, direction: Direction, mode: ProgressMode) -> Stream[Progress]:
        """Return an async iterator of progress, beginning with what is known.

        CURRENT_CHANGES never falls and ends with 1.0, once what was to be transferred at the call
        has been, and is integrated; INDEFINITELY goes on and may fall when new work arrives. Both
        end when the realm closes; only the newest estimate waits for a slow reader.

        Raises:
            IllegalStateError: As `connection_state_changes`.
            SyncError: From the iterator in CURRENT_CHANGES: the session ended before.
        """
        here = self._here
        return self._stream(lambda: here.progress(direction, mode))
