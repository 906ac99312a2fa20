"""The engine loop: batches, backpressure, owed frames, deadlines, failures."""

import pytest
import trio
import trio.testing

from skerry.server import limits, sync_connection
from skerry.server.engine_loop import EngineLoop
from skerry.server.sync_connection import Close, ConnectionOwner, Outbox
from tests.unit.server.conftest import DEADLINE_S, closed, eventually
from tests.unit.server.fakes import CapturedLog, FakeCore, ManualClock

OWNER = ConnectionOwner(
    user_id="u",
    session_id="s",
    user_json='{"id":"u","data":{}}',
    remote_ip_address="127.0.0.1",
    co_id="c",
)


@pytest.fixture
def core():
    return FakeCore()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def log():
    return CapturedLog()


@pytest.fixture
async def loop(core, clock, log, nursery):
    engine_loop = EngineLoop(core, log=log.log, now_ms=clock)
    nursery.start_soon(engine_loop.run)
    return engine_loop


async def take(connection, count=1):
    """Be the writer of a connection for some frames."""
    taken = []
    with trio.fail_after(DEADLINE_S):
        for _ in range(count):
            item = await connection.outbox.take()
            taken.append(item)
            if isinstance(item, bytes):
                connection.outbox.sent(item)
    return taken


async def test_what_arrives_during_a_turn_becomes_one_batch(core, loop):
    first, second = await loop.connect(OWNER), await loop.connect(OWNER)
    core.entered.clear()
    core.gate.clear()
    await loop.submit(first, b"a")
    await eventually(core.entered.is_set)
    for connection, frame in ((second, b"b"), (first, b"c"), (second, b"d")):
        await loop.submit(connection, frame)
    core.gate.set()
    assert await take(first, 2) == [b"a", b"c"]
    assert await take(second, 2) == [b"b", b"d"]
    filled = [batch for batch in core.batches if batch]
    assert filled == [[(1, b"a")], [(2, b"b"), (1, b"c"), (2, b"d")]]
    assert not core.was_reentered


async def test_reader_waits_while_its_share_is_full_and_others_do_not(core, loop):
    busy, other = await loop.connect(OWNER), await loop.connect(OWNER)
    core.entered.clear()
    core.gate.clear()
    await loop.submit(busy, b"first turn")
    await eventually(core.entered.is_set)
    with trio.move_on_after(0.2) as waited:
        for _ in range(limits.INBOX_CONNECTION_MAX_FRAMES + 1):
            await loop.submit(busy, b"x")
    assert waited.cancelled_caught
    with trio.fail_after(DEADLINE_S):
        await loop.submit(other, b"y")
    core.gate.set()
    await take(busy, limits.INBOX_CONNECTION_MAX_FRAMES + 1)
    assert len(core.batches[-1]) <= limits.INBOX_CONNECTION_MAX_FRAMES + 1


async def test_total_of_waiting_bytes_is_bounded(core, loop, monkeypatch):
    monkeypatch.setattr("skerry.server.engine_loop.INBOX_TOTAL_MAX_BYTES", 1000)
    connections = [await loop.connect(OWNER) for _ in range(3)]
    core.entered.clear()
    core.gate.clear()
    await loop.submit(connections[0], b"x")
    await eventually(core.entered.is_set)
    await loop.submit(connections[0], b"x" * 600)
    with trio.move_on_after(0.2) as waited:
        await loop.submit(connections[1], b"y" * 600)
    assert waited.cancelled_caught
    core.gate.set()
    with trio.fail_after(DEADLINE_S):
        await loop.submit(connections[2], b"z" * 5000)
    assert await take(connections[2]) == [b"z" * 5000]


async def test_owed_frames_come_as_the_writer_makes_room(core, loop):
    connection = await loop.connect(OWNER)
    size = limits.OUTBOX_WRITABLE_MAX_BYTES
    await loop.submit(connection, b"owe:3x%d" % size)
    await eventually(lambda: len(core.owed.get(1, [])) == 2)
    assert not connection.outbox.has_room
    turns = len(core.batches)
    await trio.testing.wait_all_tasks_blocked()
    assert len(core.batches) == turns
    assert await take(connection, 3) == [b"o" * size] * 3


async def test_deadline_of_the_engine_is_kept(core, clock, loop):
    core.deadline_ms = clock.now_ms + 20
    connection = await loop.connect(OWNER)
    clock.advance_s(1)
    assert await take(connection) == [b"deadline"]


