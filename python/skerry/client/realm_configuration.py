"""`Configuration` and `SyncConfiguration`: what `Realm.open` opens (client-api 1.8).

Checked when made; equal only to itself, as in the SDK, since two opens may mean two handlers.
"""

import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from skerry.errors import ConfigurationError
from skerry.model import RealmObject, Schema

if TYPE_CHECKING:
    from skerry.client.session import ErrorHandler
    from skerry.client.subscriptions import UpdateBlock
    from skerry.client.user import User

DEFAULT_NAME: Final = "default.realm"
SUFFIX: Final = ".realm"

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

    Raises:
        ConfigurationError: The name is empty, contains a path separator or is just ``.realm``, or
            `query_cache_bytes` is below 0.
        SchemaError: The classes do not make a schema.
    """

    __slots__ = ("_directory", "_name", "_query_cache_bytes", "_schema", "_synchronous")

    def __init__(
        self,
        schema: Models,
        *,
        directory: str | os.PathLike[str] | None = None,
        name: str = DEFAULT_NAME,
        synchronous: Synchronous = "full",
        query_cache_bytes: int = QUERY_CACHE_DEFAULT_BYTES,
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
    def path(self) -> Path:
        """Absolute path of the file."""
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

    Raises:
        ConfigurationError: The user is not logged in, or a value is out of range.
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
    ) -> None:
        if not user.is_logged_in:
            raise ConfigurationError(f"user {user.id} is not logged in")
        super().__init__(
            schema,
            directory=user.app.configuration.app_directory / user.id,
            name=DEFAULT_NAME if name is None else name,
            synchronous=synchronous,
            query_cache_bytes=query_cache_bytes,
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


def file_name(name: str) -> str:
    """Return a realm's file name, by the rules of client-api 1.8.

    Raises:
        ConfigurationError: It is not a name.
    """
    if not name or name == SUFFIX or "/" in name or "\\" in name or "\0" in name:
        raise ConfigurationError(f"not the name of a realm file: {name!r}")
    return name if name.endswith(SUFFIX) else name + SUFFIX
