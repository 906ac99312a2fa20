"""What sync integrates is told like any other change: bootstraps, downloads, objects that leave."""

from skerry import DeletedObject, InitialObject, InitialResults
from tests.support.devices import Item, oid, settle
from tests.support.waiting import within


async def next_of(changes, fits):
    """Return the first change that fits; a bootstrap and what follows it may come in parts."""
    with within("a change that fits"):
        async for change in changes:
            if fits(change):
                return change
    raise AssertionError("the iterator ended")


async def test_changes_of_another_device_are_told(system):
    async with (
        system.device("wide") as wide,
        system.device("narrow", queries=("complexity <= 4",)) as narrow,
    ):
        changes = narrow.realm.objects(Item).changes()
        first = await next_of(changes, lambda change: isinstance(change, InitialResults))
        assert len(first.list) == 0
        await wide.add(1, complexity=1, name="first")
        await settle(wide)
        event = await next_of(changes, lambda change: len(change.list) == 1)
        assert (event.insertions, event.list.first().name) == ((0,), "first")
        of_object = event.list.first().changes()
        assert isinstance(await next_of(of_object, lambda _change: True), InitialObject)
        await wide.change(1, name="second")
        await settle(wide)
        event = await next_of(changes, lambda change: change.list.first().name == "second")
        assert event.modifications == (0,)
        event = await next_of(of_object, lambda change: change.is_changed("name"))
        assert event.obj.name == "second"
        await wide.change(1, complexity=9)
        await settle(wide)
        event = await next_of(changes, lambda change: len(change.list) == 0)
        assert event.deletions == (0,)
        gone = await next_of(of_object, lambda change: isinstance(change, DeletedObject))
        assert gone == DeletedObject()
        assert narrow.realm.find(Item, oid(1)) is None
