"""An app of `skerry.aio`, its users and a synced realm, over a fake core."""

import asyncio
import logging
import socket
import threading

import pytest

from skerry import AppConfiguration, Credentials, Direction, ProgressMode, SessionState, where
from skerry import SyncConfiguration as TrioSyncConfiguration
from skerry.aio import App, Realm, SyncConfiguration, SyncSession, User
from skerry.client.user_store import user_file
from skerry.errors import (
    CompensatingWriteError,
    ConnectionFailedError,
    CorruptedError,
    IllegalStateError,
    SessionInactiveError,
)
from tests.support.portals import DEADLINE_S, Item, portal_threads, running_rig
from tests.unit.client.fakes import event

WRITES = [("Item", 7, "not allowed")]


@pytest.fixture
def rig(tmp_path):
    with running_rig(tmp_path) as made:
        yield made


def run(main):
    async def bounded():
        async with asyncio.timeout(DEADLINE_S):
            return await main

    return asyncio.run(bounded(), debug=True)


def open_app(rig):
    return App(rig.configuration, environment=rig.environment)


async def request(rig, realm, name):
    return await asyncio.to_thread(rig.request, realm.bridge.portal, name)


def test_a_login_makes_a_user_that_is_one_object(rig):
    async def main():
        async with open_app(rig) as app:
            assert (app.current_user, app.all_users()) == (None, [])
            await app.email_password_auth.register_user("ann@example.com", "secret1")
            user = await app.login(Credentials.email_password("ann@example.com", "secret1"))
            assert isinstance(user, User)
            assert app.current_user is user
            assert app.all_users() == [user]
            assert user.app is app
            await user.refresh_custom_data()
            await user.log_out()
            assert app.current_user is None

    run(main())


def test_it_says_when_it_is_not_open(rig):
    async def main():
        app = open_app(rig)
        with pytest.raises(IllegalStateError, match="app is not open"):
            await app.login(Credentials.anonymous())
        assert await app.open() is app
        with pytest.raises(IllegalStateError, match="opened once"):
            await app.open()
        await app.close()
        await app.close()
        with pytest.raises(IllegalStateError, match="app is not open"):
            _ = app.current_user

    run(main())


def test_one_that_cannot_be_opened_leaves_no_thread(rig):
    async def main():
        path = user_file(rig.configuration.app_directory)
        path.parent.mkdir(parents=True)
        path.write_text("{")
        with pytest.raises(CorruptedError):
            await open_app(rig).open()
        assert len(portal_threads()) == 1

    run(main())


def test_a_login_that_waits_is_cancelled_or_ended_by_closing(tmp_path):
    async def main():
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            configuration = AppConfiguration(
                app_id="test-app", base_url=f"http://127.0.0.1:{port}", sync_root_directory=tmp_path
            )
            async with App(configuration) as app:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await app.login(Credentials.anonymous())
                task = asyncio.create_task(app.login(Credentials.anonymous()))
                links = [await asyncio.to_thread(listener.accept) for _ in range(2)]
            with pytest.raises(IllegalStateError, match="app is not open"):
                await task
            for link, _address in links:
                link.close()
        async with App(configuration) as app:
            with pytest.raises(ConnectionFailedError):
                await app.login(Credentials.anonymous())

    run(main())


def test_a_synced_realm_is_as_in_the_trio_api(rig):
    async def main():
        async with open_app(rig) as app:
            user = await app.login(Credentials.anonymous())
            mine = SyncConfiguration(user, [Item])
            async with Realm.open(mine) as realm:
                assert realm.configuration is mine
                session = realm.sync_session
                assert isinstance(session, SyncSession)
                assert session.user is user
                few = where(Item, "count <= $0", 4)
                updated = await realm.subscriptions.update(lambda subs: subs.add(few))
                assert updated is realm.subscriptions
                assert len(updated) == 1
                assert await updated.wait_for_synchronization(timeout=0.01) is False
                assert await session.upload_all_local_changes(0.01) is False
                session.pause()
                assert session.state is SessionState.PAUSED
                session.resume()
            trio_configuration = TrioSyncConfiguration(user.target, [Item])
            with pytest.raises(TypeError, match=r"takes a skerry\.aio\.SyncConfiguration"):
                await Realm.open(trio_configuration)
            with pytest.raises(TypeError, match=r"got from a skerry\.aio\.App"):
                SyncConfiguration(user.target, [Item])

    run(main())


