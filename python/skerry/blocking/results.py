# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`Results`, as blocking programs use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, cast

from skerry.blocking.base import BlockingFacade
from skerry.client.results import Results as TrioResults
from skerry.model import RealmObject

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.query import Query

_T = TypeVar("_T", bound=RealmObject)


class Results(BlockingFacade[TrioResults[_T]], Generic[_T]):
    """The objects of a query at the version of its making; never changes.

    Any thread may use it. The members are those of `skerry.Results`.
    """

    @property
    def query(self) -> Query:
        """The query, such as for a subscription."""
        return self._here.query

    @property
    def version(self) -> int:
        """The version of the realm that it shows."""
        return self._here.version

    def first(self) -> _T | None:
        """Return the first object in the query's order, or None.

        Raises:
            QueryError: The text is wrong.
        """
        return self._here.first()

    def find(self, primary_key: object) -> _T | None:
        """Return the object of that key if it is among these, or None.

        Raises:
            TypeError: No property holds such a value.
        """
        return self._here.find(primary_key)

    def explain(self) -> str:
        """Return how the query would be run now, for people to read; programs do not parse it.

        Raises:
            QueryError: The text is wrong.
        """
        return self._here.explain()

    def load(self) -> Results[_T]:
        """Read the objects now, on a worker thread, and return self.

        Raises:
            QueryError: The text is wrong.
        """
        here = self._here
        return cast("Results[_T]", self._wrap(self._run(lambda: here.load())))

    def __len__(self) -> int:
        return len(self._here)

    def __bool__(self) -> bool:
        return bool(self._here)

    def __getitem__(self, index: int) -> _T:
        return self._here.__getitem__(index)

    def __iter__(self) -> Iterator[_T]:
        return iter(self._here)
