"""`Realm`: an open realm file, local or synced.

Writing, reading, observing, and the open sequence of client-api 1.8. Invariants: one writer of a
realm at a time, tasks in the order of asking; everything read is of one committed version; nothing
of the realm runs after it is closed. Sync itself is `FileSession`'s.
"""

import math
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast
from weakref import ReferenceType, WeakSet, ref

import trio

from skerry.client.changes import KeyPaths, ObjectChanges, object_changes
from skerry.client.collection_changes import CollectionChanges
from skerry.client.environment import Environment
from skerry.client.file_session import FileSession
from skerry.client.frozen import FrozenRealm
from skerry.client.local_file import (
    check_deletable,
    compact_on_launch,
    delete_unwanted,
    make_folder,
    open_local,
)
from skerry.client.pulse import Pulse
from skerry.client.reader import Reader
from skerry.client.realm_configuration import Configuration, SyncConfiguration
from skerry.client.results import Results, make_results
from skerry.client.session import ErrorPump, SyncSession, check_timeout
from skerry.client.streams import VersionChanges
from skerry.client.subscriptions import StoredItem, SubscriptionSet
from skerry.client.transaction import Transaction
from skerry.errors import (
    ClosedRealmError,
    ConfigurationError,
    DownloadingRealmTimeoutError,
    IllegalStateError,
    LockTimeoutError,
    SessionInactiveError,
    SyncError,
    TooManyVersionsError,
)
from skerry.model import RealmDictionary, RealmList, RealmObject, RealmSet, Schema
from skerry.model.objects import to_argument
from skerry.query import MATCH_ALL, Query

if TYPE_CHECKING:
    from skerry import _core
    from skerry.client.session_registry import SessionRegistry

_T = TypeVar("_T", bound=RealmObject)
_R = TypeVar("_R")

Observable: TypeAlias = list[Any] | set[Any] | dict[str, Any]
"""A collection as properties are annotated: what is read of them is no list, but ours."""

WRITE_TIMEOUT_S: Final = 60.0
# A worker thread that waits for the lock cannot be cancelled, so it waits in slices.
LOCK_SLICE_MS: Final = 200
OTHER_PROCESS_POLL_S: Final = 0.25


