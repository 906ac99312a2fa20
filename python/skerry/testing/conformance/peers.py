"""The peers of a program: realm files with their sync clients, and a server on its store.

They talk as they do over sockets, except that every frame waits until a step lets it pass: those of
a client until its upload, those of the server until the download. Both ends are asked again until
they have nothing more to say, and the clock stands still, so no frame is due to time.

What the server holds is read off one more client, the observer, which has the same subscriptions,
writes nothing and downloads everything at the end. So it is the server's state as the server sends
it, which a bootstrap of every object must be able to do.
"""

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Self

from skerry._core import ProcessResult, RealmFile, SyncConnection, SyncEvent, SyncServer
from skerry.testing.conformance.classes import Classes
from skerry.testing.conformance.operations import Operation, perform
from skerry.testing.conformance.states import State, state_of_rows

NOW_MS: Final = 1_750_000_000_000
# No program has so many stamps that they reach the present.
FIRST_STAMP_MS: Final = NOW_MS - 1_000_000_000
ROOM_BYTES: Final = 1 << 20
LOCK_TIMEOUT_MS: Final = 1_000
ROUNDS_MAX: Final = 1_000
PERMISSIVE_ROLE: Final = {
    "name": "all",
    "apply_when": {},
    "document_filters": {"read": True, "write": True},
    "read": True,
    "write": True,
    "insert": True,
    "delete": True,
    "search": True,
}
CONFIGURATION: Final = {
    "app_id": "conformance",
    "sync": {"development_mode_enabled": True},
    "queryable_fields": ["_id"],
    "default_roles": [PERMISSIVE_ROLE],
}
USER: Final = {"id": "u", "type": "normal", "data": {}, "custom_data": {}, "identities": []}


class PeerError(Exception):
    """A peer refused something, or did not come to rest."""


class Client:
    """A realm file with its sync client, subscribed to all objects, and its link to the server."""

    def __init__(self, name: str, path: Path, classes: Classes, number: int) -> None:
        self.name = name
        self.number = number
        self.arriving: list[bytes] = []
        """Frames of the server that the next download delivers."""
        self._classes = classes
        self._file = RealmFile.open(str(path), classes.to_json(), synced=True, synchronous="normal")
        subscriptions = [
            (f"{i:024x}", None, each.name, "TRUEPREDICATE", NOW_MS, NOW_MS)
            for i, each in enumerate(classes.top_level())
        ]
        self._file.commit_subscriptions(subscriptions, self._file.subscriptions().version)
        self._sync = SyncConnection(number)
        self._sync.attach(self._file)
        self._sync.connected(NOW_MS)

    def write(self, stamp_ms: int, operations: Iterable[Operation]) -> None:
        """Perform operations in one transaction.

        Raises:
            SkerryError: One of them is refused.
        """
        transaction = self._file.begin_write(LOCK_TIMEOUT_MS)
        try:
            for operation in operations:
                perform(operation, transaction)
            transaction.commit(stamp_ms, stamped=True)
        finally:
            transaction.rollback()

    def leaving(self) -> list[bytes]:
        """Return what the client has to say now.

        Raises:
            PeerError: Its session has ended, or it was told of an error.
        """
        return self._poll(ROOM_BYTES)

    def receive(self) -> None:
        """Take in all frames that have arrived.

        Raises:
            PeerError: As `leaving` does.
        """
        for frame in self.arriving:
            self._sync.receive(frame, NOW_MS)
        self.arriving.clear()
        # Without room for frames this only tells what happened.
        self._poll(0)

    def is_subscribed(self) -> bool:
        """Return whether the bootstrap is over and nothing waits to be uploaded."""
        return self._file.subscriptions().state == "complete" and not self._file.pending_upload()

    def state(self) -> State:
        """Return all objects of the file."""
        snapshot = self._file.snapshot()
        try:
            return state_of_rows(
                (each, snapshot.query(each.name, "TRUEPREDICATE", []))
                for each in self._classes.top_level()
            )
        finally:
            snapshot.close()

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _poll(self, room_bytes: int) -> list[bytes]:
        poll = self._sync.poll(NOW_MS, room_bytes)
        for event in poll.events:
            _raise_if_error(self.name, event)
        if poll.close is not None:
            raise PeerError(f"{self.name} closes the connection: {poll.close[1]}")
        return poll.frames


