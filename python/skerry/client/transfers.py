"""`Transfers`: the waits of one session for uploads and downloads.

While the session is on the connection, the core tells their ends. While another process or app is
the file's sync agent, they follow the file: the upload cursor is there, and downloads are asked of
the agent, and answered by it, in a table (docs/realm-file-format.md). Invariant: a wait is in one
of the two lists or has ended, so whoever fails all of them leaves none behind. It runs on the
trio thread.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import trio

from skerry.client.driver import Driver
from skerry.client.environment import RunBlocking
from skerry.client.http_errors import error_message
from skerry.client.streams import Direction
from skerry.errors import ClosedRealmError, SkerryError, SyncError

if TYPE_CHECKING:
    from skerry import _core


class _Transfer:
    """One wait for a transfer.

    `target` is what it waits for in the file: a version for an upload, the number of a request for
    a download.
    """

    __slots__ = ("_done", "direction", "error", "target")

    def __init__(self, direction: Direction) -> None:
        self.direction = direction
        self.target: int | None = None
        self.error: SyncError | None = None
        self._done = trio.Event()

    def complete(self) -> None:
        self._done.set()

    def fail(self, error: SyncError) -> None:
        self.error = error
        self._done.set()

    async def wait(self) -> None:
        await self._done.wait()
        if self.error is not None:
            raise self.error


class Transfers:
    """See the module.

    Args:
        run_blocking: For looks at the file.
        driver: Of the connection.
        file: The open realm file.
    """

    def __init__(self, run_blocking: RunBlocking, driver: Driver, file: "_core.RealmFile") -> None:
        self._run_blocking = run_blocking
        self._driver = driver
        self._file = file
        # By the number of the core's request; and those that follow the file.
        self._asked: dict[int, _Transfer] = {}
        self._followed: list[_Transfer] = []

    async def wait(self, direction: Direction, ident: Callable[[], int | None]) -> None:
        """Wait until what is to be transferred now has been, and is integrated.

        Args:
            direction: Which way.
            ident: Returns the session's number on the connection, None while it is not on it;
                raises when the session is closed.

        Raises:
            SyncError: What `fail` was given.
            SkerryError: The file cannot be read; what `ident` raises.
        """
        transfer = _Transfer(direction)
        try:
            joined = ident()
            is_done = joined is None and await self._look(transfer)
            # The session may have joined, or be closed, since.
            joined = ident()
            if is_done:
                return
            if joined is None or not await self._is_asked(transfer, joined, ident):
                self._followed.append(transfer)
            await transfer.wait()
        finally:
            if transfer in self._followed:
                self._followed.remove(transfer)

    async def join(self, ident: int) -> None:
        """Have the core tell the ends of all: the session is on the connection now."""
        followed, self._followed = self._followed, []
        for transfer in followed:
            try:
                await self._ask(transfer, ident)
            except SkerryError as error:
                transfer.fail(file_trouble(error))

    def part(self) -> None:
        """Follow the file with all: the session has left the connection."""
        self._followed.extend(self._asked.values())
        self._asked = {}

    async def follow(self) -> None:
        """End those of which the file says that they are complete, or cannot be read."""
        for transfer in list(self._followed):
            try:
                is_done = await self._look(transfer)
            except SkerryError as error:
                transfer.fail(file_trouble(error))
            else:
                if is_done:
                    transfer.complete()

    def complete(self, request: int) -> None:
        """The core tells that a request has been met."""
        transfer = self._asked.pop(request, None)
        if transfer is not None:
            transfer.complete()

    def fail(self, error: SyncError) -> None:
        """End all with an error."""
        transfers = [*self._asked.values(), *self._followed]
        self._asked, self._followed = {}, []
        for transfer in transfers:
            transfer.fail(error)

    async def _is_asked(
        self, transfer: _Transfer, joined: int, ident: Callable[[], int | None]
    ) -> bool:
        """Ask the core; False when the session has left the connection meanwhile."""
        try:
            await self._ask(transfer, joined)
        except ClosedRealmError:
            if ident() == joined:
                raise
            return False
        return True

    async def _ask(self, transfer: _Transfer, ident: int) -> None:
        await self._driver.call(
            lambda core, _: (
                core.wait_download(ident)
                if transfer.direction is Direction.DOWNLOAD
                else core.wait_upload(ident)
            ),
            # Before the step's events: the transfer may be complete already.
            lambda request: self._asked.update({request: transfer}),
        )

    async def _look(self, transfer: _Transfer) -> bool:
        return await self._run_blocking(partial(_is_complete, self._file, transfer))


def file_trouble(error: SkerryError) -> SyncError:
    """Return trouble with the file, which sync goes on after, as the error of a session."""
    text = error_message("Sync", type(error).__name__, None, error.message)
    trouble = SyncError(text, is_fatal=False, is_retryable=True, category="Sync")
    trouble.__cause__ = error
    return trouble


def _is_complete(file: "_core.RealmFile", transfer: _Transfer) -> bool:
    """Whether the file says so; the first look decides what is waited for. On a worker thread."""
    match transfer.direction:
        case Direction.UPLOAD:
            if transfer.target is None:
                transfer.target = file.version()
            return file.is_uploaded(transfer.target)
        case Direction.DOWNLOAD:
            if transfer.target is None:
                transfer.target = file.request_download()
            return file.is_download_answered(transfer.target)
