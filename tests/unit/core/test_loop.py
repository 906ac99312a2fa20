"""The whole engine in one process: files, agents and the server, wired without sockets."""

import pytest

from skerry.types import ObjectId
from tests.support.loop import Loop, subscribe


def oid(number):
    return ObjectId(f"{number:024x}")


def create(loop, device, number, complexity=1, owner=None, summary=None):
    with_write(
        loop,
        device,
        lambda txn: txn.create(
            "Item",
            oid(number),
            [
                ("complexity", complexity),
                ("ownerId", owner or device.user_id),
                ("summary", summary),
            ],
            [],
            "error",
        ),
    )


def with_write(loop, device, work):
    txn = device.file.begin_write(1_000)
    try:
        work(txn)
        return txn.commit(loop.now_ms)
    finally:
        txn.rollback()


@pytest.fixture
def loop(tmp_path):
    loop = Loop(tmp_path)
    yield loop
    for device in loop.devices:
        device.file.close()
    loop.server.close()


@pytest.fixture
def pair(loop):
    """Two devices of one user, subscribed to all that is his."""
    devices = loop.device("a", "alice"), loop.device("b", "alice")
    for device in devices:
        subscribe(device, "ownerId == 'alice'")
        loop.connect(device)
    loop.settle()
    return devices


def errors(*devices):
    return [(e.code, e.name, e.message) for device in devices for e in device.of_kind("error")]


def test_two_devices_get_each_others_objects(loop, pair):
    a, b = pair
    create(loop, a, 1, summary="from a")
    create(loop, b, 2, summary="from b")
    loop.settle()
    assert errors(a, b) == []
    assert sorted(a.rows()) == [(oid(1), 1, "alice", "from a"), (oid(2), 1, "alice", "from b")]
    assert sorted(b.rows()) == sorted(a.rows())
    assert not a.file.pending_upload()


def test_a_set_goes_through_its_states(loop, pair):
    for device in pair:
        assert device.file.subscriptions().state == "complete"
        states = [e.state for e in device.of_kind("subscription") if e.version == 1]
        assert states == ["bootstrapping", "awaiting_mark", "complete"]


def test_concurrent_edits_converge_on_the_later_one(loop, pair):
    a, b = pair
    create(loop, a, 1)
    loop.settle()
    with_write(loop, a, lambda txn: txn.set("Item", oid(1), "summary", "earlier"))
    with_write(loop, a, lambda txn: txn.add_integer("Item", oid(1), "complexity", 10))
    loop.now_ms += 5
    with_write(loop, b, lambda txn: txn.set("Item", oid(1), "summary", "later"))
    with_write(loop, b, lambda txn: txn.add_integer("Item", oid(1), "complexity", 100))
    loop.settle()
    assert a.rows() == b.rows() == [(oid(1), 111, "alice", "later")]


def test_a_default_set_later_loses_against_a_value(loop, pair):
    a, b = pair
    create(loop, a, 1)
    loop.settle()
    with_write(loop, b, lambda txn: txn.set("Item", oid(1), "summary", "value"))
    loop.now_ms += 5
    place = ("Item", oid(1), "summary")
    with_write(loop, a, lambda txn: txn.set(*place, "default", is_default=True))
    loop.settle()
    assert a.rows() == b.rows() == [(oid(1), 1, "alice", "value")]


def test_a_delete_beats_an_edit(loop, pair):
    a, b = pair
    create(loop, a, 1)
    loop.settle()
    with_write(loop, a, lambda txn: txn.delete("Item", oid(1)))
    loop.now_ms += 5
    with_write(loop, b, lambda txn: txn.set("Item", oid(1), "summary", "too late"))
    loop.settle()
    assert a.rows() == b.rows() == []


def test_offline_changes_go_out_after_reconnecting(loop, pair):
    a, b = pair
    loop.disconnect(a)
    create(loop, a, 1, summary="offline")
    create(loop, b, 2, summary="meanwhile")
    loop.settle()
    assert a.file.pending_upload()
    assert [row[0] for row in b.rows()] == [oid(2)]
    loop.connect(a)
    loop.settle()
    assert not a.file.pending_upload()
    assert sorted(a.rows()) == sorted(b.rows())
    assert len(a.rows()) == 2


def test_nothing_is_lost_when_the_server_restarts(loop, pair):
    a, b = pair
    create(loop, a, 1)
    loop.settle()
    loop.restart_server()
    create(loop, b, 2)
    for device in pair:
        loop.connect(device)
    loop.settle()
    assert errors(a, b) == []
    assert sorted(a.rows()) == sorted(b.rows())
    assert len(a.rows()) == 2


def test_a_fresh_device_is_bootstrapped(loop, pair):
    a, _ = pair
    for number in range(300):
        create(loop, a, number, complexity=number)
    loop.settle()
    fresh = loop.device("fresh", "alice")
    subscribe(fresh, "complexity >= 100")
    loop.connect(fresh)
    loop.settle()
    assert sorted(fresh.rows()) == sorted(a.rows(rql="complexity >= 100"))
    assert len(fresh.rows()) == 200


