"""`FrozenRealm`: a realm at one version, for reading.

What it shows never changes. While it is open, SQLite keeps what has changed since beside the file,
so that a frozen realm which is kept for long makes the file grow.
"""

from types import TracebackType
from typing import Self, TypeVar

from skerry.client.environment import RunBlocking
from skerry.client.reader import Reader
from skerry.client.results import Results, make_results
from skerry.errors import ClosedRealmError
from skerry.model import RealmObject, Schema
from skerry.model.objects import to_argument
from skerry.query import MATCH_ALL, Query

_T = TypeVar("_T", bound=RealmObject)


class FrozenRealm:
    """What `Realm.freeze` returns; also a context manager that closes it.

    It closes with its realm, too. What was read of it before stays readable, except links that were
    not followed yet.
    """

    def __init__(self, name: str, reader: Reader, run_blocking: RunBlocking) -> None:
        """Internal: use `Realm.freeze`."""
        self._name = name
        self._reader = reader
        self._run_blocking = run_blocking
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def schema(self) -> Schema:
        """Its classes."""
        return self._reader.schema

    @property
    def version(self) -> int:
        """The version that it shows."""
        return self._reader.snapshot.version

    @property
    def is_closed(self) -> bool:
        """Whether it is closed."""
        return self._is_closed

    def objects(self, model: type[_T]) -> Results[_T]:
        """As `Realm.objects`, at this version."""
        return self.query(model)

    def query(self, model: type[_T], text: str = MATCH_ALL, *arguments: object) -> Results[_T]:
        """As `Realm.query`, at this version.

        Raises:
            SchemaError: The class is not in the schema.
            ClosedRealmError: It is closed.
        """
        self._require_open()
        values = tuple(to_argument(value) for value in arguments)
        query = Query(self.schema.name_of(model), text, values)
        return make_results(model, query, self._reader, self._run_blocking)

    def find(self, model: type[_T], primary_key: object) -> _T | None:
        """As `Realm.find`, at this version."""
        self._require_open()
        return self._reader.get(model, to_argument(primary_key))

    def close(self) -> None:
        """Let the version go. May be repeated."""
        if not self._is_closed:
            self._is_closed = True
            self._reader.snapshot.close()

    def _require_open(self) -> None:
        if self._is_closed:
            raise ClosedRealmError(f"the frozen {self._name} is closed")
