"""Reading annotations: from ``name: str | None`` to a property type, or to a reason why not.

Annotations may be strings (postponed evaluation), and may name classes that do not exist yet; such
names become `Forward` and are resolved when a schema is made of all classes. Nothing here knows
about storage.
"""

import builtins
import difflib
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from skerry.errors import SchemaError
from skerry.geo import GeoPoint
from skerry.model.backlinks import Backlinks
from skerry.model.counter import Counter
from skerry.model.mixed import RealmValue
from skerry.model.properties import SCALAR_TYPES, Collection, PropertyType
from skerry.types import Float32

_COLLECTIONS: typing.Final[dict[object, Collection]] = {
    list: Collection.LIST,
    set: Collection.SET,
    dict: Collection.DICTIONARY,
}

_MIXED: typing.Final = (RealmValue, typing.Any, object)

_SUGGESTIONS: typing.Final[dict[object, str]] = {
    frozenset: "set[...]",
    tuple: "list[...]",
    typing.Sequence: "list[...]",
    complex: "an embedded object with two floats",
    bytearray: "bytes",
}


@dataclass(frozen=True, slots=True)
class Forward:
    """The name of a class that is not defined yet."""

    name: str

    def __or__(self, other: object) -> object:
        return typing.Union[self, other]  # noqa: UP007 - it is this operator that is defined here

    def __ror__(self, other: object) -> object:
        return typing.Union[other, self]  # noqa: UP007 - as above

    def __call__(self) -> None:
        """Never called; `typing` takes only callables for types."""
        raise TypeError(f"{self.name} is not defined yet")


@dataclass(frozen=True, slots=True)
class Annotated:
    """What one annotation says.

    Attributes:
        kind: Stored type, of the value or of the elements.
        collection: Whether it is one, and which.
        nullable: Whether it allowed None, for the value or the elements.
        python_type: The type without None; None for a forward link.
        target: For links and embedded objects, the class or its name.
    """

    kind: PropertyType
    collection: Collection
    nullable: bool
    python_type: type | None
    target: type | str | None


