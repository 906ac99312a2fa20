"""Changes of results, objects and collections, whoever commits: this task, threads, processes."""

import subprocess
import sys
import threading

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry import (
    Configuration,
    DeletedCollection,
    DeletedObject,
    InitialCollection,
    InitialObject,
    InitialResults,
    Realm,
    RealmObject,
    UpdatedDictionary,
    UpdatedList,
    UpdatedObject,
    UpdatedResults,
    UpdatedSet,
    primary_key,
)
from skerry.client.collection_changes import collection_changes
from skerry.errors import (
    ClosedRealmError,
    ConfigurationError,
    IllegalStateError,
    NoSuchObjectError,
    QueryError,
)
from tests.support.waiting import within


class Owner(RealmObject):
    _id: int = primary_key()
    name: str = ""


class Item(RealmObject):
    _id: int = primary_key()
    number: int = 0
    text: str = ""
    owner: Owner | None = None


@pytest.fixture
async def realm(tmp_path):
    async with Realm.open(Configuration([Item, Owner], directory=tmp_path, name="t")) as opened:
        yield opened


async def add(realm, *objects):
    async with realm.write() as txn:
        for one in objects:
            txn.add(one, update_policy="all")


async def following(changes):
    with within("the next change"):
        return await changes.__anext__()


def numbers(results):
    return [item.number for item in results]


async def test_results_come_first_and_then_what_changes_in_them(realm):
    await add(realm, *(Item(_id=key, number=key) for key in range(5)))
    changes = realm.query(Item, "number < 10").changes()
    first = await following(changes)
    assert isinstance(first, InitialResults)
    assert numbers(first.list) == [0, 1, 2, 3, 4]
    async with realm.write() as txn:
        txn.delete(txn.find(Item, 1))
        txn.find(Item, 3).text = "x"
        txn.add(Item(_id=9, number=9))
    event = await following(changes)
    assert isinstance(event, UpdatedResults)
    assert (event.deletions, event.insertions) == ((1,), (4,))
    assert (event.modifications, event.old_modifications) == ((2,), (3,))
    assert event.deletion_ranges == (range(1, 2),)
    assert numbers(event.list) == [0, 2, 3, 4, 9]
    assert numbers(first.list) == [0, 1, 2, 3, 4], "an event shows its own version for ever"


async def test_who_is_slow_gets_one_event_for_all_commits(realm):
    changes = realm.objects(Item).changes()
    await following(changes)
    for key in range(20):
        await add(realm, Item(_id=key))
    async with realm.write() as txn:
        txn.delete(txn.find(Item, 0))
    event = await following(changes)
    assert event.insertion_ranges == (range(19),)
    assert event.deletion_ranges == event.modification_ranges == ()
    with trio.move_on_after(0) as scope:
        await changes.__anext__()
    assert scope.cancelled_caught, "nothing else is queued"


async def test_commits_that_change_nothing_seen_are_passed_over(realm):
    await add(realm, Item(_id=1, number=1), Item(_id=2, number=2))
    changes = realm.query(Item, "number == 1").changes(["text"])
    await following(changes)
    await add(realm, Item(_id=2, number=2, text="other"))
    async with realm.write() as txn:
        txn.find(Item, 1).owner = txn.add(Owner(_id=1))
    async with realm.write() as txn:
        txn.find(Item, 1).text = "seen"
    event = await following(changes)
    assert (event.modifications, event.list.first().text) == ((0,), "seen")


async def test_a_thread_that_writes_is_noticed(realm):
    changes = realm.objects(Item).changes()
    await following(changes)

    def write():
        with realm.write_blocking() as txn:
            txn.add(Item(_id=7, number=7))

    thread = threading.Thread(target=write)
    thread.start()
    event = await following(changes)
    await trio.to_thread.run_sync(thread.join)
    assert (event.insertions, numbers(event.list)) == ((0,), [7])


OTHER = """
import sys
from skerry._core import RealmFile
path, schema = sys.argv[1:]
file = RealmFile.open(path, schema, synced=False, query_cache_bytes=0)
for key in (1, 2):
    txn = file.begin_write(10_000)
    txn.create("Item", key, [("number", key)], [], "error")
    txn.commit(1)
"""


async def test_another_process_that_writes_is_noticed(realm):
    changes = realm.query(Item, "TRUEPREDICATE SORT(number DESC)").changes()
    await following(changes)
    path, schema = str(realm.configuration.path), realm.schema.to_json()
    command = [sys.executable, "-c", OTHER, path, schema]
    await trio.run_process(command, stdin=subprocess.DEVNULL)
    found = []
    while len(found) < 2:
        event = await following(changes)
        found = numbers(event.list)
    assert found == [2, 1]


