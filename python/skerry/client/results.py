"""`Results`: the objects of one query at one version, frozen, read where they are looked at.

Invariant: what a `Results` shows never changes, whoever writes meanwhile, and every step (`query`,
`sort`, `distinct`, `limit`, a slice) makes another one of what the one before shows. Making one
checks the query and reads nothing; what is first asked for finds the rows, in Rust and without an
object each; objects are made block by block as they are looked at. What queries mean is decided in
Rust; how rows become objects, by the reader.
"""

import operator
from collections.abc import Iterator, Sequence
from functools import partial
from html import escape
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, TypeVar, overload

from skerry.client.changes import KeyPaths, ResultsChanges, results_changes
from skerry.client.environment import RunBlocking
from skerry.client.reader import Reader
from skerry.client.tables import TimestampUnit, to_pandas, to_polars, to_pyarrow
from skerry.errors import IllegalStateError, MultipleResultsError, NoResultError
from skerry.model import RealmObject
from skerry.model.objects import key_of, schema_of, to_argument
from skerry.model.properties import MISSING, Missing
from skerry.query import Query, distinct_text, limit_text, sort_text
from skerry.types import Content, Decimal128, Scalar, Timestamp

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

    from skerry import _core

_T = TypeVar("_T", bound=RealmObject)
_Row: TypeAlias = tuple[Content, ...]

SortKey: TypeAlias = str | tuple[str, Literal["asc", "desc"]]
"""A property, or a path over links such as ``"owner.name"``, with a direction if wanted."""

BLOCK_ROWS: Final = 256
BATCH_ROWS: Final = 65_536
REPR_ROWS: Final = 3
HTML_ROWS: Final = 10


