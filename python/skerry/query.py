"""A query before it meets a realm: class, text and arguments.

The text is Realm Query Language and is understood in Rust alone; nothing here reads it. A `Query`
is what subscriptions are made of, since they may be described before any realm is open.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from skerry.types import INT64_MAX, Scalar

MATCH_ALL: Final = "TRUEPREDICATE"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of one class, not yet checked.

    Args:
        class_name: Persisted class name.
        text: RQL, such as ``"complexity <= $0 SORT(name ASC)"``.
        arguments: Values of ``$0``, ``$1``, …
    """

    class_name: str
    text: str = MATCH_ALL
    arguments: tuple[Scalar, ...] = ()


# What stands between the parentheses of SORT and DISTINCT; a name ends at any of these.
_PATH: Final = re.compile(r"[^\s(){},'\"]+")
_DIRECTIONS: Final = {"asc": "ASC", "desc": "DESC"}


def sort_text(keys: Sequence[str | tuple[str, str]], *, descending: bool) -> str:
    """Return the query of all objects, sorted.

    Args:
        keys: Paths, with "asc" or "desc" where it shall not be as `descending` says.
        descending: The direction of those without one.

    Raises:
        ValueError: No key, an unknown direction, or what is no path.
    """
    if not keys:
        raise ValueError("sort needs a property")
    usual = "desc" if descending else "asc"
    pairs = [(key, usual) if isinstance(key, str) else key for key in keys]
    unknown = next((way for _, way in pairs if way not in _DIRECTIONS), None)
    if unknown is not None:
        raise ValueError(f"a direction is 'asc' or 'desc', not {unknown!r}")
    written = ", ".join(f"{_path(path)} {_DIRECTIONS[way]}" for path, way in pairs)
    return f"{MATCH_ALL} SORT({written})"


def distinct_text(paths: Sequence[str]) -> str:
    """Return the query of the first object of each combination of values.

    Raises:
        ValueError: No path, or what is none.
    """
    if not paths:
        raise ValueError("distinct needs a property")
    return f"{MATCH_ALL} DISTINCT({', '.join(map(_path, paths))})"


def limit_text(count: int) -> str:
    """Return the query of the first objects.

    Raises:
        ValueError: `count` is less than 1.
    """
    if count < 1:
        raise ValueError(f"a limit is 1 or more, not {count}")
    return f"{MATCH_ALL} LIMIT({min(count, INT64_MAX)})"


def _path(path: str) -> str:
    if _PATH.fullmatch(path) is None:
        raise ValueError(f"{path!r} is no property or path of properties")
    return path
