"""Many objects and many changes, without the proxy in between."""

from contextlib import AsyncExitStack

from tests.support.devices import Item, oid, settle

SYSTEM = {"is_direct": True}
OBJECTS = 20_000
CHANGES = 10_000
CHANGES_A_TRANSACTION = 20
RECEIVERS = 10
LONG_S = 60.0


async def test_20_000_objects_bootstrap_into_a_fresh_device(system):
    async with system.device("writer") as writer:

        def fill(txn):
            for number in range(OBJECTS):
                txn.add(Item(_id=oid(number), ownerId=writer.user.id, name=f"item {number}"))

        await writer.write(fill)
        await settle(writer, seconds=LONG_S)
        async with system.device("fresh") as fresh:
            await settle(fresh, seconds=LONG_S)
            assert len(fresh.realm.objects(Item)) == OBJECTS
            assert fresh.objects == writer.objects
            assert fresh.errors == writer.errors == []


async def test_10_000_changes_of_one_device_arrive_at_ten_others(system):
    """Each change adds one to a counter, so one that is lost or applied twice shows."""
    async with AsyncExitStack() as stack:
        writer = await stack.enter_async_context(system.device("writer"))
        for number in range(CHANGES_A_TRANSACTION):
            await writer.add(number)
        await settle(writer)
        receivers = [
            await stack.enter_async_context(system.device(f"receiver {number}"))
            for number in range(RECEIVERS)
        ]
        await settle(*receivers)

        def change(txn):
            for item in txn.query(Item):
                txn.increment(item, "count")

        rounds = CHANGES // CHANGES_A_TRANSACTION
        for _ in range(rounds):
            await writer.write(change)
        await settle(writer, seconds=LONG_S)
        await settle(*receivers, seconds=LONG_S)
        mine = writer.user.id
        expected = {
            oid(number).hex: (mine, 1, "", None, rounds) for number in range(CHANGES_A_TRANSACTION)
        }
        for device in (writer, *receivers):
            assert device.objects == expected
            assert device.errors == []
