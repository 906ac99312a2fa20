"""A websocket proxy between devices and server: records every message, and cuts where it is told.

It passes binary messages on unchanged, and close codes too. A rule looks at each message before it
is passed on and says whether the link goes on; a cut drops both TCP connections without a close
frame, as a broken network does. It knows the codes of docs/protocol.md and nothing of changesets.
"""

import urllib.parse
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum
from http import HTTPStatus

import jwt
import msgpack
import trio
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.http11 import Request, Response
from websockets.trio.client import ClientConnection, connect
from websockets.trio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from tests.support.waiting import Bell

SUBPROTOCOL = Subprotocol("skerry.sync.v1")
FRAME_MAX_BYTES = 128 * 1024 * 1024
FLUSH_TIMEOUT_S = 5.0

CLIENT_CODES = dict(
    enumerate(["BIND", "IDENT", "QUERY", "UPLOAD", "MARK", "UNBIND", "PING", "ERROR"], start=1)
)
SERVER_CODES = dict(
    enumerate(
        ["IDENT", "DOWNLOAD", "MARK", "UNBOUND", "ERROR", "QUERY_ERROR", "PONG", "LOG_MESSAGE"],
        start=33,
    )
)


class Verdict(Enum):
    """What a rule wants done with a message."""

    PASS = "pass"
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"


@dataclass(frozen=True, slots=True)
class Frame:
    """One message that arrived at the proxy.

    Attributes:
        link: Number of the connection, from 1 in order of connecting.
        user: Id of the user whose token opened it.
        to_server: Its direction.
        data: Its bytes.
        fields: Decoded, the code first.
    """

    link: int
    user: str
    to_server: bool
    data: bytes = field(repr=False)
    fields: list = field(repr=False)

    @property
    def name(self) -> str:
        """The message's name in docs/protocol.md."""
        return (CLIENT_CODES if self.to_server else SERVER_CODES)[self.fields[0]]

    def is_download(self, batch_state: int | None = None) -> bool:
        """Tell whether it is a DOWNLOAD, of a batch state if one is given."""
        is_any = not self.to_server and self.name == "DOWNLOAD"
        return is_any and (batch_state is None or self.fields[9] == batch_state)

    @property
    def query_version(self) -> int:
        """Of a DOWNLOAD."""
        return self.fields[8]

    @property
    def acknowledged(self) -> int:
        """Of a DOWNLOAD: the last client version that the server has accepted."""
        return self.fields[6]

    @property
    def changesets(self) -> list[bytes]:
        """Of a DOWNLOAD: its packed changesets."""
        return [entry[5] for entry in self.fields[11]]

    def is_error(self, code: int) -> bool:
        """Tell whether it is the server's ERROR of that code."""
        return not self.to_server and self.name == "ERROR" and self.fields[2] == code

    def is_upload_of_changes(self) -> bool:
        """Tell whether it is an UPLOAD with entries."""
        return self.to_server and self.name == "UPLOAD" and bool(self.fields[5])

    def __str__(self) -> str:
        arrow = "->" if self.to_server else "<-"
        shown = [_shorten(value) for value in self.fields[1:]]
        return f"link {self.link} {arrow} {self.name} {', '.join(shown)}"


Rule = Callable[[Frame], Verdict]


def _shorten(value: object) -> str:
    if isinstance(value, list):
        shown = [_shorten(item) for item in value[:6]]
        return f"[{', '.join(shown)}{', …' if len(value) > 6 else ''}]"
    if isinstance(value, bytes):
        return f"{len(value)}B:{value[:24].hex()}"
    return repr(value)


def _pass(_frame: Frame) -> Verdict:
    return Verdict.PASS


@dataclass(eq=False, slots=True)
class _Relay:
    """Both ends of one link."""

    number: int
    user: str
    client: ServerConnection
    server: ClientConnection
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    flush: bool = False


