"""`Configuration` and `SyncConfiguration`: what `Realm.open` opens (client-api 1.8).

Checked when made; equal only to itself, as in the SDK, since two opens may mean two handlers.
"""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Never, TypeAlias

from skerry.client.file_options import (
    OPEN_TIMEOUT_S,
    CompactFunction,
    FileOptions,
    ProgressFunction,
    refusal_of_local,
)
from skerry.errors import ConfigurationError
from skerry.model import RealmObject, Schema

if TYPE_CHECKING:
    from skerry.client.file_options import InitialData, MigrationFunction
    from skerry.client.session import ErrorHandler
    from skerry.client.subscriptions import UpdateBlock
    from skerry.client.user import User

DEFAULT_NAME: Final = "default.realm"
SUFFIX: Final = ".realm"

ENCRYPTION_KEY_BYTES: Final = 64
QUERY_CACHE_DEFAULT_BYTES: Final = 256 << 20

Synchronous: TypeAlias = Literal["full", "normal"]
Models: TypeAlias = Schema | Iterable[type[RealmObject]]


class Configuration:
    """A local realm, or the part that a synced one shares with it.

    Args:
        schema: Model classes; may be empty.
        directory: Folder of the file; created if missing. The current one by default.
        name: File name; ``.realm`` is appended if absent.
        synchronous: ``"full"`` makes every commit survive a power cut; ``"normal"`` may lose the
            last commits in one, never consistency.
        query_cache_bytes: Memory in bytes that columns of properties may take, so that queries over
            many objects need not read the file; 256 MiB by default, taken only as queries use it.
            0 turns it off.
        schema_version: Version of `schema`, 0 to 2**63 - 1; to be raised with every change of the
            classes that is no mere addition.
        migration: Called in a worker thread when the file has a smaller version, before the realm
            is open; see `skerry.client.migration.Migration`. What it raises comes out of
            `Realm.open`, and the file is as before. Without it, what is compatible is kept, the
            rest is dropped.
        on_migration_progress: Called in the same thread, as ``(done, total)``, while objects are
            converted, and by `Migration.report`.
        delete_realm_if_migration_needed: Whether a file that needs a migration is deleted instead.
        compact_on_launch: Called before the file is opened as ``(total_bytes, used_bytes)``, in a
            worker thread; if it returns True the file is compacted, unless somebody has it open.
        initial_data: Called with a `Transaction` when the file is new, in the transaction that
            makes it; in a worker thread. What it raises comes out of `Realm.open`; there is no file
            then.
        initial_data_file: A realm file, such as `Realm.write_copy_to` writes, that is copied when
            there is no file yet. Nobody may have it open.
        initial_data_file_sha256: What its hash is, in 64 hexadecimal digits; another one is
        refused.
        in_memory: Whether there is no lasting file: objects are shared by all realms of the same
            name in this process, and go when the last of them closes.
        read_only: Whether nothing is written, neither to the file nor beside it. The file exists
            and has the schema.
        max_number_of_active_versions: How many versions may be in use when a write begins; None for
            any number. See `Realm.number_of_active_versions`.
        open_timeout: Seconds > 0 to wait for another writer if the file must be changed to be
        opened.

    Raises:
        ConfigurationError: The name is empty, contains a path separator or is just ``.realm``, a
            number is out of its range, or two options exclude each other.
        SchemaError: The classes do not make a schema.
    """

    __slots__ = (
        "_directory",
        "_encryption_key",
        "_name",
        "_options",
        "_query_cache_bytes",
        "_schema",
        "_synchronous",
    )

    def __init__(
        self,
        schema: Models,
        *,
        directory: str | os.PathLike[str] | None = None,
        name: str = DEFAULT_NAME,
        synchronous: Synchronous = "full",
        query_cache_bytes: int = QUERY_CACHE_DEFAULT_BYTES,
        schema_version: int = 0,
        migration: "MigrationFunction | None" = None,
        on_migration_progress: ProgressFunction | None = None,
        delete_realm_if_migration_needed: bool = False,
        compact_on_launch: CompactFunction | None = None,
        initial_data: "InitialData | None" = None,
        initial_data_file: str | os.PathLike[str] | None = None,
        initial_data_file_sha256: str | None = None,
        in_memory: bool = False,
        read_only: bool = False,
        max_number_of_active_versions: int | None = None,
        open_timeout: float = OPEN_TIMEOUT_S,
        encryption_key: bytes | None = None,
    ) -> None:
        self._schema = schema if isinstance(schema, Schema) else Schema(schema)
        self._name = file_name(name)
        self._directory = Path(directory) if directory is not None else Path()
        if synchronous not in {"full", "normal"}:
            raise ConfigurationError(f"synchronous is 'full' or 'normal', not {synchronous!r}")
        self._synchronous: Synchronous = synchronous
        if query_cache_bytes < 0:
            raise ConfigurationError(f"query_cache_bytes is 0 or more, not {query_cache_bytes}")
        self._query_cache_bytes = query_cache_bytes
        self._encryption_key = _checked_key(encryption_key, in_memory=in_memory)
        self._options = FileOptions(
            schema_version=schema_version,
            migration=migration,
            on_migration_progress=on_migration_progress,
            deletes_if_migration_needed=delete_realm_if_migration_needed,
            compact_on_launch=compact_on_launch,
            initial_data=initial_data,
            initial_data_file=None if initial_data_file is None else Path(initial_data_file),
            initial_data_file_sha256=initial_data_file_sha256,
            in_memory=in_memory,
            read_only=read_only,
            active_versions_max=max_number_of_active_versions,
            open_timeout_s=open_timeout,
        )

    @property
    def schema(self) -> Schema:
        """The classes."""
        return self._schema

    @property
    def name(self) -> str:
        """File name with its suffix."""
        return self._name

    @property
    def synchronous(self) -> Synchronous:
        """How commits are flushed."""
        return self._synchronous

    @property
    def query_cache_bytes(self) -> int:
        """Memory that columns for queries may take."""
        return self._query_cache_bytes

    @property
    def encryption_key(self) -> bytes | None:
        """The key of the file; None for one that is not encrypted."""
        return self._encryption_key

    @property
    def schema_version(self) -> int:
        """Version of the schema; 0 for a synced realm."""
        return self._options.schema_version

    @property
    def max_number_of_active_versions(self) -> int | None:
        """How many versions may be in use when a write begins; None for any number."""
        return self._options.active_versions_max

    @property
    def options(self) -> FileOptions:
        """What is to happen to the file in its life. Internal."""
        return self._options

    @property
    def path(self) -> Path:
        """Absolute path of the file; of a realm in memory, where it would be."""
        return (self._directory / self._name).absolute()


