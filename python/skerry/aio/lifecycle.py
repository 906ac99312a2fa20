"""Opening and closing: what an app and a realm of `skerry.aio` do beside passing calls on.

Each open app, and each open local realm, has a portal of its own; a synced realm has its app's.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar, cast

from skerry.aio.base import AioFacade
from skerry.aio.waiting import running_loop, wait, wait_until_over
from skerry.client.app import App as TrioApp
from skerry.client.app_configuration import AppConfiguration
from skerry.client.environment import Environment
from skerry.client.realm import WRITE_TIMEOUT_S
from skerry.client.realm import Realm as TrioRealm
from skerry.client.realm_configuration import Configuration
from skerry.client.realm_configuration import SyncConfiguration as TrioSyncConfiguration
from skerry.client.transaction import Transaction
from skerry.errors import ClosedRealmError, IllegalStateError
from skerry.portal import Bridge, Held, Lease, Portal, PortalOverError

if TYPE_CHECKING:
    from skerry.aio.configuration import SyncConfiguration

_R = TypeVar("_R")
_Realm = TypeVar("_Realm", bound="RealmLifecycle")

APP_NOT_OPEN: Final = "the app is not open; use it inside `async with`, or after `await app.open()`"


def facades() -> "dict[type, type[AioFacade[object]]]":
    """Return the facade of each class of the trio API that has one."""
    from skerry.aio.table import FACADES

    return cast("dict[type, type[AioFacade[object]]]", FACADES)


async def close(lease: Lease[_R]) -> None:
    """Close what a lease keeps open and wait for that; harmless when it is closed."""
    bridge = lease.bridge
    if not bridge.portal.is_in_its_process:
        return  # nothing of it runs here, and the file is the other process's
    try:
        await wait(bridge.portal, lease.close)
    except PortalOverError:
        return
    finally:
        if lease.owns_portal:
            bridge.portal.end()
            await wait_until_over(bridge.portal)


async def run_once(function: Callable[[], Awaitable[_R]]) -> _R:
    """Run a coroutine function that belongs to no open app or realm, in a portal of its own."""
    running_loop()
    portal = Portal("skerry call")
    portal.begin()
    try:
        return await wait(portal, function)
    finally:
        portal.end()
        await wait_until_over(portal)


class AppLifecycle(AioFacade[TrioApp]):
    """How an app is opened and closed.

    Args:
        configuration: Which server, and where files live.
        environment: What tests replace; leave it out.
    """

    def __init__(
        self, configuration: AppConfiguration, *, environment: Environment | None = None
    ) -> None:
        self._target = TrioApp(configuration, environment=environment)
        self._keeps = None
        portal = Portal(f"skerry app {configuration.app_id}")
        self._bridge = Bridge(
            portal, facades(), lambda: IllegalStateError(APP_NOT_OPEN), cancels_calls=True
        )
        self._bridge.know(self)
        target = self._target
        self._lease: Lease[TrioApp] = Lease(self._bridge, lambda: target, owns_portal=True)

    async def open(self) -> Self:
        """Open the app and return it; for programs without a block, such as notebooks.

        It starts a thread, opens no connection and works offline. `close` it; when it is forgotten,
        or the interpreter ends, it closes by itself.

        Raises:
            IllegalStateError: It was opened before.

        Cancellation: it is closed.
        """
        running_loop()
        portal = self._bridge.portal
        if portal.is_running or portal.is_over:
            raise IllegalStateError("an App is opened once")
        portal.begin()
        try:
            await wait(portal, self._lease.open)
        except BaseException:
            await close(self._lease)
            raise
        self._lease.close_with(self)
        return self

    async def close(self) -> None:
        """Close its realms, then the app, and wait until nothing of it runs; harmless when closed.

        Calls that wait in other tasks end, by what they raise when the realm or app closes.

        Cancellation: it is closed without waiting for uploads, and then raised.
        """
        await close(self._lease)

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


class Opening(Generic[_Realm]):
    """What `Realm.open` returns: a block, or awaited a realm that is to be closed."""

    def __init__(
        self,
        made: type[_Realm],
        configuration: "Configuration | SyncConfiguration",
        environment: Environment | None,
    ) -> None:
        """Internal: use `Realm.open`."""
        self._made = made
        self._configuration = configuration
        self._environment = environment
        self._realm: _Realm | None = None

    def __await__(self) -> Generator[object, None, _Realm]:
        return self._open().__await__()

    async def __aenter__(self) -> _Realm:
        if self._realm is not None:
            raise IllegalStateError("Realm.open is entered once; call it again")
        self._realm = await self._open()
        return self._realm

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._realm is not None:
            await self._realm.close()

    async def _open(self) -> _Realm:
        bridge, target = opened_with(self._configuration, running_loop())
        environment = self._environment
        lease = Lease(
            bridge,
            lambda: TrioRealm.open(target, environment=environment),
            owns_portal=isinstance(self._configuration, Configuration),
        )
        if lease.owns_portal:
            bridge.portal.begin()
        try:
            opened = await wait(bridge.portal, lease.open)
        except PortalOverError as error:
            raise bridge.closed() from error.__cause__
        except BaseException:
            await close(lease)
            raise
        made = self._made.over(bridge, opened, self._configuration)
        made.opened_by(lease)
        bridge.know(made)
        lease.close_with(made)
        return made


class RealmLifecycle(AioFacade[TrioRealm]):
    """How a realm is opened, written and closed."""

    _lease: "Lease[TrioRealm]"
    _writer: "asyncio.Task[object] | None"

    @classmethod
    def open(
        cls,
        configuration: "Configuration | SyncConfiguration",
        *,
        environment: Environment | None = None,
    ) -> Opening[Self]:
        """Open a realm: ``async with Realm.open(configuration) as realm``, or await it, then close.

        Unless `wait_for_initial_remote_data` asks for it, the network is not waited for. When it is
        forgotten, or the interpreter ends, it closes by itself. After closing, its session goes on
        until local changes are uploaded, for as long as the app is open.

        Args:
            configuration: `Configuration`, or `skerry.aio.SyncConfiguration`.
            environment: For tests of a local realm; a synced one has its app's.

        Raises, when entered or awaited:
            SchemaError: The file does not take the schema.
            StoreError: The file cannot be opened.
            IllegalStateError: The app is closed, or the file is open with another schema.
            TypeError: It is a `skerry.SyncConfiguration`, whose user is of the trio API.
            DownloadingRealmTimeoutError: The initial data did not come in time; a file that was
                created by this call is deleted.
            BadFlexibleSyncQueryError: The server refused the initial subscriptions; likewise.

        Cancellation: the opening is undone before CancelledError is raised.
        """
        return Opening(cls, configuration, environment)

    async def close(self) -> None:
        """Close the realm and wait until nothing of it runs; harmless when it is closed.

        Iterators over it end, and calls that wait in other tasks raise.

        Cancellation: it is closed all the same.
        """
        await close(self._lease)

    @asynccontextmanager
    async def write(self, timeout: float = WRITE_TIMEOUT_S) -> AsyncIterator[Transaction]:
        """Change the realm in one transaction, durable when the block has ended.

        An exception in the block, cancellation included, rolls everything back. The network is not
        concerned. Do not wait for slow things inside: other writers wait, sync among them. The
        transaction and its live objects are for the loop's thread.

        Args:
            timeout: Seconds > 0 to wait for other writers.

        Raises:
            ValueError: `timeout` is not more than 0.
            LockTimeoutError: Another writer held the file too long.
            ClosedRealmError: The realm is closed.
            IllegalStateError: A write is open in this task already.
            DiskFullError: There is no room; nothing was written.

        Cancellation: at the end of the block, the commit is made and CancelledError raised then.
        """
        task = asyncio.current_task()
        if task is not None and task is self._writer:
            raise IllegalStateError("a write is open in this task already")
        here = self._here
        held = Held(self._bridge.portal, lambda: here.write(timeout))
        is_failed = True
        try:
            transaction = await self._run(held.open)
            transaction.move_to_this_thread()
            self._writer = task
            try:
                yield transaction
            finally:
                self._writer = None
            is_failed = False
        finally:
            await self._run(lambda: held.close(is_block_failed=is_failed))

    def opened_by(self, lease: "Lease[TrioRealm]") -> None:
        """Note what keeps it open. Internal."""
        self._lease = lease
        self._writer = None


def opened_with(
    configuration: "Configuration | SyncConfiguration", loop: asyncio.AbstractEventLoop
) -> tuple[Bridge, Configuration]:
    """Return the bridge of a configuration, and it as the trio API takes it.

    Raises:
        TypeError: It is neither a local configuration nor one of `skerry.aio`.
    """
    from skerry.aio.configuration import SyncConfiguration

    if isinstance(configuration, SyncConfiguration):
        return configuration.opened_with(loop)
    if isinstance(configuration, TrioSyncConfiguration):
        raise TypeError("skerry.aio.Realm takes a skerry.aio.SyncConfiguration")
    if not isinstance(configuration, Configuration):
        raise TypeError(
            "Realm.open takes a Configuration or a skerry.aio.SyncConfiguration, not "
            f"{configuration!r}"
        )
    name = configuration.name
    portal = Portal(f"skerry realm {name}")
    return Bridge(portal, facades(), lambda: ClosedRealmError(f"{name} is closed")), configuration
