"""What files go through while their sessions run: schemas, many types, links, size, closing."""

import json
import uuid

import pytest

from skerry._core import RealmFile
from skerry.types import Decimal128, Link, ObjectId, Timestamp
from tests.support.loop import Loop, subscribe

from .conftest import KINDS, class_entry, write

EVERYTHING = [
    class_entry("Thing", "objectId", ownerId="string", **KINDS, link="object:Thing"),
]
ROW = {
    "ownerId": "alice",
    "int": -(2**63),
    "bool": False,
    "double": -0.0,
    "string": "héllo \U0001f600",
    "data": b"\x00\xff",
    "date": Timestamp(-1, -500_000_000),
    "oid": ObjectId(b"\x01" * 12),
    "uuid": uuid.UUID(int=2**127 + 1),
    "decimal": Decimal128("-1.500E+10"),
}


@pytest.fixture
def loop(tmp_path):
    loop = Loop(tmp_path)
    yield loop
    for device in loop.devices:
        device.file.close()
    loop.server.close()


def joined(loop, name, schema, class_name, rql="TRUEPREDICATE"):
    device = loop.device(name, "alice", schema)
    subscribe(device, rql, class_name=class_name)
    loop.connect(device)
    loop.settle()
    return device


def oid(number):
    return ObjectId(f"{number:024x}")


def problems(loop):
    return [e.message for d in loop.devices for e in d.events if e.kind == "error"]


def test_values_of_every_type_travel(loop):
    a = joined(loop, "a", EVERYTHING, "Thing")
    b = joined(loop, "b", EVERYTHING, "Thing")
    values = [*ROW.items(), ("link", Link("Thing", oid(2)))]
    write(a.file, lambda txn: txn.create("Thing", oid(1), values, [], "error"))
    loop.settle()
    [row] = b.rows("Thing")
    assert row == (oid(1), *ROW.values(), None), "the target is not there yet"
    assert [str(row[4]), row[10].text] == ["-0.0", "-1.500E+10"]
    write(a.file, lambda txn: txn.create("Thing", oid(2), [("ownerId", "alice")], [], "error"))
    loop.settle()
    assert b.rows("Thing", "int != nil")[0][-1] == Link("Thing", oid(2))
    late = joined(loop, "late", EVERYTHING, "Thing")
    assert sorted(late.rows("Thing"), key=repr) == sorted(a.rows("Thing"), key=repr)
    assert problems(loop) == []


def test_deleting_a_target_empties_the_links_to_it(loop):
    a = joined(loop, "a", EVERYTHING, "Thing")
    b = joined(loop, "b", EVERYTHING, "Thing")

    def work(txn):
        own = ("ownerId", "alice")
        txn.create("Thing", oid(2), [own], [], "error")
        txn.create("Thing", oid(1), [own, ("link", Link("Thing", oid(2)))], [], "error")

    write(a.file, work)
    loop.settle()
    write(b.file, lambda txn: txn.delete("Thing", oid(2)))
    loop.settle()
    write(a.file, lambda txn: txn.create("Thing", oid(2), [("ownerId", "alice")], [], "error"))
    loop.settle()
    for device in (a, b):
        assert {row[0]: row[-1] for row in device.rows("Thing")} == {
            oid(1): None,
            oid(2): None,
        }


def test_devices_of_two_releases_share_what_both_know(loop):
    old = joined(loop, "old", [class_entry("Note", "objectId", ownerId="string")], "Note")
    grown = [
        class_entry("Note", "objectId", ownerId="string", text="string", extra="object:Extra"),
        class_entry("Extra", "objectId", ownerId="string"),
    ]
    new = joined(loop, "new", grown, "Note")
    values = [("ownerId", "alice"), ("text", "new")]
    write(new.file, lambda txn: txn.create("Note", oid(1), values, [], "error"))
    values = [("ownerId", "alice")]
    write(old.file, lambda txn: txn.create("Note", oid(2), values, [], "error"))
    loop.settle()
    assert problems(loop) == []
    assert sorted(row[:2] for row in old.rows("Note")) == [(oid(1), "alice"), (oid(2), "alice")]
    assert sorted(new.rows("Note")) == [
        (oid(1), "alice", "new", None),
        (oid(2), "alice", None, None),
    ]
    old.file.close()
    path = old.file.path
    old.sync.detach(old.session)
    loop.settle()
    again = RealmFile.open(path, json.dumps(grown), synced=True)
    [row] = again.snapshot().query("Note", "_id == $0", [oid(1)])
    assert row == (oid(1), "alice", "new", None)
    again.close()


def test_a_schema_that_contradicts_the_servers_ends_the_session(loop):
    joined(loop, "a", [class_entry("Note", "objectId", ownerId="string", text="string")], "Note")
    schema = [class_entry("Note", "objectId", ownerId="string", text="int")]
    other = joined(loop, "other", schema, "Note")
    [error] = other.of_kind("error")
    assert (error.code, error.name, error.is_fatal) == (225, "InvalidSchemaChange", True)
    assert "text" in error.message
    assert [e.state for e in other.of_kind("session")] == ["inactive"]


def test_two_files_share_a_connection(loop):
    first = joined(loop, "a", EVERYTHING, "Thing")
    file = RealmFile.open(str(loop.folder / "b.realm"), json.dumps(EVERYTHING), synced=True)
    session = first.sync.attach(file)
    item = ("1" * 24, None, "Thing", "TRUEPREDICATE", 0, 0)
    file.commit_subscriptions([item], 0)
    write(first.file, lambda txn: txn.create("Thing", oid(1), list(ROW.items()), [], "error"))
    loop.settle()
    assert file.snapshot().count("Thing", "TRUEPREDICATE", []) == 1
    assert {e.session for e in first.of_kind("integrated")} == {first.session, session}
    assert problems(loop) == []
    file.close()


def test_large_transactions_and_bootstraps_come_whole(loop):
    a = joined(loop, "a", EVERYTHING, "Thing")
    text = "x" * 300

    def work(txn):
        for number in range(3_000):
            values = [("ownerId", "alice"), ("int", number), ("string", text)]
            txn.create("Thing", oid(number), values, [], "error")

    write(a.file, work)
    b = joined(loop, "b", EVERYTHING, "Thing", "ownerId == 'alice'")
    loop.settle()
    assert problems(loop) == []
    assert len(b.rows("Thing")) == 3_000
    assert sorted(b.rows("Thing")) == sorted(a.rows("Thing"))


def test_a_file_closed_under_its_session_harms_nobody(loop):
    a = joined(loop, "a", EVERYTHING, "Thing")
    b = joined(loop, "b", EVERYTHING, "Thing")
    a.file.close()
    write(b.file, lambda txn: txn.create("Thing", oid(1), list(ROW.items()), [], "error"))
    loop.settle()
    assert len(b.rows("Thing")) == 1
    reopened = RealmFile.open(a.file.path, json.dumps(EVERYTHING), synced=True)
    a.sync.detach(a.session)
    a.file, a.session = reopened, a.sync.attach(reopened)
    loop.settle()
    assert len(a.rows("Thing")) == 1