async def test_an_object_tells_the_names_of_what_changed_and_ends_when_deleted(realm):
    await add(realm, Item(_id=1, owner=Owner(_id=1, name="a")))
    item = realm.find(Item, 1)
    changes, narrow = item.changes(), realm.changes_of(item, ["text", "owner.name"])
    assert await following(changes) == InitialObject(item)
    assert await following(narrow) == InitialObject(item)
    async with realm.write() as txn:
        txn.find(Item, 1).number = 5
    event = await following(changes)
    assert isinstance(event, UpdatedObject)
    assert event.changed_properties == ("number",)
    assert event.is_changed("number")
    assert not event.is_changed("text")
    assert event.obj.number == 5
    async with realm.write() as txn:
        txn.find(Owner, 1).name = "b"
    assert (await following(changes)).changed_properties == ("owner",)
    event = await following(narrow)
    assert (event.changed_properties, event.obj.owner.name) == (("owner",), "b")
    async with realm.write() as txn:
        txn.delete(txn.find(Item, 1))
    assert await following(changes) == DeletedObject()
    with pytest.raises(StopAsyncIteration):
        await following(changes)
    gone = realm.changes_of(item)
    assert await following(gone) == DeletedObject()
    with pytest.raises(StopAsyncIteration):
        await following(gone)


async def test_what_cannot_be_observed_is_refused_by_name(realm):
    with pytest.raises(IllegalStateError, match="Item is in no realm"):
        Item(_id=1).changes()
    with pytest.raises(IllegalStateError, match="Item is in no realm"):
        realm.changes_of(Item(_id=1))
    await add(realm, Item(_id=1))
    async with realm.write() as txn:
        live = txn.find(Item, 1)
        with pytest.raises(IllegalStateError, match="inside of a write"):
            live.changes()
    with pytest.raises(IllegalStateError, match=r"realm\.changes_of"):
        live.changes()
    assert await following(realm.changes_of(live)) == InitialObject(realm.find(Item, 1))
    with pytest.raises(ConfigurationError, match='class "Owner" has no property "nope"'):
        realm.objects(Item).changes(["owner.nope"])
    with pytest.raises(ValueError, match=r'"Item\.text" holds no objects'):
        realm.find(Item, 1).changes(["text.more"])
    with pytest.raises(TypeError, match="list of key paths"):
        realm.objects(Item).changes("text")
    with pytest.raises(QueryError):
        realm.query(Item, "number ==").changes()


async def test_iterators_end_when_the_realm_closes(tmp_path):
    events = []

    async def collect(changes):
        events.extend([type(event) async for event in changes])

    configuration = Configuration([Item, Owner], directory=tmp_path)
    async with trio.open_nursery() as nursery, Realm.open(configuration) as realm:
        await add(realm, Item(_id=1))
        item = realm.find(Item, 1)
        nursery.start_soon(collect, realm.objects(Item).changes())
        nursery.start_soon(collect, item.changes())
        later = realm.objects(Item).changes()
        results = realm.objects(Item)
        await add(realm, Item(_id=2))
    assert set(events) <= {InitialResults, InitialObject, UpdatedResults}
    with pytest.raises(StopAsyncIteration):
        await following(later)
    with pytest.raises(ClosedRealmError):
        results.changes()
    with pytest.raises(ClosedRealmError):
        item.changes()


async def test_cancelling_a_wait_loses_no_change(realm):
    changes = realm.objects(Item).changes()
    await following(changes)
    with trio.move_on_after(0):
        await changes.__anext__()
    await add(realm, Item(_id=1))
    with trio.CancelScope() as scope:
        scope.cancel()
        await changes.__anext__()
    assert (await following(changes)).insertions == (0,)


async def test_no_version_stays_open_between_events(realm):
    changes = realm.objects(Item).changes()
    await following(changes)
    await add(realm, Item(_id=1))
    await following(changes)
    # The realm keeps its newest reader for a quarter of a second at most; nobody else does.
    realm._recent_reader = None
    assert realm._reader() is None


SCHEMA = """[{"name": "Bag", "primary_key": "_id", "properties": [
  {"name": "_id", "nullable": false, "type": "int"},
  {"name": "words", "nullable": false, "type": "string", "collection": "list"},
  {"name": "tags", "nullable": false, "type": "string", "collection": "set"},
  {"name": "scores", "nullable": false, "type": "int", "collection": "dictionary"}]}]"""


class FileHost:
    """The part of a realm that observers use, over a bare file."""

    def __init__(self, realm, file):
        self._realm = realm
        self._file = file

    @property
    def is_closed(self):
        return False

    def observed_file(self):
        return self._file

    def changed(self):
        return self._realm.changed()

    def newest_reader(self):
        class Reader:
            snapshot = self._file.snapshot()

        return Reader()

    async def run_blocking(self, call):
        return await trio.to_thread.run_sync(call)


