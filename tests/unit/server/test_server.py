"""A server as a whole: starting, failing to start, and stopping in an orderly way."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx2
import pytest
import trio
from websockets.trio.client import connect

from skerry.server.server import Server
from tests.unit.server.conftest import APP, closed, eventually, running
from tests.unit.server.fakes import CapturedLog, FakeCore, ManualClock


def server_of(config, core, log) -> Server:
    return Server(config, core, log.log, now_ms=ManualClock())


@asynccontextmanager
async def client_of(server: Server) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=server.http_url, trust_env=False) as http:
        yield http


async def serve_one_connection(server: Server) -> None:
    async with server, client_of(server) as http:
        login = (await http.post(f"{APP}/auth/providers/anon-user/login", json={})).json()
        uri = f"{server.ws_url}{APP}/realm-sync?baas_at={login['access_token']}"
        async with connect(uri, subprotocols=["skerry.sync.v1"]) as websocket:
            await closed(websocket)
        await trio.sleep_forever()


async def test_stopping_closes_connections_with_1001_and_the_store_last(config):
    codes = []
    async with trio.open_nursery() as nursery:
        async with running(config) as harness:
            token = (await harness.log_in())["access_token"]

            async def stay(task_status=trio.TASK_STATUS_IGNORED):
                async with harness.sync(token) as websocket:
                    await websocket.send(b"x")
                    await websocket.recv()
                    task_status.started()
                    codes.append(await closed(websocket))

            await nursery.start(stay)
            await nursery.start(stay)
            assert not harness.core.is_closed
        assert harness.core.is_closed
        assert sorted(harness.core.disconnected) == [1, 2]
    assert codes == [(1001, "server is stopping")] * 2


async def test_batch_in_progress_is_finished_and_answered_before_the_goodbye(config):
    received = []
    async with trio.open_nursery() as nursery, running(config) as harness:
        token = (await harness.log_in())["access_token"]
        core = harness.core

        async def upload(task_status=trio.TASK_STATUS_IGNORED):
            async with harness.sync(token) as websocket:
                await websocket.send(b"first")
                await websocket.recv()
                core.entered.clear()
                core.gate.clear()
                await websocket.send(b"in progress")
                task_status.started()
                received.append(await websocket.recv())
                received.append(await closed(websocket))

        await nursery.start(upload)
        await eventually(core.entered.is_set)

        async def finish_the_batch_while_the_server_stops():
            await eventually(lambda: harness.server._stop_http.is_set())
            core.gate.set()

        nursery.start_soon(finish_the_batch_while_the_server_stops)
    assert received == [b"in progress", (1001, "server is stopping")]


async def test_ports_are_free_again_after_stopping(config):
    async with running(config) as harness:
        http_port = int(harness.server.http_url.rpartition(":")[2])
    listen = replace(config.native.listen, http_port=http_port)
    again = replace(config, native=replace(config.native, listen=listen))
    async with running(again) as harness:
        assert harness.server.http_url.endswith(f":{http_port}")
        assert (await harness.http.get(f"{APP}/location")).status_code == 200


async def test_address_in_use_is_an_oserror_and_closes_the_store(config):
    core = FakeCore()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = replace(config.native.listen, sync_port=taken.getsockname()[1])
        blocked = replace(config, native=replace(config.native, listen=listen))
        with pytest.raises(OSError, match="in use"):
            async with server_of(blocked, core, CapturedLog()):
                pytest.fail("started")
    assert core.is_closed


async def test_what_the_body_raises_comes_out_as_it_is(config):
    core = FakeCore()
    with pytest.raises(ZeroDivisionError):
        async with server_of(config, core, CapturedLog()):
            raise ZeroDivisionError
    assert core.is_closed


async def test_cancellation_stops_the_server_in_order(config):
    core = FakeCore()
    with trio.move_on_after(0.1) as scope:
        async with server_of(config, core, CapturedLog()):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert core.is_closed


async def test_panic_of_the_engine_ends_the_server_loudly(config, monkeypatch):
    class Panic(BaseException):
        pass

    def panic(*_args):
        raise Panic("invariant broken")

    core = FakeCore()
    monkeypatch.setattr(core, "process", panic)
    with pytest.raises(Panic):
        await serve_one_connection(server_of(config, core, CapturedLog()))
    assert core.is_closed


async def test_garbage_on_either_port_disturbs_nobody(harness):
    login = await harness.log_in()
    async with harness.sync(login["access_token"]) as websocket:
        for url in (harness.server.http_url, harness.server.ws_url):
            negative = b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n"
            for garbage in (b"\x00\xff" * 5000, b"GET", negative):
                stream = await trio.open_tcp_stream("127.0.0.1", int(url.rpartition(":")[2]))
                async with stream:
                    await stream.send_all(garbage)
        await websocket.send(b"undisturbed")
        assert await websocket.recv() == b"undisturbed"
    assert (await harness.http.get(f"{APP}/location")).status_code == 200
