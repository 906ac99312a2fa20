"""The Rust core: realm files, transactions, queries, and the client end of the sync protocol.

Private to Skerry; the public API is on top of it. Every call may be made from any thread and
releases the GIL. Those marked *Blocking* wait for a lock, flush, scan or integrate, and are made
through a worker thread. ``now_ms`` is Unix time in milliseconds, handed in, since nothing here
reads a clock. Values cross as `skerry.types.Scalar`.
"""

from collections.abc import Sequence
from typing import final

from skerry.types import Scalar

@final
class RealmFile:
    """One open realm file."""

    @staticmethod
    def open(path: str, schema_json: str, *, synced: bool, synchronous: str = "full") -> RealmFile:
        """Open or create a file and bring its schema up to date.

        Additive changes of the schema are applied. Blocking.

        Args:
            path: Where; its folder exists.
            schema_json: What `skerry.model.Schema.to_json` gives.
            synced: Whether the file keeps a sync history; may not change over its life.
            synchronous: SQLite's setting, ``"full"`` or ``"normal"``.

        Raises:
            SchemaError: A change of the schema is destructive.
            CorruptedError: It is not a realm file.
            VersionUnsupportedError: A newer release wrote it.
        """

    @property
    def path(self) -> str:
        """Where the file is."""

    def close(self) -> None:
        """Release the file; waits for nothing. Later calls raise ClosedRealmError."""

    def version(self) -> int:
        """Return the newest committed version, whichever process made it."""

    def data_version(self) -> int:
        """Return a number that changes whenever another connection or process committed."""

    def snapshot(self) -> Snapshot:
        """Return a reader of the newest version."""

    def begin_write(self, timeout_ms: int) -> WriteTransaction:
        """Wait for the file's one writer lock. Blocking.

        Raises:
            LockTimeoutError: Somebody else held it all that time.
        """

    def pending_upload(self) -> bool:
        """Whether there are local changes that the server has not acknowledged."""

    def subscriptions(self) -> SubscriptionSetData:
        """Return the latest subscription set."""

    def subscription_set(self, version: int) -> SubscriptionSetData | None:
        """Return the set of that version, or None when a newer one has superseded it."""

    def commit_subscriptions(
        self,
        items: Sequence[tuple[str, str | None, str, str, int, int]],
        expected_version: int,
    ) -> SubscriptionSetData:
        """Commit a new set after the one of `expected_version`. Blocking.

        Raises:
            StaleSubscriptionSetError: The latest set is another one by now.
        """

@final
class SubscriptionSetData:
    """One version of the subscription set, as stored."""

    @property
    def version(self) -> int:
        """Its number, ascending from 0."""

    @property
    def state(self) -> str:
        """One of pending, bootstrapping, awaiting_mark, complete, error, superseded."""

    @property
    def error_message(self) -> str | None:
        """The server's text while the state is error."""

    @property
    def items(self) -> list[tuple[str, str | None, str, str, int, int]]:
        """Id in hex, name, class, query, time of creation and of change in Unix ms, in order."""

@final
class Snapshot:
    """A reader of one version; the version is kept until `close` or collection."""

    @property
    def version(self) -> int:
        """The version it reads."""

    def get(self, class_name: str, key: Scalar) -> tuple[Scalar, ...] | None:
        """Return an object's values in schema order, or None when there is none."""

    def query(self, class_name: str, rql: str, args: Sequence[Scalar]) -> list[tuple[Scalar, ...]]:
        """Return the rows that match, in the query's order.

        Raises:
            QueryError: The text is wrong, at `position`.
        """

    def count(self, class_name: str, rql: str, args: Sequence[Scalar]) -> int:
        """Return how many rows match."""

    def close(self) -> None:
        """Let the version go."""

