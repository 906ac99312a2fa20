"""Subscription sets: what a device asks the server for (client-api 1.9, sync-engine 5.1).

A `SubscriptionSet` is pinned to one version and shows that version only; `update` pins it to the
one it commits. Invariant: no update is ever lost, because each is made on the latest set and
committed only if that is still the latest. Where the SDK has defects (client-api 1.14 a to f, n)
the mended behaviour is here, listed in docs/differences-from-realm.md.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Protocol

import trio

from skerry.client.session import check_timeout
from skerry.client.sync_errors import refused_subscriptions
from skerry.errors import IllegalStateError, StaleSubscriptionSetError
from skerry.model import RealmObject, Schema
from skerry.query import Query
from skerry.types import ObjectId, Timestamp

if TYPE_CHECKING:
    from skerry import _core

StoredItem = tuple[str, str | None, str, str, int, int]


class SubscriptionSetState(Enum):
    """How far a set is; states may be skipped."""

    UNCOMMITTED = "uncommitted"
    PENDING = "pending"
    BOOTSTRAPPING = "bootstrapping"
    AWAITING_MARK = "awaiting_mark"
    COMPLETE = "complete"
    ERROR = "error"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One query of a set; stays valid after the set has moved on.

    Equality is that of id and set version.

    Attributes:
        id: Kept when the query of a name is replaced.
        set_version: The set it was read from.
        name: Or None.
        object_type: Persisted class name.
        query_description: Canonical RQL.
        created_at: UTC.
        updated_at: UTC; equal to `created_at` until the query is replaced.
    """

    id: ObjectId
    set_version: int
    name: str | None
    object_type: str
    query_description: str
    created_at: datetime
    updated_at: datetime

    def as_query(self) -> Query:
        """Return its query."""
        return Query(self.object_type, self.query_description)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Subscription):
            return NotImplemented
        return (self.id, self.set_version) == (other.id, other.set_version)

    def __hash__(self) -> int:
        return hash((self.id, self.set_version))


class QuerySource(Protocol):
    """What a subscription can be made of beside a `Query`: results have one."""

    def as_query(self) -> Query:
        """Return the query."""


class SubscriptionHost(Protocol):
    """What the sets need of a realm."""

    @property
    def is_closed(self) -> bool:
        """Whether the realm is closed."""

    @property
    def schema(self) -> Schema:
        """Its classes."""

    @property
    def times_inactive(self) -> int:
        """How often the session became inactive."""

    def now_ms(self) -> int:
        """Return the time."""

    def canonical(self, query: Query) -> str:
        """Return the canonical text of a query, or raise QueryError."""

    def subscribable(self, query: Query) -> str:
        """Return the same, or raise QueryError when it cannot be a subscription."""

    def inactive_error(self) -> Exception:
        """Return what made the session inactive."""

    def subscriptions_committed(self) -> None:
        """A new set is in the file."""

    async def read_subscriptions(self) -> "_core.SubscriptionSetData":
        """Return the latest set."""

    async def read_subscription_set(self, version: int) -> "_core.SubscriptionSetData | None":
        """Return a set, or None when it has been superseded."""

    async def commit_subscriptions(
        self, items: Sequence[StoredItem], expected_version: int
    ) -> "_core.SubscriptionSetData":
        """Commit a set after the given one, or raise StaleSubscriptionSetError."""

    @property
    def subscription_generation(self) -> int:
        """A number that changes whenever any set may have changed."""

    async def subscription_change(self, since: int) -> None:
        """Wait until the generation is another than `since`."""


