# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`Results`, as blocking programs use it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar, cast, overload

from skerry.blocking.base import BlockingFacade
from skerry.client.results import BATCH_ROWS
from skerry.client.results import Results as TrioResults
from skerry.model import RealmObject
from skerry.model.properties import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas
    import polars
    import pyarrow

    from skerry.blocking.stream import Stream
    from skerry.client.changes import KeyPaths, ResultsChange
    from skerry.client.results import ArrowResults, SortKey
    from skerry.client.tables import TimestampUnit
    from skerry.model.properties import Missing
    from skerry.query import Query
    from skerry.types import Decimal128, Scalar, Timestamp

_T = TypeVar("_T", bound=RealmObject)


class Results(BlockingFacade[TrioResults[_T]], Sequence[_T]):
    """The objects of a query at the version of its making; never changes.

    Any thread may use it. The members are those of `skerry.Results`.
    """

    @property
    def version(self) -> int:
        """The version of the realm that it shows."""
        return self._here.version

    @property
    def description(self) -> str:
        """The canonical query with its arguments put in, SORT, DISTINCT and LIMIT included.

        What cannot be said as one query (a condition on limited or distinct results, a slice) is
        shown behind the description of what it was asked of, for people to read.
        """
        return self._here.description

    def as_query(self) -> Query:
        """Return the query, such as for a subscription, which also takes the results themselves.

        Raises:
            IllegalStateError: It is no single query but one on slices, or on limited or distinct
                results.
        """
        return self._here.as_query()

    def explain(self) -> str:
        """Return how the objects would be found now, for people, not programs, to read."""
        return self._here.explain()

    def load(self) -> Results[_T]:
        """Find the objects now, on a worker thread, and return self.

        Afterwards `len`, slices and indices do not search any more. Objects are still read as they
        are looked at, `BLOCK_ROWS` at a time.

        Raises:
            QueryError: The query leads over too many objects.
        """
        here = self._here
        return cast("Results[_T]", self._wrap(self._run(lambda: here.load())))

    def changes(self, key_paths: KeyPaths = None) -> Stream[ResultsChange[_T]]:
        """Return an iterator of what changes in the results of this query.

        `InitialResults` come first, those of the newest version and not of this one; then
        `UpdatedResults` whenever a commit of anybody has changed them. Who is slow gets one for all
        commits that were missed. It ends when the realm closes.

        Args:
            key_paths: What is watched of the results, such as ``["name", "owner.name"]``; ``*``
                stands for every property. None watches everything up to 4 links away.

        Raises:
            IllegalStateError: No single query gives these results; see `as_query`.
            ConfigurationError: A key path leads nowhere; it is a ValueError too.
            ClosedRealmError: The realm is closed.
        """
        here = self._here
        return self._stream(lambda: here.changes(key_paths))

    def query(self, text: str, *arguments: object) -> Results[_T]:
        """Return those of these objects that match another query too.

        Args:
            text: RQL; its SORT, DISTINCT and LIMIT come behind those that are there already.
            arguments: Values of its own ``$0``, ``$1``, …

        Raises:
            QueryError: The text is wrong, at `position`.
            TypeError: An argument is of a type that no property holds.
        """
        return cast("Results[_T]", self._wrap(self._here.query(text, *arguments)))

    def sort(self, *keys: SortKey, descending: bool = False) -> Results[_T]:
        """Return the same objects, sorted; equal ones stay in the order that they are in.

        Args:
            keys: The first counts most. Without a direction of its own a key takes `descending`.
            descending: From great to small.

        Raises:
            QueryError: There is no such property, or it cannot be sorted by.
            ValueError: No key, a direction that is neither "asc" nor "desc", or what is no path.
        """
        return cast("Results[_T]", self._wrap(self._here.sort(*keys, descending=descending)))

    def distinct(self, *paths: str) -> Results[_T]:
        """Return the first object of each combination of values.

        Raises:
            QueryError: There is no such property, or it tells no objects apart.
            ValueError: No path, or what is none.
        """
        return cast("Results[_T]", self._wrap(self._here.distinct(*paths)))

    def limit(self, count: int) -> Results[_T]:
        """Return the first `count` of these objects, or all when there are fewer.

        Raises:
            ValueError: `count` is less than 1.
        """
        return cast("Results[_T]", self._wrap(self._here.limit(count)))

    def first(self) -> _T | None:
        """Return the first object, or None; looks for no others."""
        return self._here.first()

    def last(self) -> _T | None:
        """Return the last object, or None."""
        return self._here.last()

    def one(self) -> _T:
        """Return the only object.

        Raises:
            NoResultError: There is none.
            MultipleResultsError: There are several.
        """
        return self._here.one()

    def one_or_none(self) -> _T | None:
        """Return the only object, or None.

        Raises:
            MultipleResultsError: There are several.
        """
        return self._here.one_or_none()

    def find(self, primary_key: object) -> _T | None:
        """Return the object of that key if it is among these, or None.

        Reads that object alone, unless the results are limited or distinct.

        Raises:
            TypeError: No property holds such a value, or the class's keys are of another type.
        """
        return self._here.find(primary_key)

    def __len__(self) -> int:
        return len(self._here)

    def __bool__(self) -> bool:
        return bool(self._here)

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> Results[_T]: ...
    def __getitem__(self, index: int | slice) -> _T | Results[_T]:
        """Return an object, or the results of a slice, which reads nothing."""
        return cast("_T | Results[_T]", self._wrap(self._here.__getitem__(index)))

    def __iter__(self) -> Iterator[_T]:
        return iter(self._here)

    def __reversed__(self) -> Iterator[_T]:
        return self._here.__reversed__()

    def __contains__(self, value: object) -> bool:
        """Whether an object of the class with the key of `value` is among these."""
        return self._here.__contains__(value)

    def index(self, value: object, start: int = 0, stop: int | None = None) -> int:
        """Return where the object with the key of `value` stands.

        Raises:
            ValueError: It is not among these, or not in that range.
        """
        return self._here.index(value, start, stop)

    def count(self, value: object | Missing = MISSING) -> int:
        """Return the number of objects, or how often one object is among them (0 or 1)."""
        return self._here.count(value)

    def min(self, name: str) -> int | float | Decimal128 | Timestamp | Scalar:
        """Return the least value of a property; None when there is none but null and NaN.

        Raises:
            QueryError: There is no such property, or it is no number, date or mixed value.
        """
        return self._here.min(name)

    def max(self, name: str) -> int | float | Decimal128 | Timestamp | Scalar:
        """Return the greatest value of a property; see `min`."""
        return self._here.max(name)

    def sum(self, name: str) -> int | float | Decimal128:
        """Return the sum of a property, null and NaN left out; 0 of nothing.

        Ints overflow by wrapping to 64 bits, as in Realm; mixed values are summed as `Decimal128`.

        Raises:
            QueryError: There is no such property, or it is no number or mixed value.
        """
        return self._here.sum(name)

    def average(self, name: str) -> float | Decimal128 | None:
        """Return the average of a property, null and NaN left out; None of nothing.

        That of decimals and mixed values is a `Decimal128`, every other a float.

        Raises:
            QueryError: There is no such property, or it is no number or mixed value.
        """
        return self._here.average(name)

    def arrow(
        self,
        *,
        columns: Sequence[str] | None = None,
        timestamp_unit: TimestampUnit = "ns",
        batch_rows: int = BATCH_ROWS,
    ) -> ArrowResults:
        """Return the same rows for libraries that read Arrow, with a choice of how.

        Args:
            columns: Properties, in the order wanted; all of them unless given.
            timestamp_unit: Of dates.
            batch_rows: Rows of a record batch at most, 1 or more. Large rows make smaller batches.

        Raises:
            QueryError: The class has no such property.
            ConfigurationError: There is no such unit.
            ValueError: `batch_rows` is less than 1.
        """
        return self._here.arrow(
            columns=columns, timestamp_unit=timestamp_unit, batch_rows=batch_rows
        )

    def __arrow_c_schema__(self) -> object:
        """Return the schema for other libraries (Arrow's PyCapsule interface)."""
        return self._here.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return record batches for other libraries (Arrow's PyCapsule interface).

        They are read as they are pulled, on the thread that pulls, and may be pulled after the
        realm has gone on. A requested schema is not followed: whoever asked casts.
        """
        return self._here.__arrow_c_stream__(requested_schema)

    def to_pyarrow(
        self, *, columns: Sequence[str] | None = None, timestamp_unit: TimestampUnit = "ns"
    ) -> pyarrow.Table:
        """Return a pyarrow table of all rows. Arguments as of `arrow`.

        Raises:
            ImportError: pyarrow is not installed.
            pyarrow.ArrowException: A date is out of the range of the unit, or the file is damaged.
        """
        return self._here.to_pyarrow(columns=columns, timestamp_unit=timestamp_unit)

    def to_pandas(
        self, *, columns: Sequence[str] | None = None, timestamp_unit: TimestampUnit = "ns"
    ) -> pandas.DataFrame:
        """Return a pandas data frame of all rows, made by pyarrow; see `to_pyarrow`.

        Raises:
            ImportError: pandas or pyarrow is not installed.
        """
        return self._here.to_pandas(columns=columns, timestamp_unit=timestamp_unit)

    def to_polars(
        self, *, columns: Sequence[str] | None = None, timestamp_unit: TimestampUnit = "ns"
    ) -> polars.DataFrame:
        """Return a polars data frame of all rows. Arguments as of `arrow`.

        Raises:
            ImportError: polars is not installed.
        """
        return self._here.to_polars(columns=columns, timestamp_unit=timestamp_unit)

    def _repr_html_(self) -> str:
        """Return a table of the first objects, for notebooks."""
        return self._here._repr_html_()
