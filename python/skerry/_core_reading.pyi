"""What of `skerry._core` reads: snapshots, the objects of queries, observers, the inspector.

A part of the stub of `skerry._core`, from where everything is imported; there is no such module.
"""

import os
from collections.abc import Sequence
from typing import final

from skerry.types import Argument, Content, Scalar

@final
class SubscriptionSetData:
    """One version of the subscription set, as stored."""

    @property
    def version(self) -> int:
        """Its number, ascending from 0."""

    @property
    def state(self) -> str:
        """One of pending, bootstrapping, awaiting_mark, complete, error (sync-engine 5.1)."""

    @property
    def error_message(self) -> str | None:
        """The server's text while the state is error."""

    @property
    def items(self) -> list[tuple[str, str | None, str, str, int, int]]:
        """Id in hex, name, class, query, time of creation and of change in Unix ms, in order."""

@final
class Snapshot:
    """A reader of one version, however long it lives; calls on it take turns."""

    @property
    def version(self) -> int:
        """The version it reads."""

    def classes(self) -> list[tuple[str, str | None, list[str]]]:
        """Return each class: name, primary key (None when embedded), properties in row order."""

    def get(self, class_name: str, key: Scalar) -> tuple[Content, ...] | None:
        """Return what an object holds in schema order, or None when there is none.

        What the file has beyond the schema comes behind; links to absent objects are None.

        Raises:
            NoSuchObjectError: There is no such class.
            PropertyTypeError: The key is not of the type of the class's keys.
        """

    def query(
        self, class_name: str, rql: str, args: Sequence[Argument]
    ) -> list[tuple[Content, ...]]:
        """Return the rows that match, in the query's order, else in that of insertion. Blocking.

        Args:
            class_name: The class.
            rql: The query.
            args: For ``$0``, ``$1`` and so on; for IN also lists and tuples of values.

        Raises:
            QueryError: The text is wrong, at `position`.
        """

    def evaluate(
        self, class_name: str, rql: str, args: Sequence[Argument]
    ) -> list[tuple[Content, ...]]:
        """Return what `query` returns, by looking at every object of the class. Blocking.

        Nothing of the query is left to SQL and its indexes. For tests, which compare the two.
        """

    def count(self, class_name: str, rql: str, args: Sequence[Argument]) -> int:
        """Return how many rows match. Blocking."""

    def matching_keys(self, class_name: str, rql: str, args: Sequence[Argument]) -> list[Scalar]:
        """Return the primary keys of what `query` returns, in its order. Blocking."""

    def explain(self, class_name: str, rql: str, args: Sequence[Argument]) -> str:
        """Return how `query` would run a query now, for people to read. Blocking."""

    def matches(self, class_name: str, rql: str, args: Sequence[Argument]) -> Matches:
        """Check a query, and return its objects without looking for them yet.

        Raises:
            QueryError: The text is wrong, at `position`.
        """

    def close(self) -> None:
        """Let the version go. May be repeated."""

@final
class Matches:
    """The objects of a query on one snapshot, which it keeps; calls on the snapshot take turns.

    Rows are found when they are first asked for and stay found. All of it is blocking.
    """

    @property
    def is_found(self) -> bool:
        """Whether the rows have been found, so that nothing is searched for any more."""

    @property
    def is_one_query(self) -> bool:
        """Whether `describe` gives a query, of all objects of the class."""

    def __len__(self) -> int:
        """Return how many there are; counts without finding where that is faster."""

    def find(self) -> int:
        """Find the rows, and return how many there are."""

    def refined(self, rql: str, args: Sequence[Argument]) -> Matches:
        """Return those of these that match a query too, arranged as it says.

        Raises:
            QueryError: The text is wrong, at `position`.
        """

    def sliced(self, start: int, step: int, length: int) -> Matches:
        """Return at most `length` of these, that at `start` and then those `step` places on."""

    def rows(self, start: int, length: int) -> list[tuple[Content, ...]]:
        """Return at most `length` rows from a place on, as `Snapshot.query`."""

    def first(self) -> tuple[Content, ...] | None:
        """Return the first row; looks for no others where that is possible."""

    def get(self, key: Scalar) -> tuple[Content, ...] | None:
        """Return the row of that key if it is among these.

        Raises:
            PropertyTypeError: The key is not of the type of the class's keys.
        """

    def has(self, key: Scalar) -> bool:
        """Whether the object of that key is among these."""

    def position(self, key: Scalar) -> int | None:
        """Return where the object of that key stands among these."""

    def aggregate(self, kind: str, property: str) -> Scalar:
        """Return "min", "max", "sum" or "average" of a property.

        Raises:
            QueryError: There is no such property, or its type has no such aggregate.
            ConfigurationError: `kind` is something else.
        """

    def arrow_schema(self, properties: Sequence[str], timestamp_unit: str) -> object:
        """Return a capsule "arrow_schema" of these properties.

        Raises:
            QueryError: The class has no such property.
            ConfigurationError: The unit is none of "ns", "us", "ms" and "s".
        """

    def arrow_stream(
        self, properties: Sequence[str], timestamp_unit: str, batch_rows: int
    ) -> object:
        """Return a capsule "arrow_array_stream" of these properties.

        Batches of `batch_rows` rows at most are read when they are pulled, by any thread; errors
        are told by whoever pulls.
        """

    def describe(self) -> str:
        """Return the canonical query, or something like it where it is none."""

    def explain(self) -> str:
        """Return how the rows would be found now, for people to read."""