@final
class WriteTransaction:
    """The one writer of a file; used by one task at a time."""

    def create(
        self,
        class_name: str,
        key: Scalar,
        values: Sequence[tuple[str, Scalar]],
        defaults: Sequence[tuple[str, Scalar]],
        policy: str,
    ) -> bool:
        """Create an object, or update it as `policy` allows: error, all or modified.

        Returns:
            Whether it was created.

        Raises:
            PrimaryKeyExistsError: It exists and the policy is error.
            NoSubscriptionForWriteError: The synced class has no subscription.
        """

    def set(self, class_name: str, key: Scalar, prop: str, value: Scalar) -> None:
        """Set one property.

        Raises:
            NoSuchObjectError: There is no such object.
            PropertyTypeError: The value is not of the property's type.
        """

    def add_integer(self, class_name: str, key: Scalar, prop: str, amount: int) -> None:
        """Add to an integer property, as a change that merges with others."""

    def delete(self, class_name: str, key: Scalar) -> bool:
        """Delete an object after emptying the links to it; False when there was none."""

    def delete_all(self, class_name: str) -> int:
        """Delete every object of a class and return how many there were."""

    def get(self, class_name: str, key: Scalar) -> tuple[Scalar, ...] | None:
        """Return an object's present values in schema order, or None."""

    def query(self, class_name: str, rql: str, args: Sequence[Scalar]) -> list[tuple[Scalar, ...]]:
        """Return the rows that match, with the changes made so far."""

    def count(self, class_name: str, rql: str, args: Sequence[Scalar]) -> int:
        """Return how many rows match, with the changes made so far."""

    def commit(self, now_ms: int) -> int:
        """Make the changes durable and return the new version. Blocking."""

    def rollback(self) -> None:
        """Forget the changes and give up the lock."""

def check_query(schema_json: str, class_name: str, rql: str, args: Sequence[Scalar]) -> str:
    """Return the canonical text of a query, arguments put in.

    Raises:
        QueryError: The text is wrong, at `position`.
    """

@final
class SyncConnection:
    """The client end of one websocket with its sessions; does no input or output on sockets."""

    def __new__(cls, seed: int) -> SyncConnection:
        """Make one; `seed` feeds its jitter."""

    def attach(self, realm: RealmFile, options_json: str) -> int:
        """Add a session for a file and return its ident, which is not 0."""

    def detach(self, session: int, now_ms: int) -> None:
        """Remove a session, with UNBIND when it is bound."""

    def connected(self, now_ms: int) -> None:
        """A websocket is open; begin anew on it."""

    def disconnected(self, now_ms: int) -> None:
        """The websocket has ended."""

    def local_change(self, session: int) -> None:
        """Something was committed to the file; look at it in the next `poll`."""

    def wait_download(self, session: int) -> int:
        """Ask for all the server has now; download_complete comes with the number returned."""

    def wait_upload(self, session: int) -> int:
        """Ask for word of all local changes; upload_complete comes with the number returned."""

    def pause(self, session: int, now_ms: int) -> None:
        """Stop a session's traffic."""

    def resume(self, session: int, now_ms: int) -> None:
        """Start a session's traffic again, without waiting out its back-off."""

    def receive(self, frame: bytes, now_ms: int) -> None:
        """Take in one frame and integrate what it brings. Blocking."""

    def poll(self, now_ms: int, max_bytes: int) -> PollResult:
        """Return what there is to send and to tell. Blocking."""

@final
class PollResult:
    """What `SyncConnection.poll` found."""

    @property
    def frames(self) -> list[bytes]:
        """Frames to send, in order."""

    @property
    def events(self) -> list[SyncEvent]:
        """What happened, in order."""

    @property
    def deadline_ms(self) -> int | None:
        """When to poll again at the latest, in Unix ms."""

    @property
    def close(self) -> tuple[int, str] | None:
        """Websocket code and reason to close the link with, or None."""

