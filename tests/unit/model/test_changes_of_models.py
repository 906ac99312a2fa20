"""Changes of objects and collections through the classes that applications write."""

import pytest
import trio

from skerry import (
    Configuration,
    DeletedCollection,
    DeletedObject,
    EmbeddedObject,
    InitialCollection,
    InitialObject,
    Realm,
    RealmObject,
    UpdatedDictionary,
    UpdatedList,
    UpdatedObject,
    UpdatedSet,
    blocking,
    field,
    primary_key,
)
from skerry.errors import IllegalStateError
from tests.unit.model.realms import with_realm


class Part(EmbeddedObject):
    size: int = 0
    marks: list[int] = field(default_factory=list)


class Thing(RealmObject):
    _id: int = primary_key()
    title: str = field(default="", name="stored_title")
    names: list[str] = field(default_factory=list, name="stored_names")
    flags: set[int] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    part: Part | None = None
    peer: "Thing | None" = None
    peers: list["Thing"] = field(default_factory=list)


async def following(changes):
    with trio.fail_after(20):
        return await anext(changes)


async def edit(realm, change):
    async with realm.write() as txn:
        change(txn.find(Thing, 1))


async def add_two(realm):
    async with realm.write() as txn:
        peer = Thing(_id=2)
        txn.add(Thing(_id=1, names=["a"], part=Part(marks=[1]), peer=peer, peers=[peer]))


def test_changed_properties_go_by_the_names_of_attributes():
    async def body(realm):
        await add_two(realm)
        changes = realm.find(Thing, 1).changes()
        titles = realm.changes_of(realm.find(Thing, 1), ["title", "peer.title"])
        assert isinstance(await following(changes), InitialObject)
        assert isinstance(await following(titles), InitialObject)
        await edit(realm, lambda thing: thing.names.append("b"))
        change = await following(changes)
        assert isinstance(change, UpdatedObject)
        assert (change.changed_properties, change.obj.names) == (("names",), ["a", "b"])
        await edit(realm, lambda thing: setattr(thing.peer, "title", "new"))
        change = await following(titles)
        assert (change.changed_properties, change.obj.peer.title) == (("peer",), "new")
        await edit(realm, lambda thing: setattr(thing, "title", "mine"))
        assert (await following(titles)).changed_properties == ("title",)
        async with realm.write() as txn:
            txn.delete(txn.find(Thing, 1))
        assert isinstance(await following(titles), DeletedObject)
        with pytest.raises(StopAsyncIteration):
            await following(titles)

    with_realm([Thing], body)


def test_collections_tell_what_has_changed_in_them():
    async def body(realm):
        await add_two(realm)
        thing = realm.find(Thing, 1)
        names, flags, counts = thing.names.changes(), thing.flags.changes(), thing.counts.changes()
        marks, peers = thing.part.marks.changes(), realm.collection_changes_of(thing.peers)
        for changes in (names, flags, counts, marks, peers):
            assert isinstance(await following(changes), InitialCollection)

        def change(live):
            live.names[:0] = ["x", "y"]
            live.flags |= {3, 4}
            live.counts["k"] = 5
            live.part.marks.append(2)
            live.peers[0].title = "new"

        await edit(realm, change)
        update = await following(names)
        assert isinstance(update, UpdatedList)
        assert (update.insertions, update.collection) == ((0, 1), ["x", "y", "a"])
        update = await following(flags)
        assert isinstance(update, UpdatedSet)
        assert (sorted(update.insertions), update.collection) == ([3, 4], {3, 4})
        update = await following(counts)
        assert isinstance(update, UpdatedDictionary)
        assert (update.insertions, update.collection) == (("k",), {"k": 5})
        update = await following(marks)
        assert (update.insertions, update.collection) == ((1,), [1, 2])
        update = await following(peers)
        assert (update.modifications, update.collection[0].title) == ((0,), "new")
        async with realm.write() as txn:
            txn.delete(txn.find(Thing, 1))
        for changes in (names, flags, counts, marks, peers):
            assert isinstance(await following(changes), DeletedCollection)

    with_realm([Thing], body)


def test_what_cannot_be_observed_says_why():
    async def body(realm):
        await add_two(realm)
        with pytest.raises(IllegalStateError, match="in no realm"):
            Thing(_id=1).names.changes()
        with pytest.raises(TypeError, match="list is no collection of a realm"):
            realm.collection_changes_of(["a"])
        async with realm.write() as txn:
            live = txn.find(Thing, 1)
            with pytest.raises(IllegalStateError, match="inside of a write"):
                live.names.changes()
        with pytest.raises(IllegalStateError, match="write that is over"):
            live.names.changes()
        with pytest.raises(ValueError, match="nonsense"):
            realm.find(Thing, 1).changes(["nonsense"])

    with_realm([Thing], body)


def test_threads_observe_collections_and_results(tmp_path):
    with blocking.Realm.open(Configuration([Thing], directory=tmp_path)) as realm:
        with realm.write() as txn:
            txn.add(Thing(_id=1))
        names = realm.collection_changes_of(realm.find(Thing, 1).names)
        titles = realm.query(Thing, "title != ''").changes()
        names.next(timeout=20)
        titles.next(timeout=20)
        with realm.write() as txn:
            live = txn.find(Thing, 1)
            live.names.append("x")
            live.title = "t"
        assert names.next(timeout=20).insertions == (0,)
        update = titles.next(timeout=20)
        assert (update.insertions, [one.title for one in update.list]) == ((0,), ["t"])


async def test_iterators_end_when_the_realm_closes(tmp_path):
    async with Realm.open(Configuration([Thing], directory=tmp_path)) as realm:
        async with realm.write() as txn:
            txn.add(Thing(_id=1))
        changes = realm.find(Thing, 1).names.changes()
        await following(changes)
    with pytest.raises(StopAsyncIteration):
        await following(changes)