def test_transfers_are_awaited_and_their_progress_iterated(rig):
    async def main():
        async with open_app(rig) as app:
            user = await app.login(Credentials.anonymous())
            realm = await Realm.open(SyncConfiguration(user, [Item]))
            session = realm.sync_session
            progress = session.progress(Direction.DOWNLOAD, ProgressMode.CURRENT_CHANGES)
            number = await request(rig, realm, "wait_download")
            rig.tell(realm, event("download_complete", request=number))
            assert [one.is_transfer_complete async for one in progress] == [True]
            waiting = asyncio.create_task(session.upload_all_local_changes())
            await request(rig, realm, "wait_upload")
            await realm.close()
            with pytest.raises(SessionInactiveError):
                await waiting

    run(main())


def test_closing_the_app_closes_its_realms(rig):
    async def main():
        app = await open_app(rig).open()
        user = await app.login(Credentials.anonymous())
        realm = await Realm.open(SyncConfiguration(user, [Item]))
        changes = realm.changed()
        await app.close()
        assert realm.is_closed
        assert [one async for one in changes] == []

    run(main())


@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_handler_is_called_on_the_loop_of_the_realm(rig, is_async):
    got = []

    def handle(session, error):
        got.append((type(session), type(error), threading.current_thread()))
        told.set()

    async def handle_later(session, error):
        await asyncio.sleep(0)
        handle(session, error)

    async def main():
        nonlocal told
        told = asyncio.Event()
        async with open_app(rig) as app:
            user = await app.login(Credentials.anonymous())
            handler = handle_later if is_async else handle
            mine = SyncConfiguration(user, [Item], error_handler=handler)
            assert mine.error_handler is handler
            async with Realm.open(mine) as realm:
                await request(rig, realm, "attach")
                rig.tell(realm, event("compensating_write", writes=WRITES, version=9))
                await told.wait()

    told = None
    run(main())
    assert got == [(SyncSession, CompensatingWriteError, threading.current_thread())]


def test_closing_a_realm_cancels_its_error_handler(rig):
    story = []

    async def handle(_session, _error):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            story.append("cancelled")
            ended.set()
            raise

    async def main():
        nonlocal begun, ended
        begun, ended = asyncio.Event(), asyncio.Event()
        async with open_app(rig) as app:
            user = await app.login(Credentials.anonymous())
            mine = SyncConfiguration(user, [Item], error_handler=handle)
            async with Realm.open(mine) as realm:
                await request(rig, realm, "attach")
                rig.tell(realm, event("compensating_write", writes=WRITES, version=9))
                await begun.wait()
            await ended.wait()
        assert story == ["cancelled"]

    begun, ended = None, None
    run(main())


class Bell(logging.Handler):
    """Tells that something was logged."""

    def __init__(self):
        super().__init__()
        self.rung = threading.Event()

    def emit(self, record):
        if "not allowed" in record.getMessage():
            self.rung.set()


def test_an_error_after_the_end_of_the_handler_s_loop_goes_to_the_log(rig):
    bell = Bell()
    logging.getLogger("skerry.sync").addHandler(bell)

    async def open_all():
        app = await open_app(rig).open()
        user = await app.login(Credentials.anonymous())
        mine = SyncConfiguration(user, [Item], error_handler=lambda session, error: None)
        realm = await Realm.open(mine)
        await request(rig, realm, "attach")
        return app, realm

    async def close(app, realm):
        rig.tell(realm, event("compensating_write", writes=WRITES, version=9))
        assert await asyncio.to_thread(bell.rung.wait, DEADLINE_S)
        await app.close()

    try:
        run(close(*run(open_all())))
    finally:
        logging.getLogger("skerry.sync").removeHandler(bell)