class Proxy:
    """See the module.

    Attributes:
        frames: Everything that has arrived, in order.
        rule: Called with each message; may be replaced at any time.
        is_down: Whether new connections are refused, with 503.
        shut_out: Ids of users whose new connections are refused.
        upstream: The server's websocket URL.
    """

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.rule: Rule = _pass
        self.is_down = False
        self.shut_out: set[str] = set()
        self.upstream = ""
        self.url = ""
        self.bell = Bell()
        self._links = 0
        self._relays: set[_Relay] = set()

    def links_of(self, user: str) -> set[int]:
        """Return the links on which a user has said anything."""
        return {frame.link for frame in self.frames if frame.user == user}

    def to_user(self, user: str) -> list[Frame]:
        """Return what the server has sent to a user."""
        return [frame for frame in self.frames if frame.user == user and not frame.to_server]

    def cut_all(self) -> None:
        """Drop every connection now, without a close frame."""
        for relay in list(self._relays):
            relay.scope.cancel()

    def cut_once(self, when: Callable[[Frame], bool], verdict: Verdict) -> None:
        """Cut at the first message that fits, and pass everything from then on."""

        def rule(frame: Frame) -> Verdict:
            if not when(frame):
                return Verdict.PASS
            self.rule = _pass
            return verdict

        self.rule = rule

    def pass_all(self) -> None:
        """Go back to passing everything."""
        self.rule = _pass

    def story(self, last: int = 80) -> str:
        """Return the last messages, one a line."""
        return "\n".join(str(frame) for frame in self.frames[-last:])

    async def handle(self, client: ServerConnection) -> None:
        """Relay one connection."""
        self._links += 1
        number, path = self._links, client.request.path
        connecting = connect(
            self.upstream + path,
            subprotocols=[SUBPROTOCOL],
            compression=None,
            proxy=None,
            max_size=FRAME_MAX_BYTES,
            ping_interval=None,
        )
        async with AsyncExitStack() as stack:
            try:
                server = await stack.enter_async_context(connecting)
            except (OSError, WebSocketException):
                # The server is down: the device sees its network break.
                await trio.aclose_forcefully(client.stream)
                return
            relay = _Relay(number, _user_of(path), client, server)
            self._relays.add(relay)
            try:
                await self._relay(relay)
            finally:
                self._relays.discard(relay)
                self.bell.ring()

    def admit(self, connection: ServerConnection, request: Request) -> Response | None:
        """Refuse while the network is down."""
        if self.is_down or _user_of(request.path) in self.shut_out:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "down\n")
        return None

    async def _relay(self, relay: _Relay) -> None:
        with relay.scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._pump, relay, True)
                nursery.start_soon(self._pump, relay, False)
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(relay.server.stream)
            if relay.flush:
                await _flush(relay.client)
            await trio.aclose_forcefully(relay.client.stream)

    async def _pump(self, relay: _Relay, to_server: bool) -> None:
        source = relay.client if to_server else relay.server
        target = relay.server if to_server else relay.client
        try:
            while True:
                data = await source.recv(decode=False)
                frame = Frame(relay.number, relay.user, to_server, data, msgpack.unpackb(data))
                verdict = self.rule(frame)
                self.frames.append(frame)
                if verdict is not Verdict.CUT_BEFORE:
                    await target.send(data)
                self.bell.ring()
                if verdict is not Verdict.PASS:
                    relay.flush = verdict is Verdict.CUT_AFTER and not to_server
                    break
        except ConnectionClosed as error:
            if error.rcvd is not None:
                with trio.move_on_after(FLUSH_TIMEOUT_S, shield=True):
                    await target.aclose(error.rcvd.code, error.rcvd.reason)
        relay.scope.cancel()


async def _flush(client: ServerConnection) -> None:
    """End our half of the connection, so that what was sent arrives before the end does."""
    with trio.move_on_after(FLUSH_TIMEOUT_S):
        await client.stream.send_eof()
        await client.wait_closed()


def _user_of(path: str) -> str:
    token = urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["baas_at"][0]
    return jwt.decode(token, options={"verify_signature": False})["sub"]


@asynccontextmanager
async def open_proxy() -> AsyncIterator[Proxy]:
    """Listen on a free port of loopback; give it `upstream` before the first device comes."""
    proxy = Proxy()
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    proxy.url = f"ws://127.0.0.1:{port}"

    async def run(task_status: trio.TaskStatus[object]) -> None:
        await serve(
            proxy.handle,
            listeners=listeners,
            subprotocols=[SUBPROTOCOL],
            compression=None,
            process_request=proxy.admit,
            max_size=FRAME_MAX_BYTES,
            ping_interval=None,
            task_status=task_status,
        )

    async with trio.open_nursery() as nursery:
        await nursery.start(run)
        yield proxy
        nursery.cancel_scope.cancel()
