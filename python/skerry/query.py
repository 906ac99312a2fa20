"""A query before it meets a realm: class, text and arguments.

The text is Realm Query Language and is understood in Rust alone; nothing here reads it. A `Query`
is what subscriptions are made of, since they may be described before any realm is open.
"""

from dataclasses import dataclass
from typing import Final

from skerry.types import Scalar

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

    def limited_to(self, count: int) -> "Query":
        """Return the same query giving at most `count` objects, the first in its order."""
        return Query(self.class_name, f"{self.text} LIMIT({count})", self.arguments)
