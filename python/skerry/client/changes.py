"""Async iterators over changes of results and objects; collections have a module of their own.

Each is an iterator object, not an async generator, so that it may be dropped at any time. It keeps
an observer, which knows what was told last, and looks for changes when somebody asks for the next
event and the realm has a newer version, whoever committed it: this task, a thread, another process
or sync. So nothing is queued: who is slow gets one event for all commits that were missed. No
version of the file is kept open between two events, except by who keeps what they show.

All end when the realm closes; so does one of an object or collection after its deletion. One task
iterates at a time. Cancellation loses no change: what was not delivered comes with the next event.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, Protocol, TypeAlias, TypeVar

from skerry.client.streams import VersionChanges
from skerry.errors import IllegalStateError
from skerry.model import RealmObject
from skerry.model.object_changes import DeletedObject, InitialObject, ObjectChange, UpdatedObject
from skerry.model.objects import is_managed, key_of, schema_of
from skerry.query import Query
from skerry.types import Scalar

if TYPE_CHECKING:
    from skerry import _core
    from skerry.client.reader import Reader
    from skerry.client.results import Results

_T = TypeVar("_T", bound=RealmObject)
_R = TypeVar("_R")

KeyPaths: TypeAlias = Sequence[str] | None
"""What is watched: names with dots between, ``*`` for all; None for all up to 4 links away."""


class ChangeHost(Protocol):
    """What observers need of a realm."""

    @property
    def is_closed(self) -> bool:
        """Whether it is closed."""

    def observed_file(self) -> "_core.RealmFile":
        """Return the file.

        Raises:
            ClosedRealmError: The realm is closed.
        """

    def changed(self) -> VersionChanges:
        """Return the versions committed from now on."""

    def newest_reader(self) -> "Reader":
        """Return a reader of the newest version."""

    def results_at(self, model: type[_T], query: Query, reader: "Reader") -> "Results[_T]":
        """Return the results of a query at a reader's version."""

    async def run_blocking(self, call: Callable[[], _R], /) -> _R:
        """Run a call on a worker thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListChanges:
    """What has changed in a list, by position; what has moved is deleted and inserted.

    To follow: set the modified elements, delete from the end, then insert from the beginning.

    Attributes:
        deletion_ranges: Positions in the list before, ascending.
        insertion_ranges: Positions in the list after, ascending.
        modification_ranges: Positions in the list after of what is in both and differs.
        old_modification_ranges: Positions of the same in the list before.
    """

    deletion_ranges: tuple[range, ...]
    insertion_ranges: tuple[range, ...]
    modification_ranges: tuple[range, ...]
    old_modification_ranges: tuple[range, ...]

    @property
    def deletions(self) -> tuple[int, ...]:
        """Each position in `deletion_ranges`."""
        return _positions(self.deletion_ranges)

    @property
    def insertions(self) -> tuple[int, ...]:
        """Each position in `insertion_ranges`."""
        return _positions(self.insertion_ranges)

    @property
    def modifications(self) -> tuple[int, ...]:
        """Each position in `modification_ranges`."""
        return _positions(self.modification_ranges)

    @property
    def old_modifications(self) -> tuple[int, ...]:
        """Each position in `old_modification_ranges`."""
        return _positions(self.old_modification_ranges)


# --- Results -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class InitialResults(Generic[_T]):
    """The results when observation begins.

    Attributes:
        list: The results, frozen.
    """

    list: "Results[_T]"


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedResults(ListChanges, Generic[_T]):
    """The results differ from those of the event before, by the positions told.

    Attributes:
        list: The results, frozen.
    """

    list: "Results[_T]"


ResultsChange: TypeAlias = InitialResults[_T] | UpdatedResults[_T]
"""What is yielded for results."""


class ResultsChanges(Generic[_T]):
    """Changes of a query's results: `InitialResults`, then `UpdatedResults`; see the module."""

    def __init__(
        self, host: ChangeHost, model: type[_T], query: Query, observer: "_core.ResultsObserver"
    ) -> None:
        """Internal: use `Results.changes`."""
        self._host = host
        self._model = model
        self._query = query
        self._observer = observer
        self._follower = Follower(host)

    def __aiter__(self) -> "ResultsChanges[_T]":
        return self

    async def __anext__(self) -> ResultsChange[_T]:
        while True:
            is_first, reader, changes = await self._follower.look(self._observer.advance)
            if is_first:
                return InitialResults(self._host.results_at(self._model, self._query, reader))
            if changes is not None:
                results = self._host.results_at(self._model, self._query, reader)
                return UpdatedResults(
                    list=results,
                    deletion_ranges=ranges(changes.deletions),
                    insertion_ranges=ranges(changes.insertions),
                    modification_ranges=ranges(changes.modifications),
                    old_modification_ranges=ranges(changes.old_modifications),
                )


