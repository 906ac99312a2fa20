"""`RealmList`, `RealmSet` and `RealmDictionary`: what collection properties read as.

They behave as Python's own. Like their object they are unmanaged, frozen or live. An unmanaged one
checks what is put in; a frozen one refuses; a live one writes each change through as the edit that
says just that, so that what other devices do to the same collection at the same time is merged.

A collection keeps what is stored: scalars and links as they are, what is nested as what has been
made of it once somebody looked. Invariant: a live one holds what the file holds.
"""

from collections.abc import (
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
    MutableMapping,
    MutableSequence,
    MutableSet,
    Sequence,
)
from typing import TYPE_CHECKING, Any, Generic, Protocol, SupportsIndex, TypeVar, cast, overload

from skerry.errors import IllegalStateError
from skerry.model.keeper import Keeper, PathSteps, Step
from skerry.model.properties import Property, PropertyType, Stored
from skerry.types import Decimal128, Link

if TYPE_CHECKING:
    from skerry.model.objects import RealmObject

_T = TypeVar("_T")


class Holder(Protocol):
    """What holds parts: an object, or a collection inside one."""

    def _skerry_keeper_of(self) -> Keeper | None: ...

    def _skerry_way_to(self, part: "Part") -> "tuple[RealmObject, PathSteps]": ...


class Part:
    """Something inside an object that can be edited by itself, and knows the way to it.

    `_skerry_holder` is None when it is in no object; `_skerry_property` is the property whose type
    its elements have.
    """

    __slots__ = ()

    _skerry_is_held = True
    _skerry_holder: Holder | None
    _skerry_property: Property

    def _skerry_keeper_of(self) -> Keeper | None:
        return None if self._skerry_holder is None else self._skerry_holder._skerry_keeper_of()

    def _skerry_way(self) -> "tuple[RealmObject, PathSteps]":
        """Return the object that this is in, and the path to it there."""
        if self._skerry_holder is None:
            raise IllegalStateError("this is in no object")
        return self._skerry_holder._skerry_way_to(self)

    def _skerry_edit(self, operation: str, *arguments: object, at: tuple[Step, ...] = ()) -> None:
        """Edit the live object; do nothing for an unmanaged one."""
        keeper = self._skerry_keeper_of()
        if keeper is not None:
            target, path = self._skerry_way()
            keeper.edit(target, self._skerry_property, operation, path + at, *arguments)

    def _skerry_lower(self, stored: Stored) -> Stored:
        """Return what is kept of a new element: as it is stored, for one in a live object."""
        keeper = self._skerry_keeper_of()
        return (
            stored
            if keeper is None
            else cast("Stored", keeper.lower(stored, self._skerry_property))
        )


class _Collection(Part):
    """What the three have in common."""

    __slots__ = ()

    def _step_to(self, part: Part) -> Step:
        # A set has none; the others look for it.
        raise _gone()

    def _skerry_way_to(self, part: Part) -> "tuple[RealmObject, PathSteps]":
        target, path = self._skerry_way()
        return target, (*path, self._step_to(part))

    def changes(self, key_paths: "Sequence[str] | None" = None) -> "AsyncIterator[Any]":
        """Return an async iterator of what changes in the collection.

        `InitialCollection` comes first, at the newest version; then `UpdatedList`, `UpdatedSet` or
        `UpdatedDictionary` whenever a commit of anybody has changed it; `DeletedCollection` ends
        it, when the object is deleted or something else stands in its place. It ends when the realm
        closes.

        Args:
            key_paths: What is watched of the objects in the collection, as for `Results.changes`.

        Raises:
            IllegalStateError: It is in no realm, or inside of a write.
            ConfigurationError: A key path leads nowhere; it is a ValueError too.
            ClosedRealmError: The realm is closed.
        """
        keeper = self._skerry_keeper_of()
        if keeper is None:
            raise IllegalStateError("the collection is in no realm, so nothing can change it")
        target, path = self._skerry_way()
        return keeper.observe_collection(target, path, key_paths)

    def _present(self, stored: Stored) -> tuple[object, Part | None]:
        """Return what the application sees of an element, and what has been made of it anew."""
        return present(self, self._skerry_property, stored)

    def _stored_of(self, value: object) -> Stored:
        return self._skerry_property.store_value(value)