async def test_collections_tell_positions_elements_and_keys(realm, tmp_path):
    from skerry._core import RealmFile

    file = RealmFile.open(str(tmp_path / "bag.realm"), SCHEMA, synced=False)
    host = FileHost(realm, file)

    def observe(name, place):
        return collection_changes(
            host, "Bag", 1, name, load=lambda reader: reader.snapshot.get("Bag", 1)[place]
        )

    async def write(edit):
        txn = file.begin_write(1000)
        edit(txn)
        txn.commit(1)
        # Wakes the observers, which look at the other file.
        await add(realm, Item(_id=1))

    with pytest.raises(ConfigurationError, match="holds no collection"):
        observe("_id", 0)
    with pytest.raises(NoSuchObjectError):
        collection_changes(host, "Nope", 1, "words", load=lambda reader: None)
    assert await following(observe("words", 1)) == DeletedCollection()
    await write(lambda txn: txn.create("Bag", 1, [], [], "error"))
    words, tags, scores = observe("words", 1), observe("tags", 2), observe("scores", 3)
    assert await following(words) == InitialCollection([])
    await following(tags)
    await following(scores)

    def fill(txn):
        for index, word in enumerate("abc"):
            txn.list_insert("Bag", 1, "words", index, word)
            txn.set_insert("Bag", 1, "tags", word)
            txn.dictionary_set("Bag", 1, "scores", word, index)

    def change(txn):
        txn.list_erase("Bag", 1, "words", 0)
        txn.list_set("Bag", 1, "words", 1, "z")
        txn.set_erase("Bag", 1, "tags", "a")
        txn.set_insert("Bag", 1, "tags", "d")
        txn.dictionary_erase("Bag", 1, "scores", "a")
        txn.dictionary_set("Bag", 1, "scores", "b", 7)

    await write(fill)
    event = await following(words)
    assert isinstance(event, UpdatedList)
    assert (event.insertions, event.collection) == ((0, 1, 2), ["a", "b", "c"])
    event = await following(tags)
    assert isinstance(event, UpdatedSet)
    assert sorted(event.insertions) == ["a", "b", "c"]
    event = await following(scores)
    assert isinstance(event, UpdatedDictionary)
    assert event.insertions == ("a", "b", "c")
    await write(change)
    event = await following(words)
    assert (event.deletions, event.old_modifications, event.modifications) == ((0,), (2,), (1,))
    event = await following(tags)
    assert (event.deletions, event.insertions) == (("a",), ("d",))
    event = await following(scores)
    assert (event.deletions, event.modifications) == (("a",), ("b",))
    await write(lambda txn: txn.delete("Bag", 1))
    for changes in (words, tags, scores):
        assert await following(changes) == DeletedCollection()
        with pytest.raises(StopAsyncIteration):
            await following(changes)
    file.close()


def applied(shown, event):
    """Follow an event as an application would, which keeps a list of its own."""
    for old, new in zip(event.old_modifications, event.modifications, strict=True):
        shown[old] = row(event.list[new])
    for index in reversed(event.deletions):
        del shown[index]
    for index in event.insertions:
        shown.insert(index, row(event.list[index]))


def row(item):
    return (item._id, item.number, None if item.owner is None else item.owner.name)


edits = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 7), st.integers(0, 5), st.integers(0, 2)),
    st.tuples(st.just("delete"), st.integers(0, 7)),
    st.tuples(st.just("name"), st.integers(0, 2), st.sampled_from("abc")),
    st.tuples(st.just("forget"), st.integers(0, 2)),
)
QUERIES = (
    "number < 3",
    "TRUEPREDICATE SORT(number ASC)",
    "owner.name != 'a' SORT(number DESC) LIMIT(4)",
)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.lists(edits, max_size=4), st.booleans()), max_size=8))
def test_following_the_events_gives_the_newest_list(tmp_path_factory, commits):
    async def follow():
        folder = tmp_path_factory.mktemp("law")
        async with Realm.open(Configuration([Item, Owner], directory=folder)) as realm:
            followed = []
            for text in QUERIES:
                changes = realm.query(Item, text).changes()
                first = await following(changes)
                followed.append((text, changes, [row(item) for item in first.list]))
            for batch, is_looked_at in [*commits, ([], True)]:
                async with realm.write() as txn:
                    for edit in batch:
                        apply(txn, edit)
                for text, changes, shown in followed if is_looked_at else []:
                    expected = [row(item) for item in realm.query(Item, text)]
                    if shown != expected:
                        applied(shown, await following(changes))
                    assert shown == expected

    def apply(txn, edit):
        match edit:
            case ("put", key, number, owner):
                item = Item(_id=key, number=number, owner=txn.find(Owner, owner))
                txn.add(item, update_policy="all")
            case ("delete", key) if txn.find(Item, key) is not None:
                txn.delete(txn.find(Item, key))
            case ("name", key, name):
                txn.add(Owner(_id=key, name=name), update_policy="all")
            case ("forget", key) if txn.find(Owner, key) is not None:
                txn.delete(txn.find(Owner, key))

    trio.run(follow)
