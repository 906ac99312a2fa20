"""Devices of the end-to-end tests: an `App`, a user, and an open realm with its errors."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from skerry import (
    App,
    AppConfiguration,
    CompensatingWriteError,
    Credentials,
    ObjectId,
    Realm,
    RealmObject,
    SyncConfiguration,
    SyncError,
    SyncSession,
    Transaction,
    User,
    primary_key,
    where,
)
from skerry.client.environment import Environment
from tests.support.app_config import APP_ID
from tests.support.waiting import DEADLINE_S, Bell, within

EVERYTHING = ("TRUEPREDICATE",)
PASSWORD = "a password"


class Item(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)
    ownerId: str  # noqa: N815 - the name that the documentation's rules use
    complexity: int = 1
    name: str = ""
    note: str | None = None
    count: int = 0


State = tuple[str, int, str, str | None, int]
Objects = dict[str, State]


def oid(number: int) -> ObjectId:
    """Return the id of that number, so that a failure names the same objects every time."""
    return ObjectId(f"{number:024x}")


def objects_of(realm: Realm) -> Objects:
    """Return all that a realm shows, by id."""
    return {
        item._id.hex: (item.ownerId, item.complexity, item.name, item.note, item.count)
        for item in realm.objects(Item)
    }


@dataclass(eq=False)
class Device:
    """One realm of one user in one app."""

    app: App
    user: User
    realm: Realm
    errors: list[SyncError] = field(default_factory=list)
    seen_at_error: list[Objects] = field(default_factory=list)
    error_bell: Bell = field(default_factory=Bell)

    @property
    def session(self) -> SyncSession:
        return self.realm.sync_session

    @property
    def objects(self) -> Objects:
        return objects_of(self.realm)

    @property
    def rejected(self) -> list[tuple[str, str]]:
        """Id and reason of every write that the error handler was told of, in order."""
        return [
            (str(write.primary_key), write.reason)
            for error in self.errors
            if isinstance(error, CompensatingWriteError)
            for write in error.writes
        ]

    async def write(self, change: Callable[[Transaction], object]) -> None:
        """Make a change in one transaction."""
        async with self.realm.write() as txn:
            change(txn)

    async def add(self, number: int, **values: object) -> None:
        """Create an object of this user in a transaction of its own."""
        values = {"ownerId": self.user.id, **values}
        await self.write(lambda txn: txn.add(Item(_id=oid(number), **values)))

    async def change(self, number: int, **values: object) -> None:
        """Set properties of an object in a transaction of its own."""
        await self.write(lambda txn: set_values(txn, number, **values))

    async def increment(self, number: int, amount: int = 1) -> None:
        """Add to an object's counter in a transaction of its own."""
        await self.write(lambda txn: txn.increment(txn.find(Item, oid(number)), "count", amount))

    async def delete(self, number: int) -> None:
        """Delete an object in a transaction of its own."""
        await self.write(lambda txn: txn.delete(txn.find(Item, oid(number))))

    async def subscribe(self, *queries: str) -> None:
        """Ask for these queries instead of those before; does not wait for the server."""

        def block(subscriptions) -> None:
            subscriptions.remove_all()
            for query in queries:
                subscriptions.add(where(Item, query))

        await self.realm.subscriptions.update(block)

    async def until(
        self, condition: Callable[[Objects], object], what: str, seconds: float = DEADLINE_S
    ) -> None:
        """Wait until what the realm shows fits; looked at now and after each commit."""
        changes = self.realm.changed()
        with within(what, seconds):
            while not condition(self.objects):
                await anext(changes)

    async def until_rejected(self, count: int) -> None:
        """Wait until the error handler has been told of that many writes."""
        what = f"the error handler is told of {count} writes; so far {self.errors}"
        await self.error_bell.until(lambda: len(self.rejected) >= count, what)

    def take_error(self, _session: SyncSession, error: SyncError) -> None:
        """Be the realm's error handler."""
        self.errors.append(error)
        self.seen_at_error.append(self.objects)
        self.error_bell.ring()


def set_values(txn: Transaction, number: int, **values: object) -> None:
    """Set properties of an object inside a transaction."""
    item = txn.find(Item, oid(number))
    assert item is not None, f"there is no object {number}"
    for name, value in values.items():
        setattr(item, name, value)


def shifted_clock(shift_s: float) -> Callable[[], int]:
    """Return a wall clock that is wrong by so many seconds."""
    return lambda: time.time_ns() // 1_000_000 + int(shift_s * 1000)


@asynccontextmanager
async def open_app(
    base_url: str, folder: Path, *, clock_shift_s: float = 0.0
) -> AsyncIterator[App]:
    """Open an app whose files live in a folder."""
    configuration = AppConfiguration(
        app_id=APP_ID, base_url=base_url, sync_root_directory=folder, request_timeout_s=DEADLINE_S
    )
    environment = Environment(now_ms=shifted_clock(clock_shift_s))
    async with App(configuration, environment=environment) as app:
        yield app


async def log_in(app: App, email: str) -> User:
    """Return the app's user, from an earlier run if there is one."""
    return app.current_user or await app.login(Credentials.email_password(email, PASSWORD))


@asynccontextmanager
async def open_device(
    app: App, user: User, *, queries: Iterable[str] = EVERYTHING, name: str | None = None
) -> AsyncIterator[Device]:
    """Open a realm; a new one subscribes to the queries, and nothing waits for the server."""
    handlers: list[Device] = []
    wanted = list(queries)

    def handle(session: SyncSession, error: SyncError) -> None:
        handlers[0].take_error(session, error)

    configuration = SyncConfiguration(
        user,
        [Item],
        initial_subscriptions=lambda subs: [subs.add(where(Item, query)) for query in wanted],
        error_handler=handle,
        name=name,
        synchronous="normal",
    )
    async with Realm.open(configuration) as realm:
        device = Device(app, user, realm)
        handlers.append(device)
        yield device


async def settle(*devices: Device, seconds: float = DEADLINE_S) -> None:
    """Bring devices to rest: everything sent, everything received, subscriptions complete."""
    with within("the devices come to rest", seconds):
        for device in devices:
            await device.session.upload_all_local_changes()
        for device in devices:
            await device.realm.subscriptions.wait_for_synchronization()
        for device in devices:
            await device.session.download_all_server_changes()