class _Names(Mapping[str, object]):
    """The names an annotation may use: the module's, the built-in ones, and any other, forward."""

    def __init__(self, module: str, own_name: str) -> None:
        found = sys.modules.get(module)
        self._names: dict[str, object] = {**vars(builtins), **(vars(found) if found else {})}
        # A module-level name of the same text would be an older class, as on a reload.
        self._names[own_name] = Forward(own_name)

    def __getitem__(self, name: str) -> object:
        return self._names.get(name, Forward(name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def is_class_variable(annotation: object) -> bool:
    """Whether the annotation marks an attribute of the class, which is never stored."""
    if isinstance(annotation, str):
        return annotation.removeprefix("typing.").startswith("ClassVar")
    return annotation is typing.ClassVar or typing.get_origin(annotation) is typing.ClassVar


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the annotations of one class.

    Attributes:
        module: The module of the class.
        class_name: Its Python name.
    """

    module: str
    class_name: str

    def read(self, annotation: object, name: str) -> Annotated:
        """Return what `annotation` of the attribute `name` says.

        Raises:
            SchemaError: It cannot be understood, or is not storable; names class and property.
        """
        where = f"{self.class_name}.{name}"
        outer, is_optional = self._single(annotation, where)
        collection = _COLLECTIONS.get(typing.get_origin(outer) or outer)
        if collection is None:
            kind, target, python_type = self._classify(outer, where)
            nullable = is_optional or kind is PropertyType.MIXED
            if kind is PropertyType.OBJECT and not nullable:
                raise SchemaError(
                    f"{where}: a link or embedded object may always be empty, so it "
                    f"is annotated '{_shown(outer)} | None'"
                )
            return Annotated(kind, Collection.SINGLE, nullable, python_type, target)
        if is_optional:
            raise SchemaError(
                f"{where}: a {collection.value} is never None, only empty; leave '| None' out"
            )
        return self._collection(collection, typing.get_args(outer), where)

    def backlinks(self, annotation: object, name: str) -> type | str:
        """Return the linking class, or its name, of an attribute that gives backlinks.

        Raises:
            SchemaError: It is not annotated ``Backlinks[...]``.
        """
        where = f"{self.class_name}.{name}"
        resolved = self._evaluate(annotation, where)
        arguments = typing.get_args(resolved)
        if typing.get_origin(resolved) is Backlinks and len(arguments) == 1:
            target = self._evaluate(arguments[0], where)
            if isinstance(target, Forward):
                return target.name
            if isinstance(target, type) and hasattr(target, "_skerry_is_top_level"):
                return target
        raise SchemaError(f"{where}: backlinks() is annotated Backlinks[TheLinkingClass]")

    def _collection(
        self, collection: Collection, arguments: tuple[object, ...], where: str
    ) -> Annotated:
        expected = 2 if collection is Collection.DICTIONARY else 1
        if len(arguments) != expected:
            form = {Collection.DICTIONARY: "dict[str, int]"}.get(collection, "list[int], set[int]")
            raise SchemaError(f"{where}: say what it holds, as in {form}")
        if collection is Collection.DICTIONARY and self._evaluate(arguments[0], where) is not str:
            raise SchemaError(f"{where}: the keys of a dictionary are str")
        element, nullable = self._single(arguments[-1], where)
        kind, target, python_type = self._classify(element, where)
        if python_type is Counter:
            raise SchemaError(f"{where}: only a property by itself is a Counter; use int here")
        if kind is PropertyType.OBJECT:
            is_dictionary = collection is Collection.DICTIONARY
            if nullable != is_dictionary:
                form = (
                    f"dict[str, {_shown(element)} | None]"
                    if is_dictionary
                    else (f"{collection.value}[{_shown(element)}]")
                )
                raise SchemaError(f"{where}: links and embedded objects are annotated {form}")
            if collection is Collection.SET and _is_embedded(target, python_type):
                raise SchemaError(f"{where}: a set holds no embedded objects; use a list")
        nullable = nullable or kind is PropertyType.MIXED
        return Annotated(kind, collection, nullable, python_type, target)

    def _evaluate(self, annotation: object, where: str) -> object:
        text: object = annotation
        if isinstance(annotation, typing.ForwardRef):
            text = annotation.__forward_arg__
        if not isinstance(text, str):
            return text
        try:
            # The same evaluation that the interpreter would have done; the text is program source.
            return eval(text, {}, _Names(self.module, self.class_name))
        except Exception as error:
            raise SchemaError(
                f"{where}: the annotation {text!r} cannot be read: {error}"
            ) from error

    def _single(self, annotation: object, where: str) -> tuple[object, bool]:
        """Return the one type of an annotation besides None, and whether None was there."""
        resolved = self._evaluate(annotation, where)
        members = list(self._members(resolved, where))
        kinds = [member for member in members if member is not type(None)]
        if len(kinds) == 1:
            return kinds[0], len(members) > 1
        if members:
            raise SchemaError(
                f"{where}: {annotation} is several types; a property with values of any type is "
                "annotated RealmValue"
            )
        raise SchemaError(f"{where}: {annotation!r} is no type")

    def _members(self, resolved: object, where: str) -> Iterator[object]:
        if typing.get_origin(resolved) not in (typing.Union, types.UnionType):
            yield type(None) if resolved is None else resolved
            return
        for part in typing.get_args(resolved):
            yield from self._members(self._evaluate(part, where), where)

    def _classify(
        self, kind: object, where: str
    ) -> tuple[PropertyType, type | str | None, type | None]:
        """Return stored type, target and Python type of a value."""
        kind = self._evaluate(kind, where)
        if typing.get_origin(kind) is typing.Annotated:
            base, *extras = typing.get_args(kind)
            if base is float and Float32 in extras:
                return PropertyType.FLOAT, None, float
            kind = base
        if any(kind is mixed for mixed in _MIXED):
            return PropertyType.MIXED, None, None
        if isinstance(kind, Forward):
            return PropertyType.OBJECT, kind.name, None
        if kind is GeoPoint:
            return PropertyType.OBJECT, GeoPoint.__name__, GeoPoint
        if isinstance(kind, type):
            if kind is Float32:
                raise SchemaError(f"{where}: a 32-bit float is annotated Annotated[float, Float32]")
            if kind in SCALAR_TYPES:
                return SCALAR_TYPES[kind], None, kind
            if issubclass(kind, Enum):
                return _of_enum(kind, where), None, kind
            if hasattr(kind, "_skerry_schema"):
                return PropertyType.OBJECT, kind, kind
        raise SchemaError(f"{where}: {_shown(kind)} is not a property type{_suggest(kind)}")


def _is_embedded(target: type | str | None, python_type: type | None) -> bool:
    return python_type is GeoPoint or hasattr(target, "_skerry_takes_dict")


def _of_enum(kind: type[Enum], where: str) -> PropertyType:
    types_of = {type(member.value) for member in kind}
    if types_of == {int}:
        return PropertyType.INT
    if types_of == {str}:
        return PropertyType.STRING
    raise SchemaError(f"{where}: the members of {kind.__name__} are not all int or all str")


def _shown(kind: object) -> str:
    if isinstance(kind, Forward):
        return kind.name
    bare = typing.get_origin(kind) or kind
    return bare.__name__ if isinstance(bare, type) else str(kind)


def _suggest(kind: object) -> str:
    bare = typing.get_origin(kind) or kind
    for refused, instead in _SUGGESTIONS.items():
        if bare is refused or bare is typing.get_origin(refused):
            return f"; use {instead}"
    names = [one.__name__ for one in SCALAR_TYPES] + ["list", "set", "dict", "RealmValue"]
    close = difflib.get_close_matches(_shown(kind), names, n=1)
    if close and close[0] != _shown(kind):
        return f"; did you mean {close[0]}?"
    if bare in _COLLECTIONS:
        return "; collections are not nested, save inside a RealmValue"
    return "; derive it from RealmObject or EmbeddedObject, or mark the attribute ignored(...)"
