"""The classes of a program, and the form of them that a realm file takes."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from skerry.testing.conformance.members import FormatError, Members, as_members

LINK: Final = "object"
MIXED: Final = "mixed"
# Names of types that realm files give another name.
RENAMED: Final = {"decimal": "decimal128"}


class Collection(Enum):
    """What a property holds of its type."""

    SINGLE = "single"
    LIST = "list"
    SET = "set"
    DICTIONARY = "dictionary"


@dataclass(frozen=True, slots=True)
class Property:
    """A property.

    `target` is the class of links and embedded objects, `indexed` the kind of an index.
    """

    name: str
    kind: str
    nullable: bool
    collection: Collection
    target: str | None
    indexed: str | None = None


@dataclass(frozen=True, slots=True)
class Class:
    """A class, its properties in order; `primary_key` is None when its objects are embedded."""

    name: str
    primary_key: str | None
    properties: tuple[Property, ...]

    def property(self, name: str) -> Property | None:
        """Return the property of a name, or None."""
        return next((each for each in self.properties if each.name == name), None)


class Classes:
    """The schema of a program.

    Raises:
        FormatError: A link leaves it.
    """

    def __init__(self, classes: Sequence[Class]) -> None:
        self._by_name = {each.name: each for each in classes}
        for each in classes:
            for prop in each.properties:
                if (prop.kind == LINK) != (prop.target in self._by_name):
                    raise FormatError(f'schema: "{each.name}.{prop.name}" has no proper target')

    @classmethod
    def read(cls, items: Sequence[object]) -> "Classes":
        """Return the classes that a program describes.

        Raises:
            FormatError: It does not describe any.
        """
        return cls([_class(as_members("schema", item)) for item in items])

    def __getitem__(self, name: str) -> Class:
        if name not in self._by_name:
            raise FormatError(f'schema: there is no class "{name}"')
        return self._by_name[name]

    def __iter__(self) -> Iterator[Class]:
        return iter(self._by_name.values())

    def top_level(self) -> list[Class]:
        """Return the classes whose objects have keys."""
        return [each for each in self if each.primary_key is not None]

    def key_position(self, name: str) -> int:
        """Return where in the rows of a class the primary key stands.

        Raises:
            FormatError: There is no such class, or its objects have no keys.
        """
        of_class = self[name]
        for position, prop in enumerate(of_class.properties):
            if prop.name == of_class.primary_key:
                return position
        raise FormatError(f'schema: objects of class "{name}" have no keys')

    def embedded(self, prop: Property) -> Class | None:
        """Return the class of the embedded objects that a property holds, or None."""
        target = None if prop.target is None else self[prop.target]
        return target if target is not None and target.primary_key is None else None

    def at(self, class_name: str, path: Sequence[str | int]) -> Property:
        """Return the property at which a path ends, or inside of which.

        Raises:
            FormatError: There is no such property.
        """
        of_class: Class | None = self[class_name]
        prop: Property | None = None
        is_inside = True
        for element in path:
            if not is_inside:
                # A position, or the key of a dictionary; the property stays the same.
                is_inside = True
            elif of_class is not None:
                prop = of_class.property(str(element))
                if prop is None:
                    break
                of_class, is_inside = self.embedded(prop), prop.collection is Collection.SINGLE
        if prop is None:
            raise FormatError(f'schema: class "{class_name}" has nothing at {list(path)}')
        return prop

    def to_json(self) -> str:
        """Return the form that `RealmFile.open` takes."""
        return json.dumps([_class_entry(each) for each in self])


def _class(members: Members) -> Class:
    name = members.text("name")
    is_embedded = members.flag("embedded")
    return Class(
        name,
        None if is_embedded else members.text("primary_key"),
        tuple(
            _property(as_members(f"schema.{name}", item)) for item in members.items("properties")
        ),
    )


def _property(members: Members) -> Property:
    kind = members.text("type")
    word = members.optional_text("collection") or "single"
    try:
        collection = Collection(word)
    except ValueError:
        raise FormatError(f'{members.where}: "{word}" is no collection') from None
    if kind == MIXED:
        nullable = True
    elif kind == LINK:
        nullable = collection in (Collection.SINGLE, Collection.DICTIONARY)
    else:
        nullable = members.flag("nullable")
    return Property(
        members.text("name"),
        kind,
        nullable,
        collection,
        target=members.optional_text("target"),
        indexed=members.optional_text("indexed"),
    )


def _class_entry(of: Class) -> dict[str, object]:
    return {
        "name": of.name,
        "primary_key": of.primary_key,
        "embedded": of.primary_key is None,
        "properties": [_property_entry(prop) for prop in of.properties],
    }


def _property_entry(prop: Property) -> dict[str, object]:
    entry: dict[str, object] = {
        "name": prop.name,
        "type": RENAMED.get(prop.kind, prop.kind),
        "nullable": prop.nullable,
    }
    if prop.target is not None:
        entry["target"] = prop.target
    if prop.collection is not Collection.SINGLE:
        entry["collection"] = prop.collection.value
    if prop.indexed is not None:
        entry["indexed"] = prop.indexed
    return entry
