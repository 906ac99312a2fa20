"""The HTTP API over real sockets: paths, shapes, statuses and errors."""

import json

import pytest
import trio

from skerry.server.config import load_config
from tests.unit.server.conftest import APP, BASE, running
from tests.unit.server.fakes import APP_ID, FILES, write_config

CREDENTIALS = {"email": "a@example.com", "password": "correct horse"}
LOGIN = f"{APP}/auth/providers/local-userpass/login"
REGISTER = f"{APP}/auth/providers/local-userpass/register"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def assert_error(response, status: int, error_code: str, text: str) -> None:
    assert response.status_code == status
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert set(body) == {"error", "error_code", "link"}
    assert body["error_code"] == error_code
    assert text in body["error"]


async def test_location_names_the_listeners(harness):
    response = await harness.http.get(f"{APP}/location")
    assert response.json() == {
        "deployment_model": "GLOBAL",
        "location": "US-VA",
        "hostname": harness.server.http_url,
        "ws_hostname": harness.server.ws_url,
    }
    assert harness.server.http_url != "http://127.0.0.1:0"


async def test_location_prefers_public_urls(tmp_path):
    toml = """
[listen]
http_port = 0
sync_port = 0
public_http_url = "https://sync.example.com/"
public_sync_url = "wss://ws.example.com"
"""
    async with running(load_config(write_config(tmp_path, toml=toml))) as harness:
        body = (await harness.http.get(f"{APP}/location")).json()
    assert body["hostname"] == "https://sync.example.com"
    assert body["ws_hostname"] == "wss://ws.example.com"


async def test_register_log_in_profile_refresh_log_out(harness):
    http = harness.http
    assert (await http.post(REGISTER, json=CREDENTIALS)).status_code == 201
    body = {
        "username": CREDENTIALS["email"],
        "password": CREDENTIALS["password"],
        "options": {"device": {"platform": "linux", "sdkVersion": "1", "unknown": 5}},
    }
    login = (await http.post(LOGIN, json=body)).json()
    assert set(login) == {"access_token", "refresh_token", "user_id", "device_id"}

    profile = (await http.get(f"{BASE}/auth/profile", headers=bearer(login["access_token"]))).json()
    assert profile["user_id"] == login["user_id"]
    assert profile["data"] == {"email": CREDENTIALS["email"]}
    assert profile["type"] == "normal"
    assert [i["provider_type"] for i in profile["identities"]] == ["local-userpass"]

    session = f"{BASE}/auth/session"
    refreshed = await http.post(session, headers=bearer(login["refresh_token"]))
    assert refreshed.status_code == 201
    assert set(refreshed.json()) == {"access_token"}

    logged_out = await http.delete(session, headers=bearer(login["refresh_token"]))
    assert (logged_out.status_code, logged_out.content) == (204, b"")
    again = await http.post(session, headers=bearer(login["refresh_token"]))
    assert_error(again, 401, "InvalidSession", "revoked")


async def test_user_calls_exist_below_the_app_too(harness):
    login = await harness.log_in()
    profile = await harness.http.get(f"{APP}/auth/profile", headers=bearer(login["access_token"]))
    assert profile.json()["user_id"] == login["user_id"]


async def test_register_twice_and_wrong_password(harness):
    await harness.http.post(REGISTER, json=CREDENTIALS)
    twice = await harness.http.post(REGISTER, json=CREDENTIALS)
    assert_error(twice, 409, "AccountNameInUse", "name already in use")
    wrong = await harness.http.post(
        LOGIN, json={"username": CREDENTIALS["email"], "password": "wrong"}
    )
    assert_error(wrong, 401, "InvalidPassword", "invalid username/password")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"username": 5, "password": "x"}', b""])
async def test_body_that_is_not_the_expected_object_is_a_bad_request(harness, body):
    response = await harness.http.post(LOGIN, content=body)
    assert_error(response, 400, "BadRequest", "")


async def test_deeply_nested_body_is_a_bad_request(harness):
    body = b'{"username":' + b"[" * 2000
    assert_error(await harness.http.post(LOGIN, content=body), 400, "BadRequest", "JSON")


async def test_body_is_bounded_whether_or_not_its_length_is_declared(harness):
    async def chunks():
        for _ in range(100):
            yield b"x" * 1000

    declared = await harness.http.post(LOGIN, content=b"x" * 5000)
    assert_error(declared, 413, "RequestTooLarge", "4096 bytes")
    streamed = await harness.http.post(LOGIN, content=chunks())
    assert_error(streamed, 413, "RequestTooLarge", "4096 bytes")
    assert (await harness.http.get(f"{APP}/location")).status_code == 200