class Results(Sequence[_T]):
    """The objects of a query at the version of its making; a sequence that never changes.

    Made by `Realm.query` and `Realm.objects`. May be used from any thread, also while others use
    it. It keeps its version from being cleaned up for as long as it, or an object read from it that
    has links, is referred to. Two results are equal only when they are one.

    Example::

        dear = realm.query(Item, "price > $0", 100).sort("price", descending=True)
        print(len(dear), dear.first(), [item.name for item in dear[:10]])
    """

    __slots__ = (
        "__weakref__",
        "_block",
        "_matches",
        "_model",
        "_query",
        "_reader",
        "_run_blocking",
    )

    def __init__(
        self,
        model: type[_T],
        query: Query | None,
        reader: Reader,
        matches: "_core.Matches",
        run_blocking: RunBlocking,
    ) -> None:
        """Internal: use `Realm.query`."""
        self._model = model
        self._query = query
        self._reader = reader
        self._matches = matches
        self._run_blocking = run_blocking
        # Where the rows begin that indexing has read last, and they. Replaced as one.
        self._block: tuple[int, list[_Row]] = (0, [])

    # --- What was asked ---------------------------------------------------------------------------

    @property
    def version(self) -> int:
        """The version of the realm that it shows."""
        return self._reader.version

    @property
    def description(self) -> str:
        """The canonical query with its arguments put in, SORT, DISTINCT and LIMIT included.

        What cannot be said as one query (a condition on limited or distinct results, a slice) is
        shown behind the description of what it was asked of, for people to read.
        """
        return self._matches.describe()

    def as_query(self) -> Query:
        """Return the query, such as for a subscription, which also takes the results themselves.

        Raises:
            IllegalStateError: It is no single query but one on slices, or on limited or distinct
                results.
        """
        if self._query is not None:
            return self._query
        if not self._matches.is_one_query:
            raise IllegalStateError(f"no single query gives these results: {self.description}")
        return Query(schema_of(self._model).name, self.description)

    def explain(self) -> str:
        """Return how the objects would be found now, for people, not programs, to read."""
        return self._matches.explain()

    def changes(self, key_paths: KeyPaths = None) -> ResultsChanges[_T]:
        """Return an async iterator of what changes in the results of this query.

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
        return results_changes(self._reader.host, self._model, self.as_query(), key_paths)

    async def load(self) -> "Results[_T]":
        """Find the objects now, on a worker thread, and return self.

        Afterwards `len`, slices and indices do not search any more. Objects are still read as they
        are looked at, `BLOCK_ROWS` at a time.

        Raises:
            QueryError: The query leads over too many objects.
        """
        await self._run_blocking(self._matches.find)
        return self

    # --- Refining ---------------------------------------------------------------------------------

    def query(self, text: str, *arguments: object) -> "Results[_T]":
        """Return those of these objects that match another query too.

        Args:
            text: RQL; its SORT, DISTINCT and LIMIT come behind those that are there already.
            arguments: Values of its own ``$0``, ``$1``, …

        Raises:
            QueryError: The text is wrong, at `position`.
            TypeError: An argument is of a type that no property holds.
        """
        values = tuple(to_argument(value) for value in arguments)
        return self._with(self._matches.refined(text, values))

    def sort(self, *keys: SortKey, descending: bool = False) -> "Results[_T]":
        """Return the same objects, sorted; equal ones stay in the order that they are in.

        Args:
            keys: The first counts most. Without a direction of its own a key takes `descending`.
            descending: From great to small.

        Raises:
            QueryError: There is no such property, or it cannot be sorted by.
            ValueError: No key, a direction that is neither "asc" nor "desc", or what is no path.
        """
        return self._with(self._matches.refined(sort_text(keys, descending=descending), ()))

    def distinct(self, *paths: str) -> "Results[_T]":
        """Return the first object of each combination of values.

        Raises:
            QueryError: There is no such property, or it tells no objects apart.
            ValueError: No path, or what is none.
        """
        return self._with(self._matches.refined(distinct_text(paths), ()))

    def limit(self, count: int) -> "Results[_T]":
        """Return the first `count` of these objects, or all when there are fewer.

        Raises:
            ValueError: `count` is less than 1.
        """
        return self._with(self._matches.refined(limit_text(count), ()))

    # --- Looking at objects -----------------------------------------------------------------------

    def first(self) -> _T | None:
        """Return the first object, or None; looks for no others."""
        row = self._matches.first()
        return None if row is None else self._freeze(row)

    def last(self) -> _T | None:
        """Return the last object, or None."""
        return self[-1] if self else None

    def one(self) -> _T:
        """Return the only object.

        Raises:
            NoResultError: There is none.
            MultipleResultsError: There are several.
        """
        found = self.one_or_none()
        if found is None:
            raise NoResultError(f"no {self._name} matches {self.description}")
        return found

    def one_or_none(self) -> _T | None:
        """Return the only object, or None.

        Raises:
            MultipleResultsError: There are several.
        """
        rows = self._first_rows(2)
        if len(rows) > 1:
            raise MultipleResultsError(f"several {self._name} match {self.description}")
        return self._freeze(rows[0]) if rows else None

    def find(self, primary_key: object) -> _T | None:
        """Return the object of that key if it is among these, or None.

        Reads that object alone, unless the results are limited or distinct.

        Raises:
            TypeError: No property holds such a value, or the class's keys are of another type.
        """
        row = self._matches.get(to_argument(primary_key))
        return None if row is None else self._freeze(row)

    def __len__(self) -> int:
        return len(self._matches)

    def __bool__(self) -> bool:
        return len(self._matches) > 0

    @overload
    def __getitem__(self, index: int) -> _T: ...
    @overload
    def __getitem__(self, index: slice) -> "Results[_T]": ...
    def __getitem__(self, index: int | slice) -> "_T | Results[_T]":
        """Return an object, or the results of a slice, which reads nothing."""
        if isinstance(index, slice):
            return self._slice(index)
        at = operator.index(index)
        if at == 0 and not self._matches.is_found:
            first = self.first()
            if first is None:
                raise IndexError("there are no results")
            return first
        count = self._matches.find()
        if not -count <= at < count:
            raise IndexError(f"index {at} is out of range of {count} results")
        return self._freeze(self._row(at % count))

    def __iter__(self) -> Iterator[_T]:
        count = self._matches.find()
        return self._objects(range(0, count, BLOCK_ROWS))

    def __reversed__(self) -> Iterator[_T]:
        return iter(self[::-1])

    def __contains__(self, value: object) -> bool:
        """Whether an object of the class with the key of `value` is among these."""
        return isinstance(value, self._model) and self._matches.has(key_of(value))

    def index(self, value: object, start: int = 0, stop: int | None = None) -> int:
        """Return where the object with the key of `value` stands.

        Raises:
            ValueError: It is not among these, or not in that range.
        """
        if isinstance(value, self._model):
            at = self._matches.position(key_of(value))
            if at is not None and at in range(*slice(start, stop).indices(len(self))):
                return at
        raise ValueError(f"{value!r} is not among these results")

    # --- Aggregates -------------------------------------------------------------------------------

    def count(self, value: object | Missing = MISSING) -> int:
        """Return the number of objects, or how often one object is among them (0 or 1)."""
        return len(self) if value is MISSING else int(value in self)

    def min(self, name: str) -> int | float | Decimal128 | Timestamp | Scalar:
        """Return the least value of a property; None when there is none but null and NaN.

        Raises:
            QueryError: There is no such property, or it is no number, date or mixed value.
        """
        return self._matches.aggregate("min", name)

    def max(self, name: str) -> int | float | Decimal128 | Timestamp | Scalar:
        """Return the greatest value of a property; see `min`."""
        return self._matches.aggregate("max", name)

    def sum(self, name: str) -> int | float | Decimal128:
        """Return the sum of a property, null and NaN left out; 0 of nothing.

        Ints overflow by wrapping to 64 bits, as in Realm; mixed values are summed as `Decimal128`.

        Raises:
            QueryError: There is no such property, or it is no number or mixed value.
        """
        value = self._matches.aggregate("sum", name)
        assert isinstance(value, int | float | Decimal128), "a sum is a number"
        return value

    def average(self, name: str) -> float | Decimal128 | None:
        """Return the average of a property, null and NaN left out; None of nothing.

        That of decimals and mixed values is a `Decimal128`, every other a float.

        Raises:
            QueryError: There is no such property, or it is no number or mixed value.
        """
        value = self._matches.aggregate("average", name)
        assert value is None or isinstance(value, float | Decimal128), "an average is no int"
        return value

    # --- As tables --------------------------------------------------------------------------------

    def arrow(
        self,
        *,
        columns: Sequence[str] | None = None,
        timestamp_unit: TimestampUnit = "ns",
        batch_rows: int = BATCH_ROWS,
    ) -> "ArrowResults":
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
        if batch_rows < 1:
            raise ValueError(f"a batch has 1 row or more, not {batch_rows}")
        names = [prop.name for prop in schema_of(self._model)] if columns is None else [*columns]
        made = ArrowResults(self._matches, names, timestamp_unit, batch_rows)
        made.__arrow_c_schema__()
        return made

    def __arrow_c_schema__(self) -> object:
        """Return the schema for other libraries (Arrow's PyCapsule interface)."""
        return self.arrow().__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return record batches for other libraries (Arrow's PyCapsule interface).

        They are read as they are pulled, on the thread that pulls, and may be pulled after the
        realm has gone on. A requested schema is not followed: whoever asked casts.
        """
        return self.arrow().__arrow_c_stream__(requested_schema)

    def to_pyarrow(
        self, *, columns: Sequence[str] | None = None, timestamp_unit: TimestampUnit = "ns"
    ) -> "pyarrow.Table":
        """Return a pyarrow table of all rows. Arguments as of `arrow`.

        Raises:
            ImportError: pyarrow is not installed.
            pyarrow.ArrowException: A date is out of the range of the unit, or the file is damaged.
        """
        return to_pyarrow(self.arrow(columns=columns, timestamp_unit=timestamp_unit))

    def to_pandas(
        self, *, columns: Sequence[str] | None = None, timestamp_unit: TimestampUnit = "ns"
    ) -> "pandas.DataFrame":
        """Return a pandas data frame of all rows, made by pyarrow; see `to_pyarrow`.

        Raises:
            ImportError: pandas or pyarrow is not installed.
        """
        return to_pandas(self.arrow(columns=columns, timestamp_unit=timestamp_unit))

    def to_polars(
        self, *, columns: Sequence[str] | None = None, timestamp_unit: TimestampUnit = "ns"
    ) -> "polars.DataFrame":
        """Return a polars data frame of all rows. Arguments as of `arrow`.

        Raises:
            ImportError: polars is not installed.
        """
        return to_polars(self.arrow(columns=columns, timestamp_unit=timestamp_unit))

    # --- Shown ------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        rows = self._first_rows(REPR_ROWS + 1)
        shown = [repr(self._freeze(row)) for row in rows[:REPR_ROWS]]
        if len(rows) > REPR_ROWS:
            shown.append("...")
        asked = f"{self._name}, {self.description!r}, version={self.version}"
        return f"<Results({asked}): [{', '.join(shown)}]>"

    def _repr_html_(self) -> str:
        """Return a table of the first objects, for notebooks."""
        names = [prop.name for prop in schema_of(self._model)]
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        objects = [self._freeze(row) for row in self._first_rows(HTML_ROWS)]
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(str(getattr(one, name)))}</td>' for name in names)}</tr>"
            for one in objects
        )
        asked = escape(f"{self._name}: {self.description}, {len(self)} objects")
        return f"<table><caption>{asked}</caption><tr>{head}</tr>{body}</table>"

    # --- Inside -----------------------------------------------------------------------------------

    @property
    def _name(self) -> str:
        return schema_of(self._model).name

    def _with(self, matches: "_core.Matches") -> "Results[_T]":
        return Results(self._model, None, self._reader, matches, self._run_blocking)

    def _freeze(self, row: _Row) -> _T:
        return self._reader.freeze(self._model, row)

    def _slice(self, wanted: slice) -> "Results[_T]":
        places = range(*wanted.indices(self._matches.find()))
        start = places.start if places else 0
        return self._with(self._matches.sliced(start, places.step, len(places)))

    def _first_rows(self, count: int) -> list[_Row]:
        """Return at most `count` rows, without looking for more."""
        matches = self._matches
        if not matches.is_found:
            matches = matches.refined(limit_text(count), ())
        return matches.rows(0, count)

    def _objects(self, starts: range) -> Iterator[_T]:
        read = partial(self._reader.freeze_all, self._model)
        blocks = (self._matches.rows(start, BLOCK_ROWS) for start in starts)
        return chain.from_iterable(map(read, blocks))

    def _row(self, at: int) -> _Row:
        """Return the row at a place. Going forward reads ever larger blocks, jumping one row."""
        start, rows = self._block
        if start <= at < start + len(rows):
            return rows[at - start]
        goes_on = bool(rows) and at == start + len(rows)
        length = min(BLOCK_ROWS, 4 * len(rows)) if goes_on else 1
        read = self._matches.rows(at, length)
        self._block = (at, read)
        return read[0]


class ArrowResults:
    """Rows of results for libraries that read Arrow; from `Results.arrow`.

    Example::

        pyarrow.table(results.arrow(columns=["name"], timestamp_unit="us"))
    """

    __slots__ = ("_batch_rows", "_columns", "_matches", "_timestamp_unit")

    def __init__(
        self,
        matches: "_core.Matches",
        columns: Sequence[str],
        timestamp_unit: TimestampUnit,
        batch_rows: int,
    ) -> None:
        """Internal: use `Results.arrow`."""
        self._matches = matches
        self._columns = columns
        self._timestamp_unit = timestamp_unit
        self._batch_rows = batch_rows

    def __arrow_c_schema__(self) -> object:
        """Return the schema (Arrow's PyCapsule interface)."""
        return self._matches.arrow_schema(self._columns, self._timestamp_unit)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return record batches (Arrow's PyCapsule interface); see `Results`."""
        return self._matches.arrow_stream(self._columns, self._timestamp_unit, self._batch_rows)


def make_results(
    model: type[_T], query: Query, reader: Reader, run_blocking: RunBlocking
) -> Results[_T]:
    """Return the results of a query on a reader's snapshot. Internal.

    Raises:
        QueryError: The text is wrong, at `position`.
    """
    return Results(model, query, reader, reader.matches(query), run_blocking)
