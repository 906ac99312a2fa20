"""One app at a time syncs a file: the others follow the file, and take over when it ends."""

from contextlib import AsyncExitStack, asynccontextmanager
from itertools import pairwise
from types import SimpleNamespace

import pytest
import trio

from skerry.client.agency import RETRY_DELAY_S
from skerry.client.connection import Connection, ConnectionState
from skerry.client.file_session import FileSession, SessionState
from skerry.client.streams import Direction
from skerry.errors import AuthExpiredError, FileAccessError, SessionInactiveError, SyncError
from tests.unit.client.fakes import (
    FakeCore,
    FakeDisk,
    FakeFile,
    FakeNetwork,
    event,
    fake_environment,
    until,
)
from tests.unit.client.test_connection import Owner

PATH = "a.realm"


@pytest.fixture
def core():
    return FakeCore()


@pytest.fixture
def disk():
    return FakeDisk([])


class Observer:
    def __init__(self):
        self.errors = []

    def integrated(self):
        pass

    def subscriptions_changed(self):
        pass

    def report(self, error):
        self.errors.append(error)


@asynccontextmanager
async def app(core, disk):
    """An app of its own with a session of the file; as another process, with the same locks."""
    environment = fake_environment(core, FakeNetwork())
    connection = Connection(environment, Owner(), linger_s=1)
    sync = core.syncs[-1]
    file = FakeFile(PATH, disk)
    session = FileSession(environment, connection, file, "[]")
    observer = Observer()
    session.observers.append(observer)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        await session.open(nursery)
        yield SimpleNamespace(session=session, sync=sync, file=file, observer=observer)
        await session.close()
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def apps(core, disk, count):
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(app(core, disk)) for _ in range(count)]


def names(sync):
    return [call[0] for call in sync.calls]


async def test_the_second_is_active_without_a_connection(core, disk, autojump_clock):
    async with apps(core, disk, 2) as (first, second):
        assert first.session.is_agent
        await until(lambda: first.session.connection_state is ConnectionState.CONNECTED)
        await trio.sleep(100)
        assert not second.session.is_agent
        assert second.session.state is SessionState.ACTIVE
        assert second.session.connection_state is ConnectionState.DISCONNECTED
        assert second.sync.calls == []


async def test_it_tries_again_with_pauses_that_are_bounded_and_jittered(core, disk, autojump_clock):
    async with apps(core, disk, 2):
        del core.lock_attempts[:]
        core.clock = trio.current_time
        await trio.sleep(100)
    pauses = [after - before for before, after in pairwise(core.lock_attempts)]
    assert len(pauses) > 100
    assert RETRY_DELAY_S <= min(pauses) < max(pauses) <= 2 * RETRY_DELAY_S + 1e-6
    assert len(set(pauses)) > 50


async def test_it_joins_when_the_agent_has_left_and_closed_the_file(core, disk, autojump_clock):
    async with apps(core, disk, 2) as (first, second):
        lock, seen = core.locks[PATH], []
        release = lock.release

        def look_and_release():
            seen.append((names(first.sync)[-1], first.file.is_closed, list(second.sync.calls)))
            release()

        lock.release = look_and_release
        await first.session.close()
        await until(lambda: second.session.is_agent)
        assert seen == [("detach", True, [])]
        assert names(second.sync)[0] == "attach"


async def test_it_takes_over_from_one_that_was_killed(core, disk, autojump_clock):
    async with apps(core, disk, 2) as (first, second):
        await first.session._agency.stop()
        del core.locks[PATH]  # as the operating system does
        await until(lambda: second.session.is_agent)
        await until(lambda: second.session.connection_state is ConnectionState.CONNECTED)


@pytest.mark.parametrize("state", ["paused", "dying"])
async def test_a_paused_or_dying_agent_keeps_the_lock(core, disk, state, autojump_clock):
    async with apps(core, disk, 2) as (first, second), trio.open_nursery() as nursery:
        if state == "paused":
            first.session.pause()
        else:
            nursery.start_soon(first.session.finish_uploads)
        await trio.sleep(100)
        assert first.session.state.value == state
        assert not second.session.is_agent
        await first.session.close()
        await until(lambda: second.session.is_agent)


