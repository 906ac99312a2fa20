"""Two devices change one object at the same time, with clocks that disagree; then all agree.

What must win is known beforehand: the later stamp per property, additions add up, and an erasure
beats every change. The server's own state is read by a device that has never been here.
"""

import random

import pytest
import trio

from tests.support.devices import oid, settle

HOUR_S = 3600.0


async def settled_pair(system, slow, fast):
    """Bring both to rest, and assert that they and the server agree; return that state."""
    await settle(slow, fast)
    # Each has uploaded by now; what the other uploaded is received by this second round.
    await settle(slow, fast)
    server = await system.audit()
    assert slow.objects == server
    assert fast.objects == server
    assert slow.errors == fast.errors == []
    return server


async def test_later_clock_wins_whoever_uploads_last(system):
    async with (
        system.device("slow", clock_shift_s=-HOUR_S) as slow,
        system.device("fast", clock_shift_s=HOUR_S) as fast,
    ):
        await slow.add(1, name="first")
        await settle(slow)
        await settle(fast)
        for device in (slow, fast):
            device.session.pause()
        await fast.change(1, name="fast", note="only fast")
        await slow.change(1, name="slow", complexity=9)
        await slow.increment(1, 5)
        await fast.increment(1, 7)
        fast.session.resume()
        await settle(fast)
        slow.session.resume()
        server = await settled_pair(system, slow, fast)
        user = slow.user.id
    assert server == {oid(1).hex: (user, 9, "fast", "only fast", 12)}


async def test_a_device_that_has_seen_a_later_stamp_writes_a_later_one(system):
    """A slow clock does not lose every conflict: it goes on from what it has seen (design 4)."""
    async with (
        system.device("slow", clock_shift_s=-HOUR_S) as slow,
        system.device("fast", clock_shift_s=HOUR_S) as fast,
    ):
        await fast.add(1, name="fast")
        await settle(fast)
        await settle(slow)
        await slow.change(1, name="slow, but later")
        server = await settled_pair(system, slow, fast)
    assert server[oid(1).hex][2] == "slow, but later"


async def test_an_erasure_beats_a_change_with_a_later_stamp(system):
    async with (
        system.device("slow", clock_shift_s=-HOUR_S) as slow,
        system.device("fast", clock_shift_s=HOUR_S) as fast,
    ):
        await slow.add(1)
        await settle(slow)
        await settle(fast)
        for device in (slow, fast):
            device.session.pause()
        await slow.delete(1)
        await fast.change(1, name="too late")
        for device in (fast, slow):
            device.session.resume()
        assert await settled_pair(system, slow, fast) == {}


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_random_edits_online_and_offline_converge(system, seed):
    """Both edit five objects at random, now and then offline; every addition counts once."""
    chance = random.Random(seed)
    added = dict.fromkeys(range(5), 0)
    async with (
        system.device("slow", clock_shift_s=-HOUR_S) as slow,
        system.device("fast", clock_shift_s=HOUR_S) as fast,
    ):
        for number in added:
            await slow.add(number)
        await settle(slow)
        await settle(fast)

        async def edit(device, label):
            for step in range(30):
                number = chance.randrange(5)
                match chance.randrange(5):
                    case 0:
                        device.session.pause()
                    case 1:
                        device.session.resume()
                    case 2:
                        await device.change(number, name=f"{label} {step}")
                    case 3:
                        await device.change(number, complexity=step, note=label)
                    case _:
                        amount = chance.randrange(1, 100)
                        added[number] += amount
                        await device.increment(number, amount)
            device.session.resume()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(edit, slow, "slow")
            nursery.start_soon(edit, fast, "fast")
        server = await settled_pair(system, slow, fast)
    counts = {number: server[oid(number).hex][4] for number in added}
    assert counts == added, f"seed {seed}"
