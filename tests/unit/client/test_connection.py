"""The connection: frames both ways, ends of links and what they ask for, pauses, lingering."""

import random
from itertools import pairwise

import pytest
import trio

from skerry.client.backoff import Backoff
from skerry.client.connection import Connection, ConnectionState
from skerry.errors import (
    AuthExpiredError,
    ClientResetRequiredError,
    ConnectionFailedError,
    DiskFullError,
    SyncConnectFailedError,
    SyncError,
)
from skerry.transport import LinkTarget
from skerry.transport.close_codes import LinkAction, action_for, close_code_of_status
from tests.unit.client.fakes import (
    FakeCore,
    FakeDisk,
    FakeFile,
    FakeNetwork,
    event,
    fake_environment,
    until,
)

TARGET = LinkTarget(
    url="ws://localhost/",
    subprotocol="skerry.sync.v1",
    headers={},
    user_agent="test",
    connect_timeout_s=1,
    frame_size_max_bytes=1000,
)


class Owner:
    def __init__(self):
        self.calls = []
        self.is_location_fresh = True
        self.needs_token = False
        self.failures = []

    async def link_target(self):
        await trio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)
        return TARGET

    def token_rejected(self):
        self.calls.append("token_rejected")

    def location_doubtful(self):
        self.calls.append("location_doubtful")

    async def log_out_locally(self):
        self.calls.append("log_out_locally")


class Sink:
    def __init__(self):
        self.wants_connection = True
        self.events, self.errors, self.states, self.token_waits = [], [], [], []

    def take_event(self, event):
        self.events.append(event.kind)

    def take_error(self, error):
        self.errors.append(error)
        if error.is_fatal:
            self.wants_connection = False

    def connection_changed(self, state):
        self.states.append(state)

    def token_awaited(self, *, is_awaited):
        self.token_waits.append(is_awaited)


class Rig:
    """A connection with one session, a fake core and a fake network."""

    def __init__(self, nursery):
        self.core, self.network, self.owner, self.sink = FakeCore(), FakeNetwork(), Owner(), Sink()
        environment = fake_environment(self.core, self.network)
        self.connection = Connection(environment, self.owner, linger_s=30)
        self.sync = self.core.syncs[0]
        self.nursery = nursery

    async def start(self):
        self.nursery.start_soon(self.connection.run)
        file = FakeFile("x", FakeDisk([]))
        return await self.connection.attach(self.sink, file)

    async def accept(self):
        with trio.fail_after(1000):
            link = await self.network.accepted.receive()
        # The core sends nothing before it knows of the link.
        await until(lambda: self.connection.state is ConnectionState.CONNECTED)
        return link

    def wake(self):
        self.connection.driver.submit(lambda core, now_ms: None)


@pytest.fixture
async def rig():
    async with trio.open_nursery() as nursery:
        rig = Rig(nursery)
        await rig.start()
        yield rig
        nursery.cancel_scope.cancel()


async def test_frames_go_both_ways_in_order_and_the_core_learns_of_the_link(autojump_clock, rig):
    link = await rig.accept()
    rig.sync.frames = [b"one", b"two"]
    rig.wake()
    assert [await link.receive(), await link.receive()] == [b"one", b"two"]
    for frame in (b"a", b"b", b"c"):
        await link.send(frame)
    await until(lambda: rig.sync.received == [b"a", b"b", b"c"])
    assert ("connected",) in rig.sync.calls
    assert rig.sink.states == [ConnectionState.CONNECTING, ConnectionState.CONNECTED]


async def test_what_came_before_a_close_is_taken_in_before_the_end(autojump_clock, rig):
    link = await rig.accept()
    await link.send(b"the error")
    await link.aclose(1011)
    await until(lambda: ("disconnected",) in rig.sync.calls)
    assert rig.sync.received == [b"the error"]