@final
class SyncEvent:
    """One thing that happened in a session.

    The kinds are integrated, subscription, download_complete, upload_complete, progress, error,
    compensating_write, session, refresh_user and log_out.
    """

    @property
    def kind(self) -> str:
        """Which kind."""

    @property
    def session(self) -> int:
        """Whose; 0 means every session of the connection."""

    @property
    def request(self) -> int | None:
        """download_complete, upload_complete: the number given for the request."""

    @property
    def version(self) -> int | None:
        """integrated: client version; subscription: set version; compensating_write: W."""

    @property
    def state(self) -> str | None:
        """subscription: the set's state; session: active, inactive or waiting."""

    @property
    def code(self) -> int | None:
        """error: number of the protocol error."""

    @property
    def name(self) -> str | None:
        """error: its name."""

    @property
    def message(self) -> str | None:
        """error: the server's text."""

    @property
    def action(self) -> str | None:
        """error: what the server asks for (sync-engine 4.7)."""

    @property
    def is_fatal(self) -> bool | None:
        """error: whether the session is over."""

    @property
    def try_again(self) -> bool | None:
        """error: whether the server allows another attempt."""

    @property
    def log_url(self) -> str | None:
        """error, compensating_write: where the server's log has more."""

    @property
    def writes(self) -> list[tuple[str, Scalar, str]] | None:
        """compensating_write: class, primary key and reason of each object."""

    @property
    def direction(self) -> str | None:
        """progress: download or upload."""

    @property
    def estimate(self) -> float | None:
        """progress: 0.0 to 1.0."""

@final
class SyncServer:
    """The sync engine of one application and its store, for `skerry.server`.

    ``process`` may not be entered twice at once; everything else may be called from any thread.
    """

    @staticmethod
    def open(path: str, config_json: str) -> SyncServer:
        """Open or create the store in a folder, with a checked configuration. Blocking.

        Args:
            path: Folder of the store; it exists.
            config_json: What `skerry.server.config.core_config_json` gives.

        Raises:
            ConfigurationError: With ``path``, a place in `config_json`, and ``reason``.
            StoreError: The store cannot be opened.
        """

    def connect(self, user_json: str, now_ms: int) -> int:
        """Admit an authenticated connection; its number is never used again. Blocking."""

    def process(
        self, frames: list[tuple[int, bytes]], writable: list[int], now_ms: int
    ) -> ProcessResult:
        """Integrate a batch of frames and send what is owed to writable connections. Blocking.

        Raises:
            StoreError: Nothing was acknowledged; the connections of the batch, and the writable
                ones, have been dropped and are to be closed.
        """

    def disconnect(self, connection: int) -> None:
        """Forget a connection. Blocking."""

    def meta_get(self, namespace: str, key: str) -> bytes | None:
        """Return a datum of the server. Blocking."""

    def meta_put(self, namespace: str, key: str, value: bytes) -> None:
        """Store a datum, durably. Blocking."""

    def meta_insert(self, namespace: str, key: str, value: bytes) -> bool:
        """Store a datum unless there is one, durably; return whether it did. Blocking."""

    def meta_delete(self, namespace: str, key: str) -> bool:
        """Remove a datum, durably; return whether there was one. Blocking."""

    def meta_scan(self, namespace: str) -> list[tuple[str, bytes]]:
        """Return all data of a namespace. Blocking."""

    def close(self) -> None:
        """Close the store; later calls raise. Blocking."""

@final
class ProcessResult:
    """What is to be done after a batch; connections by number."""

    @property
    def outputs(self) -> list[tuple[int, list[bytes]]]:
        """Frames to send, in order."""

    @property
    def closes(self) -> list[tuple[int, int, str]]:
        """Connections to close after their frames, with websocket code and reason."""

    @property
    def more(self) -> list[int]:
        """Connections that have more to send once they are writable."""

    @property
    def log(self) -> list[str]:
        """Log entries, each a JSON object."""

    @property
    def deadline_ms(self) -> int | None:
        """When to call again at the latest."""