async def test_unknown_provider_app_path_and_method(harness):
    http = harness.http
    for provider in ("api-key", "custom-token", "nonsense"):
        response = await http.post(f"{APP}/auth/providers/{provider}/login", json={})
        assert_error(response, 404, "AuthProviderNotFound", provider)
    other = await http.get(f"{BASE}/app/other-app/location")
    assert_error(other, 404, "AppNotFound", "other-app")
    assert_error(await http.get("/nothing"), 404, "BadRequest", "not found")
    assert_error(await http.put(LOGIN), 405, "BadRequest", "method not allowed")
    link = await http.post(f"{APP}/auth/providers/anon-user/login?link=true", json={})
    assert_error(link, 400, "BadRequest", "linking")


async def test_disabled_provider_is_not_found(tmp_path):
    providers = json.loads(json.dumps(FILES["auth/providers.json"]))
    providers["local-userpass"]["disabled"] = True
    root = write_config(tmp_path, {"auth/providers.json": providers})
    async with running(load_config(root)) as harness:
        for path in (REGISTER, LOGIN):
            response = await harness.http.post(path, json={})
            assert_error(response, 404, "AuthProviderNotFound", "local-userpass")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Basic x"}, bearer("a.b.c"), bearer("x")])
async def test_no_good_token_is_an_invalid_session(harness, header):
    for method, path in (("GET", "profile"), ("POST", "session"), ("DELETE", "session")):
        response = await harness.http.request(method, f"{BASE}/auth/{path}", headers=header)
        assert_error(response, 401, "InvalidSession", "invalid token")


async def test_expired_access_token_is_an_invalid_session(harness):
    login = await harness.log_in()
    harness.clock.advance_s(30 * 60)
    response = await harness.http.get(f"{BASE}/auth/profile", headers=bearer(login["access_token"]))
    assert_error(response, 401, "InvalidSession", "token expired")


async def test_disabled_user_is_told(harness):
    login = await harness.log_in()
    await harness.server.disable_user(login["user_id"])
    response = await harness.http.post(
        f"{BASE}/auth/session", headers=bearer(login["refresh_token"])
    )
    assert_error(response, 403, "UserDisabled", "user disabled")


async def test_failure_of_ours_is_logged_but_not_told(harness, monkeypatch):
    def broken(*_args):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(harness.core, "meta_put", broken)
    response = await harness.http.post(f"{APP}/auth/providers/anon-user/login", json={})
    assert_error(response, 500, "InternalServerError", "internal server error")
    assert "secret detail" not in response.text
    (entry,) = harness.log.entries("AUTH")
    assert "secret detail" in entry["exception"]
    assert entry["co_id"] == response.headers["x-appservices-request-id"]


async def test_requests_beyond_the_limit_are_refused_at_once(tmp_path, monkeypatch):
    toml = "[listen]\nhttp_port = 0\nsync_port = 0\n[limits]\nhttp_requests_concurrent_max = 1\n"
    async with running(load_config(write_config(tmp_path, toml=toml))) as harness:
        hashing, go_on = trio.Event(), trio.Event()

        async def slow(*_args):
            hashing.set()
            await go_on.wait()

        monkeypatch.setattr(harness.server.accounts, "register", slow)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: harness.http.post(REGISTER, json=CREDENTIALS))
            await hashing.wait()
            refused = await harness.http.get(f"{APP}/location")
            go_on.set()
        assert_error(refused, 429, "TooManyRequests", "too many")


async def test_auth_is_logged_without_secrets(harness):
    await harness.http.post(REGISTER, json=CREDENTIALS)
    body = {"username": CREDENTIALS["email"], "password": CREDENTIALS["password"]}
    login = (await harness.http.post(LOGIN, json=body)).json()
    await harness.http.post(LOGIN, json={**body, "password": "wrong one"})
    registered, logged_in, refused = harness.log.entries("AUTH")
    assert registered["status"] == logged_in["status"] == "OK"
    assert logged_in["user_id"] == login["user_id"]
    assert logged_in["remote_ip_address"] == "127.0.0.1"
    assert logged_in["app_id"] == APP_ID
    assert (refused["status"], refused["error_code"]) == ("ERROR", "InvalidPassword")
    for secret in (CREDENTIALS["password"], "wrong one", login["access_token"]):
        assert secret not in harness.log.text
