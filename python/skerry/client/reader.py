"""`Reader`: frozen objects of one snapshot.

A `Reader` holds one snapshot and is shared by everything read from it, links included: what one
`Results` shows never changes. The snapshot is let go when nothing refers to it any more.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar, cast

from skerry.client.changes import ChangeHost, KeyPaths, ObjectChanges, object_changes
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
        host: The realm, for who wants to observe what is read.
    """

    def __init__(self, schema: Schema, snapshot: "_core.Snapshot", host: ChangeHost) -> None:
        self.schema = schema
        self.snapshot = snapshot
        self.host = host

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
        return FrozenKeeper(self if has_links else None, self.host)


class FrozenKeeper:
    """Behind a frozen object: follows links in its snapshot, and refuses to be set."""

    __slots__ = ("_host", "_reader")

    def __init__(self, reader: Reader | None, host: ChangeHost | None = None) -> None:
        self._reader = reader
        self._host = host

    def follow(self, prop: Property, link: Link) -> RealmObject | None:
        """Return the target in the same version, or None when it dangles."""
        if self._reader is None:
            return None
        return self._reader.get(self._reader.schema.target(prop), link.key)

    def observe(self, target: _T, key_paths: KeyPaths) -> ObjectChanges[_T]:
        """Return the changes of the object from the newest version on."""
        if self._host is None:
            raise IllegalStateError(
                f"this {type(target).__name__} is of a write that is over; use realm.changes_of()"
            )
        return object_changes(self._host, target, key_paths)

    def write(self, target: RealmObject, prop: Property, value: object) -> StoredValue:
        """Refuse."""
        raise IllegalStateError(
            f"{prop} cannot be set here: an object read outside a write is a snapshot; read it "
            "inside `async with realm.write()`"
        )


def _frozen(model: type[_T], row: tuple[Scalar, ...], keeper: FrozenKeeper) -> _T:
    stored: list[StoredValue] = list(row)
    return cast("_T", make_managed(model, stored, keeper))
