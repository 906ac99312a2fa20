"""Encrypted realms that sync: the key is the device's own, and the server knows of none."""

import pytest

from skerry import Realm, SyncConfiguration, where
from skerry.errors import EncryptionKeyError
from tests.support.devices import Item, log_in, oid, open_app
from tests.support.waiting import within

KEY, OTHER = bytes(range(64)), bytes(64)
SECRET = "Nobody may read this without the key."


async def test_an_encrypted_realm_syncs_and_shows_nothing(system):
    email = await system.register("alice")

    async def configuration_of(app, key):
        return SyncConfiguration(
            await log_in(app, email),
            [Item],
            initial_subscriptions=lambda subs: subs.add(where(Item, "complexity >= 0")),
            encryption_key=key,
        )

    first, second = system.folder / "first", system.folder / "second"
    async with open_app(system.server.http_url, first) as app:
        configuration = await configuration_of(app, KEY)
        async with Realm.open(configuration) as realm:
            with within("the first device is in step"):
                await realm.subscriptions.wait_for_synchronization()
            async with realm.write() as txn:
                owner = realm.sync_session.user.id
                txn.add(Item(_id=oid(1), ownerId=owner, complexity=1, name=SECRET))
            with within("the upload"):
                await realm.sync_session.upload_all_local_changes()
            beside = await configuration_of(app, OTHER)
            with pytest.raises(EncryptionKeyError, match="open with another encryption key"):
                async with Realm.open(beside):
                    """Not reached."""
            looked_at = [file for file in first.rglob("*.realm*") if file.is_file()]
            assert any(file.name.endswith("-wal") for file in looked_at)
            for file in looked_at:
                assert SECRET.encode() not in file.read_bytes(), file
        with pytest.raises(EncryptionKeyError, match="another key"):
            async with Realm.open(beside):
                """Not reached."""
        async with Realm.open(configuration) as realm:
            assert realm.find(Item, oid(1)).name == SECRET
    async with (
        open_app(system.server.http_url, second) as app,
        Realm.open(await configuration_of(app, OTHER)) as realm,
    ):
        with within("another device, with a key of its own"):
            await realm.subscriptions.wait_for_synchronization()
        assert realm.find(Item, oid(1)).name == SECRET