def _gone() -> IllegalStateError:
    return IllegalStateError("this element has been taken out of its collection; read it again")


def present(holder: Holder, prop: Property, stored: Stored) -> tuple[object, Part | None]:
    """Return what the application sees of one stored value of `prop`, inside `holder`.

    What has been made for it is returned too, to be kept in its place.
    """
    if isinstance(stored, Link):
        keeper = holder._skerry_keeper_of()
        return (stored if keeper is None else keeper.follow(stored)), None
    if isinstance(stored, list | dict):
        part = _part_of(holder, prop, stored)
        return (part, part) if isinstance(part, Part) else (part, None)
    if getattr(stored, "_skerry_is_held", False):
        return stored, None
    return prop.load(cast("Any", stored)), None


def _part_of(holder: Holder, prop: Property, stored: Stored) -> object:
    if prop.kind is PropertyType.MIXED:
        return collection_of(holder, prop, stored)
    point = prop.load_point(stored)
    if point is not None:
        return point
    keeper = holder._skerry_keeper_of()
    target = prop.target if keeper is None else keeper.target(prop)
    # An unmanaged one is an object already, so it does not come here.
    return cast("Any", target)._skerry_embedded(holder, prop, stored)


def collection_of(
    holder: Holder, prop: Property, stored: Stored
) -> "RealmList[Any] | RealmSet[Any] | RealmDictionary[Any]":
    """Return the collection over what is stored, which it takes over."""
    if isinstance(stored, dict):
        return RealmDictionary(holder, prop, stored)
    if prop.collection.value == "set":
        return RealmSet(holder, prop, cast("Iterable[Stored]", stored))
    return RealmList(holder, prop, cast("list[Stored]", stored))


def plain(stored: Stored) -> Any:  # noqa: ANN401 - lists, sets, dicts and scalars all the way down
    """Return what is stored as plain lists, sets, dicts and scalars; links are `Link`."""
    as_plain = getattr(type(stored), "_skerry_plain", None)
    if as_plain is not None:
        return as_plain(stored)
    if isinstance(stored, list):
        return [plain(one) for one in stored]
    if isinstance(stored, dict):
        return {key: plain(one) for key, one in stored.items()}
    return stored


