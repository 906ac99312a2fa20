"""Cancelling what surrounds an app: it is put away in order, and nothing waits for a dead task."""

import pytest
import trio
import trio.testing

from skerry.client.driver import Driver
from skerry.errors import IllegalStateError
from tests.unit.client.fakes import FakeCore, FakeNetwork, fake_environment, until
from tests.unit.client.test_synced_realm import running


async def test_realms_let_go_of_their_files(tmp_path):
    with trio.CancelScope() as scope:
        async with running(tmp_path) as rig, rig.open() as realm:
            file = realm._file
            await until(lambda: rig.core.syncs)
            scope.cancel()
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert ("detach", 1) in rig.sync.calls
    assert file.is_closed


async def test_calls_on_a_driver_that_has_ended_are_refused():
    driver = Driver(fake_environment(FakeCore(), FakeNetwork()), lambda _: None, lambda _: None)

    async def call():
        with pytest.raises(IllegalStateError, match="has ended"):
            await driver.call(lambda core, now_ms: core.detach(1))

    with trio.fail_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            await trio.testing.wait_all_tasks_blocked()
            async with trio.open_nursery() as running_driver:
                running_driver.cancel_scope.cancel()
                running_driver.start_soon(driver.run)
            await call()
