"""The sync websocket over real sockets: who may connect, and what ends a connection."""

from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import trio
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.unit.server.conftest import APP, BASE, closed, eventually

CLIENT_MESSAGE_MAX_BYTES = 100_000


async def test_frames_travel_both_ways_under_the_subprotocol(harness):
    login = await harness.log_in()
    async with harness.sync(login["access_token"]) as websocket:
        assert websocket.subprotocol == "skerry.sync.v1"
        for frame in (b"one", b"two", b""):
            await websocket.send(frame)
        assert [await websocket.recv() for _ in range(3)] == [b"one", b"two", b""]


async def test_engine_learns_user_and_device(harness):
    login = await harness.log_in()
    async with harness.sync(login["access_token"]) as websocket:
        await websocket.send(b"x")
        await websocket.recv()
    (user,) = harness.core.users.values()
    (identity,) = user.pop("identities")
    assert identity["providerType"] == "anon-user"
    assert user == {
        "id": login["user_id"],
        "type": "normal",
        "data": {},
        "custom_data": {},
        "device_id": login["device_id"],
    }


@pytest.mark.parametrize("token", ["", "a.b.c", "x" * 5000])
async def test_bad_token_is_upgraded_and_closed_with_4001(harness, token):
    async with harness.sync(token) as websocket:
        assert await closed(websocket) == (4001, "invalid token")
    assert harness.core.users == {}


async def test_expired_token_is_closed_with_4001(harness):
    login = await harness.log_in()
    harness.clock.advance_s(30 * 60)
    async with harness.sync(login["access_token"]) as websocket:
        assert await closed(websocket) == (4001, "token expired")


async def test_refresh_token_opens_no_connection(harness):
    login = await harness.log_in()
    async with harness.sync(login["refresh_token"]) as websocket:
        assert await closed(websocket) == (4001, "token is of the wrong type")


async def test_token_that_expires_meanwhile_keeps_its_connection(harness):
    login = await harness.log_in()
    async with harness.sync(login["access_token"]) as websocket:
        await websocket.send(b"here")
        assert await websocket.recv() == b"here"
        harness.clock.advance_s(3600)
        await websocket.send(b"still here")
        assert await websocket.recv() == b"still here"


async def test_disabled_user_is_closed_with_4002_now_and_later(harness):
    login, other = await harness.log_in(), await harness.log_in()
    async with (
        harness.sync(login["access_token"]) as websocket,
        harness.sync(other["access_token"]) as bystander,
    ):
        await harness.server.disable_user(login["user_id"])
        assert await closed(websocket) == (4002, "user disabled")
        async with harness.sync(login["access_token"]) as again:
            assert await closed(again) == (4002, "user disabled")
        await bystander.send(b"undisturbed")
        assert await bystander.recv() == b"undisturbed"


async def test_logout_ends_the_connections_of_its_session_only(harness):
    login, other = await harness.log_in(), await harness.log_in()
    async with (
        harness.sync(login["access_token"]) as websocket,
        harness.sync(other["access_token"]) as bystander,
    ):
        headers = {"Authorization": f"Bearer {login['refresh_token']}"}
        await harness.http.request("DELETE", f"{BASE}/auth/session", headers=headers)
        assert await closed(websocket) == (4001, "session has been revoked")
        await bystander.send(b"undisturbed")
        assert await bystander.recv() == b"undisturbed"


async def test_revoked_sessions_end_all_connections_of_a_user(harness):
    login = await harness.log_in()
    async with (
        harness.sync(login["access_token"]) as one,
        harness.sync(login["access_token"]) as two,
    ):
        await harness.server.revoke_sessions(login["user_id"])
        assert await closed(one) == await closed(two) == (4001, "session has been revoked")


async def test_text_frame_is_closed_with_1003(harness):
    login = await harness.log_in()
    async with harness.sync(login["access_token"]) as websocket:
        await websocket.send("text")
        assert await closed(websocket) == (1003, "text frames are not accepted")


async def test_too_large_frame_is_closed_with_1009_and_never_reaches_the_engine(harness):
    login, other = await harness.log_in(), await harness.log_in()
    async with (
        harness.sync(login["access_token"]) as websocket,
        harness.sync(other["access_token"]) as bystander,
    ):
        with suppress(ConnectionClosed):
            await websocket.send(b"x" * (CLIENT_MESSAGE_MAX_BYTES + 1))
        assert await closed(websocket) == (1009, "read limited at 100000 bytes")
        await bystander.send(b"x" * CLIENT_MESSAGE_MAX_BYTES)
        assert len(await bystander.recv()) == CLIENT_MESSAGE_MAX_BYTES
    assert [len(frame) for batch in harness.core.batches for _, frame in batch] == [
        CLIENT_MESSAGE_MAX_BYTES
    ]


