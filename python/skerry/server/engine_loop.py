"""The one task that owns the engine, and the queues on both its sides.

Each turn drains what all connections have sent and gives it to the engine as one batch, in one
worker thread: that is what integrates many uploads in one store transaction (design 6). What the
engine answers goes to the connections' outboxes.

Invariants: the engine is never entered twice at once; frames of one connection keep their order;
whatever was queued when a connection left is still given to the engine before it is told; every
connection that was admitted is disconnected exactly once. The queues are bounded in bytes, per
connection and in total: a reader waits while its share or the whole is full.

A batch that raises is logged, and the loop goes on. The connections whose frames it held, and those
that it could have sent to, are closed: the engine has forgotten them, and what it has not
acknowledged their clients still have. A panic of the engine is not an `Exception`: it ends the
loop, and with it the server, loudly.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import trio

from skerry.server.config_native import LogLevel
from skerry.server.engine import Clock, ProcessResult, SyncEngine
from skerry.server.limits import (
    ENGINE_RETRY_MS,
    INBOX_CONNECTION_MAX_BYTES,
    INBOX_CONNECTION_MAX_FRAMES,
    INBOX_TOTAL_MAX_BYTES,
)
from skerry.server.log import ServerLog
from skerry.server.sync_connection import (
    CLOSE_INTERNAL_ERROR,
    ConnectionOwner,
    Outbox,
    SyncConnection,
)


@dataclass(eq=False, slots=True)
class _Admission:
    """A connection that waits to be admitted."""

    owner: ConnectionOwner
    decided: trio.Event = field(default_factory=trio.Event)
    admitted: SyncConnection | None = None
    failure: Exception | None = None
    is_abandoned: bool = False


@dataclass(slots=True)
class _Share:
    """What one connection has in the inbox."""

    frames: int = 0
    size_bytes: int = 0

    def has_room_for(self, size_bytes: int) -> bool:
        # A frame larger than the share is taken when nothing else waits.
        return self.frames == 0 or (
            self.frames < INBOX_CONNECTION_MAX_FRAMES
            and self.size_bytes + size_bytes <= INBOX_CONNECTION_MAX_BYTES
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    """One turn's work."""

    admissions: list[_Admission]
    frames: list[tuple[int, bytes]]
    writable: list[int]
    disconnects: list[int]
    now_ms: int


@dataclass(slots=True)
class _Outcome:
    """What the worker thread brought back from a turn."""

    numbers: list[int | Exception] = field(default_factory=list)
    result: ProcessResult | None = None
    failure: Exception | None = None
    disconnect_failures: list[Exception] = field(default_factory=list)


