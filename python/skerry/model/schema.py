"""`Schema`: the model classes of one realm, with every link resolved.

Invariant: names are unique, and every link, embedded object and backlink refers to a class of the
same schema. Whether the file can take the schema is decided in Rust.
"""

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any, Final, cast

from skerry.errors import SchemaError
from skerry.geo import GeoPoint
from skerry.model.base import ClassSchema, ModelObject, schema_of_class
from skerry.model.objects import RealmObject, schema_of
from skerry.model.properties import Collection, Property, is_meant

SYNCED_PRIMARY_KEY = "_id"

_POINT_ENTRY: Final[dict[str, object]] = {
    "name": GeoPoint.__name__,
    "embedded": True,
    "properties": [
        {"name": "type", "type": "string", "nullable": False},
        {"name": "coordinates", "type": "double", "nullable": False, "collection": "list"},
    ],
}
"""The embedded class of properties that are annotated `GeoPoint`."""


class Schema:
    """The classes of a realm.

    Args:
        models: Model classes, in any order: those of objects, and the embedded classes that they
            use. Embedded classes may be left out where an annotation names the class itself.

    Raises:
        SchemaError: Two have the same persisted name, or a link leaves the schema.
    """

    __slots__ = ("_by_name", "_targets")

    def __init__(self, models: Iterable[type[ModelObject]]) -> None:
        self._by_name: dict[str, type[ModelObject]] = {}
        for model in models:
            self._add(model)
        self._targets = {
            (prop.class_name, prop.name): self._resolve(prop)
            for model in list(self._by_name.values())
            for prop in schema_of_class(model)
            if prop.is_link and prop.python_type is not GeoPoint
        }
        for model in self:
            for name in schema_of(model).backlinks:
                self.linking(model, name)

    def __iter__(self) -> Iterator[type[RealmObject]]:
        """Yield the classes of objects with a key."""
        for model in self._by_name.values():
            if issubclass(model, RealmObject):
                yield model

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def model(self, name: str) -> type[RealmObject]:
        """Return the class of that persisted name.

        Raises:
            SchemaError: The schema has none.
        """
        model = self._by_name.get(name)
        if model is None or not issubclass(model, RealmObject):
            raise SchemaError(
                f"the realm's schema has no class {name}{_close(name, self._by_name)}"
            )
        return model

    def name_of(self, model: type[RealmObject]) -> str:
        """Return the persisted name of a class of this schema.

        Raises:
            SchemaError: The class is not in it.
        """
        described = getattr(model, "_skerry_schema", None)
        # The usual case at once: this is on the way of every object that is looked up.
        if described is not None and self._by_name.get(described.name) is model:
            name: str = described.name
            return name
        raise SchemaError(f"{schema_of(model).name} is not in the realm's schema")

    def target(self, prop: Property) -> type[ModelObject]:
        """Return the class that a property of this schema links to or embeds."""
        return self._targets[prop.class_name, prop.name]

    def linking(
        self, model: type[RealmObject], attribute: str
    ) -> tuple[type[RealmObject], Property]:
        """Return the class whose objects an attribute of backlinks gives, and its linking property.

        Raises:
            SchemaError: There is no such class or property, or it links to another class.
        """
        described = schema_of(model)
        linking, name = described.backlinks[attribute]
        where = f"{described.name}.{attribute}"
        source = cast("type[RealmObject]", self._find(linking, where))
        if name not in schema_of(source):
            close = _close(name, [prop.name for prop in schema_of(source)])
            raise SchemaError(f"{where}: {source.__name__} has no property {name!r}{close}")
        prop = schema_of(source).property(name)
        if not prop.is_link or self._targets.get((prop.class_name, prop.name)) is not model:
            raise SchemaError(f"{where}: {prop} does not link to {model.__name__}")
        return source, prop

    def check_synced(self) -> None:
        """Refuse what the server could not store.

        Raises:
            SchemaError: A primary key is not stored as ``_id`` (server 9.1).
        """
        for model in self:
            key = schema_of(model).primary_key
            if key.stored_name != SYNCED_PRIMARY_KEY:
                raise SchemaError(
                    f"{key}: in a synced realm the primary key is named _id; keep the attribute's "
                    "name with primary_key(name='_id')"
                )

    def to_json(self) -> str:
        """Return the form that the binding takes; equal schemas give equal text."""
        entries = [_class_entry(self, self._by_name[name]) for name in sorted(self._by_name)]
        if self._has_points() and GeoPoint.__name__ not in self._by_name:
            entries.append(_POINT_ENTRY)
        return json.dumps(entries, separators=(",", ":"))

    def _has_points(self) -> bool:
        return any(
            prop.python_type is GeoPoint
            for model in self._by_name.values()
            for prop in schema_of_class(model)
        )

    def _add(self, model: type[ModelObject]) -> None:
        given: object = model
        if not isinstance(given, type) or not issubclass(given, ModelObject):
            raise SchemaError(f"{model!r} is not a subclass of RealmObject or EmbeddedObject")
        name = schema_of_class(model).name
        known = self._by_name.setdefault(name, model)
        if known is not model:
            raise SchemaError(f"two classes of the schema are named {name}")
        for prop in schema_of_class(model):
            target = prop.target
            is_embedded = isinstance(target, type) and not issubclass(target, RealmObject)
            # An embedded class belongs to those that use it.
            if is_embedded and not any(is_meant(target, one) for one in self._by_name.values()):
                self._add(cast("type[ModelObject]", target))

    def _resolve(self, prop: Property) -> type[ModelObject]:
        assert prop.target is not None
        target = self._find(prop.target, str(prop))
        is_embedded = not issubclass(target, RealmObject)
        if is_embedded and prop.collection is Collection.SET:
            raise SchemaError(f"{prop}: a set holds no embedded objects; use a list")
        return target

    def _find(self, target: "type | str", where: str) -> type[ModelObject]:
        for model in self._by_name.values():
            if is_meant(target, model):
                return model
        shown = target if isinstance(target, str) else target.__name__
        close = _close(shown, [model.__name__ for model in self._by_name.values()])
        raise SchemaError(f"{where} refers to {shown}, which is not in the schema{close}")


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _class_entry(schema: Schema, model: type[ModelObject]) -> dict[str, object]:
    described: ClassSchema = schema_of_class(model)
    entry: dict[str, object] = {
        "name": described.name,
        "properties": [_property_entry(schema, prop) for prop in described],
    }
    if model.__name__ != described.name:
        entry["alias"] = model.__name__
    if described.key is None:
        entry["embedded"] = True
    else:
        entry["primary_key"] = described.key.stored_name
    return entry


def _property_entry(schema: Schema, prop: Property) -> dict[str, object]:
    entry: dict[str, Any] = {
        "name": prop.stored_name,
        "type": prop.kind.value,
        "nullable": prop.nullable,
    }
    if prop.name != prop.stored_name:
        entry["alias"] = prop.name
    if prop.collection is not Collection.SINGLE:
        entry["collection"] = prop.collection.value
    if prop.python_type is GeoPoint:
        entry["target"] = GeoPoint.__name__
    elif prop.is_link:
        entry["target"] = schema_of_class(schema.target(prop)).name
    if prop.indexed is not None:
        entry["indexed"] = prop.indexed.value
    return entry
