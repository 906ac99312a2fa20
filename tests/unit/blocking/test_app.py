"""An app of `skerry.blocking`, its users and a synced realm, over a fake core."""

import logging
import socket
import threading

import pytest

from skerry import (
    AppConfiguration,
    ConnectionState,
    Credentials,
    Direction,
    ProgressMode,
    SessionState,
    SubscriptionSetState,
    where,
)
from skerry import SyncConfiguration as TrioSyncConfiguration
from skerry.blocking import App, EmailPasswordAuth, Realm, SyncConfiguration, SyncSession, User
from skerry.client.user_store import user_file
from skerry.errors import (
    CompensatingWriteError,
    ConfigurationError,
    ConnectionFailedError,
    CorruptedError,
    IllegalStateError,
    InvalidCredentialsError,
    SessionInactiveError,
)
from skerry.portal import call_soon
from tests.support.portals import DEADLINE_S, Item, on_thread, portal_threads, running_rig
from tests.unit.client.fakes import event
from tests.unit.client.http_server import APP

ANN = Credentials.email_password("ann@example.com", "secret1")
LOGIN = f"{APP}/auth/providers/local-userpass/login"


@pytest.fixture
def rig(tmp_path):
    with running_rig(tmp_path) as made:
        yield made


@pytest.fixture
def app(rig):
    with App(rig.configuration, environment=rig.environment) as opened:
        yield opened


@pytest.fixture
def user(app):
    return app.login(Credentials.anonymous())


@pytest.fixture
def realm(user):
    with Realm.open(SyncConfiguration(user, [Item])) as opened:
        yield opened


def silent_configuration(tmp_path, listener):
    port = listener.getsockname()[1]
    return AppConfiguration(
        app_id="test-app", base_url=f"http://127.0.0.1:{port}", sync_root_directory=tmp_path
    )


