"""A device without a network: it rests, it closes, and it comes back with its changes."""

import time

from tests.support.devices import oid, settle
from tests.support.waiting import within

CLOSE_S = 8.0


async def test_an_app_closes_with_unsent_changes_and_sends_them_later(system):
    system.proxy.is_down = True
    with within("the app opens, writes and closes offline", CLOSE_S):
        async with system.device("one") as device:
            await device.add(1, name="made offline")
            user_id = device.user.id
    system.proxy.is_down = False
    async with system.device("one") as device:
        await settle(device)
        assert await system.audit() == {oid(1).hex: (user_id, 1, "made offline", None, 0)}


async def test_a_device_without_a_link_rests(system):
    """No busy waiting between attempts to connect, whatever waits to be sent."""
    system.proxy.is_down = True
    async with system.device("one") as device:
        await device.add(1)
        used = time.process_time()
        await device.session.upload_all_local_changes(timeout=2)
        assert time.process_time() - used < 1.0
        assert device.objects
