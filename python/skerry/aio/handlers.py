"""Error handlers of asyncio programs: called on the loop that opened the realm."""

import asyncio
import contextlib
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeAlias, cast

import trio

from skerry.client.session import log_error
from skerry.errors import SyncError
from skerry.portal import Bridge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from skerry.aio.session import SyncSession
    from skerry.client.session import SyncSession as TrioSyncSession

ErrorHandler: TypeAlias = "Callable[[SyncSession, SyncError], Awaitable[None] | None]"
TrioErrorHandler: TypeAlias = "Callable[[TrioSyncSession, SyncError], Awaitable[None]]"


class LoopHandler:
    """Calls a handler for the trio API.

    Args:
        handler: The application's.
        bridge: Of its realm.
    """

    def __init__(self, handler: ErrorHandler, bridge: Bridge) -> None:
        self.handler = handler
        self._bridge = bridge
        self.loop: asyncio.AbstractEventLoop | None = None
        """Where it is called; set by opening a realm."""

    async def __call__(self, session: "TrioSyncSession", error: SyncError) -> None:
        """Call the handler on its loop and wait for it; if that is closed, the log gets the error.

        Cancellation, by the closing of the realm: the handler's task is cancelled.
        """
        loop = self.loop
        facade = cast("SyncSession", self._bridge.wrap(session))
        if loop is None or loop.is_closed():
            log_error(session, error)
            return
        call = self._call(facade, error)
        try:
            future = asyncio.run_coroutine_threadsafe(call, loop)
        except RuntimeError:
            # It was closed in this moment.
            call.close()
            log_error(session, error)
            return
        done = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def wake(_future: object) -> None:
            # A portal that is over waits for nothing.
            with contextlib.suppress(trio.RunFinishedError):
                token.run_sync_soon(done.set)

        future.add_done_callback(wake)
        try:
            await done.wait()
        except trio.Cancelled:
            future.cancel()
            raise
        if not future.cancelled():
            future.result()

    async def _call(self, session: "SyncSession", error: SyncError) -> None:
        answer = self.handler(session, error)
        if isawaitable(answer):
            await answer
