"""Counting what a device sends and receives, without changing any of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from skerry.transport import Link, LinkTarget, open_websocket


@dataclass(slots=True)
class Traffic:
    """What has crossed the websockets of one device since it was made; only grows."""

    frames_sent: int = 0
    bytes_sent: int = 0
    frames_received: int = 0
    bytes_received: int = 0

    @asynccontextmanager
    async def open_link(self, target: LinkTarget) -> AsyncIterator[Link]:
        """Open a websocket whose frames are counted here."""
        async with open_websocket(target) as link:
            yield _CountedLink(link, self)


class _CountedLink:
    """A link, and the counts beside it."""

    def __init__(self, link: Link, traffic: Traffic) -> None:
        self._link = link
        self._traffic = traffic

    async def send(self, frame: bytes) -> None:
        await self._link.send(frame)
        self._traffic.frames_sent += 1
        self._traffic.bytes_sent += len(frame)

    async def receive(self) -> bytes:
        frame = await self._link.receive()
        self._traffic.frames_received += 1
        self._traffic.bytes_received += len(frame)
        return frame

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        await self._link.aclose(code, reason)
