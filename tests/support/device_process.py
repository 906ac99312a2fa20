"""A device in a process of its own, to be killed.

Run as ``python -m tests.support.device_process TASK BASE_URL FOLDER EMAIL``. ``read`` waits
for its subscriptions to be complete, prints the number of objects and ends; ``write`` creates an
object and adds one to the counter in each transaction, until it is killed.
"""

import sys
from pathlib import Path

import trio

from skerry import Transaction
from tests.support.devices import Device, Item, log_in, oid, open_app, open_device, settle

COUNTER = 1_000_000
SETTLE_S = 60.0


async def write_one(device: Device) -> int:
    """Create the next object and count it, in one transaction; return its number."""
    number = len(device.realm.objects(Item))

    def change(txn: Transaction) -> None:
        txn.add(Item(_id=oid(number), ownerId=device.user.id))
        txn.increment(txn.find(Item, oid(COUNTER)), "count")

    await device.write(change)
    return number


async def run(task: str, base_url: str, folder: str, email: str) -> None:
    """Be the device."""
    async with open_app(base_url, Path(folder)) as app:
        user = await log_in(app, email)
        async with open_device(app, user) as device:
            await settle(device, seconds=SETTLE_S)
            while task == "write":
                await write_one(device)
            sys.stdout.write(f"{len(device.objects)}\n")


if __name__ == "__main__":
    trio.run(run, *sys.argv[1:])
