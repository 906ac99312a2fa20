"""`Transaction`: one write, with live objects.

Objects got inside are live: setting an attribute writes it. One key is one object within a
transaction, so that all holders see a change. After the commit they are frozen as committed; after
a roll-back they cannot be used, since what they show never was. One task uses a transaction at a
time, on one thread; committing and the lock are `Realm`'s business.
"""

import threading
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias, TypeVar, cast, overload
from weakref import WeakValueDictionary

from skerry.client.bulk import BulkRows
from skerry.client.reader import FrozenKeeper, linking_query
from skerry.errors import IllegalStateError, NoSuchObjectError, SchemaError
from skerry.model import RealmObject, Schema
from skerry.model.base import ModelObject, increment, schema_of_class
from skerry.model.keeper import PathSteps
from skerry.model.objects import (
    given_of,
    hand_over,
    is_managed,
    keeper_of,
    key_of,
    link_to,
    make_managed,
    reload_row,
    row_of,
    schema_of,
    to_argument,
)
from skerry.model.properties import Property, Stored
from skerry.query import MATCH_ALL
from skerry.types import SCALARS, Content, Link, Scalar

if TYPE_CHECKING:
    from skerry import _core

_T = TypeVar("_T", bound=RealmObject)

UpdatePolicy: TypeAlias = Literal["error", "all", "modified"]
_Pairs: TypeAlias = list[tuple[str, Content]]


class _Condition(Enum):
    OPEN = "open"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled back"


