"""Synced realms over a fake core: session, waits, streams, error handler, opening."""

import logging
import threading
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio

from skerry import (
    App,
    AppConfiguration,
    CompensatingWriteError,
    ConnectionState,
    Credentials,
    Direction,
    ProgressMode,
    Realm,
    RealmObject,
    SessionState,
    SyncConfiguration,
    primary_key,
    where,
)
from skerry.errors import (
    BadFlexibleSyncQueryError,
    ConfigurationError,
    DownloadingRealmTimeoutError,
    IllegalStateError,
    SessionInactiveError,
    SyncError,
)
from tests.unit.client import fakes
from tests.unit.client.fakes import FakeCore, FakeNetwork, event, fake_environment
from tests.unit.client.http_server import http_server


class Item(RealmObject):
    _id: int = primary_key()
    complexity: int = 1


async def until(condition):
    await fakes.until(condition, deadline_s=5)


class Rig:
    """An app with a logged-in user over fakes; HTTP is real, on loopback."""

    def __init__(self, app, user, core, network):
        self.app, self.user, self.core, self.network = app, user, core, network

    @property
    def sync(self):
        return self.core.syncs[0]

    def configuration(self, **options):
        return SyncConfiguration(self.user, [Item], **options)

    def open(self, **options):
        return Realm.open(self.configuration(**options))

    def tell(self, realm, *events):
        self.sync.events.extend(events)
        realm.sync_session._session.local_change()

    def requests(self, name):
        calls = self.sync.calls if self.core.syncs else []
        return [call[2] for call in calls if call[0] == name]


@asynccontextmanager
async def running(tmp_path):
    core, network = FakeCore(), FakeNetwork()
    async with http_server() as server:
        configuration = AppConfiguration(
            app_id="test-app", base_url=server.url, sync_root_directory=tmp_path
        )
        environment = replace(fake_environment(core, network), now_ms=lambda: 1_700_000_000_000)
        async with App(configuration, environment=environment) as app:
            user = await app.login(Credentials.anonymous())
            yield Rig(app, user, core, network)


@pytest.fixture
async def rig(tmp_path):
    async with running(tmp_path) as made:
        yield made


async def wait_call(rig, name):
    await until(lambda: rig.requests(name))
    return rig.requests(name)[-1]


async def test_the_file_lies_where_the_layout_says_and_the_token_in_the_url(rig, tmp_path):
    async with rig.open() as realm:
        assert realm.configuration.path == (
            tmp_path / "mongodb-realm" / "test-app" / rig.user.id / "default.realm"
        )
        assert realm.sync_session.user is rig.user
        assert realm.sync_session is realm.sync_session
        await until(lambda: rig.network.targets)
    target = rig.network.targets[0]
    assert target.url == (
        f"ws://127.0.0.1:1/api/client/v2.0/app/test-app/realm-sync?baas_at={rig.user.access_token}"
    )
    assert rig.user.access_token not in repr(target)


class TestWaits:
    async def test_a_download_is_awaited_until_the_core_says_so(self, rig):
        async with rig.open() as realm, trio.open_nursery() as nursery:
            answers = []

            async def wait():
                answers.append(await realm.sync_session.download_all_server_changes(10))

            nursery.start_soon(wait)
            request = await wait_call(rig, "wait_download")
            rig.tell(realm, event("error", is_fatal=False, code=200, try_again=True))
            await until(lambda: not rig.sync.events)
            assert answers == []
            rig.tell(realm, event("download_complete", request=request))
            await until(lambda: answers)
            assert answers == [True]

    async def test_its_own_timeout_is_false_and_an_outer_one_is_not(self, rig):
        async with rig.open() as realm:
            session = realm.sync_session
            assert await session.upload_all_local_changes(0.05) is False
            with trio.move_on_after(0.05) as outer:
                await session.upload_all_local_changes(5)
                pytest.fail("the outer deadline was swallowed")
            assert outer.cancelled_caught
            for timeout in (0, -1, float("nan")):
                with pytest.raises(ValueError, match="timeout"):
                    await session.download_all_server_changes(timeout)

    async def test_a_fatal_error_ends_it_and_resume_revives_the_session(self, rig):
        async with rig.open() as realm, trio.open_nursery() as nursery:
            session, raised = realm.sync_session, []

            async def wait():
                with pytest.raises(SyncError, match=r"\[Session\]\[BadChangeset\(212\)\] bad\."):
                    await session.upload_all_local_changes()
                raised.append(True)

            nursery.start_soon(wait)
            await wait_call(rig, "wait_upload")
            fatal = event("error", is_fatal=True, code=212, name="BadChangeset", message="bad")
            rig.tell(realm, fatal)
            await until(lambda: raised)
            assert session.state is SessionState.INACTIVE
            session.resume()
            assert session.state is SessionState.ACTIVE
            # It left the connection, so that another process may be the agent, and joins anew.
            path = str(realm.configuration.path)
            await until(lambda: rig.sync.calls.count(("attach", path)) == 2)
            assert ("detach", 1) in rig.sync.calls
            assert session.is_sync_agent

    async def test_any_thread_may_control_and_any_loop_may_wait(self, rig):
        async with rig.open() as realm:
            session, answers = realm.sync_session, []

            def control():
                session.pause()
                answers.append(session.state)
                session.resume()
                answers.append(session.state)
                answers.append(trio.run(session.upload_all_local_changes, 0.05))
                with pytest.raises(IllegalStateError, match="trio loop"):
                    session.connection_state_changes()

            thread = threading.Thread(target=control)
            thread.start()
            await trio.to_thread.run_sync(thread.join)
            assert answers == [SessionState.PAUSED, SessionState.ACTIVE, False]

    async def test_closing_the_realm_ends_waits_and_streams(self, rig):
        async with trio.open_nursery() as nursery:
            async with rig.open() as realm:
                session, ended = realm.sync_session, []

                async def wait():
                    with pytest.raises(SessionInactiveError):
                        await session.download_all_server_changes()
                    ended.append(True)

                nursery.start_soon(wait)
                await wait_call(rig, "wait_download")
                changes = session.connection_state_changes()
                progress = session.progress(Direction.UPLOAD, ProgressMode.INDEFINITELY)
            await until(lambda: ended)
            assert [one async for one in progress] == []
            assert len([one async for one in changes]) <= 2
            with pytest.raises(IllegalStateError):
                session.pause()
            with pytest.raises(IllegalStateError):
                _ = realm.sync_session