class RealmList(_Collection, MutableSequence[_T], Generic[_T]):
    """A list property, or a list inside a `RealmValue`.

    Slices are plain lists. Not safe for use by several threads while it is live; a frozen one is.

    Raises:
        IllegalStateError: It is changed outside a write.
        PropertyTypeError: An element is of another type than annotated.
        IndexError: As for `list`.
    """

    __slots__ = ("_items", "_skerry_holder", "_skerry_property")
    __hash__ = None  # type: ignore[assignment]

    _skerry_is_list = True

    def __init__(self, holder: Holder | None, prop: Property, items: list[Stored]) -> None:
        """Internal: read the property, or give it any iterable."""
        self._skerry_holder = holder
        self._skerry_property = prop
        self._items = items

    def _step_to(self, part: Part) -> Step:
        for index, stored in enumerate(self._items):
            if stored is part:
                return index
        raise _gone()

    def _skerry_plain(self) -> list[Any]:
        return [plain(stored) for stored in self._items]

    def _skerry_reload(self, items: list[Stored]) -> None:
        self._items[:] = items

    def _at(self, index: int) -> _T:
        value, made = self._present(self._items[index])
        if made is not None:
            self._items[index] = cast("Stored", made)
        return cast("_T", value)

    # --- Reading --------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._items)

    @overload
    def __getitem__(self, index: SupportsIndex) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> list[_T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> _T | list[_T]:
        if isinstance(index, slice):
            return [self._at(position) for position in range(len(self._items))[index]]
        return self._at(index.__index__())

    def __iter__(self) -> Iterator[_T]:
        position = 0
        while position < len(self._items):
            yield self._at(position)
            position += 1

    def __contains__(self, value: object) -> bool:
        return next(self._positions_of(value), None) is not None

    def index(self, value: object, start: int = 0, stop: int | None = None) -> int:
        """Return the first position of a value between `start` and `stop`, as `list.index`.

        Raises:
            ValueError: It is not there.
        """
        wanted = range(len(self._items))[start:stop]
        for position in self._positions_of(value):
            if position in wanted:
                return position
        raise ValueError(f"{value!r} is not in the list")

    def count(self, value: object) -> int:
        """Return how often a value is in the list."""
        return sum(1 for _ in self._positions_of(value))

    def _positions_of(self, value: object) -> Iterator[int]:
        as_link = getattr(type(value), "_skerry_link", None)
        if as_link is not None:
            # An object is found whatever version of it is at hand.
            link = as_link(value)
            yield from (
                position
                for position, stored in enumerate(self._items)
                if stored == link or (stored is not None and plain(stored) == link)
            )
            return
        yield from (position for position, one in enumerate(self) if one is value or one == value)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, RealmList):
            return bool(self._skerry_plain() == other._skerry_plain())
        if isinstance(other, list):
            return len(self) == len(other) and all(
                mine is theirs or mine == theirs for mine, theirs in zip(self, other, strict=True)
            )
        return NotImplemented

    def __lt__(self, other: "Sequence[_T]") -> bool:
        return list(self) < list(other)

    def __add__(self, other: Iterable[_T]) -> list[_T]:
        return [*self, *other]

    def __radd__(self, other: Iterable[_T]) -> list[_T]:
        return [*other, *self]

    def __mul__(self, count: SupportsIndex) -> list[_T]:
        return list(self) * count

    __rmul__ = __mul__

    def copy(self) -> list[_T]:
        """Return a plain list of the elements."""
        return list(self)

    def __repr__(self) -> str:
        return repr(self._skerry_plain())

    # --- Writing --------------------------------------------------------------------------------

    @overload
    def __setitem__(self, index: SupportsIndex, value: _T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[_T]) -> None: ...
    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(index, slice):
            self._set_slice(index, [self._stored_of(one) for one in value])
            return
        position = self._position(index)
        self._put(position, self._stored_of(value))

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        if isinstance(index, slice):
            for position in sorted(range(len(self._items))[index], reverse=True):
                self._erase(position)
            return
        self._erase(self._position(index))

    def insert(self, index: SupportsIndex, value: _T) -> None:
        """Insert before a position, which is cut to the ends as in `list.insert`."""
        start = range(len(self._items))[: index.__index__()].stop
        self._insert_all(start, [self._stored_of(value)])

    def append(self, value: _T) -> None:
        """Add an element at the end."""
        self._insert_all(len(self._items), [self._stored_of(value)])

    def extend(self, values: Iterable[_T]) -> None:
        """Add elements at the end, all of them or none."""
        self._insert_all(len(self._items), [self._stored_of(one) for one in list(values)])

    def __iadd__(self, values: Iterable[_T]) -> "RealmList[_T]":
        self.extend(values)
        return self

    def move(self, source: SupportsIndex, to: SupportsIndex) -> None:
        """Move an element, which stays the one that it is for other devices (ArrayMove).

        Args:
            source: Its position.
            to: Its position afterwards.
        """
        source, to = self._position(source), self._position(to)
        if source != to:
            self._skerry_edit("list_move", source, to)
            self._items.insert(to, self._items.pop(source))

    def clear(self) -> None:
        """Remove every element, those that other devices add at the same time included."""
        self._skerry_edit("clear")
        self._items.clear()

    def sort(self, *, key: Any = None, reverse: bool = False) -> None:  # noqa: ANN401 - as in list
        """Sort in place: the list is emptied and filled anew."""
        self[:] = sorted(self, key=key, reverse=reverse)

    def reverse(self) -> None:
        """Reverse in place: the list is emptied and filled anew."""
        self[:] = list(reversed(list(self)))

    def _position(self, index: SupportsIndex) -> int:
        try:
            return range(len(self._items))[index]
        except IndexError:
            raise IndexError("list index out of range") from None

    def _put(self, position: int, stored: Stored) -> None:
        lowered = self._skerry_lower(stored)
        if isinstance(lowered, list | dict):
            self._skerry_edit("assign", lowered, at=(position,))
        else:
            self._skerry_edit("list_set", position, lowered)
        self._items[position] = lowered

    def _erase(self, position: int) -> None:
        self._skerry_edit("list_erase", position)
        del self._items[position]

    def _insert_all(self, position: int, stored: list[Stored]) -> None:
        lowered = [self._skerry_lower(one) for one in stored]
        if lowered:
            self._skerry_edit("list_insert_all", position, lowered)
            self._items[position:position] = lowered

    def _set_slice(self, index: slice, stored: list[Stored]) -> None:
        positions = range(len(self._items))[index]
        if index.step is not None and index.step != 1:
            if len(positions) != len(stored):
                raise ValueError(
                    f"{len(stored)} elements do not fill a slice of {len(positions)} with a step"
                )
            for position, one in zip(positions, stored, strict=True):
                self._put(position, one)
            return
        lowered = [self._skerry_lower(one) for one in stored]
        if len(positions) == len(self._items):
            # Everything: said as one, not element by element.
            self._skerry_edit("assign", lowered)
            self._items[:] = lowered
            return
        for position in reversed(positions):
            self._erase(position)
        self._insert_all(positions.start, stored)