class Realm:
    """An open realm file; opened by ``async with Realm.open(configuration) as realm``.

    Its methods are for the trio loop that opened it; `write_blocking` and `sync_session` are for
    any thread.
    """

    def __init__(
        self,
        configuration: Configuration,
        environment: Environment,
        file: "_core.RealmFile",
        session: FileSession | None,
        nursery: trio.Nursery,
    ) -> None:
        """Internal: use `Realm.open`."""
        self._configuration = configuration
        self._environment = environment
        self._file = file
        self._file_session = session
        self._nursery = nursery
        self._home = trio.lowlevel.current_trio_token()
        self._write_lock = trio.Lock()
        self._blocking_writers: set[int] = set()
        self._is_closed = False
        self._reader: ReferenceType[Reader] | None = None
        # The same, for as long as nothing changes and at most until the next look at other
        # processes: opening a snapshot takes longer than reading an object from it.
        self._recent_reader: Reader | None = None
        self._change_streams: WeakSet[VersionChanges] = WeakSet()
        self._frozen: WeakSet[FrozenRealm] = WeakSet()
        self._subscription_pulse = Pulse()
        self._subscription_generation = 0
        self._subscriptions: SubscriptionSet | None = None
        self._session: SyncSession | None = None
        self._errors: ErrorPump | None = None
        if session is not None and isinstance(configuration, SyncConfiguration):
            self._session = SyncSession(session, configuration, home=self._home, spawn=self._spawn)
            self._errors = ErrorPump(configuration.error_handler, self._session.for_error_handler())

    @staticmethod
    @asynccontextmanager
    async def open(
        configuration: Configuration, *, environment: Environment | None = None
    ) -> AsyncIterator["Realm"]:
        """Open a realm for the time of a block.

        A synced realm is opened inside its app's block. Unless `wait_for_initial_remote_data` asks
        for it, the network is not waited for. When the block ends, the session goes on until local
        changes are uploaded, for as long as the app is open.

        Args:
            configuration: `Configuration` or `SyncConfiguration`.
            environment: For tests of a local realm; a synced one has its app's.

        Raises:
            SchemaError: The file does not take the schema; `MigrationNeededError` and
                `MigrationError` are of its kind.
            StoreError: The file cannot be opened.
            IllegalStateError: The app is closed, or the file is open with another schema.
            DownloadingRealmTimeoutError: The initial data did not come in time; a file that was
                created by this call is deleted.
            BadFlexibleSyncQueryError: The server refused the initial subscriptions; likewise.
        """
        opening = (
            _open_synced(configuration)
            if isinstance(configuration, SyncConfiguration)
            else _open_local(configuration, environment or Environment())
        )
        async with opening as realm:
            yield realm

    @staticmethod
    async def delete_realm(
        configuration: Configuration, *, environment: Environment | None = None
    ) -> bool:
        """Delete the file of a realm, with all that stands beside it; return whether there was one.

        A damaged file is deleted, too. A synced realm can be deleted once its app has let it go:
        when its changes are uploaded, or the app is closed.

        Args:
            configuration: Of the realm.
            environment: For tests.

        Raises:
            RealmInUseError: The realm is open in this or another process.
            FileAccessError: The operating system refuses.
            ConfigurationError: The realm has no file of its own.
        """
        place, path = environment or Environment(), check_deletable(configuration)
        key = configuration.encryption_key
        return await place.run_blocking(partial(place.core.delete_file, path, encryption_key=key))

    @staticmethod
    async def compact(
        configuration: Configuration, *, environment: Environment | None = None
    ) -> bool:
        """Write the file of a realm anew without unused room.

        Args:
            configuration: Of the realm.
            environment: For tests.

        Returns:
            Whether it was done; False when there is no file, or when somebody has it open.

        Raises:
            DiskFullError: There is no room for the second file; the first one stays.
            CorruptedError, FileAccessError: The file cannot be read or written.
            ConfigurationError: The realm has no file of its own.
        """
        place, path = environment or Environment(), check_deletable(configuration)
        key = configuration.encryption_key
        return await place.run_blocking(partial(place.core.compact_file, path, encryption_key=key))

    @property
    def configuration(self) -> Configuration:
        """The configuration it was opened with; the same object."""
        return self._configuration

    @property
    def schema(self) -> Schema:
        """Its classes."""
        return self._configuration.schema

    @property
    def is_closed(self) -> bool:
        """Whether its block has ended."""
        return self._is_closed

    @property
    def version(self) -> int:
        """The newest committed version.

        Raises:
            ClosedRealmError: It is closed.
        """
        self._require_open()
        return self._file.version()

    @property
    def schema_version(self) -> int:
        """The schema version of the file; 0 for a synced realm.

        Raises:
            ClosedRealmError: It is closed.
        """
        self._require_open()
        return self._file.schema_version()

    @property
    def number_of_active_versions(self) -> int:
        """How many versions this realm holds, the newest and those that are still shown.

        Results, objects and frozen realms show versions. Old ones make the file grow until they are
        let go.

        Raises:
            ClosedRealmError: It is closed.
        """
        self._require_open()
        return self._file.active_versions()

    @property
    def sync_session(self) -> SyncSession:
        """Control of its sync; the same object each time.

        Raises:
            IllegalStateError: The realm is local or closed.
        """
        if self._session is None or self._is_closed:
            raise IllegalStateError("a local or closed realm has no sync session")
        return self._session

    @property
    def subscriptions(self) -> SubscriptionSet:
        """Its subscriptions; the same object each time, pinned as `SubscriptionSet` says.

        Raises:
            IllegalStateError: The realm is local or closed.
        """
        if self._subscriptions is None or self._is_closed:
            raise IllegalStateError("a local or closed realm has no subscriptions")
        return self._subscriptions

    # --- Reading --------------------------------------------------------------------------------

    def objects(self, model: type[_T]) -> Results[_T]:
        """Return every object of a class at the newest version.

        Raises:
            SchemaError: The class is not in the schema.
            ClosedRealmError: The realm is closed.
        """
        return self.query(model)

    def query(self, model: type[_T], text: str = MATCH_ALL, *arguments: object) -> Results[_T]:
        """Return the objects of a query at the newest version, frozen.

        Args:
            model: Class to query.
            text: RQL, with SORT, DISTINCT and LIMIT if wanted; checked now, run at first use.
            arguments: Values of ``$0``, ``$1``, …

        Raises:
            QueryError: The text is wrong, at `position`.
            SchemaError: The class is not in the schema.
            ClosedRealmError: The realm is closed.
        """
        self._require_open()
        values = tuple(to_argument(value) for value in arguments)
        query = Query(self.schema.name_of(model), text, values)
        return self.results_at(model, query, self.newest_reader())

    def find(self, model: type[_T], primary_key: object) -> _T | None:
        """Return the object of a key at the newest version, frozen, or None."""
        self._require_open()
        return self.newest_reader().get(model, to_argument(primary_key))

    def freeze(self) -> FrozenRealm:
        """Return the realm at its newest version; close it when it is not needed any more.

        Raises:
            ClosedRealmError: The realm is closed.
        """
        self._require_open()
        # A reader of its own: closing it must not take the version from others.
        reader = Reader(self.schema, self._file.snapshot(), self)
        frozen = FrozenRealm(self._configuration.name, reader, self._environment.run_blocking)
        self._frozen.add(frozen)
        return frozen

    async def write_copy_to(self, target: Configuration | str | os.PathLike[str]) -> None:
        """Write the newest version to a new local file, while others may write.

        The copy has no unused room. A copy of a synced realm is a local one: it has the objects,
        and nothing of subscriptions and history. The copy appears whole or not at all.

        Args:
            target: Configuration of a local realm, whose `schema_version` and `encryption_key` the
                copy gets, or a path, for a copy that is not encrypted. Its folder is made if it is
                missing.

        Raises:
            ConfigurationError: The target exists, is a synced realm, or is none that has a file.
            IllegalStateError: This realm is synced and has changes that are not uploaded.
            DiskFullError, FileAccessError: There is no room, or no way to write there.
            ClosedRealmError: This realm is closed.
        """
        self._require_open()
        if isinstance(target, SyncConfiguration):
            raise ConfigurationError(
                "a synced realm cannot be copied to a synced one, which would share its identity "
                "with the server; copy it to a local one"
            )
        version: int | None = None
        key: bytes | None = None
        if isinstance(target, Configuration):
            path, version = Path(check_deletable(target)), target.schema_version
            key = target.encryption_key
        else:
            path = Path(target)

        def write() -> None:
            make_folder(path)
            self._file.write_copy(str(path), schema_version=version, encryption_key=key)

        await self._environment.run_blocking(write)

    def changed(self) -> VersionChanges:
        """Return an async iterator of the versions committed from now on, by anybody.

        Writes of this realm, integrated downloads and other processes are all told; of several
        versions that nobody took, only the newest. It ends when the realm closes.
        """
        self._require_open()
        stream = VersionChanges(self._file.version())
        self._change_streams.add(stream)
        return stream

    def changes_of(self, target: _T, key_paths: KeyPaths = None) -> ObjectChanges[_T]:
        """Return an async iterator of what happens to an object.

        `InitialObject` comes first, at the newest version; then `UpdatedObject`, with the names of
        changed properties, whenever a commit of anybody has changed it; `DeletedObject` ends it.
        Who is slow gets one update for all commits that were missed. It ends when the realm closes.

        Args:
            target: An object of this realm, of whatever version.
            key_paths: What is watched, such as ``["name", "owner.name"]``; ``*`` stands for every
                property. None watches everything up to 4 links away.

        Raises:
            IllegalStateError: The object is in no realm.
            ConfigurationError: A key path leads nowhere; it is a ValueError too.
            ClosedRealmError: The realm is closed.
        """
        return object_changes(self, target, key_paths)

    def collection_changes_of(
        self, collection: Observable, key_paths: KeyPaths = None
    ) -> CollectionChanges[Any]:
        """Return an async iterator of what happens to a collection of an object.

        `InitialCollection` comes first, at the newest version; then `UpdatedList`, `UpdatedSet` or
        `UpdatedDictionary`; `DeletedCollection` ends it. Otherwise as `changes_of`.

        Args:
            collection: A list, set or dictionary that was read from an object of this realm, or
                from one that is embedded in it.
            key_paths: What is watched of the objects in it.

        Raises:
            IllegalStateError: It is in no realm, or inside of a write.
            TypeError: It is no collection of a realm.
            ConfigurationError: A key path leads nowhere; it is a ValueError too.
            ClosedRealmError: The realm is closed.
        """
        if isinstance(collection, RealmList | RealmSet | RealmDictionary):
            return cast("CollectionChanges[Any]", collection.changes(key_paths))
        raise TypeError(f"{type(collection).__name__} is no collection of a realm")

    # --- Writing --------------------------------------------------------------------------------

    @asynccontextmanager
    async def write(self, timeout: float = WRITE_TIMEOUT_S) -> AsyncIterator[Transaction]:
        """Change the realm in one transaction, durable when the block has ended.

        An exception in the block, cancellation included, rolls everything back. The network is not
        concerned. Do not wait for slow things inside: other writers wait, sync among them.

        Args:
            timeout: Seconds > 0 to wait for other writers.

        Raises:
            ValueError: `timeout` is not more than 0.
            LockTimeoutError: Another writer held the file too long.
            ClosedRealmError: The realm is closed.
            IllegalStateError: A write is open in this task already.
            DiskFullError: There is no room; nothing was written.
            TooManyVersionsError: More are in use than `max_number_of_active_versions`.
        """
        check_timeout(timeout)
        self._require_open()
        self._check_versions()
        if self._is_lock_mine():
            raise IllegalStateError("a write is open in this task already")
        deadline = trio.current_time() + timeout
        with trio.move_on_at(deadline):
            await self._write_lock.acquire()
        if not self._is_lock_mine():
            raise LockTimeoutError(f"another task wrote for more than {timeout} s")
        try:
            core = await self._begin_write(deadline, timeout)
            transaction = Transaction(self.schema, core)
            try:
                yield transaction
            except BaseException:
                core.rollback()
                transaction.finish(is_committed=False)
                raise
            version = await self._commit(core, transaction)
        finally:
            self._write_lock.release()
        self._committed(version)

    @contextmanager
    def write_blocking(self, timeout: float = WRITE_TIMEOUT_S) -> Iterator[Transaction]:
        """As `write`, on any thread and without trio; blocks that thread.

        On the realm's own loop it blocks every task.

        Raises:
            ValueError: `timeout` is not more than 0.
            LockTimeoutError: Another writer held the file too long.
            ClosedRealmError: The realm is closed.
            IllegalStateError: A write is open in this thread, or on this loop, already.
            DiskFullError: There is no room; nothing was written.
        """
        check_timeout(timeout)
        self._require_open()
        thread = threading.get_ident()
        if thread in self._blocking_writers or (self._write_lock.locked() and self._is_home()):
            raise IllegalStateError("a write is open here already; this one would wait for ever")
        self._check_versions()
        core = self._begin_write_blocking(timeout)
        transaction = Transaction(self.schema, core)
        self._blocking_writers.add(thread)
        try:
            yield transaction
        except BaseException:
            core.rollback()
            transaction.finish(is_committed=False)
            raise
        finally:
            self._blocking_writers.discard(thread)
        try:
            version = core.commit(self._environment.now_ms())
        except BaseException:
            transaction.finish(is_committed=False)
            raise
        transaction.finish(is_committed=True)
        try:
            self._home.run_sync_soon(self._committed, version)
        except trio.RunFinishedError:
            # The loop ended meanwhile: nobody is left to be told, and the commit is durable.
            return

    # --- What the session tells (SessionObserver) -----------------------------------------------

    def integrated(self) -> None:
        """The server's changes are in the file. Internal."""
        if not self._is_closed:
            self._tell_version(self._file.version())

    def subscriptions_changed(self) -> None:
        """A subscription set has another state. Internal."""
        self._subscription_generation += 1
        self._subscription_pulse.give()

    def report(self, error: SyncError) -> None:
        """An error for the error handler. Internal."""
        if self._errors is not None:
            self._errors.put(error)

    # --- What subscriptions need (SubscriptionHost) ---------------------------------------------

    @property
    def times_inactive(self) -> int:
        """How often the session became inactive. Internal."""
        return 0 if self._file_session is None else self._file_session.times_inactive

    @property
    def subscription_generation(self) -> int:
        """A number that changes whenever any set may have changed. Internal."""
        return self._subscription_generation

    def now_ms(self) -> int:
        """Return the wall clock. Internal."""
        return self._environment.now_ms()

    def canonical(self, query: Query) -> str:
        """Return the canonical text of a query. Internal."""
        return self._environment.core.check_query(
            self.schema.to_json(), query.class_name, query.text, query.arguments
        )

    def subscribable(self, query: Query) -> str:
        """Return the canonical text of a query that can be a subscription. Internal."""
        return self._environment.core.check_subscription(
            self.schema.to_json(), query.class_name, query.text, query.arguments
        )

    def inactive_error(self) -> Exception:
        """Return what made the session inactive. Internal."""
        error = None if self._file_session is None else self._file_session.last_error
        return error or SessionInactiveError("the session became inactive")

    def subscriptions_committed(self) -> None:
        """A new set is in the file. Internal."""
        self.subscriptions_changed()
        if self._file_session is not None:
            self._file_session.local_change()

    async def read_subscriptions(self) -> "_core.SubscriptionSetData":
        """Return the latest set. Internal."""
        return await self._environment.run_blocking(self._file.subscriptions)

    async def read_subscription_set(self, version: int) -> "_core.SubscriptionSetData | None":
        """Return a set by its version. Internal."""
        return await self._environment.run_blocking(partial(self._file.subscription_set, version))

    async def commit_subscriptions(
        self, items: Sequence[StoredItem], expected_version: int
    ) -> "_core.SubscriptionSetData":
        """Commit a set. Internal."""
        return await self._environment.run_blocking(
            partial(self._file.commit_subscriptions, items, expected_version)
        )

    async def subscription_change(self, since: int) -> None:
        """Wait until the generation is another. Internal."""
        while self._subscription_generation == since:
            await self._subscription_pulse.wait()

    # --- What observers need (ChangeHost) -------------------------------------------------------

    def observed_file(self) -> "_core.RealmFile":
        """Return the file. Internal."""
        self._require_open()
        return self._file

    def newest_reader(self) -> Reader:
        """Return a reader of the newest version, the present one if it still is. Internal."""
        reader = None if self._reader is None else self._reader()
        if reader is None or reader.version != self._file.version():
            reader = Reader(self.schema, self._file.snapshot(), self)
            # Weakly: an idle realm must not keep an old version from being cleaned up.
            self._reader = ref(reader)
        self._recent_reader = reader
        return reader

    def results_at(self, model: type[_T], query: Query, reader: Reader) -> Results[_T]:
        """Return the results of a query at a reader's version. Internal."""
        return make_results(model, query, reader, self._environment.run_blocking)

    async def run_blocking(self, call: Callable[[], _R], /) -> _R:
        """Run a call on a worker thread. Internal."""
        return await self._environment.run_blocking(call)

    # --- Inside ---------------------------------------------------------------------------------

    async def start(self) -> None:
        """Begin to run; the last step of opening. Internal."""
        if self._file_session is not None:
            self._subscriptions = SubscriptionSet(self, await self.read_subscriptions())
            self._file_session.observers.append(self)
        if self._errors is not None:
            self._nursery.start_soon(self._errors.run)
        self._nursery.start_soon(self._watch_others)

    def close(self) -> None:
        """End everything that depends on it. Internal: the end of the block."""
        self._is_closed = True
        self._recent_reader = None
        if self._file_session is not None and self in self._file_session.observers:
            self._file_session.observers.remove(self)
        if self._session is not None:
            self._session.close()
        for stream in list(self._change_streams):
            stream.close()
        for frozen in list(self._frozen):
            frozen.close()
        self.subscriptions_changed()
        self._nursery.cancel_scope.cancel()

    async def load_initial_data(
        self, configuration: SyncConfiguration, *, is_created: bool
    ) -> None:
        """Run the open sequence of client-api 1.8 from step 2 on. Internal."""
        timeout = configuration.initial_data_timeout_s
        if timeout is not None and is_created:
            is_done = await self.sync_session.download_all_server_changes(timeout)
            _require_done(is_done=is_done, timeout=timeout)
        await self._load_subscriptions(configuration, timeout, is_created=is_created)
        initial_data = configuration.options.initial_data
        if is_created and initial_data is not None:
            async with self.write() as transaction:
                initial_data(transaction)

    async def _load_subscriptions(
        self, configuration: SyncConfiguration, timeout: float | None, *, is_created: bool
    ) -> None:
        block = configuration.initial_subscriptions
        if block is None or not (is_created or configuration.rerun_on_open):
            return
        is_committed = await self.subscriptions.update_if(
            block, lambda before, after: is_created or list(before) != list(after)
        )
        if timeout is not None and is_committed:
            is_done = await self.subscriptions.wait_for_synchronization(timeout)
            _require_done(is_done=is_done, timeout=timeout)

    def _is_home(self) -> bool:
        try:
            return trio.lowlevel.current_trio_token() is self._home
        except RuntimeError:
            return False

    def _is_lock_mine(self) -> bool:
        return self._write_lock.statistics().owner is trio.lowlevel.current_task()

    async def _begin_write(self, deadline: float, timeout: float) -> "_core.WriteTransaction":
        while True:
            left_ms = max(1, int(min(deadline - trio.current_time(), 3600) * 1000))
            slice_ms = min(LOCK_SLICE_MS, left_ms)
            try:
                return await self._environment.run_blocking(
                    partial(self._file.begin_write, slice_ms)
                )
            except LockTimeoutError:
                if trio.current_time() >= deadline:
                    raise LockTimeoutError(
                        f"another writer held {self._configuration.name} for more than {timeout} s"
                    ) from None

    def _begin_write_blocking(self, timeout: float) -> "_core.WriteTransaction":
        """Wait for the lock in slices, so that signals such as Ctrl-C are seen between them."""
        left_ms = max(1.0, timeout * 1000)
        while True:
            slice_ms = max(1, int(min(left_ms, LOCK_SLICE_MS)))
            try:
                return self._file.begin_write(slice_ms)
            except LockTimeoutError:
                left_ms -= slice_ms
                if left_ms <= 0:
                    raise LockTimeoutError(
                        f"another writer held {self._configuration.name} for more than {timeout} s"
                    ) from None

    async def _commit(self, core: "_core.WriteTransaction", transaction: Transaction) -> int:
        try:
            # Shielded: a commit is made or not, and the caller learns which.
            with trio.CancelScope(shield=True):
                version = await self._environment.run_blocking(
                    partial(core.commit, self._environment.now_ms())
                )
        except BaseException:
            transaction.finish(is_committed=False)
            raise
        transaction.finish(is_committed=True)
        return version

    def _committed(self, version: int) -> None:
        if self._is_closed:
            return
        self._tell_version(version)
        if self._file_session is not None:
            self._file_session.local_change()

    def _tell_version(self, version: int) -> None:
        self._recent_reader = None
        for stream in list(self._change_streams):
            stream.put(version)

    async def _watch_others(self) -> None:
        """Notice what other processes commit to the file."""
        seen = self._file.data_version()
        while True:
            await trio.sleep(OTHER_PROCESS_POLL_S)
            self._recent_reader = None
            newest = await self._environment.run_blocking(self._file.data_version)
            if newest != seen:
                seen = newest
                self._committed(await self._environment.run_blocking(self._file.version))
                self.subscriptions_changed()

    def _spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        self._nursery.start_soon(task)

    def _check_versions(self) -> None:
        limit = self._configuration.max_number_of_active_versions
        if limit is None:
            return
        count = self._file.active_versions()
        if count > limit:
            raise TooManyVersionsError(
                f"{count} versions of {self._configuration.path} are in use, more than the {limit} "
                "of max_number_of_active_versions; let old results and frozen realms go"
            )

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedRealmError(f"{self._configuration.name} is closed")


