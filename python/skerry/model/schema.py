"""`Schema`: the model classes of one realm, with every link resolved.

Invariant: names are unique and every link points at a class of the same schema. Whether the file
can take the schema is decided in Rust.
"""

import json
from collections.abc import Iterable, Iterator

from skerry.errors import SchemaError
from skerry.model.objects import RealmObject, schema_of
from skerry.model.properties import Property

SYNCED_PRIMARY_KEY = "_id"


class Schema:
    """The classes of a realm.

    Args:
        models: Model classes, in any order.

    Raises:
        SchemaError: Two have the same persisted name, or a link leaves the schema.
    """

    __slots__ = ("_by_name", "_targets")

    def __init__(self, models: Iterable[type[RealmObject]]) -> None:
        self._by_name: dict[str, type[RealmObject]] = {}
        for model in models:
            name = schema_of(model).name
            if self._by_name.setdefault(name, model) is not model:
                raise SchemaError(f"two classes of the schema are named {name}")
        self._targets = {
            (prop.class_name, prop.name): self._resolve(prop)
            for model in self
            for prop in schema_of(model)
            if prop.is_link
        }

    def __iter__(self) -> Iterator[type[RealmObject]]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def model(self, name: str) -> type[RealmObject]:
        """Return the class of that persisted name.

        Raises:
            SchemaError: The schema has none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise SchemaError(f"the realm's schema has no class {name}") from None

    def name_of(self, model: type[RealmObject]) -> str:
        """Return the persisted name of a class of this schema.

        Raises:
            SchemaError: The class is not in it.
        """
        name = schema_of(model).name
        if self._by_name.get(name) is not model:
            raise SchemaError(f"{model.__name__} is not in the realm's schema")
        return name

    def target(self, prop: Property) -> type[RealmObject]:
        """Return the class that a link property of this schema points at."""
        return self._targets[prop.class_name, prop.name]

    def check_synced(self) -> None:
        """Refuse what the server could not store.

        Raises:
            SchemaError: A primary key is not named ``_id`` (server 9.1).
        """
        for model in self:
            key = schema_of(model).primary_key
            if key.name != SYNCED_PRIMARY_KEY:
                raise SchemaError(f"{key}: in a synced realm the primary key is named _id")

    def to_json(self) -> str:
        """Return the form that the binding takes; equal schemas give equal text."""
        return json.dumps(
            [_class_entry(self, self._by_name[name]) for name in sorted(self._by_name)],
            separators=(",", ":"),
        )

    def _resolve(self, prop: Property) -> type[RealmObject]:
        target = prop.target
        for model in self:
            if target is model or (isinstance(target, str) and model.__name__ == target):
                return model
        shown = target if isinstance(target, str) else getattr(target, "__name__", "")
        raise SchemaError(f"{prop} links to {shown}, which is not in the schema")


def _class_entry(schema: Schema, model: type[RealmObject]) -> dict[str, object]:
    described = schema_of(model)
    return {
        "name": described.name,
        "primary_key": described.primary_key.name,
        "properties": [_property_entry(schema, prop) for prop in described],
    }


def _property_entry(schema: Schema, prop: Property) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": prop.name,
        "type": prop.kind.value,
        "nullable": prop.nullable,
    }
    if prop.is_link:
        entry["target"] = schema_of(schema.target(prop)).name
    if prop.indexed is not None:
        entry["indexed"] = prop.indexed.value
    return entry