class RealmSet(_Collection, MutableSet[_T], Generic[_T]):
    """A set property. Elements are in no order that means something.

    Numbers that are equal are one element, also of different types; True is not 1 (as in Realm).

    Raises:
        IllegalStateError: It is changed outside a write.
        PropertyTypeError: An element is of another type than annotated.
    """

    __slots__ = ("_items", "_skerry_holder", "_skerry_property")
    __hash__ = None  # type: ignore[assignment]

    _skerry_is_list = True
    _skerry_is_set = True

    def __init__(self, holder: Holder | None, prop: Property, items: Iterable[Stored]) -> None:
        """Internal: read the property, or give it any iterable."""
        self._skerry_holder = holder
        self._skerry_property = prop
        self._items = {_identity(stored): stored for stored in items}

    @classmethod
    def _from_iterable(cls, iterable: Iterable[Any]) -> set[Any]:
        # What `&` and `|` make is no property of anything.
        return set(iterable)

    def _skerry_plain(self) -> Any:  # noqa: ANN401 - a set, or a list where Python's set would lose
        values = [plain(stored) for stored in self._items.values()]
        as_set = set(values)
        return as_set if len(as_set) == len(values) else values

    def _skerry_reload(self, items: Iterable[Stored]) -> None:
        self._items = {_identity(stored): stored for stored in items}

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[_T]:
        for stored in list(self._items.values()):
            yield cast("_T", self._present(stored)[0])

    def __contains__(self, value: object) -> bool:
        try:
            return _identity(self._stored_of(value)) in self._items
        except TypeError:
            return False

    def __repr__(self) -> str:
        shown = ", ".join(repr(plain(one)) for one in self._items.values())
        return f"{{{shown}}}" if shown else "set()"

    def copy(self) -> set[_T]:
        """Return a plain set of the elements."""
        return set(self)

    def add(self, value: _T) -> None:
        """Add an element; nothing happens if it is there."""
        lowered = self._skerry_lower(self._stored_of(value))
        self._skerry_edit("set_insert", lowered)
        self._items[_identity(lowered)] = lowered

    def update(self, *others: Iterable[_T]) -> None:
        """Add the elements of all of them."""
        for value in [one for other in others for one in other]:
            self.add(value)

    def discard(self, value: _T) -> None:
        """Remove an element if it is there."""
        if value not in self:
            return
        stored = self._items[_identity(self._stored_of(value))]
        self._skerry_edit("set_erase", stored)
        del self._items[_identity(stored)]

    def clear(self) -> None:
        """Remove every element."""
        self._skerry_edit("clear")
        self._items.clear()

    def union(self, *others: Iterable[Any]) -> set[Any]:
        """Return a plain set, as `set.union`."""
        return set(self).union(*others)

    def intersection(self, *others: Iterable[Any]) -> set[Any]:
        """Return a plain set, as `set.intersection`."""
        return set(self).intersection(*others)

    def difference(self, *others: Iterable[Any]) -> set[Any]:
        """Return a plain set, as `set.difference`."""
        return set(self).difference(*others)

    def issubset(self, other: Iterable[Any]) -> bool:
        """Whether every element is in `other`."""
        return set(self).issubset(other)

    def issuperset(self, other: Iterable[Any]) -> bool:
        """Whether every element of `other` is in this."""
        return set(self).issuperset(other)


