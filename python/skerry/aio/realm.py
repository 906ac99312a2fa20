# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`Realm`, as aio programs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from skerry.aio.lifecycle import RealmLifecycle, run_once
from skerry.client.realm import Realm as TrioRealm
from skerry.model import RealmObject
from skerry.portal import unwrap
from skerry.query import MATCH_ALL

if TYPE_CHECKING:
    import os

    from skerry.aio.configuration import SyncConfiguration
    from skerry.aio.results import Results
    from skerry.aio.session import SyncSession
    from skerry.aio.stream import Stream
    from skerry.aio.subscriptions import SubscriptionSet
    from skerry.client.changes import KeyPaths
    from skerry.client.collection_changes import CollectionChange
    from skerry.client.environment import Environment
    from skerry.client.frozen import FrozenRealm
    from skerry.client.realm import Observable
    from skerry.client.realm_configuration import Configuration
    from skerry.model import Schema
    from skerry.model.object_changes import ObjectChange

_C = TypeVar("_C")
_T = TypeVar("_T", bound=RealmObject)


class Realm(RealmLifecycle):
    """An open realm file, local or synced.

    Any asyncio loop may use it. The members are those of `skerry.Realm`.
    """

    @property
    def configuration(self) -> Configuration | SyncConfiguration:
        """The configuration it was opened with; the same object."""
        return cast("Configuration | SyncConfiguration", self._wrap(self._here.configuration))

    @property
    def schema(self) -> Schema:
        """Its classes."""
        return self._here.schema

    @property
    def is_closed(self) -> bool:
        """Whether its block has ended."""
        return self._here.is_closed

    @property
    def version(self) -> int:
        """The newest committed version.

        Raises:
            ClosedRealmError: It is closed.
        """
        return self._here.version

    @property
    def sync_session(self) -> SyncSession:
        """Control of its sync; the same object each time.

        Raises:
            IllegalStateError: The realm is local or closed.
        """
        return cast("SyncSession", self._wrap(self._here.sync_session))

    @property
    def subscriptions(self) -> SubscriptionSet:
        """Its subscriptions; the same object each time, pinned as `SubscriptionSet` says.

        Raises:
            IllegalStateError: The realm is local or closed.
        """
        return cast("SubscriptionSet", self._wrap(self._here.subscriptions))

    def objects(self, model: type[_T]) -> Results[_T]:
        """Return every object of a class at the newest version.

        Raises:
            SchemaError: The class is not in the schema.
            ClosedRealmError: The realm is closed.
        """
        return cast("Results[_T]", self._wrap(self._here.objects(model)))

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
        return cast("Results[_T]", self._wrap(self._here.query(model, text, *arguments)))

    def find(self, model: type[_T], primary_key: object) -> _T | None:
        """Return the object of a key at the newest version, frozen, or None."""
        return self._here.find(model, primary_key)

    def freeze(self) -> FrozenRealm:
        """Return the realm at its newest version; close it when it is not needed any more.

        Raises:
            ClosedRealmError: The realm is closed.
        """
        return self._here.freeze()

    @property
    def schema_version(self) -> int:
        """The schema version of the file; 0 for a synced realm.

        Raises:
            ClosedRealmError: It is closed.
        """
        return self._here.schema_version

    @property
    def number_of_active_versions(self) -> int:
        """How many versions this realm holds, the newest and those that are still shown.

        Results, objects and frozen realms show versions. Old ones make the file grow until they are
        let go.

        Raises:
            ClosedRealmError: It is closed.
        """
        return self._here.number_of_active_versions

    async def write_copy_to(
        self, target: Configuration | SyncConfiguration | str | os.PathLike[str]
    ) -> None:
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
        here = self._here
        await self._run(lambda: here.write_copy_to(unwrap(target)))

    def changed(self) -> Stream[int]:
        """Return an async iterator of the versions committed from now on, by anybody.

        Writes of this realm, integrated downloads and other processes are all told; of several
        versions that nobody took, only the newest. It ends when the realm closes.
        """
        here = self._here
        return self._stream(lambda: here.changed())

    def changes_of(self, target: _T, key_paths: KeyPaths = None) -> Stream[ObjectChange[_T]]:
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
        here = self._here
        return self._stream(lambda: here.changes_of(target, key_paths))

    def collection_changes_of(
        self, collection: Observable, key_paths: KeyPaths = None
    ) -> Stream[CollectionChange[_C]]:
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
        here = self._here
        return self._stream(lambda: here.collection_changes_of(collection, key_paths))

    @staticmethod
    async def delete_realm(
        configuration: Configuration | SyncConfiguration, *, environment: Environment | None = None
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
        return await run_once(
            lambda: TrioRealm.delete_realm(unwrap(configuration), environment=environment)
        )

    @staticmethod
    async def compact(
        configuration: Configuration | SyncConfiguration, *, environment: Environment | None = None
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
        return await run_once(
            lambda: TrioRealm.compact(unwrap(configuration), environment=environment)
        )
