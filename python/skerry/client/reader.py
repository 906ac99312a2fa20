"""`Reader`: frozen objects of one snapshot.

A `Reader` holds one snapshot and is shared by everything read from it, links included: what one
`Results` shows never changes. The snapshot is let go when nothing refers to it any more.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn, TypeVar, cast

from skerry.errors import IllegalStateError
from skerry.geo import GeoPoint
from skerry.model import RealmObject, Schema
from skerry.model.base import ModelObject, schema_of_class
from skerry.model.keeper import PathSteps
from skerry.model.objects import link_to, make_managed, schema_of
from skerry.model.properties import Collection, Property, PropertyType, Stored
from skerry.query import Query
from skerry.types import Content, Link, Scalar

if TYPE_CHECKING:
    from skerry import _core

_T = TypeVar("_T", bound=RealmObject)


def linking_query(
    schema: Schema, target: RealmObject, attribute: str
) -> tuple[type[RealmObject], Query]:
    """Return the class and query of an attribute of backlinks."""
    model, prop = schema.linking(type(target), attribute)
    path = prop.stored_name
    text = {
        Collection.SINGLE: f"{path} == $0",
        Collection.LIST: f"ANY {path} == $0",
        Collection.SET: f"ANY {path} == $0",
        Collection.DICTIONARY: f"ANY {path}.@values == $0",
    }[prop.collection]
    return model, Query(schema_of(model).name, text, (link_to(target),))


class Reader:
    """Makes frozen objects from one snapshot.

    Args:
        schema: Of the realm.
        snapshot: Kept for as long as the reader is.
        linking: Makes the results of backlinks, from class, query and this reader.
    """

    def __init__(
        self,
        schema: Schema,
        snapshot: "_core.Snapshot",
        linking: "Callable[[type[RealmObject], Query, Reader], Sequence[RealmObject]]",
    ) -> None:
        self.schema = schema
        self.snapshot = snapshot
        self.version = snapshot.version
        self.linking = linking
        # None for classes whose objects need this reader: one kept here would keep it in a circle.
        self._keepers: dict[type[RealmObject], FrozenKeeper | None] = {}

    def get(self, model: type[_T], key: Scalar) -> _T | None:
        """Return the object of that key, or None."""
        row = self.snapshot.get(self.schema.name_of(model), key)
        return None if row is None else self.freeze(model, row)

    def freeze(self, model: type[_T], row: Sequence[Content]) -> _T:
        """Return a frozen object over a row."""
        return cast("_T", make_managed(model, cast("list[Stored]", list(row)), self.keeper(model)))

    def freeze_all(self, model: type[_T], rows: Iterable[Sequence[Content]]) -> Iterator[_T]:
        """Yield a frozen object over each row."""
        keeper = self.keeper(model)
        return (
            cast("_T", make_managed(model, cast("list[Stored]", list(row)), keeper)) for row in rows
        )

    def keeper(self, model: type[_T]) -> "FrozenKeeper":
        """Return what stands behind the objects of a class."""
        try:
            keeper = self._keepers[model]
        except KeyError:
            is_needed = _needs_snapshot(self.schema, model)
            keeper = self._keepers[model] = None if is_needed else FrozenKeeper(self.schema, None)
        return FrozenKeeper(self.schema, self) if keeper is None else keeper


def _needs_snapshot(schema: Schema, model: type[RealmObject]) -> bool:
    """Whether something is read through objects of the class: without, they let the snapshot go."""
    seen: set[type[ModelObject]] = set()
    pending: list[type[ModelObject]] = [model]
    while pending:
        one = pending.pop()
        if one in seen:
            continue
        seen.add(one)
        described = schema_of_class(one)
        if described.backlinks:
            return True
        for prop in described:
            if prop.kind is PropertyType.MIXED:
                return True
            if not prop.is_link or prop.python_type is GeoPoint:
                continue
            target = schema.target(prop)
            if issubclass(target, RealmObject):
                return True
            pending.append(target)
    return False


class FrozenKeeper:
    """Behind a frozen object: follows links in its snapshot, and refuses to be set."""

    __slots__ = ("reader", "schema")

    def __init__(self, schema: Schema, reader: Reader | None) -> None:
        self.schema = schema
        self.reader = reader

    def follow(self, link: Link) -> RealmObject | Link | None:
        """Return the target in the same version, or None when it dangles.

        A link in a mixed value to a class that the program does not know stays a `Link`.
        """
        if self.reader is None:
            return None
        if link.class_name not in self.schema:
            return link
        return self.reader.get(self.schema.model(link.class_name), link.key)

    def target(self, prop: Property) -> type[ModelObject]:
        """Return the class that a property refers to."""
        return self.schema.target(prop)

    def linking(self, target: RealmObject, attribute: str) -> Sequence[RealmObject]:
        """Return the objects that link to an object, in the same version."""
        if self.reader is None:
            return ()
        source, query = linking_query(self.schema, target, attribute)
        return self.reader.linking(source, query, self.reader)

    def edit(
        self,
        target: RealmObject,
        prop: Property,
        operation: str,
        path: PathSteps,
        *arguments: object,
    ) -> NoReturn:
        """Refuse."""
        self._refuse(str(prop))

    def lower(self, stored: Stored, prop: Property) -> NoReturn:
        """Refuse."""
        self._refuse(str(prop))

    def _refuse(self, what: str) -> NoReturn:
        raise IllegalStateError(
            f"{what} cannot be changed here: an object read outside a write is a snapshot; read it "
            "inside `async with realm.write()`, or get its live object with `txn.live(...)`"
        )
