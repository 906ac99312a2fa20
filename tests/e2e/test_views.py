"""Objects leave and enter views while a device has unsent edits on them; then all agree.

An edit made before an object left is integrated by the server only as far as the object was in view
at its base (docs: design 6). Whatever is decided, each device ends with what its query gives on the
server, and the server with what a device that sees everything has.
"""

import pytest

from tests.support.devices import oid, settle

SIMPLE = ("complexity <= 4",)


async def agree(system, narrow, wide, threshold=4):
    """Assert that both devices show the server's state through their queries, and return it."""
    await settle(narrow, wide)
    await settle(narrow, wide)
    server = await system.audit()
    assert wide.objects == server
    assert narrow.objects == {key: row for key, row in server.items() if row[1] <= threshold}
    return server


async def prepared(narrow, wide, complexity):
    """Let both devices know of one object, or only the wide one if it is too complex."""
    await wide.add(1, complexity=complexity, name="first")
    await settle(wide)
    await settle(narrow)
    assert (oid(1).hex in narrow.objects) is (complexity <= 4)


async def test_left_by_another_devices_edit(system):
    async with (
        system.device("wide") as wide,
        system.device("narrow", queries=SIMPLE) as narrow,
    ):
        await prepared(narrow, wide, complexity=3)
        narrow.session.pause()
        await narrow.change(1, name="narrow")
        await narrow.increment(1, 5)
        await wide.change(1, complexity=7)
        await settle(wide)
        narrow.session.resume()
        await narrow.until(lambda objects: not objects, "the object leaves the narrow view")
        server = await agree(system, narrow, wide)
        assert server[oid(1).hex][1] == 7
        # The edits were made on an object outside the view by then: undone, and told.
        assert [pk for pk, _ in narrow.rejected] == [oid(1).hex] * len(narrow.rejected)
        assert server[oid(1).hex][2:] == ("first", None, 0)
        assert narrow.rejected


async def test_entered_by_another_devices_edit(system):
    async with (
        system.device("wide") as wide,
        system.device("narrow", queries=SIMPLE) as narrow,
    ):
        await prepared(narrow, wide, complexity=7)
        await wide.change(1, complexity=2)
        await narrow.until(lambda objects: objects, "the object enters the narrow view")
        await narrow.change(1, name="narrow")
        server = await agree(system, narrow, wide)
        assert server[oid(1).hex][1:3] == (2, "narrow")
        assert narrow.errors == []


async def test_left_and_came_back_while_a_device_was_offline(system):
    async with (
        system.device("wide") as wide,
        system.device("narrow", queries=SIMPLE) as narrow,
    ):
        await prepared(narrow, wide, complexity=3)
        narrow.session.pause()
        await narrow.change(1, name="narrow")
        await narrow.increment(1, 5)
        await wide.change(1, complexity=7)
        await settle(wide)
        await wide.change(1, complexity=2)
        await settle(wide)
        narrow.session.resume()
        server = await agree(system, narrow, wide)
        # Not in view all along, so the unsent edits are undone although it is in view again.
        assert server[oid(1).hex][1:] == (2, "first", None, 0)
        assert [pk for pk, _ in narrow.rejected] == [oid(1).hex] * len(narrow.rejected)


async def test_left_by_a_subscription_change_with_unsent_edits(system):
    """Writes are judged under the set with which they were made (docs/protocol.md 4)."""
    async with (
        system.device("wide") as wide,
        system.device("narrow", queries=SIMPLE) as narrow,
    ):
        await prepared(narrow, wide, complexity=3)
        narrow.session.pause()
        await narrow.change(1, name="before the change")
        await narrow.subscribe("complexity <= 1")
        narrow.session.resume()
        await narrow.until(lambda objects: not objects, "the object leaves with the subscription")
        server = await agree(system, narrow, wide, threshold=1)
        assert server[oid(1).hex][1:3] == (3, "before the change")
        assert narrow.errors == []


async def test_entered_by_a_subscription_change(system):
    async with (
        system.device("wide") as wide,
        system.device("narrow", queries=SIMPLE) as narrow,
    ):
        await prepared(narrow, wide, complexity=7)
        await narrow.subscribe("complexity <= 8")
        await narrow.until(lambda objects: objects, "the object enters with the subscription")
        await narrow.change(1, name="narrow")
        server = await agree(system, narrow, wide, threshold=8)
        assert server[oid(1).hex][1:3] == (7, "narrow")
        assert narrow.errors == []


@pytest.mark.parametrize("edits_again", [False, True])
async def test_both_at_once_with_unsent_edits(system, edits_again):
    """Offline, one device edits and then subscribes otherwise; the other moves the object away."""
    async with (
        system.device("wide") as wide,
        system.device("narrow", queries=SIMPLE) as narrow,
    ):
        await prepared(narrow, wide, complexity=3)
        narrow.session.pause()
        await narrow.change(1, name="narrow")
        await narrow.increment(1, 5)
        await wide.change(1, complexity=7, note="wide")
        await narrow.subscribe("complexity <= 8")
        if edits_again:
            await narrow.change(1, name="narrow again")
            await narrow.increment(1, 7)
        await settle(wide)
        narrow.session.resume()
        server = await agree(system, narrow, wide, threshold=8)
        assert server[oid(1).hex][1:] == (7, "first", "wide", 0)
        assert {pk for pk, _ in narrow.rejected} == {oid(1).hex}
        # And it is an ordinary object of the new view.
        await narrow.increment(1, 2)
        server = await agree(system, narrow, wide, threshold=8)
        assert server[oid(1).hex][4] == 2


async def test_a_device_moves_its_own_object_out_of_its_view(system):
    """No error: the object is erased locally (design 10); later edits of it are undone."""
    async with (
        system.device("wide") as wide,
        system.device("narrow", queries=SIMPLE) as narrow,
    ):
        await prepared(narrow, wide, complexity=3)
        await narrow.change(1, complexity=9)
        await narrow.until(lambda objects: not objects, "the object leaves")
        server = await agree(system, narrow, wide)
        assert server[oid(1).hex][1] == 9
        assert narrow.errors == []