async def test_the_core_is_polled_at_its_deadline(autojump_clock, rig):
    await rig.accept()
    polls = []
    original = rig.sync.poll

    def poll(now_ms, max_bytes):
        polls.append(now_ms)
        rig.sync.deadline_ms = polls[0] + 5000
        return original(now_ms, max_bytes)

    rig.sync.poll = poll
    rig.wake()
    await until(lambda: len(polls) >= 2)
    assert 5000 <= polls[1] - polls[0] <= 5020


async def test_a_slow_peer_stops_frames_but_not_receiving(autojump_clock, rig):
    link = await rig.accept()
    rig.sync.frames = [b"x" * 300_000] * 40
    for _ in range(5):
        rig.wake()
        await trio.sleep(0.1)
    rig.sync.frames = [b"late"]
    await link.send(b"still heard")
    await until(lambda: rig.sync.received == [b"still heard"])
    assert rig.sync.frames == [b"late"]
    for _ in range(40):
        await link.receive()
    assert await link.receive() == b"late"


async def test_pauses_grow_until_something_is_integrated(autojump_clock, rig):
    rig.network.refusals = [4401] * 4
    link = await rig.accept()
    await link.aclose(1001)
    await until(lambda: len(rig.network.attempts) == 6)
    starts = rig.network.attempts
    pauses = [after - before for before, after in pairwise(starts)]
    assert all(
        full * 0.75 <= pause <= full + 0.1
        for pause, full in zip(pauses, [1, 2, 4, 8, 16], strict=True)
    ), pauses
    link = await rig.accept()
    rig.sync.events = [event("integrated", version=2)]
    rig.wake()
    await until(lambda: "integrated" in rig.sink.events)
    closed_at = trio.current_time()
    await link.aclose(1001)
    await until(lambda: len(rig.network.attempts) == 7)
    assert 0.75 <= rig.network.attempts[6] - closed_at <= 1.1


async def test_connect_failures_are_reported_and_not_fatal(autojump_clock, rig):
    rig.network.refusals = [4400, 1015]
    await (await rig.accept()).aclose(1000)
    await until(lambda: len(rig.sink.errors) == 2)
    await rig.accept()
    assert [type(error) for error in rig.sink.errors] == [SyncConnectFailedError] * 2
    assert [error.number for error in rig.sink.errors] == [4400, 1015]
    assert not any(error.is_fatal for error in rig.sink.errors)
    assert rig.owner.calls == ["location_doubtful"] * 2


@pytest.mark.parametrize(
    ("code", "calls"),
    [
        (1000, []),
        (1001, []),
        (1006, ["token_rejected"]),
        (1011, []),
        (4001, ["token_rejected"]),
        (4003, ["location_doubtful"]),
    ],
)
async def test_closes_that_are_not_reported_lead_to_another_link(autojump_clock, rig, code, calls):
    await (await rig.accept()).aclose(code)
    await rig.accept()
    assert rig.owner.calls == calls
    assert rig.sink.errors == []


@pytest.mark.parametrize(
    ("code", "error_class", "calls"),
    [
        (4002, AuthExpiredError, ["log_out_locally"]),
        (1009, ClientResetRequiredError, []),
        (4405, SyncError, []),
    ],
)
async def test_fatal_closes_end_the_sessions(autojump_clock, rig, code, error_class, calls):
    await (await rig.accept()).aclose(code)
    await until(lambda: rig.sink.errors)
    (error,) = rig.sink.errors
    assert type(error) is error_class
    assert error.is_fatal
    assert rig.owner.calls == calls
    await trio.sleep(1000)
    assert len(rig.network.attempts) == 1


async def test_failing_requests_and_ended_logins_never_leave_the_connection(autojump_clock, rig):
    link = await rig.accept()
    rig.owner.failures = [ConnectionFailedError("offline"), AuthExpiredError("over")]
    await link.aclose(4001)
    await until(lambda: len(rig.sink.errors) == 2)
    assert [type(error) for error in rig.sink.errors] == [
        SyncConnectFailedError,
        AuthExpiredError,
    ]


async def test_token_waits_are_told(autojump_clock, rig):
    rig.owner.needs_token = True
    await (await rig.accept()).aclose(4001)
    await rig.accept()
    assert rig.sink.token_waits[-2:] == [True, False]