class _Subscriptions:
    """What a set of either kind can be asked."""

    def __init__(self, version: int, items: Sequence[Subscription]) -> None:
        self._version = version
        self._items = list(items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(list(self._items))

    def find_by_name(self, name: str) -> Subscription | None:
        """Return the subscription of exactly that name, or None."""
        return next((item for item in self._items if item.name == name), None)

    def _find_same(self, object_type: str, text: str) -> list[Subscription]:
        return [
            item
            for item in self._items
            if item.object_type == object_type and item.query_description == text
        ]


class MutableSubscriptionSet(_Subscriptions):
    """The next set, inside the block of `SubscriptionSet.update`. Used by that block only."""

    def __init__(self, host: SubscriptionHost, version: int, items: Sequence[Subscription]) -> None:
        """Internal: the argument of the block of `SubscriptionSet.update`."""
        super().__init__(version, items)
        self._host = host

    @property
    def state(self) -> SubscriptionSetState:
        """UNCOMMITTED."""
        return SubscriptionSetState.UNCOMMITTED

    def find_by_query(self, query: Query | QuerySource) -> Subscription | None:
        """Return the first subscription of the same class and canonical query, or None."""
        wanted = _query_of(query)
        return next(iter(self._find_same(wanted.class_name, self._host.canonical(wanted))), None)

    def add(
        self,
        query: Query | QuerySource,
        name: str | None = None,
        *,
        update_existing: bool = False,
    ) -> Subscription:
        """Subscribe to a query.

        A subscription of the same name, class and query is returned as it is; so is an unnamed one
        of the same class and query when no name is given. A named and an unnamed subscription of
        one query are two.

        Args:
            query: From `where`, or the results of `Realm.query`.
            name: To find and replace it by; not empty.
            update_existing: Whether another query of that name is replaced, keeping id, time of
                creation and place.

        Raises:
            IllegalStateError: The name has another query and `update_existing` is false.
            QueryError: The query does not fit the schema, or uses what no server takes in a
                subscription, such as SORT, LIMIT, links and aggregates. Which fields are queryable
                only the server knows.
            ValueError: The name is empty.
        """
        if name == "":
            raise ValueError("the name of a subscription may not be empty")
        wanted = _query_of(query)
        self._host.schema.model(wanted.class_name)
        text = self._host.subscribable(wanted)
        if name is None:
            # Only unnamed ones: a named twin in front is another subscription (1.14 d).
            same = self._find_same(wanted.class_name, text)
            existing = next((item for item in same if item.name is None), None)
            return existing or self._append(None, wanted.class_name, text)
        existing = self.find_by_name(name)
        if existing is None:
            return self._append(name, wanted.class_name, text)
        # The class too: one text may be a query of two classes (1.14 c).
        if (existing.object_type, existing.query_description) == (wanted.class_name, text):
            return existing
        if not update_existing:
            raise IllegalStateError(
                f"subscription {name!r} has another query: {existing.query_description}"
            )
        replaced = replace(
            existing,
            object_type=wanted.class_name,
            query_description=text,
            updated_at=self._now(),
        )
        self._items[self._items.index(existing)] = replaced
        return replaced

    def remove(self, subscription: Subscription | str) -> bool:
        """Remove a subscription, by itself (its id) or by name; False when it is not there."""
        if isinstance(subscription, str):
            return self._keep(lambda item: item.name != subscription)
        return self._keep(lambda item: item.id != subscription.id)

    def remove_all(
        self, model: type[RealmObject] | None = None, *, anonymous_only: bool = False
    ) -> bool:
        """Remove every subscription, or those of a class, or the unnamed ones; False when none.

        Raises:
            SchemaError: The class is not in the realm's schema.
        """
        class_name = None if model is None else self._host.schema.name_of(model)
        return self._keep(
            lambda item: (
                (class_name is not None and item.object_type != class_name)
                or (anonymous_only and item.name is not None)
            )
        )

    def stored(self) -> list[StoredItem]:
        """Return the set as it is committed. Internal."""
        return [_to_stored(item) for item in self._items]

    def _append(self, name: str | None, class_name: str, text: str) -> Subscription:
        now = self._now()
        added = Subscription(ObjectId(), self._version, name, class_name, text, now, now)
        self._items.append(added)
        return added

    def _keep(self, is_kept: Callable[[Subscription], bool]) -> bool:
        before = len(self._items)
        self._items = [item for item in self._items if is_kept(item)]
        return len(self._items) != before

    def _now(self) -> datetime:
        return _to_datetime(self._host.now_ms())


UpdateBlock = Callable[[MutableSubscriptionSet], object]


class SubscriptionSet(_Subscriptions):
    """One version of a realm's subscriptions, got from `Realm.subscriptions`.

    What it shows changes only by `update`, `refresh` and `wait_for_synchronization` on this
    object; iteration, length and finding all show the pinned version, also after the realm closed.
    """

    def __init__(self, host: SubscriptionHost, data: "_core.SubscriptionSetData") -> None:
        """Internal: use `Realm.subscriptions`."""
        super().__init__(0, [])
        self._host = host
        self._pin(data)

    @property
    def version(self) -> int:
        """The pinned version; 0 is the empty set of a new file."""
        return self._version

    @property
    def state(self) -> SubscriptionSetState:
        """State of the pinned version when it was last looked at."""
        return self._state

    @property
    def error_message(self) -> str | None:
        """The server's text while the state is ERROR."""
        return self._error_message

    def find_by_query(self, query: Query | QuerySource) -> Subscription | None:
        """Return the first subscription of the same class and canonical query, or None."""
        wanted = _query_of(query)
        return next(iter(self._find_same(wanted.class_name, self._host.canonical(wanted))), None)

    async def update(self, block: UpdateBlock) -> "SubscriptionSet":
        """Change the subscriptions, and pin this object to the new set, then PENDING.

        A new version is committed even when nothing changed. It returns without waiting for the
        server, also offline.

        Args:
            block: Changes the set it is given, which is a copy of the latest one. It may be called
                again when someone else commits meanwhile, so it should do nothing else. What it
                raises is passed on, and nothing is committed.

        Raises:
            IllegalStateError: The realm is closed.

        Cancellation: either nothing is committed, or this object is pinned to what was.
        """
        await self.update_if(block, lambda _before, _after: True)
        return self

    async def update_if(
        self,
        block: UpdateBlock,
        is_wanted: Callable[[Sequence[StoredItem], Sequence[StoredItem]], bool],
    ) -> bool:
        """As `update`, but commit only if `is_wanted(before, after)`. Internal.

        Returns:
            Whether a set was committed.
        """
        while True:
            self._refuse_closed()
            latest = await self._host.read_subscriptions()
            mutable = MutableSubscriptionSet(
                self._host, latest.version + 1, _read_items(latest, latest.version + 1)
            )
            block(mutable)
            items = mutable.stored()
            if not is_wanted(list(latest.items), items):
                self._pin(latest)
                return False
            try:
                committed = await self._host.commit_subscriptions(items, latest.version)
            except StaleSubscriptionSetError:
                continue
            self._pin(committed)
            self._host.subscriptions_committed()
            return True

    async def refresh(self) -> "SubscriptionSet":
        """Look again at the state of the pinned version; it does not move to a newer one.

        Raises:
            IllegalStateError: The realm is closed.
        """
        self._refuse_closed()
        self._look(await self._host.read_subscription_set(self._version))
        return self

    async def wait_for_synchronization(self, timeout: float = math.inf) -> bool:
        """Wait until the pinned set is complete: its data are downloaded and integrated.

        A set that a newer one has superseded counts as complete when a newer one is (1.14 a).

        Args:
            timeout: Seconds > 0.

        Returns:
            True; False after the timeout.

        Raises:
            ValueError: `timeout` is not more than 0.
            IllegalStateError: The realm is or gets closed.
            BadFlexibleSyncQueryError: The server refused the set; `error_message` says why.
            SyncError: The session became inactive during the wait.

        Cancellation: nothing is lost; an outer deadline is never taken for this one.
        """
        self._refuse_closed()
        check_timeout(timeout)
        with trio.move_on_after(timeout) as scope:
            await self._until_synchronized()
            return True
        return not scope.cancelled_caught

    async def _until_synchronized(self) -> None:
        times_inactive = self._host.times_inactive
        while True:
            self._refuse_closed()
            # Taken before looking, so that a change during the look is not slept through.
            generation = self._host.subscription_generation
            self._look(await self._host.read_subscription_set(self._version))
            if self._state is SubscriptionSetState.COMPLETE:
                return
            if self._state is SubscriptionSetState.ERROR:
                raise refused_subscriptions(self._error_message)
            if self._state is SubscriptionSetState.SUPERSEDED and await self._newer_is_complete():
                return
            if self._host.times_inactive != times_inactive:
                raise self._host.inactive_error()
            await self._host.subscription_change(generation)

    async def _newer_is_complete(self) -> bool:
        """Whether a set after the pinned one is complete; raise if the latest was refused."""
        latest = await self._host.read_subscriptions()
        for version in range(latest.version, self._version, -1):
            data = (
                latest
                if version == latest.version
                else await self._host.read_subscription_set(version)
            )
            if data is not None and data.state == SubscriptionSetState.COMPLETE.value:
                return True
        if latest.state == SubscriptionSetState.ERROR.value:
            raise refused_subscriptions(latest.error_message)
        return False

    def _pin(self, data: "_core.SubscriptionSetData") -> None:
        self._version = data.version
        self._items = _read_items(data, data.version)
        self._look(data)

    def _look(self, data: "_core.SubscriptionSetData | None") -> None:
        state = SubscriptionSetState.SUPERSEDED.value if data is None else data.state
        self._state = SubscriptionSetState(state)
        is_refused = self._state is SubscriptionSetState.ERROR
        self._error_message = data.error_message if data is not None and is_refused else None

    def _refuse_closed(self) -> None:
        if self._host.is_closed:
            raise IllegalStateError("the realm is closed")


def _query_of(query: Query | QuerySource) -> Query:
    return query if isinstance(query, Query) else query.as_query()


def _read_items(data: "_core.SubscriptionSetData", version: int) -> list[Subscription]:
    return [
        Subscription(
            ObjectId(hex_id),
            version,
            name,
            class_name,
            text,
            _to_datetime(created_ms),
            _to_datetime(updated_ms),
        )
        for hex_id, name, class_name, text, created_ms, updated_ms in data.items
    ]


def _to_stored(item: Subscription) -> StoredItem:
    return (
        item.id.hex,
        item.name,
        item.object_type,
        item.query_description,
        _to_ms(item.created_at),
        _to_ms(item.updated_at),
    )


def _to_datetime(unix_ms: int) -> datetime:
    seconds, rest_ms = divmod(unix_ms, 1000)
    return Timestamp(seconds, rest_ms * 1_000_000).to_datetime()


def _to_ms(moment: datetime) -> int:
    stamp = Timestamp.from_datetime(moment)
    return stamp.seconds * 1000 + stamp.nanoseconds // 1_000_000