class SyncConfiguration(Configuration):
    """A realm that syncs for a user. Its file is ``<root>/mongodb-realm/<app>/<user>/<name>``.

    Args:
        user: Logged in.
        schema: Model classes; their primary keys are named ``_id``.
        initial_subscriptions: Called with a `MutableSubscriptionSet` when the file is new.
        rerun_on_open: Whether it is called at every open. The set is committed, and waited for,
            only if that changes it, so that later opens work offline (client-api 1.14 g).
        wait_for_initial_remote_data: None to open at once; True, or a time in seconds > 0 for each
            of its two phases, to wait for the data of a new file and of its first subscriptions.
        error_handler: Called as ``(session, error)``, sync or async, in order, on the realm's loop
            and apart from sync; a plain function must not block. What it raises is logged.
        name: As `Configuration`.
        synchronous: As `Configuration`.
        query_cache_bytes: As `Configuration`.
        compact_on_launch: As `Configuration`.
        initial_data: As `Configuration`, but in a transaction of its own on the realm's loop, after
            the initial subscriptions. What it raises comes out of `Realm.open`, and the file that
            was made is deleted.
        max_number_of_active_versions: As `Configuration`.
        encryption_key: As `Configuration`. The server stores no key and knows of none.
        local_only: The other options of `Configuration`, which are refused by name: the schema of a
            synced realm only grows, and its data come from the server.

    Raises:
        ConfigurationError: The user is not logged in, a value is out of range, or an option is only
            for local realms.
        SchemaError: The classes do not make a synced schema.
    """

    __slots__ = (
        "_error_handler",
        "_initial_subscriptions",
        "_rerun_on_open",
        "_user",
        "_wait_for_initial_remote_data",
    )

    def __init__(
        self,
        user: "User",
        schema: Models,
        *,
        initial_subscriptions: "UpdateBlock | None" = None,
        rerun_on_open: bool = False,
        wait_for_initial_remote_data: Literal[True] | float | None = None,
        error_handler: "ErrorHandler | None" = None,
        name: str | None = None,
        synchronous: Synchronous = "full",
        query_cache_bytes: int = QUERY_CACHE_DEFAULT_BYTES,
        compact_on_launch: CompactFunction | None = None,
        initial_data: "InitialData | None" = None,
        max_number_of_active_versions: int | None = None,
        encryption_key: bytes | None = None,
        **local_only: Never,
    ) -> None:
        if local_only:
            raise ConfigurationError(refusal_of_local(local_only))
        if not user.is_logged_in:
            raise ConfigurationError(f"user {user.id} is not logged in")
        super().__init__(
            schema,
            directory=user.app.configuration.app_directory / user.id,
            name=DEFAULT_NAME if name is None else name,
            synchronous=synchronous,
            query_cache_bytes=query_cache_bytes,
            compact_on_launch=compact_on_launch,
            initial_data=initial_data,
            max_number_of_active_versions=max_number_of_active_versions,
            encryption_key=encryption_key,
        )
        self.schema.check_synced()
        wait = wait_for_initial_remote_data
        if wait is not None and wait is not True and not wait > 0:
            raise ConfigurationError(f"wait_for_initial_remote_data is more than 0, not {wait}")
        self._user = user
        self._initial_subscriptions = initial_subscriptions
        self._rerun_on_open = rerun_on_open
        self._wait_for_initial_remote_data = wait
        self._error_handler = error_handler

    @property
    def user(self) -> "User":
        """The user it syncs for."""
        return self._user

    @property
    def initial_subscriptions(self) -> "UpdateBlock | None":
        """What subscribes in a new file."""
        return self._initial_subscriptions

    @property
    def rerun_on_open(self) -> bool:
        """Whether that is done at every open."""
        return self._rerun_on_open

    @property
    def initial_data_timeout_s(self) -> float | None:
        """How long each phase of waiting for initial data may take; None for no waiting."""
        wait = self._wait_for_initial_remote_data
        return math.inf if wait is True else wait

    @property
    def error_handler(self) -> "ErrorHandler | None":
        """What gets errors; None for the log."""
        return self._error_handler


def _checked_key(key: object, *, in_memory: bool) -> bytes | None:
    if key is None:
        return None
    if not isinstance(key, bytes | bytearray | memoryview):
        raise ConfigurationError(f"encryption_key is bytes, not {type(key).__name__}")
    copied = bytes(key)
    if len(copied) != ENCRYPTION_KEY_BYTES:
        raise ConfigurationError(
            f"encryption_key has {ENCRYPTION_KEY_BYTES} bytes, not {len(copied)}"
        )
    if in_memory:
        raise ConfigurationError("in_memory and encryption_key exclude each other")
    return copied


def file_name(name: str) -> str:
    """Return a realm's file name, by the rules of client-api 1.8.

    Raises:
        ConfigurationError: It is not a name.
    """
    if not name or name == SUFFIX or "/" in name or "\\" in name or "\0" in name:
        raise ConfigurationError(f"not the name of a realm file: {name!r}")
    return name if name.endswith(SUFFIX) else name + SUFFIX
