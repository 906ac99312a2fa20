"""The operations of a program, and what they call of a write transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from skerry._core import WriteTransaction
from skerry.testing.conformance.classes import Classes
from skerry.testing.conformance.extended_json import decode
from skerry.testing.conformance.members import FormatError, Members, wrong
from skerry.types import Link, Scalar

# What each kind has besides class, key and path.
KINDS: Final[dict[str, tuple[str, ...]]] = {
    "create": (),
    "delete": (),
    "set": ("value",),
    "set_link": ("target",),
    "add_int": ("amount",),
    "list_insert": ("index", "value"),
    "list_insert_embedded": ("index",),
    "list_insert_collection": ("index", "kind"),
    "list_set": ("index", "value"),
    "list_erase": ("index",),
    "list_move": ("from", "to"),
    "clear": (),
    "set_insert": ("value",),
    "set_erase": ("value",),
    "dict_set": ("key", "value"),
    "dict_erase": ("key",),
    "set_embedded": (),
    "set_collection": ("kind",),
}


class NothingToDeleteError(Exception):
    """A program deletes an object that its client does not have."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One edit of one object. Of the rest, a kind has what `KINDS` says."""

    kind: str
    class_name: str
    key: Scalar
    path: tuple[str | int, ...] = ()
    value: Scalar = None
    values: tuple[tuple[str, Scalar], ...] = ()
    is_default: bool = False
    amount: int = 0
    index: int = 0
    to: int = 0
    name: str = ""
    collection: str = ""

    @property
    def place(self) -> str | tuple[str | int, ...]:
        """The path as the binding takes it: a property alone is its name."""
        first = self.path[0]
        return first if len(self.path) == 1 and isinstance(first, str) else self.path


def read_operation(members: Members, classes: Classes) -> Operation:
    """Return an operation of a program.

    Raises:
        FormatError: It is none, or does not fit the classes.
    """
    kind, class_name = members.text("op"), members.text("table")
    if kind not in KINDS:
        raise FormatError(f'{members.where}: there is no operation "{kind}"')
    classes[class_name]
    key = decode(members.any("pk"), "")
    is_default = members.flag("is_default")
    if kind == "create":
        values = _values(members, class_name, classes)
        return Operation(kind, class_name, key, values=values, is_default=is_default)
    if kind == "delete":
        return Operation(kind, class_name, key)
    path = _path(members)
    has = KINDS[kind]
    index = "from" if "from" in has else "index"
    return Operation(
        kind,
        class_name,
        key,
        path,
        value=_value(members, kind, class_name, path, classes=classes),
        is_default=is_default,
        amount=members.integer("value") if "amount" in has else 0,
        index=members.integer(index) if index in has else 0,
        to=members.integer("to") if "to" in has else 0,
        name=members.text("key") if "key" in has else "",
        collection=members.text("kind") if "kind" in has else "",
    )


def _path(members: Members) -> tuple[str | int, ...]:
    path: list[str | int] = []
    for element in members.items("path"):
        if not isinstance(element, str | int) or isinstance(element, bool):
            raise wrong(f"{members.where}.path", "a name or a position", element)
        path.append(element)
    return tuple(path)


def _values(members: Members, class_name: str, classes: Classes) -> tuple[tuple[str, Scalar], ...]:
    if "values" not in members:
        return ()
    given = members.members("values").values.items()
    return tuple(
        (name, decode(value, classes.at(class_name, [name]).kind)) for name, value in given
    )


def _value(
    members: Members, kind: str, class_name: str, path: Sequence[str | int], *, classes: Classes
) -> Scalar:
    prop = classes.at(class_name, path)
    if kind == "set_link":
        key = decode(members.any("target"), "")
        if prop.target is None:
            raise FormatError(f"{members.where}: no link can be at {list(path)}")
        return None if key is None else Link(prop.target, key)
    return decode(members.any("value"), prop.kind) if "value" in KINDS[kind] else None


def perform(operation: Operation, on: WriteTransaction) -> None:
    """Do what the operation says.

    Raises:
        NothingToDeleteError: It deletes what is not there.
        SkerryError: As the calls of the transaction.
    """
    op = operation
    if op.kind == "create":
        values, defaults = ((), op.values) if op.is_default else (op.values, ())
        on.create(op.class_name, op.key, values, defaults, "error")
    elif op.kind == "delete":
        if not on.delete(op.class_name, op.key):
            raise NothingToDeleteError("the object is not there")
    elif op.kind.startswith("list_"):
        _edit_list(op, on)
    else:
        _edit(op, on)


def _edit_list(op: Operation, on: WriteTransaction) -> None:
    place = (op.class_name, op.key, op.place)
    match op.kind:
        case "list_insert":
            on.list_insert(*place, op.index, op.value)
        case "list_insert_embedded":
            on.list_insert_embedded(*place, op.index)
        case "list_insert_collection":
            on.list_insert_collection(*place, op.index, op.collection)
        case "list_set":
            on.list_set(*place, op.index, op.value)
        case "list_move":
            on.list_move(*place, op.index, op.to)
        case _:
            on.list_erase(*place, op.index)


def _edit(op: Operation, on: WriteTransaction) -> None:
    place = (op.class_name, op.key, op.place)
    match op.kind:
        case "set" | "set_link":
            on.set(*place, op.value, is_default=op.is_default)
        case "add_int":
            on.add_integer(*place, op.amount)
        case "clear":
            on.clear(*place)
        case "set_insert":
            on.set_insert(*place, op.value)
        case "set_erase":
            on.set_erase(*place, op.value)
        case "dict_set":
            on.dictionary_set(*place, op.name, op.value)
        case "dict_erase":
            on.dictionary_erase(*place, op.name)
        case "set_embedded":
            on.set_embedded(*place)
        case _:
            on.set_collection(*place, op.collection)
