"""Field specifiers: `field` and `primary_key`, for what is more than a constant default.

They return a `Default` at run time and, to a type checker, the annotated type.
"""

from collections.abc import Callable
from typing import Any, TypeVar, overload

from skerry.model.properties import MISSING, Default, Index

_T = TypeVar("_T")


@overload
def primary_key(*, default: _T) -> _T: ...
@overload
def primary_key(*, default_factory: Callable[[], _T]) -> _T: ...
@overload
def primary_key() -> Any: ...  # noqa: ANN401 - a required key takes its annotation's type
def primary_key(
    *, default: object = MISSING, default_factory: Callable[[], object] | None = None
) -> object:
    """Mark the primary key of a model class; every class has exactly one.

    Args:
        default: Key of an object that is made without one.
        default_factory: Called to make such a key, as ``default_factory=ObjectId``.

    Raises:
        TypeError: Both are given.
    """
    return _specifier(default, default_factory, is_primary_key=True)


@overload
def field(*, default: _T, indexed: bool = False, full_text: bool = False) -> _T: ...
@overload
def field(
    *, default_factory: Callable[[], _T], indexed: bool = False, full_text: bool = False
) -> _T: ...
@overload
def field(*, indexed: bool = False, full_text: bool = False) -> Any: ...  # noqa: ANN401 - as above
def field(
    *,
    default: object = MISSING,
    default_factory: Callable[[], object] | None = None,
    indexed: bool = False,
    full_text: bool = False,
) -> object:
    """Give a property a default, an index, or both. Without a default its value is required.

    Indexes make queries faster and writes slower. They are made when a realm is opened with them,
    which takes time if there are many objects, and removed when one is opened without them; they
    are not synced.

    Args:
        default: The constant; the same as ``name: type = constant``.
        default_factory: Called for each object that is made without a value.
        indexed: Whether objects are looked up by the property, with ``==``, ``IN`` or a range.
            Possible for int, bool, str, datetime, Timestamp, ObjectId and uuid.UUID.
        full_text: Whether a str is searched for words, with ``TEXT``, which needs this. Then it
            cannot be `indexed`.

    Raises:
        TypeError: Both defaults are given, or nothing at all.
    """
    indexes = {Index.GENERAL: indexed, Index.FULL_TEXT: full_text}
    wanted = tuple(index for index, is_wanted in indexes.items() if is_wanted)
    if default is MISSING and default_factory is None and not wanted:
        raise TypeError("field() needs default, default_factory or an index")
    return _specifier(default, default_factory, is_primary_key=False, indexes=wanted)


def _specifier(
    default: object,
    factory: Callable[[], object] | None,
    *,
    is_primary_key: bool,
    indexes: tuple[Index, ...] = (),
) -> Default:
    if default is not MISSING and factory is not None:
        raise TypeError("default and default_factory exclude each other")
    return Default(default, factory, is_primary_key, indexes)
