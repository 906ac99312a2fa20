"""Devices of blocking and asyncio programs at a real server, beside one of trio.

The system runs on the test's loop; the programs run on threads of their own, as they are meant to.
"""

import asyncio
import threading
from functools import partial

import trio

from skerry import AppConfiguration, CompensatingWriteError, Credentials, aio, blocking, where
from tests.support.app_config import APP_ID
from tests.support.devices import PASSWORD, Item, oid, settle
from tests.support.portals import portal_threads
from tests.support.waiting import DEADLINE_S

ALLOWED, FORBIDDEN = 1, 2


def app_configuration(system, name):
    return AppConfiguration(
        app_id=APP_ID,
        base_url=system.server.http_url,
        sync_root_directory=system.folder / "devices" / name,
    )


def subscribe(subscriptions):
    subscriptions.add(where(Item, "TRUEPREDICATE"))


def blocking_program(configuration, email):
    """Write an object that is allowed and one that is not; return what was seen of it."""
    errors, told = [], threading.Event()

    def handle(_session, error):
        errors.append((error, len(realm.objects(Item))))
        told.set()

    with blocking.App(configuration) as app:
        user = app.login(Credentials.email_password(email, PASSWORD))
        mine = blocking.SyncConfiguration(
            user, [Item], initial_subscriptions=subscribe, error_handler=handle
        )
        with blocking.Realm.open(mine) as realm:
            assert realm.subscriptions.wait_for_synchronization(timeout=DEADLINE_S)
            with realm.write() as txn:
                txn.add(Item(_id=oid(ALLOWED), ownerId=user.id, name="blocking"))
                txn.add(Item(_id=oid(FORBIDDEN), ownerId="somebody else"))
            assert realm.sync_session.upload_all_local_changes(DEADLINE_S)
            # The handler is told when the realm is right again.
            assert told.wait(DEADLINE_S)
            names = [item.name for item in realm.query(Item)]
    return names, errors


async def aio_program(configuration, email):
    """Wait for the object of another device, change it, and write one that is not allowed."""
    loop = asyncio.get_running_loop()
    errors, told = [], asyncio.Event()

    async def handle(_session, error):
        assert asyncio.get_running_loop() is loop
        errors.append(error)
        told.set()

    async with asyncio.timeout(DEADLINE_S), aio.App(configuration) as app:
        user = await app.login(Credentials.email_password(email, PASSWORD))
        mine = aio.SyncConfiguration(
            user, [Item], initial_subscriptions=subscribe, error_handler=handle
        )
        async with aio.Realm.open(mine) as realm:
            changes = realm.changed()
            while realm.find(Item, oid(ALLOWED)) is None:
                await anext(changes)
            async with realm.write() as txn:
                txn.find(Item, oid(ALLOWED)).name = "aio"
                txn.add(Item(_id=oid(FORBIDDEN), ownerId="somebody else"))
            await realm.sync_session.upload_all_local_changes()
            await told.wait()
            await realm.subscriptions.wait_for_synchronization()
            return [item.name for item in realm.query(Item)], errors


async def test_blocking_asyncio_and_trio_devices_sync_with_one_another(system):
    email = await system.register("alice")
    async with system.device("trio", "alice") as device:
        names, errors = await trio.to_thread.run_sync(
            partial(blocking_program, app_configuration(system, "blocking"), email)
        )
        assert names == ["blocking"]
        ((error, count),) = errors
        assert isinstance(error, CompensatingWriteError)
        assert [write.primary_key for write in error.writes] == [oid(FORBIDDEN)]
        assert count == 1
        await device.until(lambda objects: len(objects) == 1, "the blocking device's object")

        program = aio_program(app_configuration(system, "aio"), email)
        names, errors = await trio.to_thread.run_sync(partial(asyncio.run, program))
        assert names == ["aio"]
        assert [type(error) for error in errors] == [CompensatingWriteError]
        await settle(device)
        assert [state[2] for state in device.objects.values()] == ["aio"]
    assert portal_threads() == []
