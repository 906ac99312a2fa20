"""A running server: its listeners, its engine loop, and the order in which they start and stop.

`Server` is an async context manager that owns its nursery; nothing of it runs outside. Stopping
refuses newcomers, lets the current batch finish, closes sync connections with 1001 after what is
queued for them, lets HTTP requests in flight finish, and closes the store last. All of that is
bounded in time, whatever the peers do.
"""

import contextlib
import socket
import time
from collections.abc import AsyncIterator, Iterator
from types import TracebackType
from typing import Self

import trio
from starlette.applications import Starlette
from websockets.trio.server import Server as WebsocketServer

from skerry.server.accounts import Accounts
from skerry.server.config import Config
from skerry.server.engine import Clock, ServerCore
from skerry.server.engine_loop import EngineLoop
from skerry.server.http_api import HttpApiContext, Location, build_http_api
from skerry.server.http_listener import address_of, bind, serve_http
from skerry.server.limits import STOP_DRAIN_TIMEOUT_S, STOP_TIMEOUT_S
from skerry.server.log import ServerLog
from skerry.server.passwords import PasswordHasher
from skerry.server.sync_connection import (
    CLOSE_FORBIDDEN,
    CLOSE_GOING_AWAY,
    CLOSE_UNAUTHORIZED,
)
from skerry.server.sync_listener import SyncListener, SyncListenerContext
from skerry.server.tokens import Tokens, load_signing_keys


