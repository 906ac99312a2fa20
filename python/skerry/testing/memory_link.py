"""A link in memory: both ends in one process, in order, bounded, closed like a websocket."""

import math
from typing import Final

import trio

from skerry.errors import LinkClosedError

FRAMES_BUFFERED_MAX: Final = 16


class MemoryLink:
    """One end; a `skerry.transport.Link`. Made by `memory_link_pair`."""

    def __init__(
        self,
        outgoing: "trio.MemorySendChannel[bytes]",
        incoming: "trio.MemoryReceiveChannel[bytes]",
        ending: "_Ending",
    ) -> None:
        """Internal: use `memory_link_pair`."""
        self._outgoing = outgoing
        self._incoming = incoming
        self._ending = ending

    async def send(self, frame: bytes) -> None:
        """Send a frame; waits while the other end has too many unread.

        Raises:
            LinkClosedError: Either end is closed.
        """
        try:
            await self._outgoing.send(frame)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise self._ending.error() from error

    async def receive(self) -> bytes:
        """Return the next frame.

        Raises:
            LinkClosedError: Either end is closed, and every earlier frame was returned.
        """
        try:
            return await self._incoming.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError) as error:
            raise self._ending.error() from error

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close both directions; the first code given counts."""
        self._ending.put(code, reason)
        await self._outgoing.aclose()
        await self._incoming.aclose()


class _Ending:
    """How a pair of ends was closed, by whichever was first."""

    def __init__(self) -> None:
        self._code = 1006
        self._reason = ""
        self._is_known = False

    def put(self, code: int, reason: str) -> None:
        if not self._is_known:
            self._code, self._reason, self._is_known = code, reason, True

    def error(self) -> LinkClosedError:
        return LinkClosedError(
            f"the link was closed with {self._code} {self._reason}".rstrip(),
            close_code=self._code,
            reason=self._reason,
        )


def memory_link_pair(frames_max: int = FRAMES_BUFFERED_MAX) -> tuple[MemoryLink, MemoryLink]:
    """Return the two ends of a new link.

    Args:
        frames_max: How many frames may be under way in each direction, at least 0.
    """
    if frames_max < 0 or math.isinf(frames_max):
        raise ValueError(f"frames_max is a number of frames, not {frames_max}")
    to_second, from_first = trio.open_memory_channel[bytes](frames_max)
    to_first, from_second = trio.open_memory_channel[bytes](frames_max)
    ending = _Ending()
    return (
        MemoryLink(to_second, from_second, ending),
        MemoryLink(to_first, from_first, ending),
    )
