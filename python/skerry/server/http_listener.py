"""Serving the HTTP API: anycorn on a socket that we bound ourselves.

The socket is bound before anything is served, so its port is known and free of races. Plain HTTP
only: TLS is terminated in front of the server, and websockets have a listener of their own.
"""

import socket
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

import anycorn
import trio
from starlette.applications import Starlette

from skerry.server.limits import HTTP_GRACEFUL_STOP_S, HTTP_READ_TIMEOUT_S, LISTEN_BACKLOG
from skerry.server.log import ServerLog

if TYPE_CHECKING:
    from anycorn.typing import ASGIFramework


async def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket: from here on connections wait for whoever will serve it.

    Raises:
        OSError: If the address cannot be resolved or bound.
    """
    found = await trio.socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    family, _, _, _, address = found[0]
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(LISTEN_BACKLOG)
        bound.setblocking(False)
    except BaseException:
        bound.close()
        raise
    return bound


def address_of(bound: socket.socket) -> str:
    """Return ``host:port`` of a bound socket, as it is written in a URL."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


async def serve_http(
    app: Starlette,
    bound: socket.socket,
    *,
    log: ServerLog,
    stop: Callable[[], Awaitable[None]],
) -> None:
    """Serve `app` until `stop` returns, then let requests in flight finish. Owns `bound`.

    Cancelling it ends at once.
    """
    config = anycorn.Config()
    config.bind = [f"fd://{bound.detach()}"]
    config.backlog = LISTEN_BACKLOG
    config.accesslog = None
    config.errorlog = log.standard_logger("skerry.http")
    config.graceful_timeout = HTTP_GRACEFUL_STOP_S
    config.read_timeout = HTTP_READ_TIMEOUT_S
    config.include_server_header = False
    config.alpn_protocols = ["http/1.1"]
    # The two packages spell the types of the same ASGI calls differently.
    framework = cast("ASGIFramework", app)
    await anycorn.serve(framework, config, shutdown_trigger=stop, mode="asgi")
