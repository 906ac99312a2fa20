"""What the server asks of the engine and of its store, as Protocols.

In production both are ``skerry._core.SyncServer``; tests put small fakes in its place. Every call
may block, be it only for a batch that is being processed, and belongs in a worker thread.
Nothing here knows messages, changesets or rules: to this package a frame is bytes.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

Clock = Callable[[], int]
"""Returns the wall clock in milliseconds since 1970; injected so that tests can set it."""


class MetadataStore(Protocol):
    """Durable pairs of namespace and key to bytes. Safe to call from any thread."""

    def meta_get(self, namespace: str, key: str) -> bytes | None:
        """Return the value, or None."""

    def meta_put(self, namespace: str, key: str, value: bytes) -> None:
        """Set the value, durably once this returns."""

    def meta_insert(self, namespace: str, key: str, value: bytes) -> bool:
        """Set the value unless there is one, atomically; return whether it was set."""

    def meta_delete(self, namespace: str, key: str) -> bool:
        """Remove the value; return whether there was one."""

    def meta_scan(self, namespace: str) -> list[tuple[str, bytes]]:
        """Return every pair of the namespace."""


class ProcessResult(Protocol):
    """What one step of the engine decided; connections are numbers made by `connect`."""

    @property
    def outputs(self) -> Sequence[tuple[int, Sequence[bytes]]]:
        """Frames to send, in order, per connection."""

    @property
    def closes(self) -> Sequence[tuple[int, int, str]]:
        """Connections to close after their outputs: (connection, websocket code, reason)."""

    @property
    def more(self) -> Sequence[int]:
        """Connections that have more to send as soon as they are writable."""

    @property
    def log(self) -> Sequence[str]:
        """Log entries, each a JSON object; a member ``connection`` names the connection."""

    @property
    def deadline_ms(self) -> int | None:
        """When to call again if nothing happens, on the clock of `now_ms`; None for never."""


class SyncEngine(Protocol):
    """The protocol side of every connection. Not re-entrant: one caller at a time."""

    def connect(self, user_json: str, now_ms: int) -> int:
        """Admit a connection of an authenticated user; return its number, never used again."""

    def process(
        self, frames: list[tuple[int, bytes]], writable: list[int], now_ms: int
    ) -> ProcessResult:
        """Take what arrived, integrate it as one group, and return what to do.

        When it raises, the connections of `frames` and of `writable` are to be closed.

        Args:
            frames: What arrived, in order, with the connection it arrived on.
            writable: Every connection that has room for more outputs.
            now_ms: The wall clock.
        """

    def disconnect(self, connection: int) -> None:
        """Forget a connection. Called exactly once for each, also for those the engine closed."""


class ServerCore(SyncEngine, MetadataStore, Protocol):
    """Engine and store in one, as ``skerry._core.SyncServer`` is."""

    def close(self) -> None:
        """Make everything durable and release the store's files."""
