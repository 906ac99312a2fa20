"""`Reader`: frozen objects of one snapshot.

A `Reader` holds one snapshot and is shared by everything read from it, links included: what one
`Results` shows never changes. The snapshot is let go when nothing refers to it any more.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar, cast

from skerry.client.changes import ChangeHost, KeyPaths, ObjectChanges, object_changes
from skerry.client.collection_changes import CollectionChanges, collection_changes
from skerry.errors import IllegalStateError
from skerry.geo import GeoPoint
from skerry.model import RealmObject, Schema
from skerry.model.base import ModelObject, schema_of_class
from skerry.model.keeper import PathSteps
from skerry.model.objects import key_of, link_to, make_managed, part_at, schema_of
from skerry.model.properties import Collection, Property, PropertyType, Stored
from skerry.query import MATCH_ALL, Query
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
        host: The realm, which makes results and is observed.
    """

    def __init__(self, schema: Schema, snapshot: "_core.Snapshot", host: ChangeHost) -> None:
        self.schema = schema
        self.snapshot = snapshot
        self.version = snapshot.version
        self.host = host
        # None for classes whose objects need this reader: one kept here would keep it in a circle.
        self._keepers: dict[type[RealmObject], FrozenKeeper | None] = {}
        # All objects of a class, by its name: checking the same query again takes longer than
        # finding one of them.
        self._whole: dict[str, _core.Matches] = {}

    def matches(self, query: Query) -> "_core.Matches":
        """Return the matches of a query; those of whole classes are the same ones each time.

        Raises:
            QueryError: The text is wrong, at `position`.
        """
        if query.text != MATCH_ALL or query.arguments:
            return self.snapshot.matches(query.class_name, query.text, query.arguments)
        matches = self._whole.get(query.class_name)
        if matches is None:
            matches = self.snapshot.matches(query.class_name, MATCH_ALL, ())
            self._whole[query.class_name] = matches
        return matches

    def get(self, model: type[_T], key: Scalar) -> _T | None:
        """Return the object of that key, or None."""
        row = self.snapshot.get(self.schema.name_of(model), key)
        return None if row is None else self.freeze(model, row)

    def freeze(self, model: type[_T], row: Sequence[Content]) -> _T:
        """Return a frozen object over a row."""
        # Without a call that only types need: this is on the way of every object.
        keeper = self._keepers.get(model) or self.keeper(model)
        made: Any = make_managed(model, [*row], keeper)
        frozen: _T = made
        return frozen

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
            keeper = None if is_needed else FrozenKeeper(self.schema, None, self.host)
            self._keepers[model] = keeper
        return FrozenKeeper(self.schema, self, self.host) if keeper is None else keeper


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

    __slots__ = ("host", "reader", "schema")

    def __init__(
        self, schema: Schema, reader: Reader | None, host: ChangeHost | None = None
    ) -> None:
        self.schema = schema
        self.reader = reader
        self.host = host

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
        return self.reader.host.results_at(source, query, self.reader)

    def observe(self, target: _T, key_paths: KeyPaths) -> ObjectChanges[_T]:
        """Return the changes of the object from the newest version on."""
        return object_changes(self._host(target), target, key_paths)

    def observe_collection(
        self, target: RealmObject, path: PathSteps, key_paths: KeyPaths
    ) -> CollectionChanges[Any]:
        """Return the changes of a collection in the object, likewise."""
        model, key = type(target), key_of(target)

        def load(reader: Reader) -> object:
            found = reader.get(model, key)
            return None if found is None else part_at(found, path)

        name = schema_of(model).name
        return collection_changes(
            self._host(target), name, key, path, load=load, key_paths=key_paths
        )

    def _host(self, target: RealmObject) -> ChangeHost:
        if self.host is None:
            raise IllegalStateError(
                f"this {type(target).__name__} is of a write that is over; use realm.changes_of()"
            )
        return self.host

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
