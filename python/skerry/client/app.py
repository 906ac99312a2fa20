"""`App`: the entry to a server, and the owner of everything that runs for it (client-api 1.1).

An async context manager: connections and sessions run in its nursery and end with its block. It
opens no connection by itself; entering it works offline.
"""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import trio

from skerry.client.app_configuration import AppConfiguration
from skerry.client.credentials import Credentials
from skerry.client.email_password import EmailPasswordAuth
from skerry.client.environment import Environment
from skerry.client.http import HttpService, open_http_client
from skerry.client.session_registry import SessionRegistry
from skerry.client.user import User, Users
from skerry.client.user_store import user_file
from skerry.errors import IllegalStateError


class App:
    """An app on a server.

    Example::

        async with App(AppConfiguration(app_id="tasks", base_url="http://localhost:9090")) as app:
            user = await app.login(Credentials.anonymous())

    Args:
        configuration: Which server, and where files live.
        environment: What tests replace; leave it out.
    """

    def __init__(
        self, configuration: AppConfiguration, *, environment: Environment | None = None
    ) -> None:
        self._configuration = configuration
        self._environment = environment or Environment()
        self._stack = AsyncExitStack()
        self._is_entered = False
        self._http: HttpService | None = None
        self._users: Users | None = None
        self._sessions: SessionRegistry | None = None

    @property
    def configuration(self) -> AppConfiguration:
        """The configuration it was made with."""
        return self._configuration

    @property
    def email_password_auth(self) -> EmailPasswordAuth:
        """Registration of e-mail users.

        Raises:
            IllegalStateError: The app is not open.
        """
        return EmailPasswordAuth(self._open_http())

    @property
    def current_user(self) -> User | None:
        """The user that logged in last and still is, or None; remembered across runs.

        Raises:
            IllegalStateError: The app is not open.
        """
        return self.users().current()

    def all_users(self) -> list[User]:
        """Return every user known on this device, logged in or out, in order of login.

        Raises:
            IllegalStateError: The app is not open.
        """
        return self.users().all()

    async def login(self, credentials: Credentials) -> User:
        """Log in and make the user current.

        Raises:
            InvalidCredentialsError: Wrong address or password.
            AuthError: The server refuses for another reason concerning the user.
            ServiceError: The server refuses, such as a provider that is not enabled.
            ConnectionFailedError: The server cannot be reached.
            IllegalStateError: The app is not open.

        Cancellation: the user may be logged in on the server, and is not on this device.
        """
        return await self.users().log_in(credentials)

    def users(self) -> Users:
        """Return the users. Internal.

        Raises:
            IllegalStateError: The app is not open.
        """
        if self._users is None:
            raise IllegalStateError("the app is not open; use it inside `async with`")
        return self._users

    def sessions(self) -> SessionRegistry:
        """Return the sessions. Internal.

        Raises:
            IllegalStateError: The app is not open.
        """
        if self._sessions is None:
            raise IllegalStateError("the app is not open; use it inside `async with`")
        return self._sessions

    async def __aenter__(self) -> Self:
        if self._is_entered:
            raise IllegalStateError("an App is entered once")
        self._is_entered = True
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(open_http_client(self._configuration))
            http = HttpService(self._configuration, client)
            users = Users(
                self,
                http=http,
                environment=self._environment,
                path=user_file(self._configuration.app_directory),
                logged_out=self._user_logged_out,
            )
            # Before there is a nursery, which would wrap what this raises.
            await users.load()
            nursery = await stack.enter_async_context(trio.open_nursery())
            sessions = SessionRegistry(self._configuration, self._environment, http, nursery)
            self._http, self._users, self._sessions = http, users, sessions
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        sessions = self.sessions()
        self._http = self._users = self._sessions = None
        try:
            await sessions.close()
        finally:
            sessions.cancel()
            # The block's own exception is not handed to the nursery, which would wrap it.
            await self._stack.aclose()

    def _user_logged_out(self, user: User) -> None:
        if self._sessions is not None:
            self._sessions.user_logged_out(user)

    def _open_http(self) -> HttpService:
        if self._http is None:
            raise IllegalStateError("the app is not open; use it inside `async with`")
        return self._http
