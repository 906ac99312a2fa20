"""The sync websocket: accepts connections, checks tokens, and moves frames to and from the engine.

One reader and one writer task per connection. What a frame means is the engine's business; what is
decided here is who may connect (sync-engine 4.1), how a connection is refused or closed (4.12), and
how large a frame may be. A token that is not accepted is answered by a close code after the
upgrade, because some clients cannot read an HTTP status (4.12).
"""

import re
import urllib.parse
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

import msgspec
import trio
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.trio.server import Server as WebsocketServer
from websockets.trio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from skerry.server.account_records import UserRecord
from skerry.server.accounts import Accounts
from skerry.server.config_native import LogLevel
from skerry.server.engine import Clock
from skerry.server.engine_loop import EngineLoop
from skerry.server.limits import (
    WEBSOCKET_CLOSE_TIMEOUT_S,
    WEBSOCKET_FRAMES_BUFFERED_MAX,
    WEBSOCKET_OPEN_TIMEOUT_S,
    WEBSOCKET_PING_INTERVAL_S,
    WEBSOCKET_PING_TIMEOUT_S,
    WEBSOCKET_SEND_TIMEOUT_S,
    Limits,
)
from skerry.server.log import ServerLog, timestamp
from skerry.server.sync_connection import (
    CLOSE_FORBIDDEN,
    CLOSE_INTERNAL_ERROR,
    CLOSE_UNAUTHORIZED,
    CLOSE_UNSUPPORTED_DATA,
    Close,
    ConnectionOwner,
    SyncConnection,
)
from skerry.server.tokens import Claims, TokenError, TokenProblem

SUBPROTOCOL: Final = Subprotocol("skerry.sync.v1")
_PATH: Final = re.compile(r"/api/client/v2\.0/app/([^/?]+)/realm-sync")


class _BoundedProtocol(ServerProtocol):
    """Tells a peer whose frame is too large what the limit is, as App Services does."""

    def fail(self, code: CloseCode | int, reason: str = "") -> None:
        if code == CloseCode.MESSAGE_TOO_BIG:
            reason = f"read limited at {self.max_message_size} bytes"
        super().fail(code, reason)


