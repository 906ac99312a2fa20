"""Async iterators over changes of collections; how they behave says `skerry.client.changes`.

What a collection looks like in Python is the business of who observes it: who does hands in how
one is made from a reader.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from skerry.client.changes import ChangeHost, Follower, KeyPaths, ListChanges, listed, ranges
from skerry.types import Scalar

if TYPE_CHECKING:
    from skerry import _core
    from skerry.client.reader import Reader

_C = TypeVar("_C")


@dataclass(frozen=True, slots=True)
class InitialCollection(Generic[_C]):
    """The collection when observation begins.

    Attributes:
        collection: The collection, frozen.
    """

    collection: _C


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedList(ListChanges, Generic[_C]):
    """The list differs from that of the event before, by the positions told.

    Attributes:
        collection: The list, frozen.
    """

    collection: _C


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedSet(Generic[_C]):
    """The set differs from that of the event before.

    Attributes:
        collection: The set, frozen.
        insertions: New elements, as stored; objects as links.
        deletions: Elements that are gone.
        modifications: Links to objects that are still in it and differ.
    """

    collection: _C
    insertions: tuple[Scalar, ...]
    deletions: tuple[Scalar, ...]
    modifications: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdatedDictionary(Generic[_C]):
    """The dictionary differs from that of the event before.

    Attributes:
        collection: The dictionary, frozen.
        insertions: New keys, ascending.
        deletions: Keys that are gone.
        modifications: Keys with another value, or with an object that differs.
    """

    collection: _C
    insertions: tuple[str, ...]
    deletions: tuple[str, ...]
    modifications: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeletedCollection:
    """The collection, or the object that it was in, does not exist any more; the last event."""


UpdatedCollection: TypeAlias = UpdatedList[_C] | UpdatedSet[_C] | UpdatedDictionary[_C]
"""An update of a collection, by its kind."""

CollectionChange: TypeAlias = InitialCollection[_C] | UpdatedCollection[_C] | DeletedCollection
"""What is yielded for a collection."""


class CollectionChanges(Generic[_C]):
    """Changes of a collection: `InitialCollection`, then updates, at last `DeletedCollection`."""

    def __init__(
        self,
        host: ChangeHost,
        load: "Callable[[Reader], _C]",
        observer: "_core.CollectionObserver",
    ) -> None:
        """Internal: use `collection_changes`."""
        self._load = load
        self._observer = observer
        self._follower = Follower(host)

    def __aiter__(self) -> "CollectionChanges[_C]":
        return self

    async def __anext__(self) -> CollectionChange[_C]:
        while True:
            is_first, reader, change = await self._follower.look(self._observer.advance)
            if change is not None and change.kind == "deleted":
                self._follower.end()
                return DeletedCollection()
            if is_first:
                return InitialCollection(self._load(reader))
            if change is not None:
                return _updated(self._load(reader), change)


def collection_changes(
    host: ChangeHost,
    class_name: str,
    key: Scalar,
    path: str | Sequence[str | int],
    *,
    load: "Callable[[Reader], _C]",
    key_paths: KeyPaths = None,
) -> CollectionChanges[_C]:
    """Observe a list, set or dictionary of an object.

    Args:
        host: The realm.
        class_name: Persisted name of the object's class.
        key: Its primary key.
        path: Of the collection: a property, or a property and what leads on from it. Positions on
            the way are not followed when lists change.
        load: Makes the frozen collection from a reader; called on the loop when there is one.
        key_paths: What is watched of the objects in the collection.

    Raises:
        NoSuchObjectError: There is no such class.
        ConfigurationError: A key path leads nowhere, or no collection can be at the path.
        ClosedRealmError: The realm is closed.
    """
    file = host.observed_file()
    observer = file.observe_collection(class_name, key, path, listed(key_paths))
    return CollectionChanges(host, load, observer)


def _updated(collection: _C, change: "_core.CollectionChangeSet") -> UpdatedCollection[_C]:
    changes = change.list_changes
    if changes is not None:
        return UpdatedList(
            collection=collection,
            deletion_ranges=ranges(changes.deletions),
            insertion_ranges=ranges(changes.insertions),
            modification_ranges=ranges(changes.modifications),
            old_modification_ranges=ranges(changes.old_modifications),
        )
    if change.kind == "set":
        return UpdatedSet(
            collection=collection,
            insertions=tuple(change.insertions),
            deletions=tuple(change.deletions),
            modifications=tuple(change.modifications),
        )
    return UpdatedDictionary(
        collection=collection,
        insertions=_keys(change.insertions),
        deletions=_keys(change.deletions),
        modifications=_keys(change.modifications),
    )


def _keys(keys: Sequence[Scalar]) -> tuple[str, ...]:
    return tuple(key for key in keys if isinstance(key, str))
