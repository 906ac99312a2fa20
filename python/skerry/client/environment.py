"""What the client takes from outside: core, clock, chance, network and threads.

One frozen value, handed down from `App` and `Realm.open`, so that a test replaces any of it by a
constructor argument. Nothing else in the client imports `skerry._core`, reads a clock or draws a
random number.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from skerry.transport import LinkOpener, open_websocket
from skerry.types import Scalar

if TYPE_CHECKING:
    from skerry import _core

_T = TypeVar("_T")

WORKER_THREADS_MAX = 16


class Core(Protocol):
    """The part of `skerry._core` that the client enters through."""

    def open_file(
        self,
        path: str,
        schema_json: str,
        *,
        synced: bool,
        synchronous: str,
        query_cache_bytes: int,
        encryption_key: bytes | None,
    ) -> "_core.RealmFile":
        """See `skerry._core.RealmFile.open`."""

    def open_versioned(
        self,
        path: str,
        schema_json: str,
        *,
        schema_version: int,
        timeout_ms: int,
        synchronous: str,
        query_cache_bytes: int,
        encryption_key: bytes | None,
    ) -> "tuple[_core.RealmFile | None, _core.SchemaChange | None]":
        """See `skerry._core.RealmFile.open_versioned`."""

    def open_read_only(
        self,
        path: str,
        schema_json: str,
        *,
        schema_version: int,
        query_cache_bytes: int,
        encryption_key: bytes | None,
    ) -> "_core.RealmFile":
        """See `skerry._core.RealmFile.open_read_only`; of a local file."""

    def scratch_place(self, name: str) -> "_core.ScratchPlace":
        """See `skerry._core.ScratchPlace.acquire`."""

    def delete_file(self, path: str, *, encryption_key: bytes | None) -> bool:
        """See `skerry._core.delete_file`."""

    def compact_file(self, path: str, *, encryption_key: bytes | None) -> bool:
        """See `skerry._core.compact_file`."""

    def file_size(self, path: str, *, encryption_key: bytes | None) -> tuple[int, int] | None:
        """See `skerry._core.file_size`."""

    def install_file(self, source: str, destination: str, check: Callable[[str], None]) -> bool:
        """See `skerry._core.install_file`."""

    def sync_agent_lock(self, path: str) -> "_core.SyncAgentLock | None":
        """See `skerry._core.SyncAgentLock.try_acquire`."""

    def sync_connection(self, seed: int) -> "_core.SyncConnection":
        """See `skerry._core.SyncConnection`."""

    def check_query(
        self, schema_json: str, class_name: str, rql: str, args: Sequence[Scalar]
    ) -> str:
        """See `skerry._core.check_query`."""

    def check_subscription(
        self, schema_json: str, class_name: str, rql: str, args: Sequence[Scalar]
    ) -> str:
        """See `skerry._core.check_subscription`."""


class RustCore:
    """The core as built; it is imported at the first call, not before."""

    def open_file(
        self,
        path: str,
        schema_json: str,
        *,
        synced: bool,
        synchronous: str,
        query_cache_bytes: int,
        encryption_key: bytes | None,
    ) -> "_core.RealmFile":
        """Open a realm file. Blocking."""
        from skerry._core import RealmFile

        return RealmFile.open(
            path,
            schema_json,
            synced=synced,
            synchronous=synchronous,
            query_cache_bytes=query_cache_bytes,
            encryption_key=encryption_key,
        )

    def open_versioned(
        self,
        path: str,
        schema_json: str,
        *,
        schema_version: int,
        timeout_ms: int,
        synchronous: str,
        query_cache_bytes: int,
        encryption_key: bytes | None,
    ) -> "tuple[_core.RealmFile | None, _core.SchemaChange | None]":
        """Open a local file, or return the change that it needs. Blocking."""
        from skerry._core import RealmFile

        return RealmFile.open_versioned(
            path,
            schema_json,
            schema_version=schema_version,
            timeout_ms=timeout_ms,
            synchronous=synchronous,
            query_cache_bytes=query_cache_bytes,
            encryption_key=encryption_key,
        )

    def open_read_only(
        self,
        path: str,
        schema_json: str,
        *,
        schema_version: int,
        query_cache_bytes: int,
        encryption_key: bytes | None,
    ) -> "_core.RealmFile":
        """Open a local file without writing. Blocking."""
        from skerry._core import RealmFile

        return RealmFile.open_read_only(
            path,
            schema_json,
            synced=False,
            schema_version=schema_version,
            query_cache_bytes=query_cache_bytes,
            encryption_key=encryption_key,
        )

    def scratch_place(self, name: str) -> "_core.ScratchPlace":
        """Return a place for a file that goes with its last holder. Blocking."""
        from skerry._core import ScratchPlace

        return ScratchPlace.acquire(name)

    def delete_file(self, path: str, *, encryption_key: bytes | None) -> bool:
        """Delete a realm file. Blocking."""
        from skerry._core import delete_file

        return delete_file(path, encryption_key=encryption_key)

    def compact_file(self, path: str, *, encryption_key: bytes | None) -> bool:
        """Compact a realm file. Blocking."""
        from skerry._core import compact_file

        return compact_file(path, encryption_key=encryption_key)

    def file_size(self, path: str, *, encryption_key: bytes | None) -> tuple[int, int] | None:
        """Return all and used bytes. Blocking."""
        from skerry._core import file_size

        return file_size(path, encryption_key=encryption_key)

    def install_file(self, source: str, destination: str, check: Callable[[str], None]) -> bool:
        """Copy a closed realm file. Blocking."""
        from skerry._core import install_file

        return install_file(source, destination, check)

    def sync_agent_lock(self, path: str) -> "_core.SyncAgentLock | None":
        """Take the lock of a file's sync agent, or return None when it is taken. Blocking."""
        from skerry._core import SyncAgentLock

        return SyncAgentLock.try_acquire(path)

    def sync_connection(self, seed: int) -> "_core.SyncConnection":
        """Make the client end of a websocket."""
        from skerry._core import SyncConnection

        return SyncConnection(seed)

    def check_query(
        self, schema_json: str, class_name: str, rql: str, args: Sequence[Scalar]
    ) -> str:
        """Return the canonical text of a query."""
        from skerry._core import check_query

        return check_query(schema_json, class_name, rql, args)

    def check_subscription(
        self, schema_json: str, class_name: str, rql: str, args: Sequence[Scalar]
    ) -> str:
        """Return the canonical text of a query that can be a subscription."""
        from skerry._core import check_subscription

        return check_subscription(schema_json, class_name, rql, args)


class RunBlocking(Protocol):
    """Runs a call that may block for long, without blocking the loop."""

    async def __call__(self, call: Callable[[], _T], /) -> _T:
        """Return what the call returns. Once begun it is not abandoned by cancellation."""


class WorkerThreads:
    """Runs blocking calls on trio's threads, a limited number at a time."""

    def __init__(self, threads_max: int = WORKER_THREADS_MAX) -> None:
        self._limiter = trio.CapacityLimiter(threads_max)

    async def __call__(self, call: Callable[[], _T], /) -> _T:
        """Run `call` on a worker thread and return what it returns."""
        return await trio.to_thread.run_sync(call, limiter=self._limiter)


def unix_time_ms() -> int:
    """Return the wall clock in milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """See the module.

    Attributes:
        core: The Rust core.
        now_ms: The wall clock, Unix time in milliseconds.
        chance: For jitter; needs no secrecy.
        open_link: Opens the websocket.
        run_blocking: Runs long calls elsewhere.
    """

    core: Core = field(default_factory=RustCore)
    now_ms: Callable[[], int] = unix_time_ms
    chance: random.Random = field(default_factory=random.Random)
    open_link: LinkOpener = open_websocket
    run_blocking: RunBlocking = field(default_factory=WorkerThreads)