def _identity(stored: Stored) -> object:
    """Return what makes a stored value the same element."""
    if isinstance(stored, bool):
        return (bool, stored)
    if isinstance(stored, Decimal128):
        number = stored.to_decimal()
        return "NaN" if number.is_nan() else number
    if isinstance(stored, float) and stored != stored:
        return "NaN"
    return getattr(type(stored), "_skerry_link", lambda one: one)(stored)


class RealmDictionary(_Collection, MutableMapping[str, _T], Generic[_T]):
    """A dictionary property, or a dictionary inside a `RealmValue`; keys in order.

    Raises:
        IllegalStateError: It is changed outside a write.
        PropertyTypeError: A value is of another type than annotated, or a key is no str, begins
            with ``$`` or contains a dot.
        KeyError: As for `dict`.
    """

    __slots__ = ("_items", "_skerry_holder", "_skerry_property")
    __hash__ = None  # type: ignore[assignment]

    _skerry_takes_dict = True

    def __init__(self, holder: Holder | None, prop: Property, items: dict[str, Stored]) -> None:
        """Internal: read the property, or give it any mapping."""
        self._skerry_holder = holder
        self._skerry_property = prop
        self._items = items

    def _step_to(self, part: Part) -> Step:
        for key, stored in self._items.items():
            if stored is part:
                return key
        raise _gone()

    def _skerry_plain(self) -> dict[str, Any]:
        return {key: plain(self._items[key]) for key in sorted(self._items)}

    def _skerry_reload(self, items: dict[str, Stored]) -> None:
        self._items.clear()
        self._items.update(items)

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._items))

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __getitem__(self, key: str) -> _T:
        value, made = self._present(self._items[key])
        if made is not None:
            self._items[key] = cast("Stored", made)
        return cast("_T", value)

    def __setitem__(self, key: str, value: _T) -> None:
        prop = self._skerry_property
        name, lowered = prop.store_key(key), self._skerry_lower(self._stored_of(value))
        if isinstance(lowered, list | dict):
            self._skerry_edit("assign", lowered, at=(name,))
        else:
            self._skerry_edit("dictionary_set", name, lowered)
        self._items[name] = lowered

    def __delitem__(self, key: str) -> None:
        if key not in self._items:
            raise KeyError(key)
        self._skerry_edit("dictionary_erase", key)
        del self._items[key]

    def clear(self) -> None:
        """Remove every key, those that other devices add at the same time included."""
        self._skerry_edit("clear")
        self._items.clear()

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}

    def __ior__(self, other: Mapping[str, _T]) -> "RealmDictionary[_T]":  # type: ignore[misc]
        self.update(other)
        return self

    def copy(self) -> dict[str, _T]:
        """Return a plain dict of the values."""
        return dict(self)

    def __repr__(self) -> str:
        return repr(self._skerry_plain())
