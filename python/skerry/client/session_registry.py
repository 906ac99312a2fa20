"""`SessionRegistry`: the connections and sessions of an app.

One connection per user, one session per realm file. Invariants: a file is open once, however many
realms share it; a session whose last realm has closed goes on until its changes are uploaded, and
comes back to life when a realm is opened on it meanwhile; everything ends with the app.
"""

import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trio

from skerry.client.app_configuration import AppConfiguration
from skerry.client.connection import Connection
from skerry.client.environment import Environment
from skerry.client.file_session import FileSession, SessionState
from skerry.client.http import HttpService
from skerry.client.realm_configuration import SyncConfiguration
from skerry.client.user import User, Users
from skerry.errors import EncryptionKeyError, IllegalStateError
from skerry.transport import SUBPROTOCOL, LinkTarget

if TYPE_CHECKING:
    from skerry import _core

# 16 MiB of changesets and what surrounds them (docs/protocol.md 6).
FRAME_SIZE_MAX_BYTES: Final = 17 * 1024 * 1024
CLOSE_TIMEOUT_S: Final = 10.0


class UserLink:
    """How one user's connection reaches the server.

    Args:
        configuration: Of the app.
        http: For the location.
        users: For tokens.
        user: Whose connection.
    """

    def __init__(
        self, configuration: AppConfiguration, http: HttpService, users: Users, user: User
    ) -> None:
        self._configuration = configuration
        self._http = http
        self._users = users
        self._user = user
        self._rejected_token: str | None = None

    @property
    def is_location_fresh(self) -> bool:
        """Whether the server's location is known from this run."""
        return self._http.is_location_known

    @property
    def needs_token(self) -> bool:
        """Whether the access token must be refreshed before connecting."""
        return self._user.access_token == self._rejected_token or self._users.needs_refresh(
            self._user
        )

    async def link_target(self) -> LinkTarget:
        """Return where to connect, with a valid token."""
        if self._rejected_token is not None:
            await self._users.refresh(self._user, self._rejected_token)
            self._rejected_token = None
        token = await self._users.valid_access_token(self._user)
        location = await self._http.location()
        path = f"/api/client/v2.0/app/{self._configuration.app_id}/realm-sync"
        query = urllib.parse.urlencode({"baas_at": token})
        return LinkTarget(
            url=f"{location.ws_hostname.rstrip('/')}{path}?{query}",
            subprotocol=SUBPROTOCOL,
            headers=self._configuration.custom_request_headers,
            user_agent=self._configuration.user_agent,
            connect_timeout_s=self._configuration.connect_timeout_s,
            frame_size_max_bytes=FRAME_SIZE_MAX_BYTES,
        )

    def token_rejected(self) -> None:
        """The present access token was refused; do not use it again."""
        self._rejected_token = self._user.access_token

    def location_doubtful(self) -> None:
        """Ask for the location again before the next attempt."""
        self._http.forget_location()

    async def log_out_locally(self) -> None:
        """The server forbids the user to sync; log out on this device."""
        await self._users.log_out_locally(self._user)


