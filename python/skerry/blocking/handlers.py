"""Error handlers of blocking programs: called on a worker thread, so that they may block."""

import inspect
from typing import TYPE_CHECKING, TypeAlias, cast

import trio

from skerry.errors import ConfigurationError, SyncError
from skerry.portal import Bridge

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from skerry.blocking.session import SyncSession
    from skerry.client.session import SyncSession as TrioSyncSession

ErrorHandler: TypeAlias = "Callable[[SyncSession, SyncError], None]"
TrioErrorHandler: TypeAlias = "Callable[[TrioSyncSession, SyncError], Awaitable[None]]"


def adapted(handler: "ErrorHandler | None", bridge: Bridge) -> "TrioErrorHandler | None":
    """Return what calls a handler for the trio API.

    Raises:
        ConfigurationError: It is a coroutine function.
    """
    if handler is None:
        return None
    if inspect.iscoroutinefunction(handler):
        raise ConfigurationError(
            "an error_handler of skerry.blocking is a plain function, not a coroutine function"
        )

    async def handle(session: "TrioSyncSession", error: SyncError) -> None:
        facade = cast("SyncSession", bridge.wrap(session))
        # Not abandoned when the realm closes, which waits for its end.
        await trio.to_thread.run_sync(bridge.in_handler, lambda: handler(facade, error))

    return handle
