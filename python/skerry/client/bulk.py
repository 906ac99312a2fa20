"""`BulkRows`: many objects or mappings of a class, as the core takes them in batches.

Rows of one shape (the same properties given) go together. They are read as the core writes them, so
nothing is held whole.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import Enum
from operator import itemgetter
from typing import Generic, TypeAlias, TypeVar, cast

from skerry.errors import IllegalStateError
from skerry.model import RealmObject, Schema
from skerry.model.objects import given_of, is_managed, row_of, schema_of
from skerry.model.properties import Collection, Default, Property, PropertyType, Stored
from skerry.types import Content

_T = TypeVar("_T", bound=RealmObject)
_Row: TypeAlias = "RealmObject | Mapping[str, object]"
_Shape: TypeAlias = tuple[frozenset[str], bool]
Lower: TypeAlias = Callable[[Stored], Content]


class BulkRows(Generic[_T]):
    """Reads rows of one class.

    Args:
        schema: Of the realm.
        model: The class.
        lower: Makes contents of what is stored, adding the objects that it refers to.
    """

    def __init__(self, schema: Schema, model: type[_T], lower: Lower) -> None:
        self._model = model
        self._described = schema_of(model)
        self._lower = lower
        self._key = self._described.primary_key
        self._others = [prop for prop in self._described if prop is not self._key]

    def batches(
        self, rows: Iterable[_Row]
    ) -> Iterator[tuple[list[str], list[str], Iterator[tuple[Content, ...]]]]:
        """Yield names given, names of defaults, and rows, which are to be read to their end."""
        source = iter(rows)
        pending = next(source, None)
        while pending is not None:
            run = _Run(self._shape_of, pending, source)
            names, is_object = run.shape
            given = [prop for prop in self._others if prop.name in names]
            left = [prop for prop in self._others if prop.name not in names]
            reading = self._objects(run, given, left) if is_object else self._read(run, given, left)
            yield [p.stored_name for p in given], [p.stored_name for p in left], reading
            pending = run.next_row()

    def _shape_of(self, row: _Row) -> _Shape:
        if isinstance(row, Mapping):
            return frozenset(row), False
        if type(row) is not self._model:
            raise TypeError(f"a row is a {self._model.__name__} or a mapping, not {row!r}")
        if is_managed(row):
            raise IllegalStateError("the object is in a realm already")
        return frozenset(given_of(row)), True

    def _objects(
        self, run: "_Run", given: list[Property], left: list[Property]
    ) -> Iterator[tuple[Content, ...]]:
        order = [self._key, *given, *left]
        get = itemgetter(*(prop.index for prop in order), self._key.index)  # two at least
        complex_ones = [index for index, prop in enumerate(order) if _holds_objects(prop)]
        others = set(range(len(order))) - set(complex_ones)
        collections = [index for index in others if not order[index].is_single]
        for row in run:
            values = list(get(row_of(cast("RealmObject", row)))[:-1])
            for index in complex_ones:
                values[index] = self._lower(values[index])
            for index in collections:
                if type(values[index]) is not list:
                    values[index] = self._lower(values[index])
            yield cast("tuple[Content, ...]", tuple(values))

    def _read(
        self, run: "_Run", given: list[Property], left: list[Property]
    ) -> Iterator[tuple[Content, ...]]:
        names = run.shape[0]
        unknown = [name for name in names if name not in self._described]
        if unknown:
            raise TypeError(f"{self._described.name} has no property {sorted(unknown)[0]!r}")
        missing = [prop for prop in left if not prop.default.is_given]
        if self._key.name not in names and not self._key.default.is_given:
            missing.insert(0, self._key)
        if missing:
            raise TypeError(f"{missing[0]} has no default, so it must be given")
        has_key = self._key.name in names
        wanted = [*([self._key] if has_key else []), *given]
        # What the core converts by itself goes to it as it is.
        slow = [index for index, prop in enumerate(wanted) if not _is_direct(prop)]
        defaults = [prop.default for prop in left]
        get = _getter([prop.name for prop in wanted])
        for row in run:
            try:
                values = get(cast("Mapping[str, object]", row))
            except KeyError:
                run.put_back(row)  # as many attributes, and others
                return
            if slow:
                listed = list(values)
                for index in slow:
                    listed[index] = self._lower(wanted[index].store(listed[index]))
                values = tuple(listed)
            if not has_key:
                values = (self._stored(self._key, self._key.default), *values)
            if defaults:
                made = (self._stored(prop, one) for prop, one in zip(left, defaults, strict=True))
                values = (*values, *made)
            yield cast("tuple[Content, ...]", values)

    def _stored(self, prop: Property, default: Default) -> Content:
        return self._lower(prop.store(default.make()))


class _Run:
    """The rows of one shape, up to the first of another, which `next_row` gives."""

    def __init__(
        self, shape_of: Callable[[_Row], _Shape], first: _Row, source: Iterator[_Row]
    ) -> None:
        self._shape_of = shape_of
        self._source = source
        self._pending: RealmObject | Mapping[str, object] | None = first
        self.shape = shape_of(first)

    def __iter__(self) -> Iterator[_Row]:
        first, self._pending = self._pending, None
        if first is not None:
            yield first
        names, is_object = self.shape
        # Whether a dict has these names is seen when they are read.
        quick, length = (None if is_object else dict), len(names)
        for row in self._source:
            is_alike = len(row) == length if type(row) is quick else self._may_go_on(row)
            if not is_alike:
                self._pending = row
                return
            yield row

    def _may_go_on(self, row: _Row) -> bool:
        return self._shape_of(row) == self.shape

    def put_back(self, row: _Row) -> None:
        """Make a row that was given out the first of the next run."""
        self._pending = row

    def next_row(self) -> "_Row | None":
        """Return the row that begins the next run."""
        return self._pending


def _holds_objects(prop: Property) -> bool:
    return prop.kind in {PropertyType.OBJECT, PropertyType.MIXED}


def _is_direct(prop: Property) -> bool:
    """Whether the core checks and converts a value as `Property.store` does."""
    if _holds_objects(prop) or prop.collection is Collection.DICTIONARY:
        return False
    return prop.python_type is None or not issubclass(prop.python_type, Enum)


def _getter(names: list[str]) -> Callable[[Mapping[str, object]], tuple[object, ...]]:
    if len(names) == 1:
        one = itemgetter(names[0])
        return lambda row: (one(row),)
    if not names:
        return lambda row: ()
    return cast("Callable[[Mapping[str, object]], tuple[object, ...]]", itemgetter(*names))