def results_changes(
    host: ChangeHost, model: type[_T], query: Query, key_paths: KeyPaths = None
) -> ResultsChanges[_T]:
    """Observe the results of a query.

    Args:
        host: The realm.
        model: The class of the results.
        query: On that class.
        key_paths: What is watched of the results.

    Raises:
        QueryError: The text is wrong.
        ConfigurationError: A key path leads nowhere; it is a ValueError too.
        ClosedRealmError: The realm is closed.
    """
    file = host.observed_file()
    paths = listed(key_paths)
    observer = file.observe_results(query.class_name, query.text, query.arguments, paths)
    return ResultsChanges(host, model, query, observer)


# --- Objects -------------------------------------------------------------------------------------


class ObjectChanges(Generic[_T]):
    """Changes of an object: `InitialObject` first, then `UpdatedObject`, at last `DeletedObject`.

    When the object is absent at first there is only `DeletedObject`. An object that is deleted and
    made again before anybody has looked is updated, in all of its properties.
    """

    def __init__(
        self, host: ChangeHost, model: type[_T], key: Scalar, observer: "_core.ObjectObserver"
    ) -> None:
        """Internal: use `Realm.changes_of`."""
        self._model = model
        self._key = key
        self._observer = observer
        self._follower = Follower(host)

    def __aiter__(self) -> "ObjectChanges[_T]":
        return self

    async def __anext__(self) -> ObjectChange[_T]:
        while True:
            is_first, reader, change = await self._follower.look(self._observer.advance)
            obj = None if change is not None and change.is_deleted else self._read(reader)
            if obj is None:
                self._follower.end()
                return DeletedObject()
            if is_first:
                return InitialObject(obj)
            # A newer release may have added properties that this program does not know.
            known = schema_of(self._model)
            stored = () if change is None else change.properties
            names = tuple(prop.name for prop in known if prop.stored_name in stored)
            if names:
                return UpdatedObject(obj, names)

    def _read(self, reader: "Reader") -> _T | None:
        return reader.get(self._model, self._key)


def object_changes(host: ChangeHost, target: _T, key_paths: KeyPaths = None) -> ObjectChanges[_T]:
    """Observe the object that `target` shows or is.

    Args:
        host: The realm.
        target: An object of the realm, frozen or live.
        key_paths: What is watched of it.

    Raises:
        IllegalStateError: The object was never in a realm.
        ConfigurationError: A key path leads nowhere; it is a ValueError too.
        ClosedRealmError: The realm is closed.
    """
    model = type(target)
    if not is_managed(target):
        raise IllegalStateError(
            f"this {model.__name__} is in no realm, so nothing can change it; add it in a write"
        )
    key = key_of(target)
    file = host.observed_file()
    observer = file.observe_object(schema_of(model).name, key, listed(key_paths))
    return ObjectChanges(host, model, key, observer)


# --- What iterators are made of ------------------------------------------------------------------


class Follower:
    """Wakes when the realm has a newer version, and looks at it on a worker thread."""

    def __init__(self, host: ChangeHost) -> None:
        self._host = host
        # Made before the first look, so that no commit comes between the two unnoticed.
        self._versions = host.changed()
        self._is_started = False
        self._is_over = False
        self._is_pending = False

    def end(self) -> None:
        """End the iteration."""
        self._is_over = True
        self._versions.close()

    async def look(self, advance: "Callable[[_core.Snapshot], _R]") -> "tuple[bool, Reader, _R]":
        """Wait until there is something to look at, unless nothing was looked at yet.

        Returns:
            Whether this was the first look, a reader of the version looked at, and what was found.
        """
        if self._is_over:
            raise StopAsyncIteration
        if self._is_started and not self._is_pending:
            await self._versions.__anext__()
        if self._host.is_closed:
            raise StopAsyncIteration
        # Until it was looked at: cancellation and errors must not lose the wake-up.
        self._is_pending = True
        reader = self._host.newest_reader()
        found = await self._host.run_blocking(partial(advance, reader.snapshot))
        is_first, self._is_started, self._is_pending = not self._is_started, True, False
        return is_first, reader, found


def listed(key_paths: KeyPaths) -> list[str] | None:
    """Return key paths as the core takes them; refuse a text, whose letters would be some."""
    if isinstance(key_paths, str):
        raise TypeError("key_paths is a list of key paths, not one")
    return None if key_paths is None else list(key_paths)


def ranges(pairs: Sequence[tuple[int, int]]) -> tuple[range, ...]:
    """Return pairs of start and length as ranges."""
    return tuple(range(start, start + length) for start, length in pairs)


def _positions(of: Sequence[range]) -> tuple[int, ...]:
    return tuple(position for one in of for position in one)
