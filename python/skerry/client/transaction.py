"""`Transaction`: one write, with live objects.

Objects got inside are live: setting an attribute writes it. One key is one object within a
transaction, so that all holders see a change. After the commit they are frozen as committed; after
a roll-back they cannot be used, since what they show never was. One task uses a transaction at a
time; committing and the lock are `Realm`'s business.
"""

from enum import Enum
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias, TypeVar, cast
from weakref import WeakValueDictionary

from skerry.client.changes import KeyPaths, ObjectChanges
from skerry.client.reader import FrozenKeeper, scalar_row
from skerry.errors import IllegalStateError, NoSuchObjectError, PropertyTypeError
from skerry.model import RealmObject, Schema
from skerry.model.objects import (
    StoredValue,
    check_value,
    given_of,
    hand_over,
    is_managed,
    key_of,
    link_to,
    make_managed,
    row_of,
    schema_of,
    to_argument,
)
from skerry.model.properties import Property, PropertyType
from skerry.query import MATCH_ALL
from skerry.types import INT64_MAX, INT64_MIN, Link, Scalar

if TYPE_CHECKING:
    from skerry import _core

_T = TypeVar("_T", bound=RealmObject)

UpdatePolicy: TypeAlias = Literal["error", "all", "modified"]


class _Condition(Enum):
    OPEN = "open"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"


