"""The driver: the one task that calls the core's sync connection.

Commands, received frames and deadlines are gathered, handed to a worker thread in one step (so that
an integration never blocks the loop), and what comes back is delivered in order: results of
commands, then events, then frames to the link's writer. Invariants: one step at a time; frames of a
link are never sent on another; both queues of a link are bounded. It does not decide when to
connect, nor what an event means.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import trio

from skerry.client.environment import Environment
from skerry.client.pulse import Pulse
from skerry.errors import IllegalStateError, LinkClosedError, LinkError, SkerryError
from skerry.transport import Link

if TYPE_CHECKING:
    from skerry import _core

_T = TypeVar("_T")

INBOUND_FRAMES_MAX: Final = 8
OUTBOUND_BYTES_MAX: Final = 1024 * 1024
GOODBYE_TIMEOUT_S: Final = 5.0
DELAY_S_MIN: Final = 0.001

Command: TypeAlias = "Callable[[_core.SyncConnection, int], object]"
"""A call on the core, given the connection and the time in Unix ms; made on a worker thread."""


@dataclass(slots=True)
class _Pipe:
    """A link with its two bounded queues."""

    link: Link
    inbound: deque[bytes] = field(default_factory=deque)
    outbound: deque[bytes] = field(default_factory=deque)
    outbound_bytes: int = 0
    closing: tuple[int, str] | None = None
    end: LinkError | None = None
    is_over: bool = False
    changed: Pulse = field(default_factory=Pulse)

    def take_inbound(self) -> list[bytes]:
        """Take what was received; the reader may go on."""
        frames = list(self.inbound)
        self.inbound.clear()
        self.changed.give()
        return frames

    def put_outbound(self, frames: list[bytes]) -> None:
        """Queue frames for the writer."""
        self.outbound.extend(frames)
        self.outbound_bytes += sum(map(len, frames))
        self.changed.give()

    def close(self, code: int, reason: str) -> None:
        """Close the link once everything queued has been written."""
        if self.closing is None:
            self.closing = (code, reason)
            self.changed.give()


@dataclass(slots=True)
class _Call:
    """A command under way and where its outcome goes."""

    command: Command
    done: Callable[[object], None]
    failed: Callable[[SkerryError], None]


@dataclass(slots=True)
class _Step:
    """What one step brought."""

    outcomes: list[tuple[_Call, object, SkerryError | None]] = field(default_factory=list)
    failure: SkerryError | None = None
    poll: "_core.PollResult | None" = None


class Driver:
    """See the module.

    Args:
        environment: Core, clock and threads.
        deliver: Called with each event, in order, on the trio thread; must not raise.
        failed: Called when the core could not go on, such as on a full disk; must not raise.
    """

    def __init__(
        self,
        environment: Environment,
        deliver: "Callable[[_core.SyncEvent], None]",
        failed: Callable[[SkerryError], None],
    ) -> None:
        self._environment = environment
        self._deliver = deliver
        self._failed = failed
        self._core = environment.core.sync_connection(environment.chance.getrandbits(63))
        self._calls: list[_Call] = []
        self._work = trio.Event()
        self._deadline_ms: int | None = None
        self._pipe: _Pipe | None = None
        self._is_over = False

    async def run(self) -> None:
        """Make steps until cancelled; calls that come too late raise IllegalStateError."""
        calls: list[_Call] = []
        try:
            while True:
                await self._until_work()
                calls, self._calls = self._calls, []
                pipe = self._pipe
                frames = [] if pipe is None else pipe.take_inbound()
                room = 0 if pipe is None else max(0, OUTBOUND_BYTES_MAX - pipe.outbound_bytes)
                step = await self._environment.run_blocking(
                    partial(self._make_step, calls, frames, room)
                )
                self._finish(step)
                calls = []
        finally:
            self._is_over = True
            for call in calls + self._calls:
                call.failed(_ended())

    def submit(self, command: Command) -> None:
        """Have a command made in the next step; what it returns or raises is dropped."""
        self._calls.append(_Call(command, lambda _: None, lambda _: None))
        self._work.set()

    def wake(self) -> None:
        """Have a step made now: something was committed, which `poll` finds by itself."""
        self._work.set()

    async def call(
        self,
        command: "Callable[[_core.SyncConnection, int], _T]",
        done: Callable[[_T], None] = lambda _: None,
    ) -> _T:
        """Have a command made in the next step and return what it returns.

        Args:
            command: The call.
            done: Called with the result before any event of the same step is delivered, also when
                the caller has been cancelled meanwhile.

        Raises:
            SkerryError: What the command raised.
            IllegalStateError: `run` has ended.
        """
        if self._is_over:
            raise _ended()
        results: list[_T] = []
        errors: list[SkerryError] = []
        finished = trio.Event()

        def take(result: _T) -> None:
            done(result)
            results.append(result)
            finished.set()

        def fail(error: SkerryError) -> None:
            if not finished.is_set():
                errors.append(error)
                finished.set()

        # The queue is of mixed result types; `take` and `command` agree by construction.
        self._calls.append(_Call(command, take, fail))  # type: ignore[arg-type]
        self._work.set()
        await finished.wait()
        for error in errors:
            raise error
        return results[0]

    async def serve(self, link: Link, *, on_open: Callable[[], None]) -> LinkError:
        """Carry frames between the core and a link until the link ends, and return how.

        Args:
            link: Open; is closed at the end.
            on_open: Called when the core knows of the link.
        """
        pipe = _Pipe(link)
        try:
            await self.call(
                lambda core, now_ms: core.connected(now_ms), lambda _: self._open(pipe, on_open)
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read, pipe, nursery.cancel_scope)
                nursery.start_soon(self._write, pipe, nursery.cancel_scope)
        finally:
            self._shut(pipe)
            with trio.move_on_after(GOODBYE_TIMEOUT_S, shield=True):
                await link.aclose()
        if pipe.end is None:
            raise AssertionError("the reader or the writer says how the link ended")
        return pipe.end

    def hang_up(self, code: int, reason: str) -> None:
        """End the present link, if there is one, when what is queued has been written."""
        if self._pipe is not None:
            self._pipe.close(code, reason)

    def _open(self, pipe: _Pipe, on_open: Callable[[], None]) -> None:
        if not pipe.is_over:
            self._pipe = pipe
            # The present step was made without room for frames.
            self._work.set()
            on_open()

    def _shut(self, pipe: _Pipe) -> None:
        """Hand in what was received last, such as the error before a close, then the end."""
        pipe.is_over = True
        self._pipe = None
        for frame in pipe.inbound:
            self.submit(partial(_receive, frame))
        self.submit(lambda core, _: core.disconnected())

    async def _until_work(self) -> None:
        delay_s = float("inf")
        if self._deadline_ms is not None:
            delay_s = max(DELAY_S_MIN, (self._deadline_ms - self._environment.now_ms()) / 1000)
        with trio.move_on_after(delay_s):
            await self._work.wait()
        self._work = trio.Event()

    def _make_step(self, calls: list[_Call], frames: list[bytes], room: int) -> _Step:
        """Call the core; on a worker thread."""
        step = _Step()
        for call in calls:
            try:
                result = call.command(self._core, self._environment.now_ms())
            except SkerryError as error:
                step.outcomes.append((call, None, error))
            else:
                step.outcomes.append((call, result, None))
        try:
            for frame in frames:
                self._core.receive(frame, self._environment.now_ms())
            step.poll = self._core.poll(self._environment.now_ms(), room)
        except SkerryError as error:
            step.failure = error
        return step

    def _finish(self, step: _Step) -> None:
        """Deliver what a step brought; back on the trio thread."""
        for call, result, error in step.outcomes:
            if error is None:
                call.done(result)
            else:
                call.failed(error)
        if step.failure is not None:
            # A file could not be read or written. The link begins anew after a pause.
            self._deadline_ms = None
            self._failed(step.failure)
            # The present link, which a command of this very step may have opened.
            pipe = self._pipe
            if pipe is not None:
                pipe.end = pipe.end or LinkError("the client could not go on", close_code=1011)
                pipe.close(1011, "the client could not go on")
        poll = step.poll
        if poll is None:
            return
        self._deadline_ms = poll.deadline_ms
        for event in poll.events:
            self._deliver(event)
        if poll.frames and self._pipe is not None:
            self._pipe.put_outbound(poll.frames)
            self._work.set()
        if poll.close is not None and self._pipe is not None:
            self._pipe.close(*poll.close)

    async def _read(self, pipe: _Pipe, scope: trio.CancelScope) -> None:
        try:
            while True:
                while len(pipe.inbound) >= INBOUND_FRAMES_MAX:
                    await pipe.changed.wait()
                pipe.inbound.append(await pipe.link.receive())
                self._work.set()
        except LinkClosedError as error:
            pipe.end = pipe.end or error
        scope.cancel()

    async def _write(self, pipe: _Pipe, scope: trio.CancelScope) -> None:
        try:
            while True:
                while pipe.outbound:
                    frame = pipe.outbound.popleft()
                    await pipe.link.send(frame)
                    pipe.outbound_bytes -= len(frame)
                    self._work.set()
                if pipe.closing is not None:
                    code, reason = pipe.closing
                    pipe.end = pipe.end or LinkClosedError(
                        f"closed here with {code} {reason}".rstrip(), close_code=1000
                    )
                    with trio.move_on_after(GOODBYE_TIMEOUT_S):
                        await pipe.link.aclose(code, reason)
                    break
                await pipe.changed.wait()
        except LinkClosedError as error:
            pipe.end = pipe.end or error
        scope.cancel()


def _ended() -> IllegalStateError:
    return IllegalStateError("the connection has ended")


def _receive(frame: bytes, core: "_core.SyncConnection", now_ms: int) -> None:
    core.receive(frame, now_ms)
