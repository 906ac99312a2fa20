"""A device: an app with its own folder, a user, and an open realm that subscribes to items.

Waiting is always for an event and always has a deadline: a device that waits in vain ends the
demonstration with a `trio.TooSlowError`.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from skerry import (
    App,
    AppConfiguration,
    CompensatingWriteError,
    Credentials,
    Realm,
    SyncConfiguration,
    SyncError,
    SyncSession,
    User,
)
from skerry.client.environment import Environment
from story.model import Item, simple_items
from story.server import APP_ID, DemoServer
from story.traffic import Traffic

WAIT_S = 20.0
ERRORS_WAITING_MAX = 100


class ErrorReport:
    """Prints what the error handler gets, and lets the story wait for it."""

    def __init__(self) -> None:
        self._put, self._get = trio.open_memory_channel[SyncError](ERRORS_WAITING_MAX)

    def handle(self, _session: SyncSession, error: SyncError) -> None:
        """Be the error handler of a realm."""
        print(f"    error handler: {error}")
        if isinstance(error, CompensatingWriteError):
            for write in error.writes:
                print(f"    error handler: {write.object_type}: {write.reason}")
        self._put.send_nowait(error)

    async def next(self) -> SyncError:
        """Wait until the handler has been called once more than this has."""
        with trio.fail_after(WAIT_S):
            return await self._get.receive()

    @property
    def unseen(self) -> int:
        """How many errors nobody has waited for."""
        return self._get.statistics().current_buffer_used


@dataclass(frozen=True, slots=True)
class Device:
    """One device of one user, online until its session is paused."""

    user: User
    realm: Realm
    errors: ErrorReport
    traffic: Traffic = field(default_factory=Traffic)

    @property
    def session(self) -> SyncSession:
        """Control of its sync."""
        return self.realm.sync_session

    @property
    def item_names(self) -> list[str]:
        """The names of the items that it holds now, in order."""
        return [
            item.itemName for item in self.realm.query(Item, "TRUEPREDICATE SORT(itemName ASC)")
        ]

    async def write(self, *items: Item) -> None:
        """Store items in one transaction: durable when it returns, without waiting for the net."""
        async with self.realm.write() as txn:
            for item in items:
                txn.add(item)

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so on this device; it is asked after every commit."""
        versions = self.realm.changed()
        with trio.fail_after(WAIT_S):
            while not is_so():
                await anext(versions)

    async def upload(self) -> None:
        """Wait until the server has acknowledged every write of this device."""
        if not await self.session.upload_all_local_changes(WAIT_S):
            raise trio.TooSlowError

    async def download(self) -> None:
        """Wait until this device has what the server has for it."""
        if not await self.session.download_all_server_changes(WAIT_S):
            raise trio.TooSlowError


@asynccontextmanager
async def open_device(
    server: DemoServer, folder: Path, credentials: Credentials
) -> AsyncIterator[Device]:
    """Log in on a device and open its realm, subscribed and in step with the server.

    Args:
        server: Where to.
        folder: The device's own, which no other device uses.
        credentials: Of a registered user.
    """
    traffic = Traffic()
    errors = ErrorReport()
    configuration = AppConfiguration(app_id=APP_ID, base_url=server.url, sync_root_directory=folder)
    async with App(configuration, environment=Environment(open_link=traffic.open_link)) as app:
        user = await app.login(credentials)
        opening = SyncConfiguration(user, [Item], error_handler=errors.handle)
        async with Realm.open(opening) as realm:
            await realm.subscriptions.update(simple_items)
            if not await realm.subscriptions.wait_for_synchronization(WAIT_S):
                raise trio.TooSlowError
            yield Device(user, realm, errors, traffic)


async def register(server: DemoServer, folder: Path, email: str, password: str) -> Credentials:
    """Register a user and return what it logs in with."""
    configuration = AppConfiguration(app_id=APP_ID, base_url=server.url, sync_root_directory=folder)
    async with App(configuration) as app:
        await app.email_password_auth.register_user(email, password)
    return Credentials.email_password(email, password)