class Transaction:
    """The body of ``async with realm.write() as txn``."""

    def __init__(self, schema: Schema, core: "_core.WriteTransaction") -> None:
        self._schema = schema
        self._core = core
        self._condition = _Condition.OPEN
        self._live: WeakValueDictionary[tuple[str, Scalar], RealmObject] = WeakValueDictionary()

    def add(self, new: _T, *, update_policy: UpdatePolicy = "error") -> _T:
        """Store an unmanaged object, with the unmanaged objects it links to.

        Args:
            new: An object made by its constructor.
            update_policy: What happens when its key exists: ``"error"``; ``"all"`` to set every
                property; ``"modified"`` to set those that differ.

        Returns:
            The live object; `new` itself stays unmanaged.

        Raises:
            PrimaryKeyExistsError: The key exists and the policy is ``"error"``.
            NoSubscriptionForWriteError: The realm is synced and the latest subscription set does
                not name the class.
            IllegalStateError: The object is managed already, or the transaction is over.
        """
        self._require_open()
        if is_managed(new):
            raise IllegalStateError("the object is in a realm already")
        return cast("_T", self._add(new, update_policy, {}))

    def find(self, model: type[_T], primary_key: object) -> _T | None:
        """Return the live object of that key, or None."""
        self._require_open()
        key = to_argument(primary_key)
        row = self._core.get(self._schema.name_of(model), key)
        return None if row is None else self._enliven(model, scalar_row(row))

    def query(self, model: type[_T], text: str = MATCH_ALL, *arguments: object) -> list[_T]:
        """Return the live objects that match, with the changes made so far.

        Raises:
            QueryError: The text is wrong.
        """
        self._require_open()
        name = self._schema.name_of(model)
        rows = self._core.query(name, text, [to_argument(value) for value in arguments])
        return [self._enliven(model, scalar_row(row)) for row in rows]

    def count(self, model: type[RealmObject], text: str = MATCH_ALL, *arguments: object) -> int:
        """Return how many objects match, with the changes made so far.

        Raises:
            QueryError: The text is wrong.
        """
        self._require_open()
        values = [to_argument(value) for value in arguments]
        return self._core.count(self._schema.name_of(model), text, values)

    def live(self, frozen: _T) -> _T | None:
        """Return the live object of the same key as one read earlier; None when it is gone."""
        return self.find(type(frozen), key_of(frozen))

    def delete(self, target: RealmObject) -> bool:
        """Delete an object, live or read earlier; links to it become None.

        Returns:
            Whether it was there.
        """
        self._require_open()
        name = self._schema.name_of(type(target))
        is_deleted = self._core.delete(name, key_of(target))
        self._live.pop((name, key_of(target)), None)
        self._refresh_links()
        return is_deleted

    def delete_all(self, model: type[RealmObject]) -> int:
        """Delete every object of a class that this device has, and return how many."""
        self._require_open()
        name = self._schema.name_of(model)
        count = self._core.delete_all(name)
        for address in [address for address in self._live if address[0] == name]:
            del self._live[address]
        self._refresh_links()
        return count

    def increment(self, target: RealmObject, property_name: str, amount: int = 1) -> None:
        """Add to an int property so that concurrent increments of other devices add up.

        Raises:
            PropertyTypeError: It is no int property, or the amount is no int64.
            NoSuchObjectError: The object or the property is not there.
        """
        self._require_open()
        prop = schema_of(type(target)).property(property_name)
        if prop.kind is not PropertyType.INT or prop.default.is_primary_key:
            raise PropertyTypeError(f"{prop} is not an int that can be incremented")
        if not INT64_MIN <= amount <= INT64_MAX:
            raise PropertyTypeError(f"{prop}: {amount} does not fit into an int64")
        name = self._schema.name_of(type(target))
        self._core.add_integer(name, key_of(target), prop.name, amount)
        self._refresh(name, key_of(target))

    # --- Used by live objects and by the realm --------------------------------------------------

    def follow(self, prop: Property, link: Link) -> RealmObject | None:
        """Return the live target of a link, or None when it dangles."""
        if self._condition is _Condition.OPEN:
            return self.find(self._schema.target(prop), link.key)
        raise IllegalStateError(
            f"{prop}: the write is over; read the object again to follow its links"
        )

    def observe(self, target: _T, key_paths: KeyPaths) -> ObjectChanges[_T]:
        """Refuse: what is written is told after the commit."""
        raise IllegalStateError(
            f"this {type(target).__name__} is inside of a write; use realm.changes_of() after it"
        )

    def write(self, target: RealmObject, prop: Property, value: object) -> StoredValue:
        """Set a property of a live object and return what is stored."""
        self._require_open()
        name = self._schema.name_of(type(target))
        checked = check_value(prop, value)
        scalar = self._to_scalar(checked, "error", {})
        self._core.set(name, key_of(target), prop.name, scalar)
        return scalar

    def finish(self, *, is_committed: bool) -> None:
        """Freeze or disable the live objects. Internal: `Realm` calls it after the core."""
        self._condition = _Condition.COMMITTED if is_committed else _Condition.ROLLED_BACK
        keeper = _CommittedKeeper() if is_committed else _LostKeeper()
        for live in list(self._live.values()):
            hand_over(live, keeper, None if is_committed else _LostRow())
        self._live.clear()

    def _add(
        self, new: RealmObject, policy: UpdatePolicy, under_way: dict[int, Link]
    ) -> RealmObject:
        model = type(new)
        name, key = self._schema.name_of(model), key_of(new)
        # Objects may link in a circle; each is added once.
        under_way[id(new)] = Link(name, key)
        values: list[tuple[str, Scalar]] = []
        defaults: list[tuple[str, Scalar]] = []
        row: list[Scalar] = []
        given = given_of(new)
        for prop, stored in zip(schema_of(model), row_of(new), strict=True):
            scalar = self._to_scalar(stored, policy, under_way)
            row.append(scalar)
            if not prop.default.is_primary_key:
                (values if prop.name in given else defaults).append((prop.name, scalar))
        is_created = self._core.create(name, key, values, defaults, policy)
        if is_created:
            return self._enliven(model, tuple(row))
        written = self._core.get(name, key)
        if written is None:
            raise NoSuchObjectError(f"{name} {key!r} vanished while it was written")
        return self._enliven(model, scalar_row(written))

    def _to_scalar(
        self, stored: StoredValue, policy: UpdatePolicy, under_way: dict[int, Link]
    ) -> Scalar:
        """Return a value as it is stored; an unmanaged target of a link is added first."""
        if not isinstance(stored, RealmObject):
            return stored
        if is_managed(stored):
            return link_to(stored)
        if id(stored) not in under_way:
            self._add(stored, policy, under_way)
        return under_way[id(stored)]

    def _enliven(self, model: type[_T], row: tuple[Scalar, ...]) -> _T:
        address = (schema_of(model).name, row[schema_of(model).primary_key.index])
        known = self._live.get(address)
        if known is not None:
            row_of(known)[:] = row  # all holders see the newest values
            return cast("_T", known)
        made = make_managed(model, list(row), self)
        self._live[address] = made
        return cast("_T", made)

    def _refresh(self, name: str, key: Scalar) -> None:
        known = self._live.get((name, key))
        row = None if known is None else self._core.get(name, key)
        if known is not None and row is not None:
            row_of(known)[:] = scalar_row(row)

    def _refresh_links(self) -> None:
        """Read live objects with links again: a deletion has emptied those to its target."""
        for (name, key), live in list(self._live.items()):
            if any(isinstance(stored, Link) for stored in row_of(live)):
                self._refresh(name, key)

    def _require_open(self) -> None:
        if self._condition is not _Condition.OPEN:
            raise IllegalStateError(f"the transaction is {self._condition.value}")


class _CommittedKeeper(FrozenKeeper):
    """Behind an object of a committed write: frozen as it was committed."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None)

    def follow(self, prop: Property, link: Link) -> RealmObject | None:
        """Refuse: there is no snapshot to look in."""
        raise IllegalStateError(
            f"{prop}: the write is over; read the object again to follow its links"
        )


class _LostKeeper(FrozenKeeper):
    """Behind an object of a write that was rolled back."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(None)

    def follow(self, prop: Property, link: Link) -> RealmObject | None:
        """Refuse."""
        raise IllegalStateError(f"{prop}: the write was rolled back")


class _LostRow(list[StoredValue]):
    """The values of an object whose write was rolled back: there are none."""

    def __getitem__(self, index: object) -> NoReturn:
        raise IllegalStateError("the write that made or changed this object was rolled back")
