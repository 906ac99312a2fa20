# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`User`, as blocking programs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from skerry.blocking.base import BlockingFacade
from skerry.client.user import User as TrioUser

if TYPE_CHECKING:
    from skerry.blocking.app import App
    from skerry.client.credentials import AuthenticationProvider
    from skerry.client.http import UserIdentity
    from skerry.client.user_store import UserState


class User(BlockingFacade[TrioUser]):
    """A user of an app on this device. Properties are live and readable in every state.

    Any thread may use it. The members are those of `skerry.User`.
    """

    @property
    def app(self) -> App:
        """The app it belongs to."""
        return cast("App", self._wrap(self._here.app))

    @property
    def id(self) -> str:
        """The server's id of the user."""
        return self._here.id

    @property
    def state(self) -> UserState:
        """Whether the user is logged in, logged out or removed from this device."""
        return self._here.state

    @property
    def is_logged_in(self) -> bool:
        """Whether the user is logged in."""
        return self._here.is_logged_in

    @property
    def provider(self) -> AuthenticationProvider:
        """How the user logged in last."""
        return self._here.provider

    @property
    def identities(self) -> list[UserIdentity]:
        """The ways in which the user can log in, as of the last login."""
        return self._here.identities

    @property
    def access_token(self) -> str:
        """The present access token; empty after log-out."""
        return self._here.access_token

    @property
    def refresh_token(self) -> str:
        """The refresh token; empty after log-out."""
        return self._here.refresh_token

    @property
    def device_id(self) -> str:
        """The server's id of this device; kept after log-out."""
        return self._here.device_id

    @property
    def profile(self) -> dict[str, object]:
        """What the provider told about the user at the last login."""
        return self._here.profile

    @property
    def custom_data(self) -> dict[str, object] | None:
        """The custom user data in the access token, a snapshot of its issue; None without."""
        return self._here.custom_data

    def log_out(self) -> None:
        """Log out on this device and revoke the login on the server; files are kept.

        Sync of the user's realms stops. An anonymous user becomes REMOVED, others LOGGED_OUT.
        Repeating it is harmless. If the server cannot be told, the user is logged out all the same
        and a warning is logged (client-api 1.14 r).
        """
        here = self._here
        self._run(lambda: here.log_out())

    def refresh_custom_data(self) -> None:
        """Fetch a new access token, and with it the present custom data.

        Raises:
            AuthExpiredError: The login is no longer accepted; the user has been logged out.
            ConnectionFailedError: The server cannot be reached.
        """
        here = self._here
        self._run(lambda: here.refresh_custom_data())
