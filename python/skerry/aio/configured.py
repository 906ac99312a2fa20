"""What a synced configuration of `skerry.aio` does beside showing its target."""

import asyncio
from typing import TYPE_CHECKING

from skerry.aio.base import AioFacade
from skerry.aio.handlers import ErrorHandler, LoopHandler, TrioErrorHandler
from skerry.client.realm_configuration import SyncConfiguration as TrioSyncConfiguration
from skerry.client.user import User as TrioUser
from skerry.portal import Bridge

if TYPE_CHECKING:
    from collections.abc import Callable


class ConfigurationFacade(AioFacade[TrioSyncConfiguration]):
    """Keeps the application's error handler, and its target an adapted one."""

    _handler: LoopHandler | None

    @property
    def error_handler(self) -> "ErrorHandler | None":
        """What gets errors, on the loop that opened the realm last; None for the log."""
        return None if self._handler is None else self._handler.handler

    def opened_with(self, loop: asyncio.AbstractEventLoop) -> tuple[Bridge, TrioSyncConfiguration]:
        """Return what a realm is opened with, on a loop. Internal."""
        if self._handler is not None:
            self._handler.loop = loop
        return self._bridge, self._here

    def _make(
        self,
        user: AioFacade[TrioUser],
        error_handler: "ErrorHandler | None",
        make: "Callable[[TrioErrorHandler | None], TrioSyncConfiguration]",
    ) -> None:
        if not isinstance(user, AioFacade):
            raise TypeError(f"the user is got from a skerry.aio.App, and is not {user!r}")
        self._bridge = user.bridge
        self._keeps = user
        self._handler = None if error_handler is None else LoopHandler(error_handler, self._bridge)
        self._target = make(self._handler)
        self._bridge.know(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