class TestStreams:
    async def test_current_progress_never_falls_and_ends_with_the_transfer(self, rig):
        async with rig.open() as realm:
            progress = realm.sync_session.progress(Direction.DOWNLOAD, ProgressMode.CURRENT_CHANGES)
            request = await wait_call(rig, "wait_download")
            seen = []
            for estimate in (0.0, 0.0, 0.2, 0.1, 0.6, 1.0):
                rig.tell(realm, event("progress", direction="download", estimate=estimate))
                await until(lambda: not rig.sync.events)
                with trio.move_on_after(0.05):
                    seen.append((await anext(progress)).estimate)
            assert seen == [0.0, 0.2, 0.6]
            rig.tell(realm, event("download_complete", request=request))
            with trio.fail_after(5):
                rest = [one async for one in progress]
            assert [one.is_transfer_complete for one in rest] == [True]

    async def test_endless_progress_begins_with_what_is_known(self, rig):
        async with rig.open() as realm:
            rig.tell(realm, event("progress", direction="upload", estimate=0.5))
            await until(lambda: not rig.sync.events)
            await trio.sleep(0.02)
            progress = realm.sync_session.progress(Direction.UPLOAD, ProgressMode.INDEFINITELY)
            assert (await anext(progress)).estimate == 0.5
            rig.tell(realm, event("progress", direction="upload", estimate=0.25))
            with trio.fail_after(5):
                assert (await anext(progress)).estimate == 0.25

    async def test_pausing_is_seen_as_a_change_of_the_connection(self, rig):
        async with rig.open() as realm:
            session = realm.sync_session
            await until(lambda: session.connection_state is ConnectionState.CONNECTED)
            changes = session.connection_state_changes()
            session.pause()
            session.pause()
            assert session.state is SessionState.PAUSED
            change = await anext(changes)
            assert (change.old_state, change.new_state) == (
                ConnectionState.CONNECTED,
                ConnectionState.DISCONNECTED,
            )


class TestErrorHandler:
    async def test_it_gets_errors_in_order_without_holding_up_sync(self, rig):
        got, may_go_on = [], trio.Event()

        async def handle(session, error):
            got.append((session.state, error))
            for name in ("configuration", "user"):
                with pytest.raises(IllegalStateError, match="error handler"):
                    getattr(session, name)
            with pytest.raises(IllegalStateError, match="error handler"):
                await session.download_all_server_changes(1)
            await may_go_on.wait()

        async with rig.open(error_handler=handle) as realm:
            changes = realm.changed()
            writes = [("Item", 7, "not allowed"), ("Item", 8, "outside")]
            rig.tell(realm, event("compensating_write", writes=writes, version=9))
            await until(lambda: len(got) == 1)
            (disk,) = rig.core.disks.values()
            disk.version = 5
            second = event("compensating_write", writes=[("Item", 9, "no")], version=10)
            rig.tell(realm, event("integrated", version=5), second)
            with trio.fail_after(5):
                assert await anext(changes) == 5
            assert len(got) == 1
            may_go_on.set()
            await until(lambda: len(got) == 2)
        state, error = got[0]
        assert state is SessionState.ACTIVE
        assert type(error) is CompensatingWriteError
        assert str(error) == CompensatingWriteError.TEXT
        assert [(one.object_type, one.primary_key, one.reason) for one in error.writes] == writes
        assert [one.primary_key for one in got[1][1].writes] == [9]

    async def test_what_it_raises_is_logged_and_swallowed(self, rig, caplog):
        def handle(_session, _error):
            raise ZeroDivisionError

        async with rig.open(error_handler=handle) as realm:
            rig.tell(realm, event("error", is_fatal=False, code=201, message="one"))
            await until(lambda: "handler raised" in caplog.text)
            assert realm.sync_session.state is SessionState.ACTIVE

    async def test_without_one_errors_are_warnings(self, rig, caplog):
        async with rig.open() as realm:
            rig.tell(realm, event("compensating_write", writes=[("Item", 7, "not allowed")]))
            await until(lambda: "Item 7: not allowed" in caplog.text)
        warnings = [one for one in caplog.records if one.name == "skerry.sync"]
        assert {one.levelno for one in warnings if "Item 7" in one.message} == {logging.WARNING}


