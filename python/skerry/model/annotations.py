"""Reading annotations: from ``name: str | None`` to a property type, or to a reason why not.

Annotations may be strings (postponed evaluation), and may name classes that do not exist yet; such
names become `Forward` and are resolved when a schema is made of all classes. Nothing here knows
about storage.
"""

import builtins
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from skerry.errors import SchemaError
from skerry.model.properties import SCALAR_TYPES, PropertyType

_NOT_YET: typing.Final[dict[object, str]] = {
    list: "lists",
    set: "sets",
    frozenset: "sets",
    dict: "dictionaries",
    tuple: "tuples",
    object: "mixed values",
    typing.Any: "mixed values",
}

UNSUPPORTED_SINCE: typing.Final = "not supported yet in Skerry 0.1"


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
        kind: Stored type.
        nullable: Whether it allowed None.
        python_type: The type without None; None for a forward link.
        target: For links, the class or its name.
    """

    kind: PropertyType
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


def read_annotation(
    annotation: object, *, module: str, class_name: str, name: str, model_base: type
) -> Annotated:
    """Return what `annotation` of the attribute `name` says.

    Raises:
        SchemaError: It cannot be understood, or is not (yet) storable; names class and property.
    """
    where = f"{class_name}.{name}"
    resolved = _evaluate(annotation, module, class_name, where)
    members = _union_members(resolved, module, class_name, where)
    nullable = type(None) in members
    kinds = [member for member in members if member is not type(None)]
    if len(kinds) != 1:
        raise SchemaError(f"{where}: mixed values ({annotation}) are {UNSUPPORTED_SINCE}")
    return _classify(kinds[0], nullable=nullable, where=where, model_base=model_base)


def _evaluate(annotation: object, module: str, class_name: str, where: str) -> object:
    text = annotation.__forward_arg__ if isinstance(annotation, typing.ForwardRef) else annotation
    if not isinstance(text, str):
        return text
    try:
        # The same evaluation that the interpreter would have done; the text is program source.
        return eval(text, {}, _Names(module, class_name))
    except Exception as error:
        raise SchemaError(f"{where}: the annotation {text!r} cannot be read: {error}") from error


def _union_members(resolved: object, module: str, class_name: str, where: str) -> list[object]:
    if typing.get_origin(resolved) not in (typing.Union, types.UnionType):
        return [type(None) if resolved is None else resolved]
    return [
        member
        for part in typing.get_args(resolved)
        for member in _union_members(
            _evaluate(part, module, class_name, where), module, class_name, where
        )
    ]


def _classify(kind: object, *, nullable: bool, where: str, model_base: type) -> Annotated:
    bare = typing.get_origin(kind) or kind
    for refused, plural in _NOT_YET.items():
        if bare is refused:
            raise SchemaError(f"{where}: {plural} are {UNSUPPORTED_SINCE}")
    if isinstance(kind, Forward):
        return _link(kind.name, None, nullable=nullable, where=where)
    if not isinstance(kind, type):
        raise SchemaError(f"{where}: {kind!r} is not a property type")
    if kind in SCALAR_TYPES:
        return Annotated(SCALAR_TYPES[kind], nullable, kind, None)
    if issubclass(kind, model_base):
        return _link(kind, kind, nullable=nullable, where=where)
    raise SchemaError(
        f"{where}: {kind.__name__} is not a property type; embedded objects are {UNSUPPORTED_SINCE}"
    )


def _link(target: type | str, python_type: type | None, *, nullable: bool, where: str) -> Annotated:
    if not nullable:
        shown = target if isinstance(target, str) else target.__name__
        raise SchemaError(
            f"{where}: a link may always be empty, so it is annotated '{shown} | None'"
        )
    return Annotated(PropertyType.OBJECT, nullable=True, python_type=python_type, target=target)
