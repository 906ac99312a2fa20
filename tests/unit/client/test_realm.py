"""A local realm: transactions, live and frozen objects, results, observers, other processes."""

import threading

import pytest
import trio

from skerry import Configuration, Realm, RealmObject, primary_key
from skerry.errors import (
    ClosedRealmError,
    ConfigurationError,
    IllegalStateError,
    LockTimeoutError,
    NoSuchObjectError,
    PrimaryKeyExistsError,
    PropertyTypeError,
    QueryError,
    SchemaError,
)
from tests.unit.client.fakes import FakeCore, fake_environment


class Item(RealmObject):
    _id: int = primary_key()
    complexity: int = 1
    parent: "Item | None" = None


class Stranger(RealmObject):
    _id: int = primary_key()


@pytest.fixture
def core():
    return FakeCore()


@pytest.fixture
async def realm(core, tmp_path):
    configuration = Configuration([Item], directory=tmp_path, name="things")
    async with Realm.open(configuration, environment=fake_environment(core)) as opened:
        yield opened


async def add(realm, *items):
    async with realm.write() as txn:
        for item in items:
            txn.add(item)


async def test_what_is_written_is_read_back_frozen(autojump_clock, realm):
    await add(realm, Item(_id=1, complexity=3))
    item = realm.find(Item, 1)
    assert item == Item(_id=1, complexity=3)
    with pytest.raises(IllegalStateError, match=r"Item\.complexity.*snapshot"):
        item.complexity = 4
    assert realm.find(Item, 1).complexity == 3


async def test_given_values_and_defaults_are_told_apart(autojump_clock, realm):
    async with realm.write() as txn:
        txn.add(Item(_id=1, complexity=3))
        log = txn._core.log
    assert log == [("create", "Item", 1, (("complexity", 3),), (("parent", None),), "error")]


async def test_inside_a_write_objects_are_live_and_one(autojump_clock, realm):
    await add(realm, Item(_id=1))
    async with realm.write() as txn:
        item = txn.find(Item, 1)
        item.complexity = 5
        assert txn.find(Item, 1) is item
        assert [found.complexity for found in txn.query(Item, "complexity == $0", 5)] == [5]
        txn.increment(item, "complexity", 2)
        assert item.complexity == 7
        with pytest.raises(PropertyTypeError, match="complexity"):
            item.complexity = "much"
        with pytest.raises(PropertyTypeError, match="_id"):
            txn.increment(item, "_id")
    assert realm.find(Item, 1).complexity == 7
    with pytest.raises(IllegalStateError, match="snapshot"):
        item.complexity = 8
    assert item.complexity == 7


async def test_an_exception_rolls_back_and_disables_what_was_made(autojump_clock, realm):
    kept = []
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - the block is what is tested
        async with realm.write() as txn:
            kept.append(txn.add(Item(_id=1)))
            _ = 1 / 0
    assert len(realm.objects(Item)) == 0
    with pytest.raises(IllegalStateError, match="rolled back"):
        _ = kept[0].complexity
    with pytest.raises(IllegalStateError, match="rolled back"):
        txn.add(Item(_id=2))


async def test_cancellation_rolls_back(autojump_clock, realm):
    with trio.move_on_after(1):
        async with realm.write() as txn:
            txn.add(Item(_id=1))
            await trio.sleep_forever()
    assert realm.find(Item, 1) is None
    await add(realm, Item(_id=2))


async def test_adding_adds_linked_objects_also_in_a_circle(autojump_clock, realm):
    one, two = Item(_id=1), Item(_id=2)
    one.parent, two.parent = two, one
    await add(realm, one)
    found = realm.find(Item, 1)
    assert found.parent._id == 2
    assert found.parent.parent == found


async def test_a_link_is_followed_in_the_snapshot_of_its_object(autojump_clock, realm):
    await add(realm, Item(_id=1, parent=Item(_id=2, complexity=9)))
    before = realm.find(Item, 1)
    async with realm.write() as txn:
        parent = txn.live(before).parent
        parent.complexity = 10
    assert before.parent.complexity == 9
    assert realm.find(Item, 1).parent.complexity == 10


async def test_deleting_empties_links_of_live_objects_too(autojump_clock, realm):
    await add(realm, Item(_id=1, parent=Item(_id=2)))
    async with realm.write() as txn:
        child = txn.find(Item, 1)
        assert txn.delete(child.parent)
        assert child.parent is None
        with pytest.raises(NoSuchObjectError):
            txn._core.set("Item", 2, "complexity", 1)
        assert not txn.delete(Item(_id=2))
        assert txn.delete_all(Item) == 1
    assert not realm.objects(Item)