async def test_fragments_count_together(harness):
    login = await harness.log_in()

    async def fragments():
        for _ in range(3):
            yield b"x" * (CLIENT_MESSAGE_MAX_BYTES // 2)

    async with harness.sync(login["access_token"]) as websocket:
        with suppress(ConnectionClosed):
            await websocket.send(fragments())
        assert (await closed(websocket))[0] == 1009


async def test_announcing_a_huge_frame_is_enough_to_be_refused(harness):
    login = await harness.log_in()
    masked_binary_frame = b"\x82\xff" + (100 * 2**20).to_bytes(8, "big") + b"mask"
    async with harness.sync(login["access_token"]) as websocket:
        await websocket.stream.send_all(masked_binary_frame)
        assert (await closed(websocket))[0] == 1009


@pytest.mark.parametrize("subprotocols", [None, ["com.mongodb.realm-query-sync#14"]])
async def test_subprotocol_is_required(harness, subprotocols):
    login = await harness.log_in()
    with pytest.raises(InvalidStatus) as caught:
        async with harness.sync(login["access_token"], subprotocols=subprotocols):
            pytest.fail("connected")
    assert caught.value.response.status_code == 400
    assert login["access_token"] not in harness.log.text


@pytest.mark.parametrize("path", ["/", "/api/client/v2.0/app/other/realm-sync", f"{APP}/location"])
async def test_other_paths_are_not_found(harness, path):
    with trio.fail_after(10):
        port = urlsplit(harness.server.ws_url).port
        stream = await trio.open_tcp_stream("127.0.0.1", port)
        async with stream:
            lines = [
                f"GET {path} HTTP/1.1",
                "Host: localhost",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Protocol: skerry.sync.v1",
            ]
            await stream.send_all("\r\n".join([*lines, "", ""]).encode())
            answer = await stream.receive_some()
    assert answer.startswith(b"HTTP/1.1 404 ")


async def test_connections_beyond_the_limit_are_refused_until_one_ends(harness):
    login = await harness.log_in()
    async with trio.open_nursery() as nursery:
        release = trio.Event()

        async def hold(task_status=trio.TASK_STATUS_IGNORED):
            async with harness.sync(login["access_token"]) as websocket:
                await websocket.send(b"in")
                await websocket.recv()
                task_status.started()
                await release.wait()

        for _ in range(8):
            await nursery.start(hold)
        with pytest.raises(InvalidStatus) as caught:
            async with harness.sync(login["access_token"]):
                pytest.fail("connected")
        assert caught.value.response.status_code == 503
        release.set()
    await eventually(lambda: len(harness.core.disconnected) == 8)
    async with harness.sync(login["access_token"]) as websocket:
        await websocket.send(b"room again")
        assert await websocket.recv() == b"room again"


async def test_every_connection_is_disconnected_once_and_logged(harness):
    login = await harness.log_in()
    async with harness.sync(login["access_token"]) as websocket:
        await websocket.send(b"close:4003")
        assert await websocket.recv() == b"closing"
        assert await closed(websocket) == (4003, "told to close")
    await eventually(lambda: harness.core.disconnected == [1])
    (start,) = harness.log.entries("SYNC_CONNECTION_START")
    (end,) = await eventually(lambda: harness.log.entries("SYNC_CONNECTION_END"))
    assert start["co_id"] == end["co_id"]
    assert start["user_id"] == end["user_id"] == login["user_id"]
    assert end["remote_ip_address"] == "127.0.0.1"
    assert end["close_code"] == 4003
    assert login["access_token"] not in harness.log.text


async def test_peer_that_vanishes_is_disconnected(harness):
    login = await harness.log_in()
    async with harness.sync(login["access_token"]) as websocket:
        await websocket.send(b"x")
        await websocket.recv()
        await trio.aclose_forcefully(websocket.stream)
        await eventually(lambda: harness.core.disconnected == [1])


async def test_refusal_of_the_engine_ends_the_connection_only(harness, monkeypatch):
    login = await harness.log_in()

    def refuse(*_args):
        raise ValueError("refused by the engine")

    with monkeypatch.context() as patch:
        patch.setattr(harness.core, "connect", refuse)
        async with harness.sync(login["access_token"]) as websocket:
            assert (await closed(websocket))[0] == 1011
    assert "refused by the engine" in harness.log.text
    async with harness.sync(login["access_token"]) as websocket:
        await websocket.send(b"fine")
        assert await websocket.recv() == b"fine"
