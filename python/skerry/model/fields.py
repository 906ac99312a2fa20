"""Field specifiers: `field` and `primary_key`, for defaults that are more than a constant.

They return a `Default` at run time and, to a type checker, the annotated type.
"""

from collections.abc import Callable
from typing import Any, TypeVar, overload

from skerry.model.properties import MISSING, Default

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
def field(*, default: _T) -> _T: ...
@overload
def field(*, default_factory: Callable[[], _T]) -> _T: ...
def field(
    *, default: object = MISSING, default_factory: Callable[[], object] | None = None
) -> object:
    """Give a property a default.

    Args:
        default: The constant; the same as ``name: type = constant``.
        default_factory: Called for each object that is made without a value.

    Raises:
        TypeError: Both or neither are given.
    """
    if default is MISSING and default_factory is None:
        raise TypeError("field() needs default or default_factory")
    return _specifier(default, default_factory, is_primary_key=False)


def _specifier(
    default: object, factory: Callable[[], object] | None, *, is_primary_key: bool
) -> Default:
    if default is not MISSING and factory is not None:
        raise TypeError("default and default_factory exclude each other")
    return Default(default, factory, is_primary_key)