class TestApp:
    def test_a_login_makes_a_user_that_is_one_object(self, app):
        assert (app.current_user, app.all_users()) == (None, [])
        user = app.login(ANN)
        assert isinstance(user, User)
        assert app.current_user is user
        assert app.all_users() == [user]
        assert user.app is app
        assert user.custom_data == {"level": 3}
        user.refresh_custom_data()
        user.log_out()
        assert not user.is_logged_in
        assert app.current_user is None

    def test_users_are_remembered(self, rig):
        for number in (1, 2):
            with App(rig.configuration) as app:
                assert len(app.all_users()) == number - 1
                app.login(Credentials.anonymous(reuse_existing=False))

    def test_an_error_has_its_own_class_and_attributes(self, rig, app):
        body = {"error": "invalid username/password", "error_code": "InvalidPassword"}
        rig.server.answer_next("POST", LOGIN, 401, body)
        with pytest.raises(InvalidCredentialsError) as caught:
            app.login(ANN)
        assert caught.value.error_code == "InvalidPassword"

    def test_an_account_is_registered(self, rig, app):
        auth = app.email_password_auth
        assert isinstance(auth, EmailPasswordAuth)
        auth.register_user("ann@example.com", "secret1")
        assert rig.server.seen("POST", f"{APP}/auth/providers/local-userpass/register")

    def test_it_opens_offline_and_says_when_it_is_not_open(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            configuration = silent_configuration(tmp_path, listener)
        app = App(configuration)
        assert app.configuration is configuration
        for call in (lambda: app.login(ANN), lambda: app.current_user, app.all_users):
            with pytest.raises(IllegalStateError, match="app is not open"):
                call()
        with app, pytest.raises(ConnectionFailedError):
            app.login(ANN)
        with pytest.raises(IllegalStateError, match="app is not open"):
            app.login(ANN)
        with pytest.raises(IllegalStateError, match="opened once"):
            app.open()
        app.close()

    def test_it_needs_no_block(self, rig):
        app = App(rig.configuration).open()
        assert app.login(Credentials.anonymous()).is_logged_in
        app.close()
        assert len(portal_threads()) == 1

    def test_one_that_cannot_be_opened_leaves_no_thread(self, rig):
        path = user_file(rig.configuration.app_directory)
        path.parent.mkdir(parents=True)
        path.write_text("{")
        with pytest.raises(CorruptedError):
            App(rig.configuration).open()
        assert len(portal_threads()) == 1

    def test_closing_it_ends_a_call_that_waits_in_another_thread(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            app = App(silent_configuration(tmp_path, listener)).open()

            def log_in():
                with pytest.raises(IllegalStateError, match="app is not open"):
                    app.login(ANN)

            with on_thread(log_in):
                accepted, _ = listener.accept()  # the request is on its way, and stays so
                app.close()
            accepted.close()


class TestRealm:
    def test_it_knows_its_configuration_user_and_session(self, user):
        mine = SyncConfiguration(user, [Item], name="mine")
        with Realm.open(mine) as realm:
            assert realm.configuration is mine
            assert mine.user is user
            assert mine.name == "mine.realm"
            session = realm.sync_session
            assert isinstance(session, SyncSession)
            assert realm.sync_session is session
            assert session.user is user
            assert session.configuration is mine
        assert len(portal_threads()) == 2

    def test_configurations_of_one_api_do_not_open_realms_of_another(self, user):
        trio_configuration = TrioSyncConfiguration(user.target, [Item])
        with pytest.raises(TypeError, match=r"takes a skerry\.blocking\.SyncConfiguration"):
            Realm.open(trio_configuration)
        with pytest.raises(TypeError, match=r"got from a skerry\.blocking\.App"):
            SyncConfiguration(user.target, [Item])

    def test_subscriptions_are_one_object_that_is_pinned(self, realm):
        subscriptions = realm.subscriptions
        assert subscriptions is realm.subscriptions
        query = where(Item, "count <= $0", 4)
        updated = subscriptions.update(lambda subs: subs.add(query, name="few"))
        assert updated is subscriptions
        assert (subscriptions.version, len(subscriptions)) == (1, 1)
        assert subscriptions.find_by_name("few") == next(iter(subscriptions))
        assert subscriptions.find_by_query(query).name == "few"
        assert subscriptions.state is SubscriptionSetState.PENDING
        assert subscriptions.refresh() is subscriptions
        assert subscriptions.wait_for_synchronization(timeout=0.01) is False

    def test_results_can_be_subscribed_to(self, realm):
        realm.subscriptions.update(lambda subs: subs.add(realm.query(Item, "count <= $0", 4)))
        assert len(realm.subscriptions) == 1

    def test_a_block_that_waits_for_the_loop_it_stops_is_refused(self, realm):
        def block(_subscriptions):
            realm.sync_session.upload_all_local_changes()

        with pytest.raises(IllegalStateError, match="trio loop of this thread"):
            realm.subscriptions.update(block)
        assert realm.subscriptions.version == 0

    def test_a_wait_ends_with_the_transfer_or_its_timeout(self, rig, realm):
        session, portal = realm.sync_session, realm.bridge.portal
        assert session.upload_all_local_changes(0.01) is False
        answers = []
        with on_thread(lambda: answers.append(session.download_all_server_changes(DEADLINE_S))):
            request = rig.request(portal, "wait_download")
            rig.tell(realm, event("download_complete", request=request))
        assert answers == [True]
        with pytest.raises(ValueError, match="timeout"):
            session.download_all_server_changes(0)

    def test_closing_ends_a_wait_in_another_thread(self, rig, user):
        realm = Realm.open(SyncConfiguration(user, [Item]))
        session = realm.sync_session

        def work():
            with pytest.raises(SessionInactiveError):
                session.download_all_server_changes()

        with on_thread(work):
            rig.request(realm.bridge.portal, "wait_download")
            realm.close()

    def test_pausing_is_seen_by_an_iterator(self, realm):
        session = realm.sync_session
        changes = session.connection_state_changes()
        while session.connection_state is not ConnectionState.CONNECTED:
            changes.next(DEADLINE_S)
        session.pause()
        assert session.state is SessionState.PAUSED
        change = changes.next(DEADLINE_S)
        while change.new_state is not ConnectionState.DISCONNECTED:
            change = changes.next(DEADLINE_S)
        session.resume()
        assert session.state is SessionState.ACTIVE

    def test_progress_is_iterated(self, rig, realm):
        progress = realm.sync_session.progress(Direction.DOWNLOAD, ProgressMode.CURRENT_CHANGES)
        request = rig.request(realm.bridge.portal, "wait_download")
        rig.tell(realm, event("progress", direction="download", estimate=0.5))
        assert progress.next(DEADLINE_S).estimate == 0.5
        rig.tell(realm, event("download_complete", request=request))
        assert [one.is_transfer_complete for one in progress] == [True]

    def test_closing_the_app_closes_its_realms(self, rig):
        app = App(rig.configuration, environment=rig.environment).open()
        realm = Realm.open(SyncConfiguration(app.login(Credentials.anonymous()), [Item]))
        changes = realm.changed()
        app.close()
        assert realm.is_closed
        assert list(changes) == []
        realm.close()

    def test_the_app_must_be_open(self, rig):
        with App(rig.configuration) as app:
            mine = SyncConfiguration(app.login(Credentials.anonymous()), [Item])
        with pytest.raises(IllegalStateError, match="app is not open"):
            Realm.open(mine)


class TestErrorHandler:
    WRITES = ("Item", 7, "not allowed")

    def test_it_runs_on_a_thread_where_it_may_wait(self, rig, user):
        got, done = [], threading.Event()

        def handle(session, error):
            realm.subscriptions.refresh()
            got.append((session.state, error, len(realm.objects(Item))))
            with pytest.raises(IllegalStateError, match="in the error handler"):
                _ = session.user
            with pytest.raises(IllegalStateError, match="cannot close"):
                realm.close()
            with pytest.raises(IllegalStateError, match="cannot close"):
                user.app.close()
            done.set()

        mine = SyncConfiguration(user, [Item], error_handler=handle)
        assert mine.error_handler is handle
        with Realm.open(mine) as realm:
            rig.request(realm.bridge.portal, "attach")
            rig.tell(realm, event("compensating_write", writes=[self.WRITES], version=9))
            assert done.wait(DEADLINE_S)
        ((state, error, count),) = got
        assert isinstance(error, CompensatingWriteError)
        assert (state, count) == (SessionState.ACTIVE, 0)

    def test_what_it_raises_is_logged(self, rig, user, caplog):
        done = threading.Event()

        def handle(_session, _error):
            done.set()
            raise ZeroDivisionError("by the handler")

        with (
            caplog.at_level(logging.ERROR),
            Realm.open(SyncConfiguration(user, [Item], error_handler=handle)) as realm,
        ):
            rig.request(realm.bridge.portal, "attach")
            rig.tell(realm, event("compensating_write", writes=[self.WRITES], version=9))
            assert done.wait(DEADLINE_S)
        assert "by the handler" in caplog.text

    def test_a_coroutine_function_is_refused(self, user):
        async def handle(_session, _error):
            """Never called."""

        with pytest.raises(ConfigurationError, match="plain function"):
            SyncConfiguration(user, [Item], error_handler=handle)


def test_a_call_of_a_realm_may_be_made_on_the_portal_itself(realm):
    assert call_soon(realm.bridge.portal, lambda: realm.changed() is not None)
