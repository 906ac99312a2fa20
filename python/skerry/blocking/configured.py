"""What a synced configuration of `skerry.blocking` does beside showing its target."""

from typing import TYPE_CHECKING

from skerry.blocking.base import BlockingFacade
from skerry.blocking.handlers import ErrorHandler, TrioErrorHandler, adapted
from skerry.client.realm_configuration import SyncConfiguration as TrioSyncConfiguration
from skerry.client.user import User as TrioUser
from skerry.portal import Bridge

if TYPE_CHECKING:
    from collections.abc import Callable


class ConfigurationFacade(BlockingFacade[TrioSyncConfiguration]):
    """Keeps the application's error handler, and its target an adapted one."""

    _error_handler: "ErrorHandler | None"

    @property
    def error_handler(self) -> "ErrorHandler | None":
        """What gets errors, on a worker thread, where it may block; None for the log."""
        return self._error_handler

    def opened_with(self) -> tuple[Bridge, TrioSyncConfiguration]:
        """Return what a realm is opened with. Internal."""
        return self._bridge, self._here

    def _make(
        self,
        user: BlockingFacade[TrioUser],
        error_handler: "ErrorHandler | None",
        make: "Callable[[TrioErrorHandler | None], TrioSyncConfiguration]",
    ) -> None:
        if not isinstance(user, BlockingFacade):
            raise TypeError(f"the user is got from a skerry.blocking.App, and is not {user!r}")
        self._bridge = user.bridge
        self._keeps = user
        self._error_handler = error_handler
        self._target = make(adapted(error_handler, self._bridge))
        self._bridge.know(self)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)
