# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`Realm`, as aio programs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

from skerry.aio.lifecycle import RealmLifecycle
from skerry.model import RealmObject
from skerry.query import MATCH_ALL

if TYPE_CHECKING:
    from skerry.aio.configuration import SyncConfiguration
    from skerry.aio.results import Results
    from skerry.aio.session import SyncSession
    from skerry.aio.stream import Stream
    from skerry.aio.subscriptions import SubscriptionSet
    from skerry.client.realm_configuration import Configuration
    from skerry.model import Schema

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
            text: RQL, with SORT, DISTINCT and LIMIT if wanted; checked at first use.
            arguments: Values of ``$0``, ``$1``, …

        Raises:
            SchemaError: The class is not in the schema.
            ClosedRealmError: The realm is closed.
        """
        return cast("Results[_T]", self._wrap(self._here.query(model, text, *arguments)))

    def find(self, model: type[_T], primary_key: object) -> _T | None:
        """Return the object of a key at the newest version, frozen, or None."""
        return self._here.find(model, primary_key)

    def changed(self) -> Stream[int]:
        """Return an async iterator of the versions committed from now on, by anybody.

        Writes of this realm, integrated downloads and other processes are all told; of several
        versions that nobody took, only the newest. It ends when the realm closes.
        """
        here = self._here
        return self._stream(lambda: here.changed())