async def test_an_inactive_agent_makes_room_and_may_come_back(core, disk, autojump_clock):
    async with apps(core, disk, 2) as (first, second):
        first.session.take_error(SyncError("refused", is_fatal=True, is_retryable=False))
        await until(lambda: second.session.is_agent)
        assert "detach" in names(first.sync)
        assert first.session.connection_state is ConnectionState.DISCONNECTED
        first.session.resume()
        await trio.sleep(10)
        assert first.session.state is SessionState.ACTIVE
        assert not first.session.is_agent
        await second.session.close()
        await until(lambda: first.session.is_agent)


async def test_the_end_of_the_login_is_told_also_to_one_that_is_not_on_the_connection(
    core, disk, autojump_clock
):
    async with apps(core, disk, 2) as (first, second):
        second.session._connection.fail_sessions(SyncError("x", is_fatal=True, is_retryable=False))
        assert second.session.state is SessionState.ACTIVE
        expired = AuthExpiredError("the login has ended", is_fatal=True, is_retryable=False)
        second.session._connection.fail_sessions(expired)
        assert second.observer.errors == [expired]
        assert second.session.state is SessionState.INACTIVE
        # The session that lost its agency because the user was logged out is told why.
        first.session.deactivate("the user logged out")
        await until(lambda: not first.session.is_agent)
        first.session._connection.fail_sessions(expired)
        assert first.observer.errors == [expired]


async def test_a_session_that_rests_does_not_try(core, disk, autojump_clock):
    async with apps(core, disk, 2) as (first, second):
        second.session.pause()
        await first.session.close()
        await trio.sleep(100)
        assert core.locks == {}
        second.session.resume()
        await until(lambda: second.session.is_agent)
        assert "pause" not in names(second.sync)


async def test_pausing_while_it_joins_is_told_to_the_core(core, disk, autojump_clock):
    async with app(core, disk) as first, app(core, disk) as second:
        attach = second.sync.attach

        def attach_and_pause(realm):
            second.session.pause()
            return attach(realm)

        second.sync.attach = attach_and_pause
        await first.session.close()
        await until(lambda: "pause" in names(second.sync))
        assert second.session.state is SessionState.PAUSED
        assert second.session.connection_state is ConnectionState.DISCONNECTED


