# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`App`, as blocking programs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from skerry.blocking.lifecycle import AppLifecycle

if TYPE_CHECKING:
    from skerry.blocking.email_password import EmailPasswordAuth
    from skerry.blocking.user import User
    from skerry.client.app_configuration import AppConfiguration
    from skerry.client.credentials import Credentials


class App(AppLifecycle):
    """An app on a server, and the owner of everything that runs for it.

    Any thread may use it. The members are those of `skerry.App`.
    """

    @property
    def configuration(self) -> AppConfiguration:
        """The configuration it was made with."""
        return self._here.configuration

    @property
    def email_password_auth(self) -> EmailPasswordAuth:
        """Registration of e-mail users.

        Raises:
            IllegalStateError: The app is not open.
        """
        return cast("EmailPasswordAuth", self._wrap(self._here.email_password_auth))

    @property
    def current_user(self) -> User | None:
        """The user that logged in last and still is, or None; remembered across runs.

        Raises:
            IllegalStateError: The app is not open.
        """
        here = self._here
        return cast("User | None", self._wrap(self._run_there(lambda: here.current_user)))

    def all_users(self) -> list[User]:
        """Return every user known on this device, logged in or out, in order of login.

        Raises:
            IllegalStateError: The app is not open.
        """
        here = self._here
        return cast("list[User]", self._wrap(self._run_there(lambda: here.all_users())))

    def login(self, credentials: Credentials) -> User:
        """Log in and make the user current.

        Raises:
            InvalidCredentialsError: Wrong address or password.
            AuthError: The server refuses for another reason concerning the user.
            ServiceError: The server refuses, such as a provider that is not enabled.
            ConnectionFailedError: The server cannot be reached.
            IllegalStateError: The app is not open.
        """
        here = self._here
        return cast("User", self._wrap(self._run(lambda: here.login(credentials))))
