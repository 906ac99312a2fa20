"""What tests of `skerry.blocking` and `skerry.aio` share: a model, and a look at the threads."""

import threading
from contextlib import contextmanager

from skerry import AppConfiguration, Configuration, RealmObject, primary_key
from skerry.blocking.waiting import wait, wait_until_over
from skerry.client.environment import Environment
from skerry.portal import Held, Portal, call_soon
from skerry.portal.portal import PortalThread
from tests.unit.client.fakes import FIRST_MS, FakeCore, FakeNetwork, until
from tests.unit.client.http_server import http_server

# What waits longer than this in a test has failed; nothing is meant to come near it.
DEADLINE_S = 60.0


class Item(RealmObject):
    _id: int = primary_key()
    count: int = 0
    parent: "Item | None" = None


def configuration(folder, name="things"):
    return Configuration([Item], directory=folder, name=name, synchronous="normal")


def portal_threads():
    return [thread for thread in threading.enumerate() if isinstance(thread, PortalThread)]


@contextmanager
def on_thread(work):
    """Run a function on a thread during the block, and raise what it raised at the end."""
    failures = []

    def run():
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    yield thread
    thread.join(DEADLINE_S)
    assert not thread.is_alive(), "the thread still waits"
    for failure in failures:
        raise failure


class Rig:
    """What an app of either facade needs: an HTTP server on loopback, a fake core and network.

    Attributes:
        server: Answers the HTTP calls.
        environment: For the app.
        configuration: For the app.
    """

    def __init__(self, server, folder):
        self.server = server
        self.core, self.network = FakeCore(), FakeNetwork()
        self.environment = Environment(
            core=self.core, now_ms=lambda: FIRST_MS, open_link=self.network.open_link
        )
        self.configuration = AppConfiguration(
            app_id="test-app", base_url=server.url, sync_root_directory=folder
        )

    @property
    def sync(self):
        return self.core.syncs[0]

    def tell(self, realm, *events):
        """Have the fake core of a realm's session give events."""

        def give():
            self.sync.events.extend(events)
            realm.sync_session.target._session.local_change()

        call_soon(realm.bridge.portal, give)

    def request(self, portal, name):
        """Wait until the core was asked for something, and return the last request."""

        def requests():
            calls = self.sync.calls if self.core.syncs else []
            return [call[-1] for call in calls if call[0] == name]

        wait(portal, lambda: until(requests, deadline_s=DEADLINE_S))
        return requests()[-1]


@contextmanager
def running_rig(folder):
    """Run the HTTP server in a portal of its own."""
    portal = Portal("the HTTP server of a test")
    portal.begin()
    held = Held(portal, http_server)
    try:
        yield Rig(wait(portal, held.open), folder)
        wait(portal, held.close)
    finally:
        portal.end()
        wait_until_over(portal)
