"""`Results`: the objects of one query at one version, frozen.

A `Reader` holds one snapshot and is shared by everything read from it, links included: what one
`Results` shows never changes. The snapshot is let go when nothing refers to it any more.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, cast

from skerry.client.environment import RunBlocking
from skerry.errors import IllegalStateError
from skerry.model import RealmObject, Schema
from skerry.model.objects import StoredValue, make_managed, schema_of, to_argument
from skerry.model.properties import Property
from skerry.query import MATCH_ALL, Query
from skerry.types import Content, Link, Scalar

if TYPE_CHECKING:
    from skerry import _core

_T = TypeVar("_T", bound=RealmObject)


def scalar_row(row: tuple[Content, ...]) -> tuple[Scalar, ...]:
    """Return a row as models take it.

    The properties of models are scalars; what the file has beyond them comes behind, unread.
    """
    return cast("tuple[Scalar, ...]", row)


class Reader:
    """Makes frozen objects from one snapshot.

    Args:
        schema: Of the realm.
        snapshot: Kept for as long as the reader is.
    """

    def __init__(self, schema: Schema, snapshot: "_core.Snapshot") -> None:
        self.schema = schema
        self.snapshot = snapshot

    def get(self, model: type[_T], key: Scalar) -> _T | None:
        """Return the object of that key, or None."""
        row = self.snapshot.get(self.schema.name_of(model), key)
        return None if row is None else self.freeze(model, scalar_row(row))

    def freeze(self, model: type[_T], row: tuple[Scalar, ...]) -> _T:
        """Return a frozen object over a row."""
        return _frozen(model, row, self._keeper(model))

    def freeze_all(self, model: type[_T], rows: Iterable[tuple[Scalar, ...]]) -> Iterator[_T]:
        """Yield a frozen object over each row."""
        keeper = self._keeper(model)
        return (_frozen(model, row, keeper) for row in rows)

    def _keeper(self, model: type[_T]) -> "FrozenKeeper":
        # Only links need the snapshot again; without any, the objects do not keep it open.
        has_links = any(prop.is_link for prop in schema_of(model))
        return FrozenKeeper(self if has_links else None)


class FrozenKeeper:
    """Behind a frozen object: follows links in its snapshot, and refuses to be set."""

    __slots__ = ("_reader",)

    def __init__(self, reader: Reader | None) -> None:
        self._reader = reader

    def follow(self, prop: Property, link: Link) -> RealmObject | None:
        """Return the target in the same version, or None when it dangles."""
        if self._reader is None:
            return None
        return self._reader.get(self._reader.schema.target(prop), link.key)

    def write(self, target: RealmObject, prop: Property, value: object) -> StoredValue:
        """Refuse."""
        raise IllegalStateError(
            f"{prop} cannot be set here: an object read outside a write is a snapshot; read it "
            "inside `async with realm.write()`"
        )


def _frozen(model: type[_T], row: tuple[Scalar, ...], keeper: FrozenKeeper) -> _T:
    stored: list[StoredValue] = list(row)
    return cast("_T", make_managed(model, stored, keeper))


class Results(Generic[_T]):
    """The objects of a query at the version of its making; never changes.

    They are read at first use, on the calling thread; `load` reads them on a worker thread, which
    is better for large results.
    """

    def __init__(
        self, model: type[_T], query: Query, reader: Reader, run_blocking: RunBlocking
    ) -> None:
        self._model = model
        self._query = query
        self._reader = reader
        self._run_blocking = run_blocking
        self._rows: list[tuple[Scalar, ...]] | None = None

    @property
    def query(self) -> Query:
        """The query, such as for a subscription."""
        return self._query

    @property
    def version(self) -> int:
        """The version of the realm that it shows."""
        return self._reader.snapshot.version

    def first(self) -> _T | None:
        """Return the first object in the query's order, or None.

        Raises:
            QueryError: The text is wrong.
        """
        rows = self._rows
        if rows is None:
            rows = self._read(self._query.limited_to(1))
        return self._reader.freeze(self._model, rows[0]) if rows else None

    def find(self, primary_key: object) -> _T | None:
        """Return the object of that key if it is among these, or None.

        Raises:
            TypeError: No property holds such a value.
        """
        key = to_argument(primary_key)
        found = self._reader.get(self._model, key)
        if found is None or self._query.text == MATCH_ALL:
            return found
        index = schema_of(self._model).primary_key.index
        return found if any(row[index] == key for row in self._loaded()) else None

    def explain(self) -> str:
        """Return how the query would be run now, for people to read; programs do not parse it.

        Raises:
            QueryError: The text is wrong.
        """
        query = self._query
        return self._reader.snapshot.explain(query.class_name, query.text, query.arguments)

    async def load(self) -> "Results[_T]":
        """Read the objects now, on a worker thread, and return self.

        Raises:
            QueryError: The text is wrong.
        """
        if self._rows is None:
            self._rows = await self._run_blocking(partial(self._read, self._query))
        return self

    def __len__(self) -> int:
        if self._rows is not None:
            return len(self._rows)
        query = self._query
        return self._reader.snapshot.count(query.class_name, query.text, query.arguments)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __getitem__(self, index: int) -> _T:
        return self._reader.freeze(self._model, self._loaded()[index])

    def __iter__(self) -> Iterator[_T]:
        return self._reader.freeze_all(self._model, self._loaded())

    def __repr__(self) -> str:
        return f"Results({self._query.class_name}, {self._query.text!r}, version={self.version})"

    def _loaded(self) -> list[tuple[Scalar, ...]]:
        if self._rows is None:
            self._rows = self._read(self._query)
        return self._rows

    def _read(self, query: Query) -> list[tuple[Scalar, ...]]:
        rows = self._reader.snapshot.query(query.class_name, query.text, query.arguments)
        return cast("list[tuple[Scalar, ...]]", rows)
