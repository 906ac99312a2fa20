"""The Rust core: realm files, transactions, queries, and both ends of the sync protocol.

Private to Skerry; the public API is on top of it. Every call may be made from any thread and
releases the GIL. Those marked *Blocking* wait for a lock, flush, scan or integrate, and are made
through a worker thread. ``now_ms`` is Unix time in milliseconds, handed in, since nothing here
reads a clock.

Values cross as `skerry.types.Scalar`, exactly: an int must fit into 64 bits, a str must be Unicode
without lone surrogates, else `PropertyTypeError`. Beyond the errors named at each call, every call
on a file may raise `ClosedRealmError` after `RealmFile.close`, `StoreError` and its kinds when the
file cannot be read or written; a call on something that has ended raises `IllegalStateError`.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import final

from skerry._core_reading import (
    CollectionChangeSet as CollectionChangeSet,
)
from skerry._core_reading import (
    CollectionObserver as CollectionObserver,
)
from skerry._core_reading import (
    Inspector as Inspector,
)
from skerry._core_reading import (
    ListChangeSet as ListChangeSet,
)
from skerry._core_reading import (
    Matches as Matches,
)
from skerry._core_reading import (
    ObjectChangeSet as ObjectChangeSet,
)
from skerry._core_reading import (
    ObjectObserver as ObjectObserver,
)
from skerry._core_reading import (
    ResultsObserver as ResultsObserver,
)
from skerry._core_reading import (
    Snapshot as Snapshot,
)
from skerry._core_reading import (
    SubscriptionSetData as SubscriptionSetData,
)
from skerry._core_sync import (
    PollResult as PollResult,
)
from skerry._core_sync import (
    ProcessResult as ProcessResult,
)
from skerry._core_sync import (
    SyncConnection as SyncConnection,
)
from skerry._core_sync import (
    SyncEvent as SyncEvent,
)
from skerry._core_sync import (
    SyncServer as SyncServer,
)
from skerry.types import Argument, Content, Scalar

__all__ = [
    "CollectionChangeSet",
    "CollectionObserver",
    "Inspector",
    "ListChangeSet",
    "Matches",
    "ObjectChangeSet",
    "ObjectObserver",
    "PollResult",
    "ProcessResult",
    "RealmFile",
    "ResultsObserver",
    "SchemaChange",
    "SchemaMoves",
    "ScratchPlace",
    "Snapshot",
    "SubscriptionSetData",
    "SyncAgentLock",
    "SyncConnection",
    "SyncEvent",
    "SyncServer",
    "WriteTransaction",
    "check_query",
    "check_subscription",
    "compact_file",
    "delete_file",
    "file_size",
    "install_file",
]

@final
class RealmFile:
    """One open realm file. Several may be open on one file, also in several processes."""

    @staticmethod
    def open(
        path: str,
        schema_json: str,
        *,
        synced: bool,
        synchronous: str = "full",
        query_cache_bytes: int = ...,
        encryption_key: bytes | None = None,
    ) -> RealmFile:
        """Open or create a file and bring its schema up to date.

        Additive changes of the schema are applied, and the indexes of its classes become those that
        it declares. Blocking.

        Args:
            path: Where; its folder exists.
            schema_json: What `skerry.model.Schema.to_json` gives.
            synced: Whether the file keeps a sync history; may not change over its life.
            synchronous: SQLite's setting, ``"full"`` or ``"normal"``.
            query_cache_bytes: Memory that columns for queries may take; 0 for none.
            encryption_key: 64 bytes that the file is encrypted with; None for a plain file.

        Raises:
            EncryptionKeyError: The key is not the file's; or one is given for a plain file, or none
                for an encrypted one.
            SchemaError: The schema contradicts itself, or a change of it is destructive.
            ConfigurationError: The file is local and `synced` is true, or the reverse; or
                `synchronous` is another word.
            CorruptedError: It is not a realm file.
            VersionUnsupportedError: A newer release wrote it.
        """

    @staticmethod
    def open_versioned(
        path: str,
        schema_json: str,
        *,
        schema_version: int,
        timeout_ms: int,
        synchronous: str = "full",
        query_cache_bytes: int = ...,
        encryption_key: bytes | None = None,
    ) -> tuple[RealmFile | None, SchemaChange | None]:
        """Open or create a local file as `open`; or return how it must be changed first. Blocking.

        Args beyond `open`: `schema_version`, 0 to 2**63 - 1; `timeout_ms` to wait for a writer.

        Raises:
            MigrationNeededError: The file has a greater version, or a schema that is not extended.
            LockTimeoutError, FileAccessError: And as `open`.
        """

    @staticmethod
    def open_read_only(
        path: str,
        schema_json: str,
        *,
        synced: bool,
        schema_version: int | None,
        query_cache_bytes: int = ...,
        encryption_key: bytes | None = None,
    ) -> RealmFile:
        """Open a file as `open`, without writing anything, not even beside it. Blocking.

        With a `schema_version` of None that of the file is not compared.

        Raises:
            FileAccessError: There is no file, or it cannot be read.
            MigrationError, MigrationNeededError: The file has another schema. And as `open`.
        """

    def active_versions(self) -> int:
        """Return how many versions are in use: the newest, and those that snapshots read."""

    def schema_version(self) -> int:
        """Return the schema version of the file; 0 for a synced one."""

    def write_copy(
        self,
        destination: str,
        *,
        schema_version: int | None = None,
        encryption_key: bytes | None = None,
    ) -> None:
        """Write the newest version to a new local file, maybe of another version. Blocking.

        The copy is encrypted with the key, if there is one.

        Raises:
            ConfigurationError: The destination exists.
            IllegalStateError: The file is synced and has changes that are not uploaded.
        """

    @property
    def path(self) -> str:
        """Where the file is."""

    def close(self) -> None:
        """Release the file; waits for nothing. Later calls raise ClosedRealmError.

        Snapshots and transactions that are open stay usable until they end.
        """

    def version(self) -> int:
        """Return the newest committed version, whichever process made it."""

    def data_version(self) -> int:
        """Return a number that changes whenever anybody committed to the file.

        Comparable only with earlier numbers of this object.
        """

    def snapshot(self) -> Snapshot:
        """Return a reader of the newest version."""

    def observe_results(
        self,
        class_name: str,
        rql: str,
        args: Sequence[Argument],
        key_paths: Sequence[str] | None = None,
    ) -> ResultsObserver:
        """Return an observer of the results of a query.

        Args:
            class_name: The class.
            rql: The query.
            args: As for `Snapshot.query`.
            key_paths: What is watched of the results, as in ``owner.name``, ``*``, ``owner.*``; 256
                at most, of 16 names each. None for everything up to 4 links away.

        Raises:
            QueryError: The text is wrong, at `position`.
            NoSuchObjectError: There is no such class.
            ConfigurationError: A key path leads nowhere.
        """

    def observe_object(
        self, class_name: str, key: Scalar, key_paths: Sequence[str] | None = None
    ) -> ObjectObserver:
        """Return an observer of the object with a key, which need not exist.

        Raises:
            NoSuchObjectError: There is no such class.
            PropertyTypeError: The key is not of the type of the class's keys.
            ConfigurationError: A key path leads nowhere.
        """

    def observe_collection(
        self,
        class_name: str,
        key: Scalar,
        path: str | Sequence[str | int],
        key_paths: Sequence[str] | None = None,
    ) -> CollectionObserver:
        """Return an observer of the collection at a path, as `WriteTransaction` has them.

        Args:
            class_name: The class.
            key: The primary key.
            path: Where; positions on the way are not followed when lists change.
            key_paths: What is watched of the objects in it.

        Raises:
            NoSuchObjectError: There is no such class.
            PropertyTypeError: The key is not of the type of the class's keys.
            ConfigurationError: A key path leads nowhere, or no collection can be at the path.
        """

    def begin_write(self, timeout_ms: int) -> WriteTransaction:
        """Wait for the file's one writer lock. Blocking.

        Args:
            timeout_ms: How long at most; 0 or more. Nobody waits longer than a day.

        Raises:
            LockTimeoutError: Somebody else held it all that time.
        """

    def pending_upload(self) -> bool:
        """Return whether there are local changes that the server has not acknowledged."""

    def is_uploaded(self, version: int) -> bool:
        """Whether the server has accepted the local changes up to a version. Blocking."""

    def request_download(self) -> int:
        """Ask the file's sync agent, in whichever process, to download all; return a number.

        It is a commit of its own. Blocking.
        """

    def is_download_answered(self, request: int) -> bool:
        """Whether all that the server had at a request is in the file. Blocking."""

    def subscriptions(self) -> SubscriptionSetData:
        """Return the latest subscription set."""

    def subscription_set(self, version: int) -> SubscriptionSetData | None:
        """Return the set of that version, or None when a newer one has superseded it."""

    def commit_subscriptions(
        self,
        items: Sequence[tuple[str, str | None, str, str, int, int]],
        expected_version: int,
    ) -> SubscriptionSetData:
        """Commit a new set, in state pending, after the one of `expected_version`. Blocking.

        Args:
            items: As `SubscriptionSetData.items`.
            expected_version: Of the set that the new one was derived from.

        Raises:
            StaleSubscriptionSetError: The latest set is another one by now; read it and repeat.
            IllegalStateError: Two items are the same subscription, or the file is local.
            ConfigurationError: An id is not 24 hexadecimal digits.
        """

@final
class SchemaChange:
    """A local file on its way to another schema, in one transaction that holds its writer lock."""

    @property
    def kind(self) -> str:
        """One of new, addition, migration."""

    @property
    def old_version(self) -> int:
        """Schema version of the file."""

    @property
    def new_version(self) -> int:
        """Schema version that it will have."""

    def before(self) -> Snapshot | None:
        """Return the file as it is before; None for a new one, and the second time."""

    def apply(
        self,
        *,
        classes: list[tuple[str, str]],
        properties: list[tuple[str, str, str]],
        dropped: list[str],
        keys: list[tuple[str, list[tuple[Scalar, Scalar]]]],
        fills_nulls: bool,
    ) -> None:
        """Change the classes; once. After an error only `close` is left. Blocking.

        Old names and keys stand before new ones; classes of `properties` and `keys` have new names.
        Nulls that cannot stay become zeros with `fills_nulls`; else they are refused.

        Raises:
            MigrationError: The classes do not fit together; the message says which.
        """

    def step(self, rows_max: int) -> bool:
        """Convert some objects, and return whether some are left; as `apply`. Blocking."""

    def progress(self) -> tuple[int, int]:
        """Return how many objects are converted, and how many there are to convert."""

    def finish(self) -> tuple[RealmFile, WriteTransaction, SchemaMoves]:
        """End the change of the schema; what it is in goes on as a write. Blocking."""

    def close(self) -> None:
        """Change nothing, and give up the lock. May be repeated."""

@final
class SchemaMoves:
    """What became of the classes and objects of before a schema change."""

    @property
    def added(self) -> list[tuple[str, str]]:
        """Class and name of properties that a class of the file did not have."""

    def successor(self, class_name: str) -> str | None:
        """Return the name of a class of the file now, or None when it is gone."""

    def key_of(self, class_name: str, key: Scalar) -> Scalar:
        """Return the new key of an object, by its class of now and its key of before."""

@final
class ScratchPlace:
    """A place for a file that lives no longer than somebody holds the place."""

    @staticmethod
    def acquire(name: str) -> ScratchPlace:
        """Return the place of that name in this process; FileAccessError if there is none."""

    @property
    def path(self) -> str:
        """Where the file is, or may be made."""

    def close(self) -> None:
        """Give it up; the last one removes it. May be repeated."""

@final
class SyncAgentLock:
    """The right to sync a realm file. The operating system ends it with the process."""

    @staticmethod
    def try_acquire(path: str) -> SyncAgentLock | None:
        """Take it without waiting, or return None when somebody has it. Blocking.

        Raises:
            FileAccessError: The lock file beside the realm file cannot be made or locked.
        """

    def release(self) -> None:
        """Give it up. May be repeated."""

def delete_file(path: str, *, encryption_key: bytes | None = None) -> bool:
    """Delete a realm file and what stands beside it; return whether there was one. Blocking.

    Raises:
        RealmInUseError: Somebody has it open.
        EncryptionKeyError: It is encrypted, and the key is not its key.
    """

def compact_file(path: str, *, encryption_key: bytes | None = None) -> bool:
    """Write a realm file anew without unused pages; False when absent or open. Blocking."""

def file_size(path: str, *, encryption_key: bytes | None = None) -> tuple[int, int] | None:
    """Return all bytes and used bytes of a realm file, or None when there is none. Blocking."""

def install_file(source: str, destination: str, check: Callable[[str], None]) -> bool:
    """Copy a closed realm file in one piece; return False when there is a file already. Blocking.

    `check` is called with the copy before it has its name; what it raises leaves no copy.

    Raises:
        RealmInUseError: The source has a write-ahead log, so that it is no whole file.
    """

@final
class WriteTransaction:
    """The one writer of a file; used by one task at a time.

    A `path` is a property, or a sequence of a property, positions in lists, keys of dictionaries
    and properties of embedded objects. Positions in lists of links count the links that `get`
    shows. What edits at paths have in common:

    Raises:
        NoSuchObjectError: There is no such object, class or place, a link's target is absent, or a
            position is out of range.
        PropertyTypeError: The value is not of the place's type.
        IllegalStateError: The property is the primary key.
        ConfigurationError: The path does not begin with a property, or a position is below 0.

    What is refused has changed nothing; the transaction goes on.
    """

    def create(
        self,
        class_name: str,
        key: Scalar,
        values: Sequence[tuple[str, Content]],
        defaults: Sequence[tuple[str, Content]],
        policy: str,
    ) -> bool:
        """Create an object, or update it as `policy` allows.

        What is refused has changed nothing; the transaction goes on. Collections of an object that
        exists are emptied and filled anew.

        Args:
            class_name: The class.
            key: The primary key, which is not among `values`.
            values: Pairs of property and what it is to hold.
            defaults: Such pairs, set first and only on a new object, marked as defaults.
            policy: When it exists: ``"error"`` refuses, ``"all"`` sets all values, ``"modified"``
                those that differ.

        Returns:
            Whether it was created.

        Raises:
            PrimaryKeyExistsError: It exists and the policy is error.
            NoSubscriptionForWriteError: The synced class has no subscription (client-api 1.13).
            NoSuchObjectError: There is no such class or property.
            PropertyTypeError: A value is not of its property's type.
            ConfigurationError: There is no such policy.
        """

    def create_all(
        self,
        class_name: str,
        names: Sequence[str],
        default_names: Sequence[str],
        rows: Iterable[tuple[Content, ...]],
        policy: str,
    ) -> int:
        """Create many objects, as `create` does each of them.

        Rows are read a block at a time and written without holding up other threads. What is
        refused ends the call; the rows before it are written.

        Args:
            class_name: The class.
            names: The properties that the rows give, without the key.
            default_names: Those that they give as defaults.
            rows: Tuples of the key, the values of `names` and those of `default_names`. They may
                hold datetimes, `decimal.Decimal` and members of enums.
            policy: As for `create`.

        Returns:
            How many were created.

        Raises:
            ConfigurationError: There is no such policy, or a row is of another length.
        """

    def assign(
        self,
        class_name: str,
        key: Scalar,
        path: str | Sequence[str | int],
        content: Content,
    ) -> None:
        """Make a place hold a content, whatever it held; collections are emptied and filled.

        A dict is an embedded object, or a dictionary, as the schema says. Links must have targets.

        Args:
            class_name: The class.
            key: The primary key.
            path: A property, position, key or property of an embedded object.
            content: What it holds then.
        """

    def list_insert_all(
        self,
        class_name: str,
        key: Scalar,
        path: str | Sequence[str | int],
        index: int,
        contents: Sequence[Content],
    ) -> None:
        """Insert contents into a list.

        Args:
            class_name: The class.
            key: The primary key.
            path: The list.
            index: Position of the first of them.
            contents: What the elements hold.
        """

    def set(
        self,
        class_name: str,
        key: Scalar,
        path: str | Sequence[str | int],
        value: Scalar,
        *,
        is_default: bool = False,
    ) -> None:
        """Set one property, or by a path one of an embedded object.

        The target of a link may be absent when the path is a property's name, and be created later.

        Args:
            class_name: The class.
            key: The primary key.
            path: Where.
            value: What it holds then.
            is_default: Whether this loses against whatever others set, as the defaults of
                `create` do. The target of a link must exist then. For replaying recorded programs
                only.

        Raises:
            NoSuchObjectError: There is no such object, class or property.
            PropertyTypeError: The value is not of the property's type.
            IllegalStateError: The property is the primary key.
        """

    def put(self, class_name: str, key: Scalar, property: str, value: Content) -> None:
        """Write what a property holds, whatever its kind; in local files only.

        A set may be a list, too, and an embedded object is a dict. Targets of links may be absent.
        """

    def fill(self, class_name: str, property: str, value: Content) -> None:
        """As `put`, for all objects of a class."""

    def classes(self) -> list[tuple[str, str | None, list[str]]]:
        """Return each class: name, primary key (None when embedded), properties in row order."""

    def keys(self, class_name: str) -> list[Scalar]:
        """Return the primary keys of a class, in order of insertion."""

    def add_integer(
        self, class_name: str, key: Scalar, path: str | Sequence[str | int], amount: int
    ) -> None:
        """Add to an integer property, as a change that merges with others; wraps at 64 bits.

        Raises:
            NoSuchObjectError: There is no such object, class or property.
            PropertyTypeError: The property is no integer, or null.
        """

    def list_insert(
        self,
        class_name: str,
        key: Scalar,
        path: str | Sequence[str | int],
        index: int,
        value: Scalar,
    ) -> None:
        """Insert a value into a list."""

    def list_insert_embedded(
        self, class_name: str, key: Scalar, path: str | Sequence[str | int], index: int
    ) -> None:
        """Insert a new embedded object into a list."""

    def list_insert_collection(
        self,
        class_name: str,
        key: Scalar,
        path: str | Sequence[str | int],
        index: int,
        collection: str,
    ) -> None:
        """Insert an empty collection, ``"list"`` or ``"dictionary"``, into a list of mixed."""

    def list_set(
        self,
        class_name: str,
        key: Scalar,
        path: str | Sequence[str | int],
        index: int,
        value: Scalar,
    ) -> None:
        """Set an element of a list."""

    def list_move(
        self, class_name: str, key: Scalar, path: str | Sequence[str | int], index: int, to: int
    ) -> None:
        """Move an element of a list; `to` is its position afterwards."""

    def list_erase(
        self, class_name: str, key: Scalar, path: str | Sequence[str | int], index: int
    ) -> None:
        """Remove an element of a list."""

    def clear(self, class_name: str, key: Scalar, path: str | Sequence[str | int]) -> None:
        """Empty a collection."""

    def set_insert(
        self, class_name: str, key: Scalar, path: str | Sequence[str | int], value: Scalar
    ) -> None:
        """Put a value into a set."""

    def set_erase(
        self, class_name: str, key: Scalar, path: str | Sequence[str | int], value: Scalar
    ) -> None:
        """Take a value out of a set."""

    def dictionary_set(
        self,
        class_name: str,
        key: Scalar,
        path: str | Sequence[str | int],
        name: str,
        value: Scalar,
    ) -> None:
        """Set a key of a dictionary."""

    def dictionary_erase(
        self, class_name: str, key: Scalar, path: str | Sequence[str | int], name: str
    ) -> None:
        """Remove a key of a dictionary, which must be there."""

    def set_embedded(self, class_name: str, key: Scalar, path: str | Sequence[str | int]) -> None:
        """Put a new embedded object in a place, instead of the one that is there.

        The place is a property, a position in a list, or a key of a dictionary.
        """

    def set_collection(
        self, class_name: str, key: Scalar, path: str | Sequence[str | int], collection: str
    ) -> None:
        """Make a mixed a ``"list"`` or ``"dictionary"``; one of that kind keeps its content."""

    def delete(self, class_name: str, key: Scalar) -> bool:
        """Delete an object after taking away the links to it; False when there was none."""

    def delete_telling(self, class_name: str, key: Scalar) -> list[tuple[str, Scalar]] | None:
        """As `delete`; return the objects that held links to it, or None when it was not there.

        Args:
            class_name: The class.
            key: The primary key.

        Returns:
            Class and key of each; an object that links in several properties may be there twice.
        """

    def delete_all(self, class_name: str) -> int:
        """Delete every object of a class and return how many there were."""

    def get(self, class_name: str, key: Scalar) -> tuple[Content, ...] | None:
        """Return what an object holds at present in schema order, or None."""

    def query(
        self, class_name: str, rql: str, args: Sequence[Argument]
    ) -> list[tuple[Content, ...]]:
        """Return the rows that match, with the changes made so far."""

    def count(self, class_name: str, rql: str, args: Sequence[Argument]) -> int:
        """Return how many rows match, with the changes made so far."""

    def commit(self, now_ms: int, *, stamped: bool = False) -> int:
        """Make the changes durable and return the new version. Blocking.

        The transaction is over, also when this raises; then nothing of it is in the file.

        Args:
            now_ms: Unix time; decides between concurrent changes of one property (design 4).
            stamped: Whether the changes are stamped with exactly this time, also when it is before
                that of earlier ones. For replaying recorded programs only.
        """

    def rollback(self) -> None:
        """Forget the changes and give up the lock. Does nothing when the transaction is over."""

def check_query(schema_json: str, class_name: str, rql: str, args: Sequence[Argument]) -> str:
    """Return the canonical text of a query, arguments put in.

    Args:
        schema_json: As for `RealmFile.open`.
        class_name: The class.
        rql: The query.
        args: As for `Snapshot.query`.

    Raises:
        QueryError: The text is wrong, at `position`.
        SchemaError: The schema is.
    """

def check_subscription(schema_json: str, class_name: str, rql: str, args: Sequence[Scalar]) -> str:
    """Return the canonical text of a query that can be a subscription, arguments put in.

    Args:
        schema_json: As for `RealmFile.open`.
        class_name: The class.
        rql: The query.
        args: As for `Snapshot.query`.

    Raises:
        QueryError: The text is wrong, at `position`; or no server takes it in a subscription,
            whatever its queryable fields are.
        SchemaError: The schema is wrong.
    """
