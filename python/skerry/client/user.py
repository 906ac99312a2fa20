"""`User` and the `Users` of an app: logging in and out, and keeping access tokens fresh.

Invariants: one `User` object per id, so that its state is live everywhere; what is remembered on
disk is never older than what a returned call did; a log-out takes effect locally first, whether or
not the server can be told. The HTTP calls are `skerry.client.http`'s.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from skerry.client.credentials import AuthenticationProvider, Credentials
from skerry.client.environment import Environment
from skerry.client.http import HttpService, UserIdentity
from skerry.client.http_errors import error_message
from skerry.client.tokens import read_claims
from skerry.client.user_store import UserRecord, UserState, load_users, save_users
from skerry.errors import AuthExpiredError, ConnectionFailedError, IllegalStateError, ServiceError

if TYPE_CHECKING:
    from skerry.client.app import App

_LOG = logging.getLogger("skerry.user")
_REFUSED = frozenset({401, 403})


class User:
    """A user of an app on this device. Properties are live and readable in every state."""

    __slots__ = ("_app", "_record", "_users")

    def __init__(self, app: "App", users: "Users", record: UserRecord) -> None:
        """Internal: use `App.login`."""
        self._app = app
        self._users = users
        self._record = record

    @property
    def app(self) -> "App":
        """The app it belongs to."""
        return self._app

    @property
    def id(self) -> str:
        """The server's id of the user."""
        return self._record.id

    @property
    def state(self) -> UserState:
        """Whether the user is logged in, logged out or removed from this device."""
        return self._record.state

    @property
    def is_logged_in(self) -> bool:
        """Whether the user is logged in."""
        return self._record.state is UserState.LOGGED_IN

    @property
    def provider(self) -> AuthenticationProvider:
        """How the user logged in last."""
        return AuthenticationProvider(self._record.provider)

    @property
    def identities(self) -> list[UserIdentity]:
        """The ways in which the user can log in, as of the last login."""
        return list(self._record.identities)

    @property
    def access_token(self) -> str:
        """The present access token; empty after log-out."""
        return self._record.access_token

    @property
    def refresh_token(self) -> str:
        """The refresh token; empty after log-out."""
        return self._record.refresh_token

    @property
    def device_id(self) -> str:
        """The server's id of this device; kept after log-out."""
        return self._record.device_id

    @property
    def profile(self) -> dict[str, object]:
        """What the provider told about the user at the last login."""
        return dict(self._record.profile)

    @property
    def custom_data(self) -> dict[str, object] | None:
        """The custom user data in the access token, a snapshot of its issue; None without."""
        return read_claims(self._record.access_token).user_data

    async def log_out(self) -> None:
        """Log out on this device and revoke the login on the server; files are kept.

        Sync of the user's realms stops. An anonymous user becomes REMOVED, others LOGGED_OUT.
        Repeating it is harmless. If the server cannot be told, the user is logged out all the same
        and a warning is logged (client-api 1.14 r).

        Cancellation: the user is logged out; the server may not have been told.
        """
        await self._users.log_out(self)

    async def refresh_custom_data(self) -> None:
        """Fetch a new access token, and with it the present custom data.

        Raises:
            AuthExpiredError: The login is no longer accepted; the user has been logged out.
            ConnectionFailedError: The server cannot be reached.
        """
        await self._users.refresh(self, self._record.access_token)

    def record(self) -> UserRecord:
        """Return what is remembered of the user. Internal."""
        return self._record

    def remember(self, record: UserRecord) -> None:
        """Replace what is remembered. Internal: `Users` also writes it down."""
        self._record = record

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, User):
            return NotImplemented
        return (self.id, self.app.configuration) == (other.id, other.app.configuration)

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"User(id={self.id!r}, state={self.state})"


