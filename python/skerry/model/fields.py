"""Field specifiers: `field`, `primary_key`, `ignored` and `backlinks`.

They are for what is more than a constant default. They return a `Default` at run time and, to a
type checker, the annotated type.
"""

from collections.abc import Callable
from typing import Any, Literal, TypeVar, overload

from skerry.model.properties import MISSING, Default, Index

_T = TypeVar("_T")


@overload
def primary_key(*, default: _T, name: str | None = None) -> _T: ...
@overload
def primary_key(*, default_factory: Callable[[], _T], name: str | None = None) -> _T: ...
@overload
def primary_key(*, name: str | None = None) -> Any: ...  # noqa: ANN401 - a required key takes its annotation's type
def primary_key(
    *,
    default: object = MISSING,
    default_factory: Callable[[], object] | None = None,
    name: str | None = None,
) -> object:
    """Mark the primary key of a model class; every class has exactly one.

    Args:
        default: Key of an object that is made without one.
        default_factory: Called to make such a key, as ``default_factory=ObjectId``.
        name: Persisted name; the attribute's by default.

    Raises:
        TypeError: Both defaults are given.
    """
    _check_one(default, default_factory)
    return Default(default, default_factory, is_primary_key=True, stored_name=name)


@overload
def field(
    *, default: _T, indexed: bool = False, full_text: bool = False, name: str | None = None
) -> _T: ...
@overload
def field(
    *,
    default_factory: Callable[[], _T],
    indexed: bool = False,
    full_text: bool = False,
    name: str | None = None,
) -> _T: ...
@overload
def field(*, indexed: bool = False, full_text: bool = False, name: str | None = None) -> Any: ...  # noqa: ANN401 - as above
def field(
    *,
    default: object = MISSING,
    default_factory: Callable[[], object] | None = None,
    indexed: bool = False,
    full_text: bool = False,
    name: str | None = None,
) -> object:
    """Give a property a default, an index, or another persisted name.

    Without a default its value is required. Indexes make queries faster and writes slower. They are
    made when a realm is opened with them, which takes time if there are many objects, and removed
    when one is opened without them; they are not synced.

    Args:
        default: The constant; the same as ``name: type = constant``. Collections are copied for
            each object.
        default_factory: Called for each object that is made without a value.
        indexed: Whether objects are looked up by the property, with ``==``, ``IN`` or a range.
            Possible for int, bool, str, datetime, Timestamp, ObjectId, uuid.UUID and RealmValue.
        full_text: Whether a str is searched for words, with ``TEXT``, which needs this. Then it
            cannot be `indexed`.
        name: Persisted name, in the file and on the server; the attribute's by default. Queries may
            use both.

    Raises:
        TypeError: Both defaults are given, or nothing at all.
    """
    wanted = {Index.GENERAL: indexed, Index.FULL_TEXT: full_text}
    indexes = tuple(index for index, is_wanted in wanted.items() if is_wanted)
    if default is MISSING and default_factory is None and not indexes and name is None:
        raise TypeError("field() needs default, default_factory, an index or a name")
    _check_one(default, default_factory)
    return Default(default, default_factory, indexes=indexes, stored_name=name)


@overload
def ignored(*, default: _T) -> _T: ...
@overload
def ignored(*, default_factory: Callable[[], _T]) -> _T: ...
def ignored(
    *, default: object = MISSING, default_factory: Callable[[], object] | None = None
) -> object:
    """Mark an attribute that is not stored. It may be set at any time, on this one Python object.

    Args:
        default: What it is at first, also on objects read from a realm.
        default_factory: Called for each object instead.

    Raises:
        TypeError: Both are given, or none.
    """
    _check_one(default, default_factory)
    if default is MISSING and default_factory is None:
        raise TypeError("ignored() needs default or default_factory, for objects that are read")
    return Default(default, default_factory, is_ignored=True)


def backlinks(links: str, *, init: Literal[False] = False) -> Any:  # noqa: ANN401 - takes its annotation's type
    """Mark an attribute that gives the objects whose property `links` links to this one.

    ``items: Backlinks["Item"] = backlinks("owner")``. Not stored; it follows the links.

    Args:
        links: The attribute of the linking class: a link, or a list, set or dictionary of links.
        init: Never given: the attribute is not set.
    """
    return Default(links=links)


def _check_one(default: object, factory: Callable[[], object] | None) -> None:
    if default is not MISSING and factory is not None:
        raise TypeError("default and default_factory exclude each other")
