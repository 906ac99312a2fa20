"""What a peer holds, and where two of them differ.

Equal is: decimals as numbers, sets whatever their order, everything else exactly, also by type (1
is not 1.0 and not true).
"""

import json
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from skerry.testing.conformance.classes import MIXED, Class, Classes, Collection, Property
from skerry.testing.conformance.extended_json import decode, encode, is_tagged
from skerry.testing.conformance.members import (
    FormatError,
    Members,
    as_items,
    as_members,
)
from skerry.types import Content, Float32, Scalar

State: TypeAlias = "dict[str, dict[Scalar, dict[str, Content]]]"
"""Class, key, property."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The first place where a state is not as expected; without a property, it is the object."""

    class_name: str
    key: Scalar
    property: str | None
    found: str
    expected: str

    def __str__(self) -> str:
        place = f"{self.class_name}[{_shown(self.key)}]"
        if self.property is not None:
            place += f".{self.property}"
        return f"{place}: found {self.found}, expected {self.expected}"


def read_state(members: Members, classes: Classes) -> State:
    """Return a recorded state.

    Raises:
        FormatError: It is none, or does not fit the classes.
    """
    state: State = {}
    for name in members.values:
        of_class = classes[name]
        objects = [as_members(f"final.{name}", item) for item in members.items(name)]
        state[name] = dict(_object(each, of_class, classes) for each in objects)
    return state


def state_of_rows(rows: Iterable[tuple[Class, Sequence[tuple[Content, ...]]]]) -> State:
    """Return the state of what the classes of a file hold."""
    state: State = {}
    for of_class, found in rows:
        names = [prop.name for prop in of_class.properties]
        objects = (dict(zip(names, row, strict=True)) for row in found)
        state[of_class.name] = {_key(each, of_class): each for each in objects}
    return state


def first_difference(found: State, expected: State, classes: Classes) -> Difference | None:
    """Return where `found` first differs, by class and key and in the order of properties."""
    for of_class in classes.top_level():
        name = of_class.name
        mine, theirs = found.get(name, {}), expected.get(name, {})
        for key in sorted({*mine, *theirs}, key=_rank):
            a, b = mine.get(key), theirs.get(key)
            if a is None or b is None:
                shown = ("nothing" if each is None else _shown(each) for each in (a, b))
                return Difference(name, key, None, *shown)
            for prop in of_class.properties:
                values = a.get(prop.name), b.get(prop.name)
                if _frozen(values[0], prop, classes) != _frozen(values[1], prop, classes):
                    return Difference(name, key, prop.name, *map(_shown, values))
    return None


def _object(
    members: Members, of_class: Class, classes: Classes
) -> tuple[Scalar, dict[str, Content]]:
    values = _fields(members, of_class, classes)
    return _key(values, of_class), values


def _fields(members: Members, of_class: Class, classes: Classes) -> dict[str, Content]:
    return {
        prop.name: _content(members.any(prop.name), prop, classes) for prop in of_class.properties
    }


def _content(value: object, prop: Property, classes: Classes) -> Content:
    match prop.collection:
        case Collection.SINGLE:
            return _element(value, prop, classes)
        case Collection.LIST | Collection.SET:
            return [_element(item, prop, classes) for item in as_items(prop.name, value)]
        case Collection.DICTIONARY:
            items = as_members(prop.name, value).values.items()
            return {name: _element(item, prop, classes) for name, item in items}


def _element(value: object, prop: Property, classes: Classes) -> Content:
    embedded = classes.embedded(prop)
    if embedded is not None and value is not None:
        return _fields(as_members(prop.name, value), embedded, classes)
    if prop.kind == MIXED and isinstance(value, list):
        return [_element(item, prop, classes) for item in value]
    if prop.kind == MIXED and isinstance(value, dict) and not is_tagged(value):
        return {name: _element(item, prop, classes) for name, item in value.items()}
    return decode(value, prop.kind)


def _key(values: dict[str, Content], of_class: Class) -> Scalar:
    key = values.get(of_class.primary_key or "")
    if isinstance(key, list | set | dict):
        raise FormatError(f"a key of {of_class.name} is no collection")
    return key


def _frozen(content: Content, prop: Property, classes: Classes) -> Hashable:
    """A form in which contents are equal when they are meant to be."""
    match prop.collection, content:
        # As they come: a set, or a list where Python would take two elements for one.
        case Collection.SET, list() | set():
            elements = Counter(_frozen_element(each, prop, classes) for each in content)
            return frozenset(elements.items())
        case Collection.LIST, list():
            return tuple(_frozen_element(each, prop, classes) for each in content)
        case Collection.DICTIONARY, dict():
            items = content.items()
            return frozenset((name, _frozen_element(each, prop, classes)) for name, each in items)
        case _:
            return _frozen_element(content, prop, classes)


def _frozen_element(content: Content, prop: Property, classes: Classes) -> Hashable:
    embedded = classes.embedded(prop)
    if embedded is not None and isinstance(content, dict):
        fields = ((each, content.get(each.name)) for each in embedded.properties)
        return tuple(_frozen(value, each, classes) for each, value in fields)
    match content:
        case list() | set():
            return ("list", *(_frozen_element(each, prop, classes) for each in content))
        case dict():
            items = content.items()
            frozen = ((name, _frozen_element(each, prop, classes)) for name, each in items)
            return ("dictionary", frozenset(frozen))
        case float():
            return ("float", repr(content))
        case Float32():
            # Read as a float, whatever it was written as.
            return ("float", repr(content.value))
        case _:
            return (type(content).__name__, content)


def _rank(key: Scalar) -> tuple[int, str]:
    return (key, "") if isinstance(key, int) else (0, _shown(key))


def _shown(content: Content) -> str:
    return json.dumps(encode(content), ensure_ascii=False)