async def test_close_follows_the_outputs_and_ends_intake(core, loop):
    connection = await loop.connect(OWNER)
    await loop.submit(connection, b"close:4003")
    assert await take(connection, 2) == [b"closing", Close(4003, "told to close")]
    turns = len(core.batches)
    await loop.submit(connection, b"too late")
    await trio.testing.wait_all_tasks_blocked()
    assert len(core.batches) == turns


async def test_frames_queued_before_a_disconnect_are_still_processed(core, loop):
    connection = await loop.connect(OWNER)
    core.entered.clear()
    core.gate.clear()
    await loop.submit(connection, b"a")
    await eventually(core.entered.is_set)
    await loop.submit(connection, b"b")
    loop.disconnect(connection)
    loop.disconnect(connection)
    core.gate.set()
    await eventually(lambda: core.disconnected == [1])
    assert [(1, b"b")] in core.batches


async def test_failed_batch_is_logged_closes_those_involved_and_the_loop_goes_on(core, loop, log):
    guilty, offered, busy = [await loop.connect(OWNER) for _ in range(3)]
    busy.outbox.push(b"x" * limits.OUTBOX_WRITABLE_MAX_BYTES)
    await loop.submit(guilty, b"raise")
    assert await take(guilty) == await take(offered) == [Close(1011, "internal error")]
    (entry,) = log.entries("SYNC_OTHER")
    assert "told to raise" in entry["exception"]
    assert entry["level"] == "error"
    assert entry["connections_closed"] == 2
    await loop.submit(busy, b"fine")
    assert (await take(busy, 2))[1] == b"fine"
    newcomer = await loop.connect(OWNER)
    await loop.submit(newcomer, b"fine too")
    assert await take(newcomer) == [b"fine too"]


async def test_engine_log_is_written_with_user_and_correlation_id(loop, log):
    connection = await loop.connect(OWNER)
    await loop.submit(connection, b"log:")
    (entry,) = await eventually(lambda: log.entries("SYNC_ERROR"))
    assert (entry["user_id"], entry["co_id"], entry["error"]) == ("u", "c", "e")
    assert "connection" not in entry


async def test_log_of_a_disconnect_still_knows_its_connection(core, loop, log, monkeypatch):
    connection = await loop.connect(OWNER)
    process = core.process

    def process_with_farewell(frames, writable, now_ms):
        result = process(frames, writable, now_ms)
        if core.disconnected:
            result.log.append('{"type":"SYNC_SESSION_END","connection":1}')
        return result

    monkeypatch.setattr(core, "process", process_with_farewell)
    loop.disconnect(connection)
    (entry,) = await eventually(lambda: log.entries("SYNC_SESSION_END"))
    assert entry["co_id"] == "c"


async def test_cancelled_connect_leaves_no_connection_behind(core, loop):
    core.gate.clear()
    core.entered.clear()
    with trio.move_on_after(0.05) as scope:
        await loop.connect(OWNER)
    assert scope.cancelled_caught
    core.gate.set()
    await eventually(lambda: core.disconnected == [1])


async def test_peer_that_does_not_read_is_closed(monkeypatch):
    monkeypatch.setattr(sync_connection, "OUTBOX_CONNECTION_MAX_BYTES", 1000)
    outbox = Outbox(lambda: None)
    for _ in range(3):
        outbox.push(b"x" * 400)
    assert await outbox.take() == Close(1011, "client does not read what it is sent")


async def test_abort_ends_a_send_that_the_peer_holds_up():
    outbox = Outbox(lambda: None)
    outbox.push(b"x")
    outbox.push(b"never sent")
    assert await outbox.take() == b"x"
    with trio.fail_after(DEADLINE_S), trio.CancelScope() as sending:
        outbox.sending(sending)
        outbox.abort(4002, "r" * 200)
        await trio.sleep_forever()
    assert await outbox.take() == Close(4002, "r" * 123)


async def test_dropped_user_whose_peer_does_not_read_is_gone(harness):
    login = await harness.log_in()
    async with harness.sync(login["access_token"], max_queue=1, max_size=None) as websocket:
        await websocket.send(b"owe:8x4000000")
        await eventually(lambda: len(harness.core.owed.get(1, [])) not in (0, 8))
        await harness.server.disable_user(login["user_id"])
        await eventually(lambda: harness.core.disconnected == [1])
        # With half a frame out no close frame can follow; between two frames it can.
        assert (await closed(websocket))[0] in (1006, 4002)
