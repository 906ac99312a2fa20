"""Opening and closing: what an app and a realm of `skerry.blocking` do beside passing calls on.

Each open app, and each open local realm, has a portal of its own; a synced realm has its app's.
"""

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeVar, cast

from skerry.blocking.base import BlockingFacade
from skerry.blocking.waiting import refuse_loops, wait, wait_until_over
from skerry.client.app import App as TrioApp
from skerry.client.app_configuration import AppConfiguration
from skerry.client.environment import Environment
from skerry.client.realm import WRITE_TIMEOUT_S
from skerry.client.realm import Realm as TrioRealm
from skerry.client.realm_configuration import Configuration
from skerry.client.realm_configuration import SyncConfiguration as TrioSyncConfiguration
from skerry.client.transaction import Transaction
from skerry.errors import ClosedRealmError, IllegalStateError
from skerry.portal import Bridge, Lease, Portal, PortalOverError

if TYPE_CHECKING:
    from skerry.blocking.configuration import SyncConfiguration

_R = TypeVar("_R")

APP_NOT_OPEN: Final = "the app is not open; use it inside `with`, or between `open` and `close`"


def facades() -> "dict[type, type[BlockingFacade[object]]]":
    """Return the facade of each class of the trio API that has one."""
    from skerry.blocking.table import FACADES

    return cast("dict[type, type[BlockingFacade[object]]]", FACADES)


def realm_bridge(name: str) -> Bridge:
    """Return what a local realm is opened with; its portal has not begun."""
    portal = Portal(f"skerry realm {name}")
    return Bridge(portal, facades(), lambda: ClosedRealmError(f"{name} is closed"))


def close(lease: Lease[_R]) -> None:
    """Close what a lease keeps open and wait for that; harmless when it is closed."""
    bridge = lease.bridge
    if not bridge.portal.is_in_its_process:
        return  # nothing of it runs here, and the file is the other process's
    refuse_loops()
    bridge.refuse_in_handler()
    try:
        wait(bridge.portal, lease.close)
    except PortalOverError:
        return
    finally:
        if lease.owns_portal:
            bridge.portal.end()
            wait_until_over(bridge.portal)


def run_once(function: Callable[[], Awaitable[_R]]) -> _R:
    """Run a coroutine function that belongs to no open app or realm, in a portal of its own."""
    refuse_loops()
    portal = Portal("skerry call")
    portal.begin()
    try:
        return wait(portal, function)
    finally:
        portal.end()
        wait_until_over(portal)


class AppLifecycle(BlockingFacade[TrioApp]):
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

    def open(self) -> Self:
        """Open the app and return it; for programs without a ``with`` block, such as notebooks.

        It starts a thread, opens no connection and works offline. `close` it; when it is forgotten,
        or the interpreter ends, it closes by itself.

        Raises:
            IllegalStateError: It was opened before, or this thread runs an event loop.
        """
        refuse_loops()
        portal = self._bridge.portal
        if portal.is_running or portal.is_over:
            raise IllegalStateError("an App is opened once")
        portal.begin()
        try:
            wait(portal, self._lease.open)
        except BaseException:
            close(self._lease)
            raise
        self._lease.close_with(self)
        return self

    def close(self) -> None:
        """Close its realms, then the app, and wait until nothing of it runs; harmless when closed.

        Calls that wait in other threads end, by what they raise when the realm or app closes.

        Raises:
            IllegalStateError: This is an error handler, or this thread runs an event loop.
        """
        close(self._lease)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class RealmLifecycle(BlockingFacade[TrioRealm]):
    """How a realm is opened, written and closed."""

    _lease: "Lease[TrioRealm]"
    _writer: int | None

    @classmethod
    def open(
        cls,
        configuration: "Configuration | SyncConfiguration",
        *,
        environment: Environment | None = None,
    ) -> Self:
        """Open a realm: ``with Realm.open(configuration) as realm``, or `close` it yourself.

        Unless `wait_for_initial_remote_data` asks for it, the network is not waited for. When it is
        forgotten, or the interpreter ends, it closes by itself. After closing, its session goes on
        until local changes are uploaded, for as long as the app is open.

        Args:
            configuration: `Configuration`, or `skerry.blocking.SyncConfiguration`.
            environment: For tests of a local realm; a synced one has its app's.

        Raises:
            SchemaError: The file does not take the schema.
            StoreError: The file cannot be opened.
            IllegalStateError: The app is closed, the file is open with another schema, or this
                thread runs an event loop.
            TypeError: It is a `skerry.SyncConfiguration`, whose user is of the trio API.
            DownloadingRealmTimeoutError: The initial data did not come in time; a file that was
                created by this call is deleted.
            BadFlexibleSyncQueryError: The server refused the initial subscriptions; likewise.

        Interrupts: the opening is undone before KeyboardInterrupt is raised.
        """
        refuse_loops()
        bridge, target = opened_with(configuration)
        owns_portal = isinstance(configuration, Configuration)
        lease = Lease(
            bridge,
            lambda: TrioRealm.open(target, environment=environment),
            owns_portal=owns_portal,
        )
        if owns_portal:
            bridge.portal.begin()
        try:
            opened = wait(bridge.portal, lease.open)
        except PortalOverError as error:
            raise bridge.closed() from error.__cause__
        except BaseException:
            close(lease)
            raise
        made = cls.over(bridge, opened, configuration)
        made.opened_by(lease)
        bridge.know(made)
        lease.close_with(made)
        return made

    def close(self) -> None:
        """Close the realm and wait until nothing of it runs; harmless when it is closed.

        Iterators over it end, and calls that wait in other threads raise.

        Raises:
            IllegalStateError: This is an error handler, or this thread runs an event loop.
        """
        close(self._lease)

    @contextmanager
    def write(self, timeout: float = WRITE_TIMEOUT_S) -> Iterator[Transaction]:
        """Change the realm in one transaction, durable when the block has ended.

        An exception in the block rolls everything back. The network is not concerned. Do not wait
        for slow things inside: other writers wait, sync among them. The transaction and its live
        objects are for this thread.

        Args:
            timeout: Seconds > 0 to wait for other writers.

        Raises:
            ValueError: `timeout` is not more than 0.
            LockTimeoutError: Another writer held the file too long.
            ClosedRealmError: The realm is closed.
            IllegalStateError: A write is open in this thread already, or it runs an event loop.
            DiskFullError: There is no room; nothing was written.
        """
        refuse_loops()
        if self._writer == threading.get_ident():
            raise IllegalStateError("a write is open in this thread already")
        with self._here.write_blocking(timeout) as transaction:
            self._writer = threading.get_ident()
            try:
                yield transaction
            finally:
                self._writer = None

    def opened_by(self, lease: "Lease[TrioRealm]") -> None:
        """Note what keeps it open. Internal."""
        self._lease = lease
        self._writer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def opened_with(
    configuration: "Configuration | SyncConfiguration",
) -> tuple[Bridge, Configuration]:
    """Return the bridge of a configuration, and it as the trio API takes it.

    Raises:
        TypeError: It is neither a local configuration nor one of `skerry.blocking`.
    """
    from skerry.blocking.configuration import SyncConfiguration

    if isinstance(configuration, SyncConfiguration):
        return configuration.opened_with()
    if isinstance(configuration, TrioSyncConfiguration):
        raise TypeError("skerry.blocking.Realm takes a skerry.blocking.SyncConfiguration")
    if not isinstance(configuration, Configuration):
        raise TypeError(
            "Realm.open takes a Configuration or a skerry.blocking.SyncConfiguration, not "
            f"{configuration!r}"
        )
    return realm_bridge(configuration.name), configuration