class SessionRegistry:
    """See the module.

    Args:
        configuration: Of the app.
        environment: What is outside.
        http: The app's HTTP calls.
        nursery: Where connections run.
    """

    def __init__(
        self,
        configuration: AppConfiguration,
        environment: Environment,
        http: HttpService,
        nursery: trio.Nursery,
    ) -> None:
        self._configuration = configuration
        self._http = http
        self._nursery = nursery
        self.environment = environment
        self._connections: dict[str, Connection] = {}
        self._running: set[trio.CancelScope] = set()
        self._all_ended = trio.Event()
        self._sessions: dict[Path, FileSession] = {}
        self._users_of: dict[Path, int] = {}
        self._dying: dict[Path, trio.CancelScope] = {}
        self._lock = trio.Lock()

    async def acquire(self, configuration: SyncConfiguration) -> FileSession:
        """Return the session of a file, opening both if need be.

        Raises:
            IllegalStateError: The file is open with another schema.
            EncryptionKeyError: It is open with another key, or the key is not its own.
            SchemaError, StoreError: The file cannot be opened.
        """
        path = configuration.path
        schema_json = configuration.schema.to_json()
        async with self._lock:
            session = self._sessions.get(path)
            if session is not None and path in self._dying:
                if session.matches(schema_json, configuration.encryption_key):
                    # Its last uploads were going out; it lives on.
                    self._dying.pop(path).cancel()
                    session.revive()
                else:
                    self._dying.pop(path).cancel()
                    await self._close(path, session)
                    session = None
            if session is None:
                session = await self._open(configuration, schema_json)
                self._sessions[path] = session
            elif session.schema_json != schema_json:
                raise IllegalStateError(f"{path.name} is open with another schema")
            elif session.encryption_key != configuration.encryption_key:
                raise EncryptionKeyError(f"{path.name} is open with another encryption key")
            self._users_of[path] = self._users_of.get(path, 0) + 1
            return session

    async def release(
        self, configuration: SyncConfiguration, session: FileSession, *, may_finish_uploads: bool
    ) -> None:
        """Let go of a session for one realm; the last one decides its end (client-api 1.7)."""
        path = configuration.path
        async with self._lock:
            self._users_of[path] -= 1
            if self._users_of[path] > 0:
                return
            del self._users_of[path]
            is_pending = (
                may_finish_uploads
                and session.state is SessionState.ACTIVE
                and await self.environment.run_blocking(session.file.pending_upload)
            )
            if is_pending:
                scope = self._dying[path] = trio.CancelScope()
                self._nursery.start_soon(self._die, path, session, scope)
            else:
                await self._close(path, session)

    def user_logged_out(self, user: User) -> None:
        """Stop the sync of a user's realms."""
        connection = self._connections.get(user.id)
        if connection is None:
            return
        for path, session in self._sessions.items():
            if path.is_relative_to(self._configuration.app_directory / user.id):
                session.deactivate("the user logged out")
        connection.hang_up()

    async def close(self) -> None:
        """End all sessions and connections; bounded in time."""
        with trio.move_on_after(CLOSE_TIMEOUT_S, shield=True):
            async with self._lock:
                for scope in self._dying.values():
                    scope.cancel()
                self._dying.clear()
                for path, session in list(self._sessions.items()):
                    await self._close(path, session)
            for connection in self._connections.values():
                connection.stop()
            while self._running:
                await self._all_ended.wait()

    def cancel(self) -> None:
        """Stop whatever still runs."""
        for scope in self._running:
            scope.cancel()
        self._nursery.cancel_scope.cancel()

    async def _open(self, configuration: SyncConfiguration, schema_json: str) -> FileSession:
        def open_file() -> "_core.RealmFile":
            return self.environment.core.open_file(
                str(configuration.path),
                schema_json,
                synced=True,
                synchronous=configuration.synchronous,
                query_cache_bytes=configuration.query_cache_bytes,
                encryption_key=configuration.encryption_key,
            )

        file = await self.environment.run_blocking(open_file)
        connection = self._connection_of(configuration.user)
        session = FileSession(
            self.environment, connection, file, schema_json, configuration.encryption_key
        )
        try:
            await session.open(self._nursery)
        except BaseException:
            with trio.CancelScope(shield=True):
                await session.close()
            raise
        return session

    def _connection_of(self, user: User) -> Connection:
        connection = self._connections.get(user.id)
        if connection is None:
            owner = UserLink(self._configuration, self._http, user.app.users(), user)
            connection = Connection(
                self.environment, owner, linger_s=self._configuration.connection_linger_time_s
            )
            self._connections[user.id] = connection
            scope = trio.CancelScope(shield=True)
            self._running.add(scope)
            self._nursery.start_soon(self._run, connection, scope)
        return connection

    async def _run(self, connection: Connection, scope: trio.CancelScope) -> None:
        # Shielded until `close` and `cancel`: when the app's surroundings are cancelled, the realms
        # inside still need the connection to let go of their files.
        try:
            with scope:
                await connection.run()
        finally:
            self._running.discard(scope)
            if not self._running:
                self._all_ended.set()

    async def _die(self, path: Path, session: FileSession, scope: trio.CancelScope) -> None:
        with scope:
            await session.finish_uploads()
        if scope.cancelled_caught:
            # Revived, or the app is closing: whoever cancelled sees to the session.
            return
        async with self._lock:
            if self._dying.get(path) is scope:
                del self._dying[path]
                await self._close(path, session)

    async def _close(self, path: Path, session: FileSession) -> None:
        self._sessions.pop(path, None)
        await session.close()
