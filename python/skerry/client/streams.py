"""Async iterators over a session: progress, changes of the connection, versions of a realm.

Each is an iterator object with its own small buffer, not an async generator, so that it may be
dropped at any time. Nothing overflows: progress and versions keep only the newest, connection
changes the newest hundred. All end when the realm closes.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum
from typing import Final

from skerry.client.connection import ConnectionState
from skerry.client.pulse import Pulse

CHANGES_BUFFERED_MAX: Final = 100


class Direction(Enum):
    """Which way data go."""

    DOWNLOAD = "download"
    UPLOAD = "upload"


class ProgressMode(Enum):
    """Whether progress ends with what is to be transferred now, or goes on."""

    CURRENT_CHANGES = "current changes"
    INDEFINITELY = "indefinitely"


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of a transfer is done.

    Attributes:
        estimate: 0.0 to 1.0.
    """

    estimate: float

    @property
    def is_transfer_complete(self) -> bool:
        """Whether everything known to be pending has been transferred."""
        return self.estimate >= 1.0


@dataclass(frozen=True, slots=True)
class ConnectionStateChange:
    """One change of a session's connection."""

    old_state: ConnectionState
    new_state: ConnectionState


class ConnectionStateChanges:
    """Changes of a connection since this was made; it begins with the next one."""

    def __init__(self) -> None:
        self._pulse = Pulse()
        self._changes: deque[ConnectionStateChange] = deque(maxlen=CHANGES_BUFFERED_MAX)
        self._is_closed = False

    def put(self, change: ConnectionStateChange) -> None:
        """Add a change; of more than a hundred that nobody took, the oldest goes."""
        self._changes.append(change)
        self._pulse.give()

    def close(self) -> None:
        """End the iteration after what is buffered."""
        self._is_closed = True
        self._pulse.give()

    def __aiter__(self) -> "ConnectionStateChanges":
        return self

    async def __anext__(self) -> ConnectionStateChange:
        while not self._changes:
            if self._is_closed:
                raise StopAsyncIteration
            await self._pulse.wait()
        return self._changes.popleft()


class VersionChanges:
    """Versions of a realm as they are committed by anybody; only the newest is kept."""

    def __init__(self, current: int) -> None:
        self._pulse = Pulse()
        self._seen = self._newest = current
        self._is_closed = False

    def put(self, version: int) -> None:
        """Note the newest version."""
        self._newest = max(self._newest, version)
        self._pulse.give()

    def close(self) -> None:
        """End the iteration."""
        self._is_closed = True
        self._pulse.give()

    def __aiter__(self) -> "VersionChanges":
        return self

    async def __anext__(self) -> int:
        while self._newest == self._seen:
            if self._is_closed:
                raise StopAsyncIteration
            await self._pulse.wait()
        self._seen = self._newest
        return self._seen


class ProgressStream:
    """The progress of one direction, beginning with what is known.

    In CURRENT_CHANGES the estimate never falls, and 1.0 comes last, when `finish` says that
    everything of the moment of the call has been transferred (and, downwards, integrated).
    """

    def __init__(self, mode: ProgressMode, known: float | None) -> None:
        self._mode = mode
        self._pulse = Pulse()
        self._estimate = known
        self._last: float | None = None
        self._is_finished = False
        self._is_closed = False
        self._failure: Exception | None = None

    @property
    def mode(self) -> ProgressMode:
        """Whether it ends with the present transfer."""
        return self._mode

    def put(self, estimate: float) -> None:
        """Note the newest estimate."""
        self._estimate = estimate
        self._pulse.give()

    def finish(self) -> None:
        """The transfer of the moment of the call is complete."""
        self._is_finished = True
        self._pulse.give()

    def fail(self, error: Exception) -> None:
        """The transfer of the moment of the call will not complete."""
        self._failure = error
        self._pulse.give()

    def close(self) -> None:
        """End the iteration."""
        self._is_closed = True
        self._pulse.give()

    def __aiter__(self) -> "ProgressStream":
        return self

    async def __anext__(self) -> Progress:
        while True:
            if self._is_closed:
                raise StopAsyncIteration
            if self._failure is not None:
                raise self._failure
            progress = self._next()
            if progress is not None:
                return progress
            await self._pulse.wait()

    def _next(self) -> Progress | None:
        if self._mode is ProgressMode.INDEFINITELY:
            if self._estimate is None or self._estimate == self._last:
                return None
            self._last = self._estimate
            return Progress(self._last)
        if self._is_finished:
            self._is_closed = True
            return Progress(1.0)
        # 1.0 is kept for the end: what the server calls complete may not be integrated yet.
        last = -1.0 if self._last is None else self._last
        if self._estimate is None or not last < self._estimate < 1.0:
            return None
        self._last = self._estimate
        return Progress(self._last)
