"""One sync connection as the engine loop sees it: who it is, and what is to be sent to it.

The outbox is bounded: below `OUTBOX_WRITABLE_MAX_BYTES` the engine may produce more for it, and a
peer that lets `OUTBOX_CONNECTION_MAX_BYTES` pile up is closed. A frame counts until it has been
handed to the operating system, so a peer that does not read is never writable.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import trio

from skerry.server.limits import (
    CLOSE_REASON_MAX_BYTES,
    OUTBOX_CONNECTION_MAX_BYTES,
    OUTBOX_WRITABLE_MAX_BYTES,
)

CLOSE_GOING_AWAY = 1001
CLOSE_UNSUPPORTED_DATA = 1003
CLOSE_INTERNAL_ERROR = 1011
CLOSE_UNAUTHORIZED = 4001
CLOSE_FORBIDDEN = 4002


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOwner:
    """Whose connection it is.

    Attributes:
        session_id: The login that it was opened with.
        user_json: The user as the engine's rules see it.
        co_id: Correlation id of the connection's log entries.
    """

    user_id: str
    session_id: str
    user_json: str
    remote_ip_address: str
    co_id: str

    def log_members(self) -> dict[str, object]:
        """Return what every log entry of this connection carries."""
        return {
            "co_id": self.co_id,
            "user_id": self.user_id,
            "remote_ip_address": self.remote_ip_address,
        }


@dataclass(frozen=True, slots=True)
class Close:
    """An order to close: the websocket code and a reason that fits a close frame."""

    code: int
    reason: str


class Outbox:
    """Frames waiting for the one writer task, and then perhaps an order to close.

    Concurrency: everything is called in the event loop; only one task may `take`.
    """

    def __init__(self, on_writable: Callable[[], None]) -> None:
        self._on_writable = on_writable
        self._frames: deque[bytes] = deque()
        self._size_bytes = 0
        self._close: Close | None = None
        self._wake = trio.Event()
        self._sending: trio.CancelScope | None = None

    @property
    def is_closing(self) -> bool:
        """Whether a close has been ordered; nothing more is taken in from then on."""
        return self._close is not None

    @property
    def has_room(self) -> bool:
        """Whether the engine may produce more."""
        return self._close is None and self._size_bytes < OUTBOX_WRITABLE_MAX_BYTES

    def push(self, frame: bytes) -> None:
        """Queue a frame; too much of them closes the connection instead."""
        if self._close is not None:
            return
        if self._size_bytes + len(frame) > OUTBOX_CONNECTION_MAX_BYTES and self._frames:
            self.abort(CLOSE_INTERNAL_ERROR, "client does not read what it is sent")
            return
        self._frames.append(frame)
        self._size_bytes += len(frame)
        self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Order a close after what is queued. The first order stands."""
        if self._close is None:
            self._close = Close(code, _fitting(reason))
            self._wake.set()

    def abort(self, code: int, reason: str) -> None:
        """Order a close now: what is queued is dropped and a send in progress given up."""
        self._frames.clear()
        self._close = Close(code, _fitting(reason))
        self._wake.set()
        if self._sending is not None:
            self._sending.cancel()

    async def take(self) -> bytes | Close:
        """Return the next frame, or the order to close once nothing is queued.

        Cancellation: safe; nothing is taken then.
        """
        while not self._frames:
            if self._close is not None:
                return self._close
            self._wake = trio.Event()
            await self._wake.wait()
        return self._frames.popleft()

    def sending(self, scope: trio.CancelScope) -> None:
        """Say under which scope a frame is being sent, so that `abort` can end it."""
        self._sending = scope

    def sent(self, frame: bytes) -> None:
        """Say that a taken frame has been sent."""
        self._sending = None
        had_room = self.has_room
        self._size_bytes -= len(frame)
        if self.has_room and not had_room:
            self._on_writable()


@dataclass(eq=False, slots=True)
class SyncConnection:
    """A connection that the engine has admitted under `number`."""

    number: int
    owner: ConnectionOwner
    outbox: Outbox
    is_disconnected: bool = field(default=False)


def _fitting(reason: str) -> str:
    """Return `reason` cut to what a close frame can carry."""
    return reason.encode()[:CLOSE_REASON_MAX_BYTES].decode(errors="ignore")