class EngineLoop:
    """Feeds and drains the engine. `run` it in a nursery; call the rest from its event loop."""

    def __init__(self, engine: SyncEngine, *, log: ServerLog, now_ms: Clock) -> None:
        self._engine = engine
        self._log = log
        self._now_ms = now_ms
        # Named and alone: the engine is entered by one thread at a time.
        self._limiter = trio.CapacityLimiter(1)
        self._wake = trio.Event()
        self._drained = trio.Event()
        self._finished = trio.Event()
        self._is_draining = False
        self._is_stopping = False
        self._is_settling = False
        self._is_in_turn = False
        self._deadline_ms: int | None = None
        self._connections: dict[int, SyncConnection] = {}
        self._retired: dict[int, SyncConnection] = {}
        self._more: set[int] = set()
        self._admissions: list[_Admission] = []
        self._deciding: list[_Admission] = []
        self._disconnects: list[int] = []
        self._frames: list[tuple[int, bytes]] = []
        self._frames_bytes = 0
        self._shares: dict[int, _Share] = {}

    async def run(self) -> None:
        """Run turns until `stop` is called and nothing is left to do."""
        try:
            while True:
                batch = self._take_batch()
                if batch is not None:
                    self._is_in_turn = True
                    self._deciding = batch.admissions
                    outcome = await trio.to_thread.run_sync(
                        self._execute, batch, limiter=self._limiter
                    )
                    self._distribute(batch, outcome)
                    self._is_in_turn = False
                    self._drained.set()
                    self._drained = trio.Event()
                elif self._is_stopping:
                    return
                else:
                    await self._wait_for_work()
        finally:
            self._finished.set()
            self._drained.set()
            for admission in (*self._deciding, *self._admissions):
                admission.decided.set()

    async def connect(self, owner: ConnectionOwner) -> SyncConnection:
        """Have the engine admit a connection; the caller must `disconnect` it in the end.

        Raises:
            Exception: Whatever the engine raised.

        Cancellation: safe; a connection that is admitted afterwards is disconnected at once.
        """
        admission = _Admission(owner)
        if self._finished.is_set():
            admission.decided.set()
        self._admissions.append(admission)
        self._wake.set()
        try:
            await admission.decided.wait()
        except trio.Cancelled:
            admission.is_abandoned = True
            if admission.admitted is not None:
                self.disconnect(admission.admitted)
            raise
        if admission.admitted is None:
            raise admission.failure or RuntimeError("the engine loop has ended")
        return admission.admitted

    async def submit(self, connection: SyncConnection, frame: bytes) -> None:
        """Queue a frame for the engine, waiting while the queue is full.

        Frames of a connection that is being closed, or that arrive while the server stops, are
        dropped: they have not been acknowledged, so their sender still has them.

        Cancellation: safe; the frame is not queued then.
        """
        while not self._is_dropped(connection) and not self._has_room(
            connection.number, len(frame)
        ):
            await self._drained.wait()
        if self._is_dropped(connection):
            return
        share = self._shares.setdefault(connection.number, _Share())
        share.frames += 1
        share.size_bytes += len(frame)
        self._frames.append((connection.number, frame))
        self._frames_bytes += len(frame)
        self._wake.set()

    def disconnect(self, connection: SyncConnection) -> None:
        """Tell the engine, after what is queued, that a connection is gone."""
        if not connection.is_disconnected:
            connection.is_disconnected = True
            self._disconnects.append(connection.number)
            self._wake.set()

    def drop_user(self, user_id: str, code: int, reason: str) -> int:
        """Close every connection of a user now; return how many there were."""
        return self._drop((c for c in self._of_user(user_id)), code, reason)

    def drop_session(self, session_id: str, code: int, reason: str) -> int:
        """Close every connection opened with a session now; return how many there were."""
        found = (c for c in self._connections.values() if c.owner.session_id == session_id)
        return self._drop(found, code, reason)

    async def drain(self) -> None:
        """Take in nothing more, and return when what was queued has been processed."""
        self._is_draining = True
        while (self._frames or self._is_in_turn) and not self._finished.is_set():
            await self._drained.wait()

    def close_all(self, code: int, reason: str) -> None:
        """Close every connection after what is queued for it."""
        for connection in self._connections.values():
            connection.outbox.close(code, reason)

    async def stop(self) -> None:
        """Let `run` return once nothing is left to do, and wait for it."""
        self._is_stopping = True
        self._wake.set()
        await self._finished.wait()

    # --- one turn ------------------------------------------------------------------------------

    def _take_batch(self) -> _Batch | None:
        """Return what there is to do now, or None."""
        now_ms = self._now_ms()
        writable = [n for n, c in self._connections.items() if c.outbox.has_room]
        is_due = self._deadline_ms is not None and self._deadline_ms <= now_ms
        has_more = not self._more.isdisjoint(writable)
        queued = self._frames or self._admissions or self._disconnects
        if not (queued or has_more or is_due or self._is_settling):
            return None
        batch = _Batch(
            admissions=self._admissions,
            frames=self._frames,
            writable=writable,
            disconnects=self._disconnects,
            now_ms=now_ms,
        )
        self._admissions, self._frames, self._disconnects = [], [], []
        self._frames_bytes = 0
        self._shares = {}
        self._is_settling = False
        return batch

    def _execute(self, batch: _Batch) -> _Outcome:
        """Enter the engine. Runs in the worker thread and touches nothing but the engine."""
        outcome = _Outcome()
        for admission in batch.admissions:
            try:
                outcome.numbers.append(
                    self._engine.connect(admission.owner.user_json, batch.now_ms)
                )
            except Exception as error:
                outcome.numbers.append(error)
        try:
            outcome.result = self._engine.process(batch.frames, batch.writable, batch.now_ms)
        except Exception as error:
            outcome.failure = error
        for number in batch.disconnects:
            try:
                self._engine.disconnect(number)
            except Exception as error:
                outcome.disconnect_failures.append(error)
        return outcome

    def _distribute(self, batch: _Batch, outcome: _Outcome) -> None:
        for admission, number in zip(batch.admissions, outcome.numbers, strict=True):
            self._admit(admission, number)
        self._deciding = []
        if outcome.result is not None:
            self._deliver(batch, outcome.result)
        else:
            self._fail(batch, outcome.failure)
        for failure in outcome.disconnect_failures:
            self._log.entry("SYNC_OTHER", level=LogLevel.ERROR, exception=failure)
        # What the engine logs about a connection's end comes with the next turn, so that one is
        # due at once, and the connection remains known until then.
        self._retired = {
            number: self._connections.pop(number)
            for number in batch.disconnects
            if number in self._connections
        }
        self._more.difference_update(batch.disconnects)
        self._is_settling = bool(batch.disconnects)

    def _admit(self, admission: _Admission, number: int | Exception) -> None:
        if isinstance(number, int):
            connection = SyncConnection(number, admission.owner, Outbox(self._wake_up))
            self._connections[number] = connection
            admission.admitted = connection
            if admission.is_abandoned:
                self.disconnect(connection)
        else:
            admission.failure = number
        admission.decided.set()

    def _deliver(self, batch: _Batch, result: ProcessResult) -> None:
        for number, frames in result.outputs:
            connection = self._connections.get(number)
            if connection is not None:
                for frame in frames:
                    connection.outbox.push(frame)
        for number, code, reason in result.closes:
            connection = self._connections.get(number)
            if connection is not None:
                connection.outbox.close(code, reason)
        # Who was offered room and has no more is done; who was not offered any still waits.
        self._more.difference_update(batch.writable)
        self._more.update(result.more)
        self._deadline_ms = result.deadline_ms
        known = {n: c.owner.log_members() for n, c in self._named(result.log)}
        self._log.engine_entries(result.log, known)

    def _named(self, log: Iterable[str]) -> list[tuple[int, SyncConnection]]:
        """Return the connections that log entries may name; none when there are no entries."""
        return [*self._retired.items(), *self._connections.items()] if log else []

    def _fail(self, batch: _Batch, failure: Exception | None) -> None:
        involved = {number for number, _ in batch.frames}.union(batch.writable)
        self._log.entry(
            "SYNC_OTHER",
            level=LogLevel.ERROR,
            exception=failure,
            error="a batch of the sync engine failed",
            connections_closed=len(involved),
        )
        found = (self._connections[number] for number in involved if number in self._connections)
        self._drop(found, CLOSE_INTERNAL_ERROR, "internal error")
        self._more.difference_update(involved)
        # When the engine wanted to be called next is lost with its answer.
        self._deadline_ms = batch.now_ms + ENGINE_RETRY_MS

    # --- waiting and finding ---------------------------------------------------------------------

    async def _wait_for_work(self) -> None:
        self._wake = trio.Event()
        if self._deadline_ms is None:
            await self._wake.wait()
            return
        # The deadline is on the wall clock, which may be set back: at worst a turn comes early.
        wait_ms = max(1, self._deadline_ms - self._now_ms())
        with trio.move_on_after(wait_ms / 1000):
            await self._wake.wait()

    def _wake_up(self) -> None:
        self._wake.set()

    def _is_dropped(self, connection: SyncConnection) -> bool:
        """Return whether frames of a connection are no longer taken in."""
        return connection.outbox.is_closing or self._is_draining or self._finished.is_set()

    def _has_room(self, number: int, size_bytes: int) -> bool:
        share = self._shares.get(number)
        if share is not None and not share.has_room_for(size_bytes):
            return False
        return not self._frames or self._frames_bytes + size_bytes <= INBOX_TOTAL_MAX_BYTES

    def _of_user(self, user_id: str) -> Iterable[SyncConnection]:
        return (c for c in self._connections.values() if c.owner.user_id == user_id)

    def _drop(self, connections: Iterable[SyncConnection], code: int, reason: str) -> int:
        found = list(connections)
        for connection in found:
            connection.outbox.abort(code, reason)
        return len(found)