class Peers:
    """The server and the clients of one program, in a folder of their own.

    Client k, counted from 1, is the k-th to come, so that its file ident is k + 1. The first brings
    the schema, which all others have as well; all that is exchanged, and the subscriptions are
    complete. Closes everything when left.

    Raises:
        PeerError: They did not get so far.
    """

    def __init__(self, folder: Path, classes: Classes, clients: int) -> None:
        self._folder = folder
        self._classes = classes
        self._closers: list[Callable[[], None]] = []
        self._server = SyncServer.open(str(folder), json.dumps(CONFIGURATION))
        self._closers.append(self._server.close)
        try:
            self._clients = [self._join(f"client {i + 1}") for i in range(clients)]
            self._settle(self._clients)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release all files and the store."""
        while self._closers:
            self._closers.pop()()

    def write(self, client: int, rank: int, operations: Iterable[Operation]) -> None:
        """Let a client write, with the stamp of that rank; raises as `Client.write` does."""
        self._clients[client - 1].write(FIRST_STAMP_MS + rank, operations)

    def upload(self, client: int) -> None:
        """Let the server integrate all that a client has; it answers no one else.

        Raises:
            PeerError: Something was refused.
        """
        self._pass_up(self._clients[client - 1])

    def download(self, client: int) -> None:
        """Let a client integrate all that the server has for it.

        Raises:
            PeerError: Something was refused.
        """
        self._pass_down(self._clients[client - 1])

    def client_state(self, client: int) -> State:
        """Return what a client holds."""
        return self._clients[client - 1].state()

    def server_state(self) -> State:
        """Return what the server holds, as an observer sees it who comes now.

        Raises:
            PeerError: It cannot download everything.
        """
        observer = self._join("observer")
        self._settle([observer])
        return observer.state()

    def _join(self, name: str) -> Client:
        number = self._server.connect(json.dumps(USER), NOW_MS)
        path = self._folder / f"{name.replace(' ', '-')}.realm"
        client = Client(name, path, self._classes, number)
        self._closers.append(client.close)
        self._settle([client])
        return client

    def _settle(self, clients: list[Client]) -> None:
        """Carry frames both ways until nobody has anything to say."""
        for _ in range(ROUNDS_MAX):
            if not sum(self._pass_up(each) + self._pass_down(each) for each in clients):
                break
        for client in clients:
            if not client.is_subscribed():
                raise PeerError(f"{client.name} has not come to rest")

    def _pass_up(self, client: Client) -> int:
        """Carry all that a client has to say to the server, and return how many frames."""
        count = 0
        while frames := client.leaving():
            count += len(frames)
            self._process(client, [(client.number, frame) for frame in frames], [])
        return count

    def _pass_down(self, client: Client) -> int:
        """Carry all that the server has to say to a client, and return how many frames."""
        while self._process(client, [], [client.number]):
            pass
        count = len(client.arriving)
        client.receive()
        return count

    def _process(
        self, client: Client, frames: list[tuple[int, bytes]], writable: list[int]
    ) -> bool:
        """Let the server work for one client; return whether it said anything or has more."""
        result = self._server.process(frames, writable, NOW_MS)
        _raise_if_refused(client.name, result)
        for number, outputs in result.outputs:
            if number != client.number:
                raise PeerError(f"the server speaks to {number} in a step of {client.name}")
            client.arriving += outputs
        return bool(result.outputs) or client.number in result.more


def _raise_if_error(name: str, event: SyncEvent) -> None:
    if event.kind in ("error", "compensating_write"):
        writes = "" if event.writes is None else f" {event.writes}"
        raise PeerError(f"{name}: {event.kind} {event.code} {event.message}{writes}")
    if event.kind == "subscription" and event.state == "error":
        raise PeerError(f"{name}: {event.message}")
    if event.kind == "session" and event.state == "inactive":
        raise PeerError(f"{name}: the session has ended")


def _raise_if_refused(name: str, result: ProcessResult) -> None:
    for text in result.log:
        entry = json.loads(text)
        if "error" in entry:
            raise PeerError(f"server, of {name}: {entry['error']}")
    for _, code, reason in result.closes:
        raise PeerError(f"the server closes the connection of {name}: {code} {reason}")