def test_waits_are_answered_when_all_is_integrated(loop, pair):
    a, b = pair
    create(loop, a, 1)
    upload = a.sync.wait_upload(a.session)
    download = b.sync.wait_download(b.session)
    loop.settle()
    assert [e.request for e in a.of_kind("upload_complete")] == [upload]
    assert [e.request for e in b.of_kind("download_complete")] == [download]
    loop.disconnect(a)
    create(loop, a, 2)
    a.sync.wait_upload(a.session)
    loop.settle()
    assert len(a.of_kind("upload_complete")) == 1, "offline, nothing is acknowledged"


def test_a_user_sees_only_what_the_rules_allow(loop, pair):
    a, _ = pair
    create(loop, a, 1)
    other = loop.device("other", "bob")
    subscribe(other, "TRUEPREDICATE")
    loop.connect(other)
    create(loop, other, 2)
    loop.settle()
    assert [row[0] for row in other.rows()] == [oid(2)]
    assert [row[0] for row in a.rows()] == [oid(1)]


def test_a_changed_subscription_swaps_the_objects(loop, pair):
    a, b = pair
    for number in range(10):
        create(loop, a, number, complexity=number)
    loop.settle()
    subscribe(b, "complexity < 3", "complexity > 7")
    loop.settle()
    assert sorted(row[1] for row in b.rows()) == [0, 1, 2, 8, 9]
    assert b.file.subscriptions().state == "complete"
    assert b.file.subscription_set(1) is None, "superseded"
    with_write(loop, a, lambda txn: txn.set("Item", oid(5), "complexity", 1))
    with_write(loop, a, lambda txn: txn.set("Item", oid(9), "complexity", 4))
    loop.settle()
    assert sorted(row[0] for row in b.rows()) == [oid(n) for n in (0, 1, 2, 5, 8)]


def test_a_refused_query_is_an_error_of_its_set_only(loop, pair):
    a, b = pair
    subscribe(b, "summary == 'not queryable'")
    loop.settle()
    refused = b.file.subscriptions()
    assert refused.state == "error"
    assert "summary" in refused.error_message
    create(loop, a, 1)
    loop.settle()
    assert [row[0] for row in b.rows()] == [oid(1)], "the complete set stays in force"
    subscribe(b, "complexity == 1")
    loop.settle()
    assert b.file.subscriptions().state == "complete"


def test_a_forbidden_write_is_undone_before_it_is_reported(loop, pair):
    a, b = pair
    rows_when_told = []
    create(loop, a, 1, owner="bob")
    while not a.of_kind("compensating_write"):
        assert loop.step(), "at rest without a report"
        if a.of_kind("compensating_write"):
            rows_when_told = a.rows()
    [report] = a.of_kind("compensating_write")
    assert rows_when_told == []
    assert report.code == 231
    [(class_name, key, reason)] = report.writes
    assert (class_name, key) == ("Item", oid(1))
    assert reason == f'write to "{oid(1)}" in table "Item" not allowed'
    loop.settle()
    assert a.rows() == b.rows() == []
    assert b.of_kind("compensating_write") == []
    assert errors(a, b) == []
    create(loop, a, 2)
    loop.settle()
    assert [row[0] for row in b.rows()] == [oid(2)], "the session goes on"


def test_a_write_outside_of_the_view_is_undone(loop):
    device = loop.device("a", "alice")
    subscribe(device, "complexity < 5")
    loop.connect(device)
    loop.settle()
    create(loop, device, 1, complexity=9)
    loop.settle()
    assert device.rows() == []
    [report] = device.of_kind("compensating_write")
    [(_, _, reason)] = report.writes
    assert reason == (
        f'write to "{oid(1)}" in table "Item" not allowed; '
        "object is outside of the current query view"
    )


def test_the_allowed_part_of_a_transaction_stays(loop, pair):
    a, b = pair

    def work(txn):
        for number, owner in ((1, "alice"), (2, "bob"), (3, "alice")):
            values = [("complexity", 1), ("ownerId", owner)]
            txn.create("Item", oid(number), values, [], "error")

    with_write(loop, a, work)
    loop.settle()
    assert sorted(row[0] for row in a.rows()) == [oid(1), oid(3)]
    assert sorted(a.rows()) == sorted(b.rows())
    [report] = a.of_kind("compensating_write")
    assert [key for _, key, _ in report.writes] == [oid(2)]


def test_a_paused_session_rests_until_it_is_resumed(loop, pair):
    a, b = pair
    a.sync.pause(a.session)
    loop.settle()
    create(loop, a, 1)
    loop.settle()
    assert b.rows() == []
    a.sync.resume(a.session)
    loop.settle()
    assert [row[0] for row in b.rows()] == [oid(1)]


def test_a_detached_session_lets_go_of_its_file(loop, pair):
    a, b = pair
    a.sync.detach(a.session)
    create(loop, a, 1)
    loop.settle()
    assert b.rows() == []
    a.session = a.sync.attach(a.file)
    loop.settle()
    assert [row[0] for row in b.rows()] == [oid(1)]
