"""The app's HTTP side against a server on loopback: users, tokens, errors, what is remembered."""

import stat

import httpx2
import pytest
import trio

from skerry import App, AppConfiguration, Credentials, UserState
from skerry.client.environment import Environment
from skerry.client.http import HttpService
from skerry.client.tokens import read_claims
from skerry.client.user_store import load_users, user_file
from skerry.errors import (
    AuthError,
    AuthExpiredError,
    BadRequestError,
    ConfigurationError,
    ConnectionFailedError,
    CorruptedError,
    IllegalStateError,
    InvalidCredentialsError,
    ServiceError,
    UserAlreadyExistsError,
)
from tests.unit.client.http_server import APP, BASE, http_server, token

LOGIN = f"{APP}/auth/providers/local-userpass/login"
ANN = Credentials.email_password("ann@example.com", "secret1")


@pytest.fixture
async def server():
    async with http_server() as running:
        yield running


@pytest.fixture
def configuration(server, tmp_path):
    return AppConfiguration(
        app_id="test-app",
        base_url=f"{server.url}/",
        sync_root_directory=tmp_path,
        app_name="tests",
        custom_request_headers={"X-Custom": "yes"},
    )


async def test_a_login_makes_a_user_with_profile_and_custom_data(server, configuration):
    async with App(configuration) as app:
        user = await app.login(ANN)
        assert app.current_user is user
        assert (user.id, user.device_id) == (f"{1:024x}", "d" * 24)
        assert user.state is UserState.LOGGED_IN
        assert [identity.provider for identity in user.identities] == ["anon-user"]
        assert user.profile == {"name": "Ann"}
        assert user.custom_data == {"level": 3}
    (login,) = server.seen("POST", LOGIN)
    assert login["body"]["username"] == "ann@example.com"
    assert login["body"]["options"]["device"]["sdk"] == "skerry"
    assert login["headers"]["x-custom"] == "yes"
    assert login["headers"]["user-agent"] == "Skerry/0.1 tests"
    assert len(server.seen("GET", f"{APP}/location")) == 1


async def test_users_are_remembered_across_runs_for_the_owner_only(configuration):
    async with App(configuration) as app:
        await app.login(ANN)
        await app.login(Credentials.email_password("ben@example.com", "secret2"))
    path = user_file(configuration.app_directory)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with App(configuration) as app:
        assert [user.id for user in app.all_users()] == [f"{1:024x}", f"{2:024x}"]
        assert app.current_user.id == f"{2:024x}"
        await app.current_user.log_out()
        assert app.current_user.id == f"{1:024x}"


async def test_an_anonymous_user_is_reused_unless_told_otherwise(configuration):
    async with App(configuration) as app:
        one = await app.login(Credentials.anonymous())
        assert await app.login(Credentials.anonymous()) is one
        other = await app.login(Credentials.anonymous(reuse_existing=False))
        assert other.id != one.id
        await other.log_out()
        assert other.state is UserState.REMOVED
        assert app.all_users() == [one]


async def test_logging_out_empties_tokens_and_keeps_the_rest(server, configuration):
    async with App(configuration) as app:
        user = await app.login(ANN)
        await user.log_out()
        await user.log_out()
        assert (user.access_token, user.refresh_token) == ("", "")
        assert user.state is UserState.LOGGED_OUT
        assert user.device_id
        assert user.identities
        assert app.current_user is None
    (revoked,) = server.seen("DELETE", f"{BASE}/auth/session")
    assert revoked["headers"]["authorization"] == "Bearer refresh-1"


async def test_a_log_out_succeeds_although_the_server_cannot_be_told(server, configuration, caplog):
    async with App(configuration) as app:
        user = await app.login(ANN)
        server.answer_next("DELETE", f"{BASE}/auth/session", 503, b"", "text/plain")
        await user.log_out()
        assert user.state is UserState.LOGGED_OUT
    assert "not told" in caplog.text


@pytest.mark.parametrize(
    ("status", "error_code", "error_class"),
    [
        (401, "InvalidPassword", InvalidCredentialsError),
        (403, "UserDisabled", AuthError),
        (409, "AccountNameInUse", UserAlreadyExistsError),
        (400, "BadRequest", BadRequestError),
        (404, "AuthProviderNotFound", ServiceError),
        (500, "SomethingNew", ServiceError),
    ],
)
async def test_named_errors_have_their_classes(
    server, configuration, status, error_code, error_class
):
    body = {"error": "no way", "error_code": error_code, "link": "http://log/1"}
    server.answer_next("POST", LOGIN, status, body)
    async with App(configuration) as app:
        with pytest.raises(error_class, match=r"no way\. Server log entry") as caught:
            await app.login(ANN)
        assert app.current_user is None
    assert type(caught.value) is error_class
    assert (caught.value.status, caught.value.error_code) == (status, error_code)
    assert caught.value.log_url == "http://log/1"


@pytest.mark.parametrize(
    ("status", "body", "kind", "error_class"),
    [
        (503, b"", "text/html", ConnectionFailedError),
        (429, b"", "text/html", ConnectionFailedError),
        (200, b"no json", "application/json", ConnectionFailedError),
        (200, b"[]", "application/json", ConnectionFailedError),
        (200, b"{}", "application/json", ConnectionFailedError),
        (401, b"", "text/html", InvalidCredentialsError),
        (418, b"", "text/html", ServiceError),
        (200, b"x" * (5 * 1024 * 1024), "application/json", ConnectionFailedError),
    ],
)
async def test_other_answers_have_classes_by_status(
    server, configuration, status, body, kind, error_class
):
    server.answer_next("POST", LOGIN, status, body, kind)
    async with App(configuration) as app:
        with pytest.raises(error_class) as caught:
            await app.login(ANN)
    assert type(caught.value) is error_class


