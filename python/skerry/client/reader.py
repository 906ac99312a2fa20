"""`Reader`: frozen objects of one snapshot.

A `Reader` holds one snapshot and is shared by everything read from it, links included: what one
`Results` shows never changes. The snapshot is let go when nothing refers to it any more.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, TypeVar, cast

from skerry.errors import IllegalStateError
from skerry.model import RealmObject, Schema
from skerry.model.objects import StoredValue, make_managed, schema_of
from skerry.model.properties import Property
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
        self.version = snapshot.version
        self._has_links: dict[type[RealmObject], bool] = {}

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
        # Only links need the snapshot again; without any, the objects do not keep it open. A keeper
        # of this reader is not kept here, for the two would keep each other.
        has_links = self._has_links.get(model)
        if has_links is None:
            has_links = any(prop.is_link for prop in schema_of(model))
            self._has_links[model] = has_links
        return FrozenKeeper(self) if has_links else _FOLLOWS_NOTHING


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


_FOLLOWS_NOTHING: Final = FrozenKeeper(None)


def _frozen(model: type[_T], row: tuple[Scalar, ...], keeper: FrozenKeeper) -> _T:
    stored: list[StoredValue] = list(row)
    return cast("_T", make_managed(model, stored, keeper))