@final
class ResultsObserver:
    """Where a query's results were looked at last. It keeps their rows and no snapshot."""

    def advance(self, snapshot: Snapshot) -> ListChangeSet | None:
        """Look at the results, and return what has changed since they were looked at last.

        All commits in between come as one. None when nothing has changed, when the snapshot is not
        newer, and the first time. When this raises, nothing was looked at. Blocking.
        """

@final
class ObjectObserver:
    """Where an object was looked at last."""

    def advance(self, snapshot: Snapshot) -> ObjectChangeSet | None:
        """As `ResultsObserver.advance`; is_deleted if the object is absent, then always None."""

@final
class CollectionObserver:
    """Where a collection was looked at last. It keeps its elements."""

    def advance(self, snapshot: Snapshot) -> CollectionChangeSet | None:
        """As `ResultsObserver.advance`; deleted if there is no collection, then always None."""

@final
class ListChangeSet:
    """What has changed in a list: start and length of ranges; what has moved is in two of them."""

    @property
    def deletions(self) -> list[tuple[int, int]]:
        """In the list before."""

    @property
    def insertions(self) -> list[tuple[int, int]]:
        """In the list after."""

    @property
    def modifications(self) -> list[tuple[int, int]]:
        """In the list after: what is in both and differs."""

    @property
    def old_modifications(self) -> list[tuple[int, int]]:
        """The same, in the list before."""

@final
class ObjectChangeSet:
    """What has happened to an object."""

    @property
    def is_deleted(self) -> bool:
        """Whether it does not exist."""

    @property
    def properties(self) -> list[str]:
        """The properties that differ, themselves or behind their links, in schema order."""

@final
class CollectionChangeSet:
    """What has changed in a collection."""

    @property
    def kind(self) -> str:
        """One of list, set, dictionary and deleted."""

    @property
    def list_changes(self) -> ListChangeSet | None:
        """list: where."""

    @property
    def insertions(self) -> list[Scalar]:
        """set: new elements; dictionary: new keys; else empty."""

    @property
    def deletions(self) -> list[Scalar]:
        """set, dictionary: likewise, of those that are gone."""

    @property
    def modifications(self) -> list[Scalar]:
        """set: objects that differ; dictionary: keys whose value does."""

@final
class Inspector:
    """Looks into a file that may be in use, and changes no byte of it; for `skerry.cli.inspect`.

    Nothing is held open between calls, each of which sees one version. To be used in a process
    that does not have the file open otherwise. Beyond the errors named, each call may raise those
    of `open`, because the file may change.
    """

    @staticmethod
    def open(path: str | os.PathLike[str], *, encryption_key: bytes | None = None) -> Inspector:
        """Look whether the file can be looked into. Blocking.

        Raises:
            EncryptionKeyError: It is encrypted, and the key is not its key.
            StoreError: It cannot be reached or read.
            CorruptedError: It is damaged, or no file of Skerry's.
            VersionUnsupportedError: It has an older format, and must be opened for writing once; or
                a newer one.
        """

    def report(self, *, full: bool = False) -> str:
        """Return what the file is and holds, a JSON object as in ``docs/inspect.md``. Blocking.

        Args:
            full: Also count dangling links and the bytes of each table; reads the whole file.
        """

    def query(
        self, class_name: str, rql: str, limit: int
    ) -> tuple[list[str], list[tuple[Content, ...]], int]:
        """Return property names, the first rows of a query, and how many it gives. Blocking.

        Args:
            class_name: The class.
            rql: The query, without arguments.
            limit: Rows at most, 0 or more.

        Raises:
            QueryError: The text is wrong, at `position`.
            NoSuchObjectError: There is no such class, or it is an embedded one.
        """

    def history(self, limit: int) -> str:
        """Return the newest entries of the history, a JSON object. Blocking.

        Raises:
            IllegalStateError: The file is a server's store.
        """

    def instructions(self, version: int, limit: int) -> str | None:
        """Return an entry with its first instructions, a JSON object, or None. Blocking.

        Raises:
            IllegalStateError: The file is a server's store.
            CorruptedError: The entry does not decode.
        """

    def check(self, limit: int) -> list[tuple[str, str]]:
        """Return what is wrong as pairs of place and finding, none when all is well. Blocking."""
