"""A whole server on loopback, around the fake engine."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio
from websockets.exceptions import ConnectionClosed
from websockets.trio.client import ClientConnection, connect

from skerry.server.config import Config, load_config
from skerry.server.server import Server
from tests.unit.server.fakes import (
    APP_ID,
    CapturedLog,
    FakeCore,
    ManualClock,
    cheap_hasher,
    write_config,
)

BASE = "/api/client/v2.0"
APP = f"{BASE}/app/{APP_ID}"
DEADLINE_S = 20.0


async def eventually(condition: Callable[[], Any]) -> Any:
    """Wait until a condition holds; fails the test after a deadline."""
    with trio.fail_after(DEADLINE_S):
        # What is waited for happens in other threads and sockets, which set no event here.
        while not (found := condition()):  # noqa: ASYNC110
            await trio.sleep(0.005)
    return found


async def closed(websocket: ClientConnection) -> tuple[int | None, str | None]:
    """Read until the connection is closed; return code and reason."""
    try:
        while True:
            await websocket.recv()
    except ConnectionClosed:
        return websocket.close_code, websocket.close_reason


@dataclass
class Harness:
    """A running server and ways to talk to it."""

    server: Server
    core: FakeCore
    log: CapturedLog
    clock: ManualClock
    http: httpx2.AsyncClient = field(repr=False)

    async def log_in(self) -> dict[str, str]:
        response = await self.http.post(f"{APP}/auth/providers/anon-user/login", json={})
        assert response.status_code == 200
        return response.json()

    @asynccontextmanager
    async def sync(self, token: str, **options: Any) -> AsyncIterator[ClientConnection]:
        uri = f"{self.server.ws_url}{APP}/realm-sync?baas_at={token}"
        options = {"subprotocols": ["skerry.sync.v1"], "compression": None, **options}
        async with connect(uri, **options) as websocket:
            yield websocket


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(write_config(tmp_path))


@asynccontextmanager
async def running(config: Config) -> AsyncIterator[Harness]:
    """Run a server until the block ends."""
    core, log, clock = FakeCore(), CapturedLog(), ManualClock()
    with trio.fail_after(60):
        async with (
            Server(config, core, log.log, now_ms=clock, hasher=cheap_hasher()) as server,
            httpx2.AsyncClient(base_url=server.http_url, trust_env=False) as http,
        ):
            yield Harness(server, core, log, clock, http)


@pytest.fixture
async def harness(config: Config) -> AsyncIterator[Harness]:
    async with running(config) as found:
        yield found