def wall_clock_ms() -> int:
    """Return the wall clock in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Server:
    """A Skerry server. Use it once, with ``async with``; inside, it serves.

    It takes over `core` and closes it in the end, also when starting fails. The log stays the
    caller's.

    Raises (on entering):
        OSError: If an address cannot be bound.

    Concurrency: call its methods from the event loop it runs in.
    """

    def __init__(
        self,
        config: Config,
        core: ServerCore,
        log: ServerLog,
        *,
        now_ms: Clock = wall_clock_ms,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._config = config
        self._core = core
        self._log = log
        self._now_ms = now_ms
        self._hasher = hasher
        self._loop = EngineLoop(core, log=log, now_ms=now_ms)
        self._accounts: Accounts | None = None
        self._http_address = ""
        self._sync_address = ""
        self._stop_http = trio.Event()
        self._http_stopped = trio.Event()
        self._task_scopes: list[trio.CancelScope] = []
        self._stack = contextlib.AsyncExitStack()

    @property
    def http_url(self) -> str:
        """Base URL of the HTTP API on the bound address, known once the server is entered."""
        return f"http://{self._http_address}"

    @property
    def ws_url(self) -> str:
        """Base URL of the sync websocket on the bound address."""
        return f"ws://{self._sync_address}"

    @property
    def accounts(self) -> Accounts:
        """The accounts of the app."""
        if self._accounts is None:
            raise RuntimeError("the server has not been entered")
        return self._accounts

    async def disable_user(self, user_id: str) -> None:
        """Refuse a user from now on and end its connections, which logs it out (server 8.4)."""
        await self.accounts.set_disabled(user_id, disabled=True)
        self._loop.drop_user(user_id, CLOSE_FORBIDDEN, "user disabled")

    async def revoke_sessions(self, user_id: str) -> None:
        """End every session of a user, and with them its connections (server 8.4)."""
        await self.accounts.revoke_sessions(user_id)
        self._loop.drop_user(user_id, CLOSE_UNAUTHORIZED, "session has been revoked")

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self._running())
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return await self._stack.__aexit__(exc_type, exc_value, traceback)

    @contextlib.asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        try:
            async with self._serving():
                yield
        except BaseExceptionGroup as group:
            # One task failing, or the body raising, is what happened; the group is only the
            # nursery's wrapping. Several failures stay a group.
            if len(group.exceptions) != 1:
                raise
            raise group.exceptions[0] from group.exceptions[0].__cause__
        finally:
            with trio.CancelScope(shield=True):
                await trio.to_thread.run_sync(self._core.close)

    @contextlib.asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        listen = self._config.native.listen
        accounts = await self._open_accounts()
        with contextlib.ExitStack() as sockets:
            http_socket = sockets.enter_context(await bind(listen.host, listen.http_port))
            sync_socket = sockets.enter_context(await bind(listen.host, listen.sync_port))
            self._http_address = address_of(http_socket)
            self._sync_address = address_of(sync_socket)
            sync = SyncListener(
                SyncListenerContext(
                    app_id=self._config.app_id,
                    accounts=accounts,
                    loop=self._loop,
                    limits=self._config.native.limits,
                    log=self._log,
                    now_ms=self._now_ms,
                )
            )
            app = build_http_api(self._http_context(accounts))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._run_loop)
                websockets = await nursery.start(self._serve_sync, sync, sync_socket)
                nursery.start_soon(self._serve_http, app, http_socket)
                try:
                    yield
                finally:
                    with trio.move_on_after(STOP_TIMEOUT_S, shield=True):
                        await self._stop(sync)
                        await websockets.aclose()
                        await self._loop.stop()
                    for scope in self._task_scopes:
                        scope.cancel()

    @contextlib.contextmanager
    def _kept_until_stopped(self) -> Iterator[None]:
        """Shield a task of the server from cancellation, until an orderly stop is over.

        The stop needs every other task alive, whether it comes from a cancellation of the whole
        server or from the failure of one task.
        """
        with trio.CancelScope(shield=True) as scope:
            self._task_scopes.append(scope)
            yield

    async def _run_loop(self) -> None:
        with self._kept_until_stopped():
            await self._loop.run()

    async def _serve_sync(
        self,
        sync: SyncListener,
        bound: socket.socket,
        task_status: trio.TaskStatus[WebsocketServer] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        with self._kept_until_stopped():
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(bound))
            await sync.serve([listener], task_status=task_status)

    async def _serve_http(self, app: Starlette, bound: socket.socket) -> None:
        with self._kept_until_stopped():
            try:
                await serve_http(app, bound, log=self._log, stop=self._stop_http.wait)
            finally:
                self._http_stopped.set()

    async def _open_accounts(self) -> Accounts:
        app_id, now_ms = self._config.app_id, self._now_ms()
        keys = await trio.to_thread.run_sync(load_signing_keys, self._core, app_id, now_ms)
        tokens = Tokens(
            keys,
            refresh_lifetime_s=self._config.native.refresh_token_lifetime_s,
            now_ms=self._now_ms,
        )
        self._accounts = Accounts(self._core, tokens, now_ms=self._now_ms, hasher=self._hasher)
        await self._accounts.remove_expired_sessions()
        return self._accounts

    def _http_context(self, accounts: Accounts) -> HttpApiContext:
        listen = self._config.native.listen
        return HttpApiContext(
            app_id=self._config.app_id,
            auth=self._config.auth,
            accounts=accounts,
            location=Location(
                hostname=listen.public_http_url or self.http_url,
                ws_hostname=listen.public_sync_url or self.ws_url,
                deployment_model=self._config.deployment_model,
                location=self._config.location,
            ),
            limits=self._config.native.limits,
            log=self._log,
            session_ended=self._session_ended,
            now_ms=self._now_ms,
        )

    def _session_ended(self, session_id: str) -> None:
        self._loop.drop_session(session_id, CLOSE_UNAUTHORIZED, "session has been revoked")

    async def _stop(self, sync: SyncListener) -> None:
        """Finish what is in flight, for a bounded time."""
        sync.refuse_new()
        self._stop_http.set()
        with trio.move_on_after(STOP_DRAIN_TIMEOUT_S):
            await self._loop.drain()
        self._loop.close_all(CLOSE_GOING_AWAY, "server is stopping")
        with trio.move_on_after(STOP_DRAIN_TIMEOUT_S):
            await sync.all_closed()
            await self._http_stopped.wait()
