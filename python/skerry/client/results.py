"""`Results`: the objects of one query at one version, frozen."""

from collections.abc import Iterator
from functools import partial
from typing import Generic, TypeVar, cast

from skerry.client.changes import KeyPaths, ResultsChanges, results_changes
from skerry.client.environment import RunBlocking
from skerry.client.reader import Reader
from skerry.model import RealmObject
from skerry.model.objects import schema_of, to_argument
from skerry.query import MATCH_ALL, Query
from skerry.types import Scalar

_T = TypeVar("_T", bound=RealmObject)


class Results(Generic[_T]):
    """The objects of a query at the version of its making; never changes.

    They are read at first use, on the calling thread; `load` reads them on a worker thread, which
    is better for large results.
    """

    def __init__(
        self, model: type[_T], query: Query, reader: Reader, run_blocking: RunBlocking
    ) -> None:
        self._model = model
        self._query = query
        self._reader = reader
        self._run_blocking = run_blocking
        self._rows: list[tuple[Scalar, ...]] | None = None

    @property
    def query(self) -> Query:
        """The query, such as for a subscription."""
        return self._query

    @property
    def version(self) -> int:
        """The version of the realm that it shows."""
        return self._reader.snapshot.version

    def first(self) -> _T | None:
        """Return the first object in the query's order, or None.

        Raises:
            QueryError: The text is wrong.
        """
        rows = self._rows
        if rows is None:
            rows = self._read(self._query.limited_to(1))
        return self._reader.freeze(self._model, rows[0]) if rows else None

    def find(self, primary_key: object) -> _T | None:
        """Return the object of that key if it is among these, or None.

        Raises:
            TypeError: No property holds such a value.
        """
        key = to_argument(primary_key)
        found = self._reader.get(self._model, key)
        if found is None or self._query.text == MATCH_ALL:
            return found
        index = schema_of(self._model).primary_key.index
        return found if any(row[index] == key for row in self._loaded()) else None

    def explain(self) -> str:
        """Return how the query would be run now, for people to read; programs do not parse it.

        Raises:
            QueryError: The text is wrong.
        """
        query = self._query
        return self._reader.snapshot.explain(query.class_name, query.text, query.arguments)

    def changes(self, key_paths: KeyPaths = None) -> ResultsChanges[_T]:
        """Return an async iterator of what changes in the results of this query.

        `InitialResults` come first, those of the newest version and not of this one; then
        `UpdatedResults` whenever a commit of anybody has changed them. Who is slow gets one for all
        commits that were missed. It ends when the realm closes.

        Args:
            key_paths: What is watched of the results, such as ``["name", "owner.name"]``; ``*``
                stands for every property. None watches everything up to 4 links away.

        Raises:
            QueryError: The text is wrong.
            ConfigurationError: A key path leads nowhere; it is a ValueError too.
            ClosedRealmError: The realm is closed.
        """
        return results_changes(self._reader.host, self._model, self._query, key_paths)

    async def load(self) -> "Results[_T]":
        """Read the objects now, on a worker thread, and return self.

        Raises:
            QueryError: The text is wrong.
        """
        if self._rows is None:
            self._rows = await self._run_blocking(partial(self._read, self._query))
        return self

    def __len__(self) -> int:
        if self._rows is not None:
            return len(self._rows)
        query = self._query
        return self._reader.snapshot.count(query.class_name, query.text, query.arguments)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __getitem__(self, index: int) -> _T:
        return self._reader.freeze(self._model, self._loaded()[index])

    def __iter__(self) -> Iterator[_T]:
        return self._reader.freeze_all(self._model, self._loaded())

    def __repr__(self) -> str:
        return f"Results({self._query.class_name}, {self._query.text!r}, version={self.version})"

    def _loaded(self) -> list[tuple[Scalar, ...]]:
        if self._rows is None:
            self._rows = self._read(self._query)
        return self._rows

    def _read(self, query: Query) -> list[tuple[Scalar, ...]]:
        rows = self._reader.snapshot.query(query.class_name, query.text, query.arguments)
        return cast("list[tuple[Scalar, ...]]", rows)