class _BoundedConnection(ServerConnection):
    """A connection over `_BoundedProtocol`, which `serve` has no parameter for."""

    def __init__(
        self,
        nursery: trio.Nursery,
        stream: trio.abc.Stream,
        protocol: ServerProtocol,
        server: WebsocketServer,
        *,
        ping_interval: float | None = None,
        ping_timeout: float | None = None,
        close_timeout: float | None = None,
        max_queue: int | tuple[int | None, int | None] | None = None,
    ) -> None:
        bounded = _BoundedProtocol(
            origins=protocol.origins,
            extensions=protocol.available_extensions,
            subprotocols=protocol.available_subprotocols,
            max_size=(protocol.max_message_size, protocol.max_fragment_size),
            logger=protocol.logger,
        )
        super().__init__(
            nursery,
            stream,
            bounded,
            server,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            close_timeout=close_timeout,
            max_queue=max_queue,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncListenerContext:
    """What the listener works on."""

    app_id: str
    accounts: Accounts
    loop: EngineLoop
    limits: Limits
    log: ServerLog
    now_ms: Clock


class SyncListener:
    """Serves sync connections on sockets that are already listening."""

    def __init__(self, context: SyncListenerContext) -> None:
        self._context = context
        self._open: set[ServerConnection] = set()
        self._all_closed = trio.Event()
        self._is_stopping = False

    async def serve(
        self,
        listeners: list[trio.SocketListener],
        task_status: trio.TaskStatus[WebsocketServer] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Accept connections until the websocket server handed to `task_status` is closed."""
        await serve(
            self._handle,
            listeners=listeners,
            subprotocols=[SUBPROTOCOL],
            # A changeset is compressed by its own codec; compressing again would cost memory here.
            compression=None,
            process_request=self._admit_request,
            open_timeout=WEBSOCKET_OPEN_TIMEOUT_S,
            ping_interval=WEBSOCKET_PING_INTERVAL_S,
            ping_timeout=WEBSOCKET_PING_TIMEOUT_S,
            close_timeout=WEBSOCKET_CLOSE_TIMEOUT_S,
            max_size=self._context.limits.client_message_max_bytes,
            max_queue=WEBSOCKET_FRAMES_BUFFERED_MAX,
            server_header=None,
            logger=self._context.log.standard_logger("skerry.sync"),
            create_connection=_BoundedConnection,
            task_status=task_status,
        )

    def refuse_new(self) -> None:
        """Answer new connections with 503 from now on."""
        self._is_stopping = True

    async def all_closed(self) -> None:
        """Wait until no connection is open."""
        while self._open:
            self._all_closed = trio.Event()
            await self._all_closed.wait()

    def _admit_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse over HTTP what cannot be a sync connection of this app; None lets it through."""
        match = _PATH.fullmatch(urllib.parse.urlsplit(request.path).path)
        if match is None:
            return connection.respond(HTTPStatus.NOT_FOUND, "not found\n")
        if match[1] != self._context.app_id:
            return connection.respond(HTTPStatus.NOT_FOUND, "cannot find app\n")
        if self._is_stopping:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "server is stopping\n")
        if self._is_full():
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections\n")
        return None

    def _is_full(self) -> bool:
        return len(self._open) >= self._context.limits.sync_connections_max

    async def _handle(self, websocket: ServerConnection) -> None:
        # Asked again: others may have completed their handshake since the request was admitted.
        if self._is_full() or self._is_stopping:
            await websocket.aclose(CLOSE_INTERNAL_ERROR, "too many connections")
            return
        self._open.add(websocket)
        try:
            await self._serve_connection(websocket)
        finally:
            self._open.discard(websocket)
            self._all_closed.set()

    async def _serve_connection(self, websocket: ServerConnection) -> None:
        started_ms = self._context.now_ms()
        co_id = self._context.log.new_correlation_id()
        remote = _remote_ip_address(websocket)
        try:
            user, claims = await self._context.accounts.authenticate_sync(_token_of(websocket))
        except TokenError as error:
            code = _close_code(error)
            self._context.log.entry(
                "SYNC_CONNECTION_START",
                level=LogLevel.WARNING,
                co_id=co_id,
                remote_ip_address=remote,
                status="ERROR",
                error=error.problem.value,
                error_code=code,
            )
            await websocket.aclose(code, error.problem.value)
            return
        owner = ConnectionOwner(
            user_id=user.id,
            session_id=claims.session_id,
            user_json=_user_json(user, claims),
            remote_ip_address=remote,
            co_id=co_id,
        )
        connection = await self._context.loop.connect(owner)
        self._context.log.entry("SYNC_CONNECTION_START", owner.log_members(), status="OK")
        try:
            await self._close_if_refused_meanwhile(websocket, connection)
            await self._exchange(websocket, connection)
        finally:
            self._context.loop.disconnect(connection)
            self._context.log.entry(
                "SYNC_CONNECTION_END",
                owner.log_members(),
                started=timestamp(started_ms),
                status="OK",
                close_code=websocket.close_code,
                close_reason=websocket.close_reason,
            )

    async def _close_if_refused_meanwhile(
        self, websocket: ServerConnection, connection: SyncConnection
    ) -> None:
        """Close a connection whose user was disabled or logged out while it was being admitted.

        Whoever does that drops the connections that exist by then, and this one did not yet.
        """
        try:
            await self._context.accounts.authenticate_sync(_token_of(websocket))
        except TokenError as error:
            connection.outbox.close(_close_code(error), error.problem.value)

    async def _exchange(self, websocket: ServerConnection, connection: SyncConnection) -> None:
        """Run the reader and the writer until the connection is closed."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_write, websocket, connection)
            await self._read(websocket, connection)
            nursery.cancel_scope.cancel()

    async def _read(self, websocket: ServerConnection, connection: SyncConnection) -> None:
        try:
            while True:
                message = await websocket.recv()
                if isinstance(message, str):
                    # The writer closes. Reading goes on, to take in the peer's answer to that.
                    connection.outbox.close(CLOSE_UNSUPPORTED_DATA, "text frames are not accepted")
                else:
                    await self._context.loop.submit(connection, message)
        except ConnectionClosed:
            return


async def _write(websocket: ServerConnection, connection: SyncConnection) -> None:
    outbox = connection.outbox
    try:
        while True:
            item = await outbox.take()
            if isinstance(item, Close):
                await websocket.aclose(item.code, item.reason)
                return
            with trio.move_on_after(WEBSOCKET_SEND_TIMEOUT_S) as scope:
                outbox.sending(scope)
                await websocket.send(item)
            outbox.sent(item)
            if scope.cancelled_caught:
                # Half a frame may be out, so no close frame can follow it.
                await trio.aclose_forcefully(websocket.stream)
                return
    except ConnectionClosed:
        return


def _close_code(error: TokenError) -> int:
    """Return what tells a client to refresh its token, or to log out (sync-engine 4.12)."""
    disabled = error.problem is TokenProblem.USER_DISABLED
    return CLOSE_FORBIDDEN if disabled else CLOSE_UNAUTHORIZED


def _token_of(websocket: ServerConnection) -> str:
    """Return the access token of the query, or nothing, which no check will accept."""
    request = websocket.request
    query = "" if request is None else urllib.parse.urlsplit(request.path).query
    tokens = urllib.parse.parse_qs(query, max_num_fields=16).get("baas_at", [])
    return tokens[0] if len(tokens) == 1 else ""


def _remote_ip_address(websocket: ServerConnection) -> str:
    address = cast("tuple[object, ...]", websocket.remote_address)
    return str(address[0]) if address else ""


def _user_json(user: UserRecord, claims: Claims) -> str:
    """Return the user as expressions see it (server 1.4), and the device."""
    return msgspec.json.encode(
        {
            "id": user.id,
            "type": user.type,
            "data": user.data,
            "custom_data": {},
            "identities": [
                {"id": identity.id, "providerType": identity.provider_type}
                for identity in user.identities
            ],
            "device_id": claims.device_id,
        }
    ).decode()