class TestOpening:
    async def test_initial_subscriptions_are_committed_once_per_file(self, rig):
        calls = []

        def subscribe(subscriptions):
            calls.append(len(subscriptions))
            subscriptions.add(where(Item, "complexity <= 4"), name="simple")

        for rerun in (False, False, True):
            async with rig.open(initial_subscriptions=subscribe, rerun_on_open=rerun) as realm:
                assert realm.subscriptions.version == 1
                assert [item.name for item in realm.subscriptions] == ["simple"]
        assert calls == [0, 1]

    async def test_initial_data_that_does_not_come_closes_and_deletes_the_file(self, rig):
        with pytest.raises(DownloadingRealmTimeoutError, match=r"0\.05 s"):
            async with rig.open(wait_for_initial_remote_data=0.05):
                pytest.fail("it was opened")
        assert not rig.configuration().path.exists()
        assert ("detach", 1) in rig.sync.calls

    async def test_initial_data_are_waited_for_in_two_phases(self, rig):
        async def answer(task_status):
            task_status.started()
            request = await wait_call(rig, "wait_download")
            rig.sync.events.append(event("download_complete", request=request))
            session = rig.app.sessions()._sessions[rig.configuration().path]
            session.local_change()
            (disk,) = rig.core.disks.values()
            await until(lambda: 1 in disk.sets)
            disk.sets[1].state = "complete"
            rig.sync.events.append(event("subscription", version=1, state="complete"))
            session.local_change()

        async with trio.open_nursery() as nursery:
            await nursery.start(answer)
            async with rig.open(
                initial_subscriptions=lambda new: new.add(where(Item)),
                wait_for_initial_remote_data=5,
            ) as realm:
                assert realm.subscriptions.version == 1

    async def test_a_refused_initial_subscription_is_raised(self, rig):
        def subscribe(new):
            new.add(where(Item))
            (disk,) = rig.core.disks.values()
            disk.data_version += 1

        async def refuse(task_status):
            task_status.started()
            request = await wait_call(rig, "wait_download")
            rig.sync.events.append(event("download_complete", request=request))
            rig.app.sessions()._sessions[rig.configuration().path].local_change()
            (disk,) = rig.core.disks.values()
            await until(lambda: 1 in disk.sets)
            disk.sets[1].state, disk.sets[1].error_message = "error", "no such field"
            disk.data_version += 1

        async with trio.open_nursery() as nursery:
            await nursery.start(refuse)
            with pytest.raises(BadFlexibleSyncQueryError, match="no such field"):
                async with rig.open(
                    initial_subscriptions=subscribe, wait_for_initial_remote_data=5
                ):
                    pytest.fail("it was opened")

    async def test_two_realms_of_one_file_share_a_session_and_two_files_a_connection(self, rig):
        async with rig.open() as one, rig.open() as same, rig.open(name="other"):
            assert rig.sync.calls.count(("attach", str(one.configuration.path))) == 1
            async with one.write() as txn:
                txn.add(Item(_id=1))
            assert same.find(Item, 1) == Item(_id=1)
            polls = rig.sync.polls
            async with same.write() as txn:
                txn.add(Item(_id=2))
            await until(lambda: rig.sync.polls > polls)
            assert len(rig.core.syncs) == 1
        assert [call for call in rig.sync.calls if call[0] == "detach"] == [
            ("detach", 2),
            ("detach", 1),
        ]

    async def test_pending_uploads_go_on_after_the_last_realm_closed(self, rig):
        async with rig.open():
            (disk,) = rig.core.disks.values()
            disk.pending_upload = True
        request = await wait_call(rig, "wait_upload")
        assert ("detach", 1) not in rig.sync.calls
        async with rig.open() as again:
            assert again.sync_session.state is SessionState.ACTIVE
        await until(lambda: len(rig.requests("wait_upload")) == 2)
        request = await wait_call(rig, "wait_upload")
        rig.sync.events.append(event("upload_complete", request=request))
        rig.app.sessions()._connections[rig.user.id].driver.submit(lambda core, now_ms: None)
        await until(lambda: ("detach", 1) in rig.sync.calls)

    async def test_logging_out_ends_sync_and_keeps_the_file(self, rig):
        async with rig.open() as realm:
            await rig.user.log_out()
            assert realm.sync_session.state is SessionState.INACTIVE
            async with realm.write() as txn:
                txn.add(Item(_id=1))
            assert len(realm.objects(Item)) == 1
        with pytest.raises(ConfigurationError, match="not logged in"):
            rig.configuration()
