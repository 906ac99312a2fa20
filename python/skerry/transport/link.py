"""The `Link`: what sync needs of a connection, so that tests can replace the network.

Invariant: frames arrive whole and in order, or the link is over. A link does not reconnect; whoever
opened it decides what its end means (`close_codes`).
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias


class Link(Protocol):
    """An open connection. One task sends and one receives, at the same time if they like."""

    async def send(self, frame: bytes) -> None:
        """Send one frame.

        Raises:
            LinkClosedError: The link has ended. Whether earlier frames arrived is unknown.

        Cancellation: the frame may or may not have been sent; close the link afterwards.
        """

    async def receive(self) -> bytes:
        """Return the next frame.

        Raises:
            LinkClosedError: The link has ended; `close_code` says how.

        Cancellation: no frame is lost.
        """

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye with a websocket close code; harmless when the link has ended already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkTarget:
    """Where to and how.

    Attributes:
        url: ``ws://`` or ``wss://`` URL with path and query.
        subprotocol: The one that must be agreed on.
        headers: More request headers.
        user_agent: Value of User-Agent.
        connect_timeout_s: For names, TCP, TLS and handshake together.
        frame_size_max_bytes: A larger frame ends the link with 1009.
    """

    url: str = field(repr=False)  # it carries the access token
    subprotocol: str
    headers: Mapping[str, str]
    user_agent: str
    connect_timeout_s: float
    frame_size_max_bytes: int


LinkOpener: TypeAlias = Callable[[LinkTarget], AbstractAsyncContextManager[Link]]
"""Opens a link for the time of a block; raises ConnectFailedError when it cannot."""