class Transaction:
    """The body of ``async with realm.write() as txn``."""

    def __init__(self, schema: Schema, core: "_core.WriteTransaction") -> None:
        """Internal: use `Realm.write`."""
        self._schema = schema
        self._core = core
        self._condition = _Condition.OPEN
        self._thread_id = threading.get_ident()
        self._live: WeakValueDictionary[tuple[str, Scalar], RealmObject] = WeakValueDictionary()
        self._policy: UpdatePolicy = "all"
        self._is_bulk = False
        # Objects may link in a circle; each is added once. Kept alive, as their ids are what tells
        # them apart.
        self._under_way: dict[int, RealmObject] = {}

    def add(self, new: _T, *, update_policy: UpdatePolicy = "error") -> _T:
        """Store an unmanaged object, with the unmanaged objects that it refers to.

        Args:
            new: An object made by its constructor.
            update_policy: What happens when its key exists, and that of an object that it links to:
                ``"error"``; ``"all"`` to set every property, which uploads every property;
                ``"modified"`` to set those that differ.

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
        self._policy = update_policy
        try:
            return cast("_T", self._add(new))
        finally:
            self._policy = "all"
            self._under_way.clear()

    def add_all(
        self,
        model: type[_T],
        rows: "Iterable[_T | Mapping[str, object]]",
        *,
        update_policy: UpdatePolicy = "error",
    ) -> int:
        """Store many objects of a class, faster than by `add`; without live objects for them.

        Args:
            model: The class.
            rows: Unmanaged objects, or mappings from attributes to values; what they leave out gets
                its default. Read as they are written, so a generator is never held whole.
            update_policy: As for `add`.

        Returns:
            How many objects are new.

        Raises:
            PrimaryKeyExistsError: A key exists and the policy is ``"error"``. As after every error
                here, the rows before it are written, unless the exception leaves the block.
            PropertyTypeError: A value is not of its property's type.
            TypeError: A row lacks a value that has no default, or has an unknown attribute.
        """
        self._require_open()
        name = self._schema.name_of(model)
        created = 0
        reading = BulkRows(self._schema, model, self._lower)
        # Rows may share an object that they link to, which is added once.
        self._policy, self._is_bulk = update_policy, True
        try:
            for row_names, defaults, batch in reading.batches(rows):
                created += self._core.create_all(name, row_names, defaults, batch, update_policy)
        finally:
            self._policy, self._is_bulk = "all", False
            self._under_way.clear()
        for (class_name, key), live in list(self._live.items()):
            if class_name == name:
                self._refresh(class_name, key, live)
        return created

    def find(self, model: type[_T], primary_key: object) -> _T | None:
        """Return the live object of that key, or None."""
        self._require_open()
        key = to_argument(primary_key)
        row = self._core.get(self._schema.name_of(model), key)
        return None if row is None else self._enliven(model, row)

    def query(self, model: type[_T], text: str = MATCH_ALL, *arguments: object) -> list[_T]:
        """Return the live objects that match, with the changes made so far.

        Raises:
            QueryError: The text is wrong.
        """
        self._require_open()
        name = self._schema.name_of(model)
        rows = self._core.query(name, text, [to_argument(value) for value in arguments])
        return [self._enliven(model, row) for row in rows]

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

    @overload
    def delete(self, target: RealmObject) -> bool: ...
    @overload
    def delete(self, target: Iterable[RealmObject]) -> int: ...
    def delete(self, target: RealmObject | Iterable[RealmObject]) -> int:
        """Delete an object, live or read earlier, or each of several; links to them become None.

        What is embedded in an object goes with it. Several may be a list of links, or results.

        Returns:
            Whether it was there; of several, how many were.
        """
        self._require_open()
        if isinstance(target, RealmObject):
            return bool(self.delete([target]))
        count = 0
        for one in list(target):
            address = (self._schema.name_of(type(one)), key_of(one))
            holders = self._core.delete_telling(*address)
            count += holders is not None
            gone = self._live.pop(address, None)
            if gone is not None:
                hand_over(gone, _GoneKeeper(self._schema, "was deleted"))
            for holder in holders or ():
                live = self._live.get(holder)
                if live is not None:
                    self._refresh(*holder, live)
        return count

    def delete_all(self, model: type[RealmObject]) -> int:
        """Delete every object of a class that this device has, and return how many."""
        self._require_open()
        name = self._schema.name_of(model)
        count = self._core.delete_all(name)
        for address in [address for address in self._live if address[0] == name]:
            hand_over(self._live.pop(address), _GoneKeeper(self._schema, "was deleted"))
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
        live = self.live(target)
        if live is None:
            raise NoSuchObjectError(f"{prop.class_name} {key_of(target)!r} is not there")
        increment(live, prop, amount)

    # --- Behind live objects (Keeper) -------------------------------------------------------------

    def observe(self, target: RealmObject, key_paths: Sequence[str] | None) -> NoReturn:
        """Refuse: what is written is told after the commit. Internal."""
        raise IllegalStateError(
            f"this {type(target).__name__} is inside of a write; use realm.changes_of() after it"
        )

    def observe_collection(
        self, target: RealmObject, path: PathSteps, key_paths: Sequence[str] | None
    ) -> NoReturn:
        """Refuse, likewise. Internal."""
        self.observe(target, key_paths)

    def follow(self, link: Link) -> RealmObject | Link | None:
        """Return the live target of a link, or None when it dangles. Internal."""
        if link.class_name not in self._schema:
            return link
        known = self._live.get((link.class_name, link.key))
        if known is not None:
            return known
        return self.find(self._schema.model(link.class_name), link.key)

    def target(self, prop: Property) -> type[ModelObject]:
        """Return the class that a property refers to. Internal."""
        return self._schema.target(prop)

    def linking(self, target: RealmObject, attribute: str) -> Sequence[RealmObject]:
        """Return the objects that link to a live one now. Internal."""
        model, query = linking_query(self._schema, target, attribute)
        return self.query(model, query.text, *query.arguments)

    def edit(
        self,
        target: RealmObject,
        prop: Property,
        operation: str,
        path: PathSteps,
        *arguments: object,
    ) -> None:
        """Edit a live object by an operation of the core. Internal."""
        self._require_open()
        place = path if len(path) > 1 else path[0]
        call = getattr(self._core, operation)
        call(schema_of_class(type(target)).name, key_of(target), place, *arguments)

    def lower(self, stored: Stored, prop: Property) -> Content:
        """Return what crosses to the core; unmanaged objects are added. Internal."""
        self._require_open()
        return self._lower(stored)

    def move_to_this_thread(self) -> None:
        """Belong to the present thread from now on. Internal: of who opens it for another one."""
        self._thread_id = threading.get_ident()

    def _lower(self, stored: Stored) -> Content:
        if type(stored) in SCALARS:  # most of them, so they go first
            return cast("Scalar", stored)
        if isinstance(stored, RealmObject):
            return self._link(stored)
        if isinstance(stored, ModelObject):
            pairs = zip(schema_of_class(type(stored)), row_of(stored), strict=True)
            return {prop.stored_name: self._lower(one) for prop, one in pairs}
        items = getattr(stored, "_items", stored)
        if isinstance(items, dict):
            if hasattr(stored, "_skerry_is_set"):
                return [self._lower(one) for one in items.values()]
            return {key: self._lower(one) for key, one in items.items()}
        if isinstance(items, list | set):
            return [self._lower(one) for one in items]
        return cast("Scalar", stored)

    def finish(self, *, is_committed: bool) -> None:
        """Freeze or disable the live objects. Internal: `Realm` calls it after the core."""
        self._condition = _Condition.COMMITTED if is_committed else _Condition.ROLLED_BACK
        keeper = (
            _GoneKeeper(self._schema, "is a snapshot of a write that is over; read it again")
            if is_committed
            else _GoneKeeper(self._schema, "is of a write that was rolled back")
        )
        for live in list(self._live.values()):
            hand_over(live, keeper, None if is_committed else _LostRow())
        self._live.clear()

    # --- Inside -----------------------------------------------------------------------------------

    def _add(self, new: RealmObject) -> RealmObject:
        model = type(new)
        name, key, described = self._schema.name_of(model), key_of(new), schema_of(model)
        self._under_way[id(new)] = new
        values: _Pairs = []
        defaults: _Pairs = []
        row: list[Content] = []
        given = given_of(new)
        for prop, stored in zip(described.properties, row_of(new), strict=True):
            content = stored if type(stored) in SCALARS else self._lower(stored)
            row.append(cast("Content", content))
            if prop is not described.key:
                pair = (prop.stored_name, cast("Content", content))
                (values if prop.name in given else defaults).append(pair)
        is_created = self._core.create(name, key, values, defaults, self._policy)
        if is_created:
            return self._enliven(model, row)
        written = self._core.get(name, key)
        if written is None:
            raise NoSuchObjectError(f"{name} {key!r} vanished while it was written")
        return self._enliven(model, written)

    def _link(self, target: RealmObject) -> Link:
        """Return the link to an object, which is added first if it is in no realm."""
        keeper = keeper_of(target)
        if keeper is not None:
            if self._schema.model(link_to(target).class_name) is not type(target):
                raise SchemaError(f"{type(target).__name__} is not in the realm's schema")
            origin = getattr(keeper, "schema", self._schema)
            if origin is not self._schema or (
                isinstance(keeper, Transaction) and keeper is not self
            ):
                raise IllegalStateError(
                    f"{link_to(target).class_name} {key_of(target)!r} is of another realm; add a "
                    "copy of it to this one first"
                )
            return link_to(target)
        if id(target) not in self._under_way:
            is_outermost = not self._under_way and not self._is_bulk
            self._add(target)
            if is_outermost:
                # By an assignment, not by `add`: later ones may add the same object again.
                self._under_way.clear()
        return link_to(target)

    def _enliven(self, model: type[_T], row: Sequence[Content]) -> _T:
        stored, described = cast("list[Stored]", list(row)), schema_of_class(model)
        address = (described.name, cast("Scalar", row[described.primary_key.index]))
        known = self._live.get(address)
        if known is not None:
            reload_row(known, stored)  # all holders see the newest values
            return cast("_T", known)
        del stored[len(described.properties) :]
        made = make_managed(model, stored, self)
        self._live[address] = made
        return cast("_T", made)

    def _refresh(self, name: str, key: Scalar, live: RealmObject) -> None:
        row = self._core.get(name, key)
        if row is not None:
            reload_row(live, cast("list[Stored]", list(row)))

    def _refresh_links(self) -> None:
        """Read live objects with links again: a deletion has taken those to its target away."""
        for (name, key), live in list(self._live.items()):
            if any(prop.is_link or prop.kind.value == "mixed" for prop in schema_of(type(live))):
                self._refresh(name, key, live)

    def _require_open(self) -> None:
        if self._condition is not _Condition.OPEN:
            raise IllegalStateError(f"the transaction is {self._condition.value}")
        if threading.get_ident() != self._thread_id:
            raise IllegalStateError(
                "a write and its live objects are for the thread that opened it; hand over keys or "
                "frozen objects, and open a write in the other thread"
            )


class _GoneKeeper(FrozenKeeper):
    """Behind an object whose write is over or that was deleted: it shows its own values only."""

    __slots__ = ("_why",)

    def __init__(self, schema: Schema, why: str) -> None:
        super().__init__(schema, None)
        self._why = why

    def follow(self, link: Link) -> NoReturn:
        """Refuse: there is no snapshot to look in."""
        raise IllegalStateError(f"the object {self._why}, so its links cannot be followed")

    def linking(self, target: RealmObject, attribute: str) -> NoReturn:
        """Refuse, likewise."""
        raise IllegalStateError(f"the object {self._why}, so links to it cannot be found")

    def _refuse(self, what: str) -> NoReturn:
        raise IllegalStateError(f"{what} cannot be changed: the object {self._why}")


class _LostRow(list[Any]):
    """The values of an object whose write was rolled back: there are none."""

    def __getitem__(self, index: object) -> NoReturn:
        raise IllegalStateError("the write that made or changed this object was rolled back")
