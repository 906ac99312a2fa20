"""Writing to a synced realm: what arrives, what is undone, what waits, and what it costs.

A server process on this machine, two devices of one user and one of another, each with a folder of
its own. Run it with ``make demo``. Everything it makes is in a temporary folder and gone at the
end; so are its processes, also after Ctrl-C.
"""

import signal
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import trio

from skerry import ObjectId, User
from story.cost import Cost, cost_of
from story.device import Device, open_device, register
from story.model import Item
from story.server import DemoServer, running_server

WRITES = 500
COMPLEX_ID = ObjectId("65b000000000000000000007")
FOREIGN_ID = ObjectId("65b0000000000000000000f0")
GIVEN_ID = ObjectId("65b000000000000000000003")
EXIT_SIGNAL = 128


def item(owner: User, name: str, complexity: int = 1, key: ObjectId | None = None) -> Item:
    """Return a new item."""
    return Item(_id=key or ObjectId(), ownerId=owner.id, itemName=name, complexity=complexity)


async def tell_allowed_write(phone: Device, laptop: Device) -> None:
    """A write within the subscription and the rules reaches the user's other device."""
    print("\n1. The phone writes an item of complexity 3.")
    await phone.write(item(phone.user, "Put up the tent", 3, GIVEN_ID))
    print("   It is durable on the phone; the network was not waited for.")
    await laptop.until(lambda: "Put up the tent" in laptop.item_names)
    print(f"   The laptop has it too: {laptop.item_names}")


async def tell_undone_write(server: DemoServer, device: Device, key: ObjectId) -> None:
    """Wait for a write to be undone, and show what the server wrote in its log."""
    await device.errors.next()
    entry = server.last_rejection()
    print(f"    server log: Error: {entry.error}")
    for table, writes in entry.details.items():
        for reason in writes.values():
            print(f"    server log: Details: {table}: {reason}")
    found = device.realm.find(Item, key)
    print("   " + ("It is gone." if found is None else f"It is as it was: {found.itemName}."))


async def tell_refused_writes(server: DemoServer, phone: Device, stranger: User) -> None:
    """Writes outside the subscription, or against the rules, are undone and explained."""
    print("\n2. The phone writes an item of complexity 7, outside of its subscription.")
    await phone.write(item(phone.user, "Climb the north face", 7, COMPLEX_ID))
    await tell_undone_write(server, phone, COMPLEX_ID)
    print("\n3. The phone writes an item that belongs to somebody else.")
    await phone.write(item(stranger, "Feed the cat", 1, FOREIGN_ID))
    await tell_undone_write(server, phone, FOREIGN_ID)
    print("\n4. The phone gives an item of its own to somebody else.")
    async with phone.realm.write() as txn:
        for given in txn.query(Item, "_id == $0", GIVEN_ID):
            given.ownerId = stranger.id
    await tell_undone_write(server, phone, GIVEN_ID)


async def tell_offline_writes(phone: Device, laptop: Device) -> None:
    """What is written offline waits in the file and is uploaded later."""
    print("\n5. The laptop goes offline and writes three items.")
    laptop.session.pause()
    names = ["Pack the bags", "Check the tyres", "Lock the door"]
    for name in names:
        await laptop.write(item(laptop.user, name))
    await phone.download()
    print(f"   The laptop holds {len(laptop.item_names)} items, the phone {len(phone.item_names)}.")
    laptop.session.resume()
    await laptop.upload()
    await phone.until(lambda: set(names) <= set(phone.item_names))
    print(f"   It comes back and uploads them: the phone holds {len(phone.item_names)}.")


async def tell_costs(phone: Device, laptop: Device) -> None:
    """The same writes are much cheaper in one transaction than in many."""
    before = len(laptop.item_names)

    def stones() -> list[Item]:
        return [item(phone.user, f"Stone {number}") for number in range(WRITES)]

    print(f"\n6. The phone writes {WRITES} items, each in a transaction of its own.")
    single = await cost_of(phone, [[stone] for stone in stones()])
    print(f"   One by one: {single}.")
    print(f"   It writes {WRITES} more, all in one transaction.")
    together = await cost_of(phone, [stones()])
    print(f"   Grouped: {together}.")
    print(f"   Grouping saves {saved(single, together)}.")
    await laptop.until(lambda: len(laptop.item_names) == before + 2 * WRITES)
    print(f"   The laptop has all of them: it holds {len(laptop.item_names)} items.")


def saved(single: Cost, together: Cost) -> str:
    """Return what one cost is less than another, in percent."""
    time = 1 - (together.write_s + together.upload_s) / (single.write_s + single.upload_s)
    return f"{time:.0%} of the time and {1 - together.bytes / single.bytes:.0%} of the bytes"


async def tell_stranger(tablet: Device) -> None:
    """Another user's device has the same subscription and nothing to see."""
    print("\n7. All the while, Grace's tablet was online with the same subscription.")
    await tablet.download()
    seen = len(tablet.item_names)
    received = tablet.traffic.bytes_received
    print(f"   It holds {seen} items, and {received} bytes came to it in all.")
    if seen or tablet.errors.unseen:
        raise RuntimeError("the tablet saw what is not Grace's")


async def tell_story(folder: Path) -> None:
    """Start everything, tell the story, and stop everything."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running_server(folder))
        print("A server with an empty store listens on this machine.")
        ada = await register(server, folder / "registration", "ada@example.com", "a-long-way")
        grace = await register(server, folder / "registration", "grace@example.com", "home-again")
        phone = await stack.enter_async_context(open_device(server, folder / "phone", ada))
        laptop = await stack.enter_async_context(open_device(server, folder / "laptop", ada))
        tablet = await stack.enter_async_context(open_device(server, folder / "tablet", grace))
        print("Ada has a phone and a laptop, Grace has a tablet.")
        print('Each subscribes to "complexity <= 4" as "simple-items".')
        await tell_allowed_write(phone, laptop)
        await tell_refused_writes(server, phone, tablet.user)
        await tell_offline_writes(phone, laptop)
        await tell_costs(phone, laptop)
        await tell_stranger(tablet)
    print("\nThe devices are closed and the server has stopped.")


async def main() -> int:
    """Tell the story, unless a signal ends it; return the exit status."""
    received: list[int] = []
    failure: Exception | None = None
    # A signal cancels instead of interrupting, so that everything is put away in order.
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:

            async def watch() -> None:
                received.append(await anext(signals))
                nursery.cancel_scope.cancel()

            nursery.start_soon(watch)
            try:
                with tempfile.TemporaryDirectory(prefix="skerry-demo-") as folder:
                    await tell_story(Path(folder))
            except Exception as error:
                # The nursery would wrap it into a group.
                failure = error
            nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure
    return EXIT_SIGNAL + received[0] if received else 0


if __name__ == "__main__":
    sys.exit(trio.run(main))