async def test_a_core_that_cannot_go_on_is_reported_and_begun_anew(autojump_clock, rig):
    await rig.accept()
    rig.sync.failure = DiskFullError("no room")
    rig.wake()
    await rig.accept()
    (error,) = rig.sink.errors
    assert not error.is_fatal
    assert "DiskFullError" in str(error)
    assert "no room" in str(error)


async def test_the_core_may_ask_for_the_close(autojump_clock, rig):
    link = await rig.accept()
    rig.sync.frames = [b"goodbye"]
    rig.sync.close = (1002, "no answer")
    rig.wake()
    assert await link.receive() == b"goodbye"
    with pytest.raises(Exception, match="1002 no answer"):
        await link.receive()
    await rig.accept()


async def test_an_unwanted_link_lingers_and_is_closed(autojump_clock, rig):
    link = await rig.accept()
    rig.sink.wants_connection = False
    rig.connection.wishes_changed()
    await trio.sleep(29)
    assert rig.connection.state is ConnectionState.CONNECTED
    await trio.sleep(2)
    assert rig.connection.state is ConnectionState.DISCONNECTED
    with pytest.raises(Exception, match="1000"):
        await link.receive()
    rig.sink.wants_connection = True
    rig.connection.wishes_changed()
    await rig.accept()


async def test_a_link_wanted_again_in_time_stays(autojump_clock, rig):
    await rig.accept()
    for wanted in (False, True):
        rig.sink.wants_connection = wanted
        rig.connection.wishes_changed()
        await trio.sleep(20)
    await trio.sleep(100)
    assert rig.connection.state is ConnectionState.CONNECTED
    assert len(rig.network.attempts) == 1


async def test_events_reach_their_session_or_all(autojump_clock, rig):
    other = Sink()
    ident = await rig.connection.attach(other, FakeFile("y", FakeDisk([])))
    rig.sync.events = [event("subscription", 1), event("progress", ident), event("error", 0)]
    rig.wake()
    await until(lambda: len(other.events) == 2)
    assert rig.sink.events == ["subscription", "error"]
    assert other.events == ["progress", "error"]
    await rig.connection.detach(ident)
    assert ("detach", ident) in rig.sync.calls


async def test_what_the_server_asks_for_inside_the_protocol_is_done(autojump_clock, rig, caplog):
    await rig.accept()
    caplog.set_level("INFO", "skerry.sync.server")
    rig.sync.events = [
        event("refresh_user"),
        event("refresh_location"),
        event("log_out"),
        event("log", 0, level="info", message="hello from the server"),
    ]
    rig.wake()
    await until(lambda: len(rig.owner.calls) == 3)
    assert rig.owner.calls == ["token_rejected", "location_doubtful", "log_out_locally"]
    assert "hello from the server" in caplog.text


async def test_stopping_says_goodbye_and_returns(autojump_clock):
    async with trio.open_nursery() as nursery:
        rig = Rig(nursery)
        await rig.start()
        link = await rig.accept()
        rig.connection.stop()
        with pytest.raises(Exception, match="1000"):
            await link.receive()
    assert rig.connection.state is ConnectionState.DISCONNECTED


def test_backoff_doubles_to_a_bound_less_a_quarter_at_most():
    backoff = Backoff(random.Random(3))
    for full in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]:
        assert full * 0.75 <= backoff.next_delay_s() <= full
    backoff.reset()
    assert backoff.next_delay_s() <= 1


def test_doubtful_codes_ask_for_the_location_first():
    assert action_for(4405, is_location_fresh=False) is LinkAction.REFRESH_LOCATION
    assert action_for(4405, is_location_fresh=True) is LinkAction.STOP
    assert action_for(4999, is_location_fresh=True) is LinkAction.RECONNECT


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 4001), (403, 4002), (301, 4003), (308, 4003), (302, 4404), (503, 1011), (404, 4405)],
)
def test_http_answers_to_the_upgrade_have_close_codes(status, code):
    assert close_code_of_status(status) == code