async def test_a_moved_server_is_asked_for_its_location_once_more(server, configuration):
    server.answer_next("POST", LOGIN, 308, b"", "text/html")
    async with App(configuration) as app:
        await app.login(ANN)
    assert len(server.seen("GET", f"{APP}/location")) == 2


async def test_an_unreachable_server_is_a_connection_failure(tmp_path):
    listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
    port = listener.socket.getsockname()[1]
    await listener.aclose()
    configuration = AppConfiguration(
        app_id="a", base_url=f"http://127.0.0.1:{port}", sync_root_directory=tmp_path
    )
    async with App(configuration) as app:
        with pytest.raises(ConnectionFailedError) as caught:
            await app.login(ANN)
        assert caught.value.is_retryable


async def test_registering(server, configuration):
    async with App(configuration) as app:
        await app.email_password_auth.register_user("ann@example.com", "secret1")
        with pytest.raises(ValueError, match="empty"):
            await app.email_password_auth.register_user("", "secret1")
    (request,) = server.seen("POST", f"{APP}/auth/providers/local-userpass/register")
    assert request["body"] == {"email": "ann@example.com", "password": "secret1"}


class TestTokens:
    async def test_a_token_that_lasts_is_not_refreshed(self, server, configuration):
        async with App(configuration) as app:
            user = await app.login(ANN)
            assert await app.users().valid_access_token(user) == user.access_token
        assert server.seen("POST", f"{BASE}/auth/session") == []

    async def test_five_seconds_before_its_end_it_is_refreshed_once_for_all(
        self, server, configuration
    ):
        expires_ms = 4_000_000_000_000
        environment = Environment(now_ms=lambda: expires_ms - 5000)
        async with App(configuration, environment=environment) as app:
            user = await app.login(ANN)
            server.standing["POST", f"{BASE}/auth/session"] = lambda _: (
                201,
                {"access_token": token(expires_s=5_000_000_000)},
            )
            async with trio.open_nursery() as nursery:
                for _ in range(5):
                    nursery.start_soon(app.users().valid_access_token, user)
            assert read_claims(user.access_token).expires_ms == 5_000_000_000_000
        (request,) = server.seen("POST", f"{BASE}/auth/session")
        assert request["headers"]["authorization"] == "Bearer refresh-1"
        (remembered,) = load_users(user_file(configuration.app_directory))
        assert remembered.access_token == user.access_token

    async def test_a_refused_refresh_logs_out(self, server, configuration):
        async with App(configuration) as app:
            user = await app.login(ANN)
            body = {"error": "invalid session", "error_code": "InvalidSession"}
            server.answer_next("POST", f"{BASE}/auth/session", 401, body)
            with pytest.raises(AuthExpiredError, match=r"\[Service\]\[InvalidSession\]"):
                await user.refresh_custom_data()
            assert user.state is UserState.LOGGED_OUT
            with pytest.raises(IllegalStateError):
                await user.refresh_custom_data()

    async def test_a_failed_refresh_keeps_the_login(self, server, configuration):
        async with App(configuration) as app:
            user = await app.login(ANN)
            server.answer_next("POST", f"{BASE}/auth/session", 500, b"", "text/plain")
            with pytest.raises(ConnectionFailedError):
                await user.refresh_custom_data()
            assert user.is_logged_in

    @pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "a.bnVsbA.c", "x" * 2_000_000])
    def test_what_cannot_be_read_counts_as_expired(self, text):
        assert read_claims(text).needs_refresh(0)


async def test_damaged_memory_of_users_is_named(configuration):
    path = user_file(configuration.app_directory)
    path.parent.mkdir(parents=True)
    path.write_text('{"version": 1, "users": [{}]}')
    with pytest.raises(CorruptedError, match="cannot be understood"):
        async with App(configuration):
            pass


async def test_an_app_is_used_inside_its_block(configuration):
    app = App(configuration)
    with pytest.raises(IllegalStateError, match="not open"):
        await app.login(ANN)
    async with app:
        assert app.all_users() == []
    with pytest.raises(IllegalStateError, match="not open"):
        _ = app.current_user


async def test_requests_time_out(configuration):
    transport = httpx2.MockTransport(lambda request: (_ for _ in ()).throw(httpx2.ReadTimeout("t")))
    async with httpx2.AsyncClient(transport=transport) as client:
        with pytest.raises(ConnectionFailedError, match="ReadTimeout"):
            await HttpService(configuration, client).location()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("app_id", ""),
        ("app_id", "a/b"),
        ("base_url", "localhost:80"),
        ("app_name", ""),
        ("connect_timeout_s", 0.5),
        ("connection_linger_time_s", 0),
        ("request_timeout_s", float("nan")),
        ("custom_request_headers", {"": "x"}),
    ],
)
def test_configuration_values_out_of_range_are_named(tmp_path, name, value):
    values = {"app_id": "a", "base_url": "http://localhost", name: value}
    with pytest.raises(ConfigurationError, match=name):
        AppConfiguration(**values)