async def test_an_existing_key_is_refused_or_updated_as_asked(autojump_clock, realm):
    await add(realm, Item(_id=1, complexity=3))
    async with realm.write() as txn:
        with pytest.raises(PrimaryKeyExistsError):
            txn.add(Item(_id=1))
        live = txn.add(Item(_id=1, complexity=4), update_policy="modified")
        assert live.complexity == 4
        with pytest.raises(IllegalStateError, match="already"):
            txn.add(live)
    assert realm.find(Item, 1).complexity == 4


async def test_results_show_one_version_for_ever(autojump_clock, realm):
    await add(realm, *(Item(_id=key, complexity=key) for key in range(5)))
    results = realm.query(Item, "complexity <= $0", 2)
    everything = realm.objects(Item)
    await add(realm, Item(_id=9, complexity=0))
    assert [item._id for item in results] == [0, 1, 2]
    assert len(everything) == 5
    assert results.first()._id == 0
    assert results.find(2) == Item(_id=2, complexity=2)
    assert results.find(3) is None
    assert everything.find(9) is None
    assert results[1]._id == 1
    assert len(await realm.objects(Item).load()) == 6


async def test_a_wrong_query_or_class_is_named(autojump_clock, realm):
    with pytest.raises(QueryError) as caught:
        list(realm.query(Item, "nonsense"))
    assert caught.value.position == 0
    with pytest.raises(SchemaError, match="Stranger"):
        realm.objects(Stranger)


async def test_writers_take_turns_and_time_out(autojump_clock, realm, core):
    async def write_too():
        with pytest.raises(LockTimeoutError, match="another task"):
            async with realm.write(timeout=2):
                pass

    async with realm.write():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(write_too)
        with pytest.raises(IllegalStateError, match="this task"):
            async with realm.write():
                pass
    (disk,) = core.disks.values()
    disk.is_locked = True
    started = trio.current_time()
    with pytest.raises(LockTimeoutError, match="another writer"):
        async with realm.write(timeout=0.5):
            pass
    assert trio.current_time() - started <= 1
    with pytest.raises(ValueError, match="timeout"):
        async with realm.write(timeout=0):
            pass


async def test_observers_are_told_of_own_and_foreign_commits(autojump_clock, realm, core):
    changes = realm.changed()
    await add(realm, Item(_id=1))
    assert await anext(changes) == 2
    (disk,) = core.disks.values()
    disk.version, disk.data_version = 7, 2
    with trio.fail_after(5):
        assert await anext(changes) == 7


async def test_write_blocking_is_for_any_thread(autojump_clock, realm):
    changes = realm.changed()

    def write():
        with realm.write_blocking() as txn:
            txn.add(Item(_id=1))
        with pytest.raises(ZeroDivisionError), realm.write_blocking() as txn:
            txn.add(Item(_id=1 // 0))

    thread = threading.Thread(target=write)
    thread.start()
    await trio.to_thread.run_sync(thread.join)
    with trio.fail_after(5):
        assert await anext(changes) == 2
    assert [item._id for item in realm.objects(Item)] == [1]


async def test_after_closing_nothing_is_read_and_streams_end(core, tmp_path, autojump_clock):
    configuration = Configuration([Item], directory=tmp_path)
    async with Realm.open(configuration, environment=fake_environment(core)) as realm:
        changes = realm.changed()
        with pytest.raises(IllegalStateError, match="local"):
            _ = realm.sync_session
    assert [version async for version in changes] == []
    for call in (lambda: realm.objects(Item), lambda: realm.find(Item, 1), realm.changed):
        with pytest.raises(ClosedRealmError):
            call()


async def test_an_exception_in_the_block_comes_out_bare(core, tmp_path, autojump_clock):
    configuration = Configuration([Item], directory=tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with Realm.open(configuration, environment=fake_environment(core)):
            _ = 1 / 0


@pytest.mark.parametrize("name", ["", ".realm", "a/b", "a\\b"])
def test_names_with_separators_are_refused(name):
    with pytest.raises(ConfigurationError, match="not the name"):
        Configuration([Item], name=name)


def test_the_suffix_is_added_once(tmp_path):
    names = ["x.database", "x.realm", "default"]
    paths = [Configuration([Item], directory=tmp_path, name=name).path for name in names]
    assert [path.name for path in paths] == ["x.database.realm", "x.realm", "default.realm"]


async def test_a_write_inside_a_write_is_refused_at_once_in_each_form(autojump_clock, realm):
    async with realm.write():
        with pytest.raises(IllegalStateError, match="open"):
            async with realm.write():
                pass
        with pytest.raises(IllegalStateError, match="wait for ever"), realm.write_blocking():
            pass
    with (
        realm.write_blocking(),
        pytest.raises(IllegalStateError, match="wait for ever"),
        realm.write_blocking(),
    ):
        pass
    await add(realm, Item(_id=1))