class TestWaits:
    async def test_an_upload_is_complete_when_the_agent_has_sent_it(
        self, core, disk, autojump_clock
    ):
        async with apps(core, disk, 2) as (_, second), trio.open_nursery() as nursery:
            disk.version, ended = 7, []

            async def wait():
                await second.session.wait_transfer(Direction.UPLOAD)
                ended.append(True)

            nursery.start_soon(wait)
            await trio.sleep(10)
            disk.version, disk.uploaded_through = 9, 6
            await trio.sleep(10)
            assert ended == []
            disk.uploaded_through = 7
            await until(lambda: ended)
            assert second.sync.calls == []

    async def test_one_that_is_complete_already_ends_at_once(self, core, disk, autojump_clock):
        async with apps(core, disk, 2) as (_, second):
            disk.version = disk.uploaded_through = 7
            before = trio.current_time()
            await second.session.wait_transfer(Direction.UPLOAD)
            assert trio.current_time() == before

    async def test_a_download_is_asked_of_the_agent(self, core, disk, autojump_clock):
        async with apps(core, disk, 2) as (_, second), trio.open_nursery() as nursery:
            ended = []

            async def wait(number):
                await second.session.wait_transfer(Direction.DOWNLOAD)
                ended.append(number)

            for number in (1, 2):
                nursery.start_soon(wait, number)
                await until(lambda number=number: disk.download_requests == number)
            disk.downloads_answered = 1
            await until(lambda: ended)
            await trio.sleep(10)
            assert ended == [1]
            disk.downloads_answered = 2
            await until(lambda: len(ended) == 2)

    @pytest.mark.parametrize("direction", Direction)
    async def test_it_goes_on_with_the_core_when_the_session_takes_over(
        self, core, disk, direction, autojump_clock
    ):
        async with apps(core, disk, 2) as (first, second), trio.open_nursery() as nursery:
            ended, name = [], f"wait_{direction.value}"

            async def wait():
                await second.session.wait_transfer(direction)
                ended.append(True)

            nursery.start_soon(wait)
            await trio.sleep(10)
            await first.session.close()
            await until(lambda: name in names(second.sync))
            await trio.sleep(10)
            assert ended == []
            request = next(call[2] for call in second.sync.calls if call[0] == name)
            second.sync.events.append(event(f"{direction.value}_complete", request=request))
            second.session.local_change()
            await until(lambda: ended)

    async def test_closing_ends_it(self, core, disk, autojump_clock):
        async with apps(core, disk, 2) as (_, second), trio.open_nursery() as nursery:
            ended = []

            async def wait():
                with pytest.raises(SessionInactiveError, match="closed"):
                    await second.session.wait_transfer(Direction.DOWNLOAD)
                ended.append(True)

            nursery.start_soon(wait)
            await trio.sleep(10)
            await second.session.close()
            await until(lambda: ended)

    async def test_trouble_with_the_file_ends_it_and_says_what(self, core, disk, autojump_clock):
        async with apps(core, disk, 2) as (_, second), trio.open_nursery() as nursery:
            ended = []

            async def wait():
                with pytest.raises(SyncError, match="cannot read") as caught:
                    await second.session.wait_transfer(Direction.UPLOAD)
                ended.append(caught.value)

            nursery.start_soon(wait)
            await trio.sleep(10)

            def fail(_version):
                raise FileAccessError("cannot read a.realm")

            second.file.is_uploaded = fail
            await until(lambda: ended)
            assert not ended[0].is_fatal
            assert isinstance(ended[0].__cause__, FileAccessError)

    async def test_cancellation_leaves_nothing_behind(self, core, disk, autojump_clock):
        async with apps(core, disk, 2) as (first, second):
            with trio.move_on_after(1):
                await second.session.wait_transfer(Direction.DOWNLOAD)
            await first.session.close()
            await until(lambda: second.session.is_agent)
            await trio.sleep(10)
            assert "wait_download" not in names(second.sync)


async def test_the_last_uploads_of_one_that_is_not_the_agent_are_waited_for(
    core, disk, autojump_clock
):
    async with apps(core, disk, 2) as (_, second), trio.open_nursery() as nursery:
        disk.version, ended = 7, []

        async def die():
            await second.session.finish_uploads()
            ended.append(True)

        nursery.start_soon(die)
        await trio.sleep(10)
        assert ended == []
        disk.uploaded_through = 7
        await until(lambda: ended)


async def test_a_lock_that_cannot_be_asked_for_is_reported_once_and_tried_again(
    core, disk, autojump_clock
):
    async with apps(core, disk, 2) as (first, second):
        core.lock_failures = [FileAccessError("a.realm.sync-lock: denied")] * 20
        await until(lambda: not core.lock_failures)
        (error,) = second.observer.errors
        assert "a.realm.sync-lock: denied" in str(error)
        assert (error.is_fatal, second.session.state) == (False, SessionState.ACTIVE)
        await first.session.close()
        await until(lambda: second.session.is_agent)


async def test_a_lock_that_cannot_be_asked_for_at_first_keeps_the_file_from_opening(
    core, disk, autojump_clock
):
    core.lock_failures = [FileAccessError("a.realm.sync-lock: denied")]
    with pytest.RaisesGroup(pytest.RaisesExc(FileAccessError, match="sync-lock")):
        async with app(core, disk):
            pytest.fail("it was opened")
    assert core.locks == {}
