"""Who shares a websocket with whom, and that nothing of others crosses one.

What is asserted is what crossed the wire, message by message, not what a device shows. Changesets
are compressed only beyond 1 KiB (docs/changeset-format.md); these stay below, which is asserted as
well, so that the bytes can be searched.
"""

from skerry import ObjectId
from tests.support.devices import Item, log_in, open_app, open_device, settle

SECRET = "nobody else may read this"
OWN = "this is for its owner"
PLAIN = 0


async def test_two_realms_of_one_user_share_one_websocket(system):
    email = await system.register("alice")
    async with open_app(system.server.http_url, system.folder / "devices" / "one") as app:
        user = await log_in(app, email)
        async with open_device(app, user, name="first") as first:
            async with open_device(app, user, name="second", queries=("complexity > 4",)) as second:
                await first.add(1, complexity=3)
                await second.add(2, complexity=7)
                await settle(first, second)
                await settle(first, second)
                assert len(first.objects) == 2
                assert len(second.objects) == 1
                assert system.proxy.links_of(user.id) == {1}
                assert sessions_bound(system, user.id) == {1, 2}
            await system.proxy.bell.until(
                lambda: "UNBOUND" in [frame.name for frame in system.proxy.to_user(user.id)],
                "the second realm's session is unbound",
            )
            # The first goes on, on the same link, in both directions.
            await first.add(3)
            await settle(first)
            async with system.device("other device", "alice") as other:
                await other.add(4)
                await settle(other)
                await first.until(lambda objects: len(objects) == 4, "the other's object arrives")
            assert first.errors == []
        unbound = [f.fields[1] for f in system.proxy.frames if f.name == "UNBIND" and f.link == 1]
        assert unbound == [2, 1] or unbound == [2]
        assert len([f for f in system.proxy.frames if f.name == "BIND" and f.link == 1]) == 2


def sessions_bound(system, user_id):
    return {
        frame.fields[1]
        for frame in system.proxy.frames
        if frame.user == user_id and frame.to_server and frame.name == "BIND"
    }


async def test_a_third_user_never_receives_a_byte_of_others_objects(system):
    """Creation, change, compensation, erasure and bootstraps of two users; a third one looks on."""
    ids = {"alice": ObjectId(), "bob": ObjectId(), "carol": ObjectId()}
    async with (
        system.device("alice's", "alice") as alices,
        system.device("bob's", "bob") as bobs,
        system.device("carol's", "carol") as carols,
    ):
        await carols.write(
            lambda txn: txn.add(Item(_id=ids["carol"], ownerId=carols.user.id, name=OWN))
        )
        for device, name in ((alices, "alice"), (bobs, "bob")):
            await device.write(
                lambda txn, device=device, name=name: txn.add(
                    Item(_id=ids[name], ownerId=device.user.id, name=SECRET)
                )
            )
        await settle(alices, bobs, carols)
        await alices.write(
            lambda txn: setattr(txn.find(Item, ids["alice"]), "note", f"{SECRET}, changed")
        )
        await settle(alices, carols)
        # Carol tries to take it by its key: she is told so, and nothing else.
        await carols.write(lambda txn: txn.add(Item(_id=ids["alice"], ownerId=carols.user.id)))
        await carols.until_rejected(1)
        await carols.subscribe("complexity >= 0")
        await alices.write(lambda txn: txn.delete(txn.find(Item, ids["alice"])))
        await settle(alices, bobs, carols)
        # And another device of hers begins anew.
        async with system.device("carol's second", "carol") as second:
            await settle(second)
            assert set(second.objects) == {ids["carol"].hex}
        users = {"alice": alices.user.id, "bob": bobs.user.id, "carol": carols.user.id}

    sent = system.proxy.to_user(users["carol"])
    assert_searchable(sent)
    assert occurrences(sent, OWN.encode())
    assert occurrences(sent, ids["carol"].binary)
    assert not occurrences(sent, SECRET.encode())
    assert not occurrences(sent, ids["bob"].binary)
    for other in ("alice", "bob"):
        assert not occurrences(sent, users[other].encode())
    # Alice's key came back to Carol only in the undoing of what Carol herself had made of it.
    for frame in occurrences(sent, ids["alice"].binary):
        assert frame.is_error(231) or is_erasure(frame, ids["alice"])
    # The secrets did cross the wire, to their owners' server: the search works.
    assert occurrences(system.proxy.frames, SECRET.encode())


def occurrences(frames, needle):
    return [frame for frame in frames if needle in frame.data]


def assert_searchable(frames):
    packed = [data for frame in frames if frame.is_download() for data in frame.changesets]
    assert packed
    assert all(changeset[:1] in {b"", bytes([PLAIN])} for changeset in packed)


def is_erasure(frame, key):
    """Tell whether the message says of that object only that it is erased (op 3)."""
    entries = [data for data in frame.changesets if key.binary in data]
    erased = b"\x93\x03\x00\xc7\x0c\x03" + key.binary
    return frame.is_download() and all(entry.endswith(erased) for entry in entries)
