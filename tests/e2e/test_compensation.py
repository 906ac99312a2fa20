"""Writes that are not allowed are undone and told once, after the data have been put right.

The link is cut at each point between the server's decision and its arrival on the device: whatever
is lost, the device ends with the server's state and one report (sync-engine 5.6, server 4).
"""

import pytest

from skerry import CompensatingWriteError
from tests.support.devices import Item, oid, set_values, settle
from tests.support.proxy import Verdict

SIMPLE = ("complexity <= 4",)

CUTS = {
    "no cut": None,
    "before the error": (lambda frame: frame.is_error(231), Verdict.CUT_BEFORE),
    "after the error": (lambda frame: frame.is_error(231), Verdict.CUT_AFTER),
}


@pytest.mark.parametrize("cut", CUTS)
async def test_legal_changes_after_an_illegal_one_are_lost(system, cut):
    """Item 1 is made illegal and then legally changed; 2 and 3 ride in the same transactions."""
    async with system.device("one", queries=SIMPLE) as device:
        for number in (1, 2, 3):
            await device.add(number, name="first")
        await settle(device)
        device.session.pause()

        def illegal(txn):
            set_values(txn, 1, ownerId="somebody else")
            set_values(txn, 2, name="survives")

        def legal(txn):
            set_values(txn, 1, name="legal, and lost")
            set_values(txn, 3, name="survives too")

        await device.write(illegal)
        await device.write(legal)
        if CUTS[cut] is not None:
            system.proxy.cut_once(*CUTS[cut])
        device.session.resume()
        await device.until_rejected(1)
        await settle(device)

        mine = device.user.id
        expected = {
            oid(1).hex: (mine, 1, "first", None, 0),
            oid(2).hex: (mine, 1, "survives", None, 0),
            oid(3).hex: (mine, 1, "survives too", None, 0),
        }
        assert device.objects == expected
        assert await system.audit() == expected
        assert_told_once(device, [f'write to "{oid(1).hex}" in table "Item" not allowed'])
        # When the handler was called, the write was undone already.
        assert device.seen_at_error[0][oid(1).hex] == expected[oid(1).hex]


async def test_cut_between_the_error_and_the_download_that_reverts(system):
    """The error arrives, its DOWNLOAD does not; the error comes again, and is told once."""
    reverts = []

    def rule(frame):
        if frame.is_error(231):
            reverts.append(frame)
        is_revert = bool(reverts) and frame.is_download()
        if is_revert and len(reverts) == 1:
            return Verdict.CUT_BEFORE
        return Verdict.PASS

    async with system.device("one", queries=SIMPLE) as device:
        await settle(device)
        system.proxy.rule = rule
        await device.add(1, complexity=9, name="out of view")
        await device.until_rejected(1)
        await settle(device)
        assert device.objects == {}
        assert await system.audit() == {}
        reason = (
            f'write to "{oid(1).hex}" in table "Item" not allowed; '
            "object is outside of the current query view"
        )
        assert_told_once(device, [reason])
        assert device.seen_at_error == [{}]
        # It was sent on both links, and the fields say the same.
        assert len(reverts) == 2
        assert reverts[0].fields[2:] == reverts[1].fields[2:]


async def test_told_again_to_nobody_when_the_app_is_opened_again(system):
    async with system.device("one", queries=SIMPLE) as device:
        await device.add(1, complexity=9)
        await device.until_rejected(1)
    async with system.device("one") as device:
        await settle(device)
        assert device.errors == []
        assert device.objects == {}


async def test_a_creation_over_a_foreign_object_leaves_that_untouched(system):
    async with (
        system.device("alice's", "alice") as alices,
        system.device("bob's", "bob") as bobs,
    ):
        await alices.add(1, name="alice's")
        await settle(alices)
        await settle(bobs)
        await bobs.add(1, name="bob's", complexity=2)
        await bobs.increment(1, 3)
        await bobs.until_rejected(1)
        await settle(bobs, alices)
        assert bobs.objects == {}
        assert alices.objects == {oid(1).hex: (alices.user.id, 1, "alice's", None, 0)}
        assert {pk for pk, _ in bobs.rejected} == {oid(1).hex}
        assert alices.errors == []


async def test_an_undone_object_can_be_made_again_legally(system):
    async with system.device("one", queries=SIMPLE) as device:
        await device.add(1, complexity=9)
        await device.until_rejected(1)
        assert device.objects == {}
        await device.write(lambda txn: txn.add(Item(_id=oid(1), ownerId=device.user.id)))
        await settle(device)
        expected = {oid(1).hex: (device.user.id, 1, "", None, 0)}
        assert device.objects == expected
        assert await system.audit() == expected
        assert len(device.errors) == 1


def assert_told_once(device, reasons):
    assert [reason for _, reason in device.rejected] == reasons
    assert [str(error) for error in device.errors] == [CompensatingWriteError.TEXT]
