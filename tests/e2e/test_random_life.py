"""Three devices of two users live at random, on a network that breaks; then all agree.

Edits, creations, erasures, moves in and out of views, subscription changes, pauses, and links cut
before or after any message. Afterwards each device shows what its query gives on the server, and
nothing was told twice. The seed decides the plan; what the network does with it also depends on
timing, so a failure shows the messages too. The simulator in skerry-testkit does the same without
sockets, and replays exactly.
"""

import random

import pytest
import trio

from skerry import CompensatingWriteError
from tests.support.app_config import READ_ALL_WRITE_OWN
from tests.support.devices import Item, oid, set_values, settle
from tests.support.proxy import Verdict

SYSTEM = {"role": READ_ALL_WRITE_OWN}
OBJECTS = 8
STEPS = 40
CUTS = 6
LEVELS = (0, 2, 4, 9)


class Life:
    """One device's plan and what it asks for at the moment."""

    def __init__(self, device, seed):
        self.device = device
        self.chance = random.Random(seed)
        self.level = 4

    async def live(self):
        for _ in range(STEPS):
            await self.step()
        self.device.session.resume()

    async def step(self):
        match self.chance.randrange(10):
            case 0:
                self.level = self.chance.choice(LEVELS)
                await self.device.subscribe(f"complexity <= {self.level}")
            case 1:
                self.device.session.pause()
            case 2 | 3:
                self.device.session.resume()
            case _:
                await self.device.write(self.edit)

    def edit(self, txn):
        """Change one to three objects in one transaction, whosoever they are."""
        for _ in range(self.chance.randrange(1, 4)):
            number = self.chance.randrange(OBJECTS)
            item = txn.find(Item, oid(number))
            match self.chance.randrange(6):
                case _ if item is None:
                    level = self.chance.randrange(10)
                    owner = self.device.user.id
                    txn.add(Item(_id=oid(number), ownerId=owner, complexity=level))
                case 0:
                    txn.delete(item)
                case 1 | 2:
                    set_values(txn, number, complexity=self.chance.randrange(10))
                case 3:
                    set_values(txn, number, name=f"{self.chance.random()}")
                case _:
                    txn.increment(item, "count", self.chance.randrange(1, 9))


def break_links(system, chance):
    """Cut at random messages, a bounded number of times."""
    left = CUTS

    def rule(_frame):
        nonlocal left
        if left and chance.random() < 0.05:
            left -= 1
            return chance.choice([Verdict.CUT_BEFORE, Verdict.CUT_AFTER])
        return Verdict.PASS

    system.proxy.rule = rule


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_three_devices_on_a_network_that_breaks(system, seed):
    query = ("complexity <= 4",)
    async with (
        system.device("phone", "alice", queries=query) as phone,
        system.device("laptop", "alice", queries=query, clock_shift_s=1_800) as laptop,
        system.device("other", "bob", queries=query, clock_shift_s=-1_800) as other,
    ):
        lives = [Life(device, seed * 10 + i) for i, device in enumerate((phone, laptop, other))]
        break_links(system, random.Random(seed))
        async with trio.open_nursery() as nursery:
            for life in lives:
                nursery.start_soon(life.live)
        system.proxy.pass_all()
        for _ in range(2):
            await settle(*(life.device for life in lives), seconds=40)
        server = await system.audit()
        for life in lives:
            expected = {key: row for key, row in server.items() if row[1] <= life.level}
            assert life.device.objects == expected, f"seed {seed}, level {life.level}"
        assert_told_once(system, lives)


def assert_told_once(system, lives):
    """Each compensation that the server decided on was told once to the device that made it."""
    decided = {
        # Version of the revert and of the rejected change, and the user.
        (frame.user, frame.fields[11], frame.fields[12])
        for frame in system.proxy.frames
        if frame.is_error(231)
    }
    told = [
        error
        for life in lives
        for error in life.device.errors
        if isinstance(error, CompensatingWriteError)
    ]
    assert len(told) == len(decided)
