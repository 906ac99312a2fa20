"""A server process behind a recording proxy, and the devices of its users."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from tests.support.app_config import APP_ID, READ_WRITE_OWN, write_app
from tests.support.devices import (
    EVERYTHING,
    PASSWORD,
    Device,
    Objects,
    log_in,
    open_app,
    open_device,
    settle,
)
from tests.support.proxy import Proxy, open_proxy
from tests.support.server_process import ServerProcess


@dataclass(eq=False)
class System:
    """See the module.

    Attributes:
        folder: Where everything lives.
        server: The process.
        proxy: Between devices and server, unless the system is a direct one.
    """

    folder: Path
    server: ServerProcess
    proxy: Proxy
    _emails: set[str] = field(default_factory=set)
    _audits: int = 0

    @property
    def api_url(self) -> str:
        """Base URL of the app's HTTP API."""
        return f"{self.server.http_url}/api/client/v2.0/app/{APP_ID}"

    @asynccontextmanager
    async def device(
        self,
        name: str,
        user: str = "alice",
        *,
        queries: Iterable[str] = EVERYTHING,
        clock_shift_s: float = 0.0,
    ) -> AsyncIterator[Device]:
        """Open the device of that name; a second time it has the files of the first."""
        email = await self.register(user)
        folder = self.folder / "devices" / name
        async with open_app(self.server.http_url, folder, clock_shift_s=clock_shift_s) as app:
            found = await log_in(app, email)
            async with open_device(app, found, queries=queries) as device:
                yield device

    async def register(self, user: str) -> str:
        """Make an account unless there is one, and return its e-mail address."""
        email = f"{user}@example.com"
        if email not in self._emails:
            self._emails.add(email)
            async with httpx2.AsyncClient(trust_env=False) as http:
                body = {"email": email, "password": PASSWORD}
                url = f"{self.api_url}/auth/providers/local-userpass/register"
                response = await http.post(url, json=body)
                assert response.status_code == 201, response.text
        return email

    async def tokens(self, user: str = "alice") -> tuple[str, str]:
        """Log in by hand and return an access and a refresh token."""
        email = await self.register(user)
        async with httpx2.AsyncClient(trust_env=False) as http:
            url = f"{self.api_url}/auth/providers/local-userpass/login"
            response = await http.post(url, json={"username": email, "password": PASSWORD})
            return response.json()["access_token"], response.json()["refresh_token"]

    async def audit(self, user: str = "alice", *, queries: Iterable[str] = EVERYTHING) -> Objects:
        """Return what the server has for a user, as a device that has never been here gets it."""
        self._audits += 1
        async with self.device(f"audit {self._audits}", user, queries=queries) as device:
            await settle(device)
            assert device.errors == []
            return device.objects

    def story(self) -> str:
        """Return what one needs to understand a failure."""
        return (
            f"--- messages\n{self.proxy.story()}\n--- end of the server's log\n"
            f"{self.server.log_tail()}\n--- files: {self.folder}"
        )


@asynccontextmanager
async def running_system(
    folder: Path, *, role: Mapping[str, object] = READ_WRITE_OWN, is_direct: bool = False
) -> AsyncIterator[System]:
    """Start a server and a proxy; devices go through the proxy unless `is_direct`."""
    async with open_proxy() as proxy:
        toml = "" if is_direct else f'[listen]\npublic_sync_url = "{proxy.url}"\n'
        config = write_app(folder / "config", role, toml=toml)
        server = ServerProcess(config, folder)
        await server.start()
        proxy.upstream = server.ws_url
        try:
            yield System(folder, server, proxy)
        except BaseException:
            # What the body raised is what happened; a bad end of the server must not hide it.
            server.kill_if_running()
            raise
        await server.stop()