@asynccontextmanager
async def _open_local(
    configuration: Configuration, environment: Environment
) -> AsyncIterator[Realm]:
    opened = await environment.run_blocking(
        partial(open_local, configuration, environment.core, environment.now_ms)
    )
    try:
        async with _running(Realm, configuration, environment, opened.file, None) as realm:
            yield realm
    finally:
        with trio.CancelScope(shield=True):
            await environment.run_blocking(opened.close)


@asynccontextmanager
async def _open_synced(configuration: SyncConfiguration) -> AsyncIterator[Realm]:
    registry: SessionRegistry = configuration.user.app.sessions()
    environment = registry.environment
    await environment.run_blocking(partial(make_folder, configuration.path))
    await environment.run_blocking(partial(compact_on_launch, configuration, environment.core))
    is_created = not await environment.run_blocking(configuration.path.exists)
    session = await registry.acquire(configuration)
    is_open = False
    try:
        async with _running(Realm, configuration, environment, session.file, session) as realm:
            await realm.load_initial_data(configuration, is_created=is_created)
            is_open = True
            yield realm
    finally:
        with trio.CancelScope(shield=True):
            await registry.release(configuration, session, may_finish_uploads=is_open)
            if is_created and not is_open:
                await environment.run_blocking(
                    partial(delete_unwanted, configuration, environment.core)
                )


@asynccontextmanager
async def _running(
    make: type[Realm],
    configuration: Configuration,
    environment: Environment,
    file: "_core.RealmFile",
    session: FileSession | None,
) -> AsyncIterator[Realm]:
    """Run a realm's tasks for the time of the block; what the block raises comes out bare."""
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        realm = make(configuration, environment, file, session, nursery)
        try:
            await realm.start()
            yield realm
        except (Exception, KeyboardInterrupt, SystemExit) as error:
            # A nursery would wrap it into a group, and callers could not catch it by its class.
            failure = error
        finally:
            realm.close()
    if failure is not None:
        raise failure


def _require_done(*, is_done: bool, timeout: float) -> None:
    if not is_done:
        shown = "ever" if math.isinf(timeout) else f"{timeout} s"
        raise DownloadingRealmTimeoutError(f"the initial data did not arrive in {shown}")
