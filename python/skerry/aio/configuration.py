# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`SyncConfiguration`, as aio programs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from skerry.aio.configured import ConfigurationFacade
from skerry.client.realm_configuration import QUERY_CACHE_DEFAULT_BYTES
from skerry.client.realm_configuration import SyncConfiguration as TrioSyncConfiguration
from skerry.portal import unwrap

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal, Never

    from skerry.aio.handlers import ErrorHandler, TrioErrorHandler
    from skerry.aio.user import User
    from skerry.client.file_options import CompactFunction, InitialData
    from skerry.client.realm_configuration import Models, Synchronous
    from skerry.client.subscriptions import UpdateBlock
    from skerry.model import Schema


class SyncConfiguration(ConfigurationFacade):
    """A realm that syncs for a user. Its file is ``<root>/mongodb-realm/<app>/<user>/<name>``.

    Args:
        user: Logged in.
        schema: Model classes; their primary keys are named ``_id``.
        initial_subscriptions: Called with a `MutableSubscriptionSet` when the file is new.
        rerun_on_open: Whether it is called at every open. The set is committed, and waited for,
            only if that changes it, so that later opens work offline (client-api 1.14 g).
        wait_for_initial_remote_data: None to open at once; True, or a time in seconds > 0 for each
            of its two phases, to wait for the data of a new file and of its first subscriptions.
        error_handler: Called as ``(session, error)``, sync or async, in order, on the loop that
            opened the realm; a plain function must not block. What it raises is logged.
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

    def __init__(
        self,
        user: User,
        schema: Models,
        *,
        initial_subscriptions: UpdateBlock | None = None,
        rerun_on_open: bool = False,
        wait_for_initial_remote_data: Literal[True] | float | None = None,
        error_handler: ErrorHandler | None = None,
        name: str | None = None,
        synchronous: Synchronous = "full",
        query_cache_bytes: int = QUERY_CACHE_DEFAULT_BYTES,
        compact_on_launch: CompactFunction | None = None,
        initial_data: InitialData | None = None,
        max_number_of_active_versions: int | None = None,
        encryption_key: bytes | None = None,
        **local_only: Never,
    ) -> None:
        def make(handler: TrioErrorHandler | None) -> TrioSyncConfiguration:
            return TrioSyncConfiguration(
                unwrap(user),
                schema,
                initial_subscriptions=initial_subscriptions,
                rerun_on_open=rerun_on_open,
                wait_for_initial_remote_data=wait_for_initial_remote_data,
                error_handler=handler,
                name=name,
                synchronous=synchronous,
                query_cache_bytes=query_cache_bytes,
                compact_on_launch=compact_on_launch,
                initial_data=initial_data,
                max_number_of_active_versions=max_number_of_active_versions,
                encryption_key=encryption_key,
                **local_only,
            )

        self._make(user, error_handler, make)

    @property
    def schema(self) -> Schema:
        """The classes."""
        return self._here.schema

    @property
    def name(self) -> str:
        """File name with its suffix."""
        return self._here.name

    @property
    def synchronous(self) -> Synchronous:
        """How commits are flushed."""
        return self._here.synchronous

    @property
    def query_cache_bytes(self) -> int:
        """Memory that columns for queries may take."""
        return self._here.query_cache_bytes

    @property
    def encryption_key(self) -> bytes | None:
        """The key of the file; None for one that is not encrypted."""
        return self._here.encryption_key

    @property
    def path(self) -> Path:
        """Absolute path of the file; of a realm in memory, where it would be."""
        return self._here.path

    @property
    def user(self) -> User:
        """The user it syncs for."""
        return cast("User", self._wrap(self._here.user))

    @property
    def initial_subscriptions(self) -> UpdateBlock | None:
        """What subscribes in a new file."""
        return self._here.initial_subscriptions

    @property
    def rerun_on_open(self) -> bool:
        """Whether that is done at every open."""
        return self._here.rerun_on_open

    @property
    def initial_data_timeout_s(self) -> float | None:
        """How long each phase of waiting for initial data may take; None for no waiting."""
        return self._here.initial_data_timeout_s

    @property
    def schema_version(self) -> int:
        """Version of the schema; 0 for a synced realm."""
        return self._here.schema_version

    @property
    def max_number_of_active_versions(self) -> int | None:
        """How many versions may be in use when a write begins; None for any number."""
        return self._here.max_number_of_active_versions