class Users:
    """The users an app knows on this device.

    Args:
        app: The app, for `User.app`.
        http: Its HTTP calls.
        environment: Clock and threads.
        path: Where users are remembered.
        logged_out: Called when a user stops being logged in, before anything else is awaited.
    """

    def __init__(
        self,
        app: "App",
        *,
        http: HttpService,
        environment: Environment,
        path: Path,
        logged_out: Callable[[User], None],
    ) -> None:
        self._app = app
        self._http = http
        self._environment = environment
        self._path = path
        self._logged_out = logged_out
        # In order of login, the last one last.
        self._users: dict[str, User] = {}
        self._save_lock = trio.Lock()
        self._refresh_lock = trio.Lock()

    async def load(self) -> None:
        """Read the users of earlier runs."""
        records = await self._environment.run_blocking(partial(load_users, self._path))
        self._users = {record.id: User(self._app, self, record) for record in records}

    def all(self) -> list[User]:
        """Return every known user, logged in or out."""
        return list(self._users.values())

    def current(self) -> User | None:
        """Return the last one that logged in and still is (client-api 1.1)."""
        return next((user for user in reversed(self._users.values()) if user.is_logged_in), None)

    async def log_in(self, credentials: Credentials) -> User:
        """Log in and become current."""
        if credentials.reuse_existing:
            for user in reversed(self._users.values()):
                if user.is_logged_in and user.provider is credentials.provider:
                    await self._make_current(user)
                    return user
        device_id = next((user.device_id for user in self._users.values()), None)
        login = await self._http.log_in(credentials, device_id)
        profile = await self._http.profile(login.access_token)
        record = UserRecord(
            id=login.user_id,
            provider=credentials.provider.value,
            state=UserState.LOGGED_IN,
            device_id=login.device_id,
            access_token=login.access_token,
            refresh_token=login.refresh_token,
            identities=profile.identities,
            profile=profile.data,
        )
        known = self._users.get(record.id) or User(self._app, self, record)
        known.remember(record)
        await self._make_current(known)
        return known

    async def log_out(self, user: User) -> None:
        """Log out locally, then tell the server."""
        refresh_token = user.refresh_token
        if not user.is_logged_in:
            return
        await self.log_out_locally(user)
        try:
            await self._http.log_out(refresh_token)
        except ServiceError as error:
            # The login is gone from this device in any case; the server's ends when it expires.
            _LOG.warning("user %s is logged out, but the server was not told: %s", user.id, error)

    async def log_out_locally(self, user: User) -> None:
        """Forget the login on this device."""
        if not user.is_logged_in:
            return
        is_anonymous = user.provider is AuthenticationProvider.ANONYMOUS
        state = UserState.REMOVED if is_anonymous else UserState.LOGGED_OUT
        user.remember(replace(user.record(), state=state, access_token="", refresh_token=""))
        if is_anonymous:
            self._users.pop(user.id, None)
        self._logged_out(user)
        with trio.CancelScope(shield=True):
            await self._save()

    async def valid_access_token(self, user: User) -> str:
        """Return an access token that lasts at least 5 s more, refreshing it if need be.

        Raises:
            AuthExpiredError: The login is no longer accepted; the user has been logged out.
            IllegalStateError: The user is not logged in.
            ServiceError: The server cannot be reached, or refuses for another reason.
        """
        token = user.access_token
        if user.is_logged_in and not self.needs_refresh(user):
            return token
        return await self.refresh(user, token)

    def needs_refresh(self, user: User) -> bool:
        """Whether the access token is (almost) expired."""
        return read_claims(user.access_token).needs_refresh(self._environment.now_ms())

    async def refresh(self, user: User, rejected: str) -> str:
        """Return a token other than `rejected`; several callers share one refresh.

        Raises:
            As `valid_access_token`.
        """
        async with self._refresh_lock:
            if not user.is_logged_in:
                raise IllegalStateError(f"user {user.id} is not logged in")
            if user.access_token != rejected:
                return user.access_token
            try:
                token = await self._http.refresh(user.refresh_token)
            except ServiceError as error:
                if error.status not in _REFUSED or isinstance(error, ConnectionFailedError):
                    raise
                await self.log_out_locally(user)
                text = "the user's login is no longer accepted, so the user was logged out"
                raise AuthExpiredError(
                    error_message("Service", error.error_code or "AuthError", None, text),
                    category="Service",
                    name=error.error_code or "AuthError",
                ) from error
            if user.is_logged_in:
                user.remember(replace(user.record(), access_token=token))
                await self._save()
            return token

    async def _make_current(self, user: User) -> None:
        self._users.pop(user.id, None)
        self._users[user.id] = user
        await self._save()

    async def _save(self) -> None:
        async with self._save_lock:
            records = [user.record() for user in self._users.values()]
            await self._environment.run_blocking(partial(save_users, self._path, records))
