"""Websocket links over `websockets`' trio implementation.

Ends and failures of every kind become `LinkClosedError` or `ConnectFailedError` with a close code
of sync-engine 4.12. No redirect is followed (a moved server is asked for its location again), and
no compression is negotiated, as changesets compress themselves.
"""

import ipaddress
import socket
import ssl
import urllib.parse
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import truststore
from websockets.exceptions import (
    ConnectionClosed,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
    WebSocketException,
)
from websockets.trio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from skerry.errors import ConnectFailedError, LinkClosedError
from skerry.transport.close_codes import CloseCode, close_code_of_status
from skerry.transport.link import Link, LinkTarget

SUBPROTOCOL: Final = "skerry.sync.v1"
CLOSE_TIMEOUT_S: Final = 5.0
FRAMES_BUFFERED_MAX: Final = 4


class _DirectConnect(connect):
    """A `connect` that reports a redirect instead of following it (sync-engine 4.12: 4003)."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


@asynccontextmanager
async def open_websocket(target: LinkTarget) -> AsyncIterator[Link]:
    """Open a websocket link for the time of the block, and close it with 1000 afterwards.

    Raises:
        ConnectFailedError: It could not be established in time; `close_code` says why.
    """
    connecting = _DirectConnect(
        target.url,
        ssl=_tls_context(target.url),
        subprotocols=[Subprotocol(target.subprotocol)],
        compression=None,
        additional_headers=dict(target.headers),
        user_agent_header=target.user_agent,
        # A proxy for the outside is no way to a server on this machine.
        proxy=None if is_loopback(target.url) else True,
        open_timeout=target.connect_timeout_s,
        # The protocol has its own PING, which also measures; two keep-alives would fight.
        ping_interval=None,
        close_timeout=CLOSE_TIMEOUT_S,
        max_size=target.frame_size_max_bytes,
        max_queue=FRAMES_BUFFERED_MAX,
    )
    async with AsyncExitStack() as stack:
        try:
            connection = await stack.enter_async_context(connecting)
        except (OSError, WebSocketException, ValueError) as error:
            raise _connect_failure(error) from error
        if connection.subprotocol != target.subprotocol:
            raise ConnectFailedError(
                f"the server does not speak {target.subprotocol}", close_code=CloseCode.FATAL
            )
        yield _WebsocketLink(connection)


class _WebsocketLink:
    """A link over one open websocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, frame: bytes) -> None:
        try:
            await self._connection.send(frame)
        except ConnectionClosed as error:
            raise _closed(error) from error
        except OSError as error:
            raise LinkClosedError(
                f"the websocket could not be written: {error}", close_code=CloseCode.WRITE_ERROR
            ) from error

    async def receive(self) -> bytes:
        try:
            frame = await self._connection.recv(decode=False)
        except ConnectionClosed as error:
            raise _closed(error) from error
        except OSError as error:
            raise LinkClosedError(
                f"the websocket could not be read: {error}", close_code=CloseCode.READ_ERROR
            ) from error
        return frame

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        # A close reason is at most 123 bytes of UTF-8 (RFC 6455 5.5.1).
        short = reason.encode()[:120].decode(errors="ignore")
        await self._connection.aclose(code, short)


def is_loopback(url: str) -> bool:
    """Whether the URL's host is this machine."""
    host = urllib.parse.urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _tls_context(url: str) -> ssl.SSLContext | None:
    if not url.startswith("wss:"):
        return None
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _closed(error: ConnectionClosed) -> LinkClosedError:
    """Tell a close frame from the other end, a refused frame, and a lost connection apart."""
    frame = error.rcvd
    if frame is None and error.sent is not None and error.sent.code == CloseCode.MESSAGE_TOO_BIG:
        # We refused it: a frame that large is a broken server, and no reason to reset the file.
        return LinkClosedError("the server sent too large a frame", close_code=1002)
    if frame is None:
        return LinkClosedError("the websocket was lost", close_code=CloseCode.ABNORMAL)
    return LinkClosedError(
        f"the websocket was closed with {frame.code} {frame.reason}".rstrip(),
        close_code=int(frame.code),
        reason=frame.reason,
    )


def _connect_failure(error: Exception) -> ConnectFailedError:
    """Return the failure with the private code of its kind."""
    code = CloseCode.CONNECT_FAILED
    match error:
        case InvalidStatus():
            status = error.response.status_code
            return ConnectFailedError(
                f"the server answered the websocket upgrade with HTTP {status}",
                close_code=close_code_of_status(status),
            )
        case ssl.SSLError():
            code = CloseCode.TLS_FAILURE
        case socket.gaierror():
            code = CloseCode.RESOLVE_FAILED
        case InvalidURI() | NegotiationError():
            code = CloseCode.FATAL
        case _:
            # Refused, unreachable, timed out, or no websocket server: the place may be wrong.
            pass
    return ConnectFailedError(f"the websocket was not established: {error}", close_code=code)
