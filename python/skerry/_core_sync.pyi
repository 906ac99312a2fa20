"""What of `skerry._core` syncs: the agent of a device, and the engine of a server.

A part of the stub of `skerry._core`, from where everything is imported; there is no such module.
"""

from typing import final

from skerry._core import RealmFile
from skerry.types import Scalar

@final
class SyncConnection:
    """The client end of one websocket with its sessions; does no input or output on sockets.

    Calls other than `receive` and `poll` are noted and carried out by the next of these two.
    """

    def __new__(cls, seed: int) -> SyncConnection:
        """Make one; `seed`, 0 to 2**64 - 1, feeds its jitter and needs no secrecy."""

    def attach(self, realm: RealmFile) -> int:
        """Add a session for a file and return its ident, which is not 0.

        Raises:
            IllegalStateError: The file is a local one.
        """

    def detach(self, session: int) -> None:
        """Remove a session, with UNBIND when it is bound."""

    def connected(self, now_ms: int) -> None:
        """A websocket is open; begin anew on it."""

    def disconnected(self) -> None:
        """The websocket has ended."""

    def wait_download(self, session: int) -> int:
        """Ask for all the server has now; download_complete comes with the number returned."""

    def wait_upload(self, session: int) -> int:
        """Ask for word of all local changes; upload_complete comes with the number returned.

        Raises:
            ClosedRealmError: There is no such session.
        """

    def pause(self, session: int) -> None:
        """Stop a session's traffic."""

    def resume(self, session: int) -> None:
        """Start a session's traffic again, also after a fatal error, without waiting."""

    def receive(self, frame: bytes, now_ms: int) -> None:
        """Take in one frame and integrate what it brings. Blocking."""

    def poll(self, now_ms: int, max_bytes: int) -> PollResult:
        """Look at the files, and return what there is to send and to tell. Blocking.

        Args:
            now_ms: Unix time.
            max_bytes: Frames are made until they have so many bytes.
        """

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
    compensating_write, session, refresh_user, refresh_location, log_out and log. What a kind does
    not have is None.
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
        """error, compensating_write: number of the protocol error (sync-engine 4.6)."""

    @property
    def name(self) -> str | None:
        """error: its name, such as BadChangeset; None for a number without."""

    @property
    def message(self) -> str | None:
        """error, compensating_write, subscription: the server's text; log: the line."""

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

    @property
    def level(self) -> str | None:
        """log: fatal, error, warn, info, detail, debug or trace."""

@final
class SyncServer:
    """The server's engine on its embedded store, for `skerry.server`. Calls take turns."""

    @staticmethod
    def open(path: str, config_json: str) -> SyncServer:
        """Open the engine on the store in a folder, which is made if it is absent. Blocking.

        Args:
            path: The folder, which exists; the store is the file skerry.db in it.
            config_json: What `skerry.server.config.core_config_json` gives.

        Raises:
            ConfigurationError: The configuration is refused; `path` and `reason` say where in it
                and why.
            StoreError: The store cannot be opened.
        """

    def connect(self, user_json: str, now_ms: int) -> int:
        """Admit a connection of an authenticated user; return its number, never used again.

        Raises:
            ConfigurationError: The user's description has no id or is no JSON.
        """

    def process(
        self, frames: list[tuple[int, bytes]], writable: list[int], now_ms: int
    ) -> ProcessResult:
        """Integrate frames as one group, and say what to do then. Blocking.

        Args:
            frames: What arrived, in order, with the connection it arrived on.
            writable: Connections that have room for more frames.
            now_ms: Unix time.

        Raises:
            StoreError: The store failed. Nothing was acknowledged that is not durable; the engine
                has forgotten the connections of `frames` and `writable`, which are to be closed.
        """

    def disconnect(self, connection: int) -> None:
        """Forget a connection."""

    def meta_get(self, namespace: str, key: str) -> bytes | None:
        """Return a datum of the application, or None."""

    def meta_put(self, namespace: str, key: str, value: bytes) -> None:
        """Store a datum, durably once this returns. Blocking."""

    def meta_insert(self, namespace: str, key: str, value: bytes) -> bool:
        """Store a datum unless there is one, and return whether it was stored. Blocking."""

    def meta_delete(self, namespace: str, key: str) -> bool:
        """Remove a datum, and return whether there was one. Blocking."""

    def meta_scan(self, namespace: str) -> list[tuple[str, bytes]]:
        """Return the data of a namespace with their keys."""

    def close(self) -> None:
        """Close the store. Later calls raise IllegalStateError; this one may be repeated."""

@final
class ProcessResult:
    """What one batch of `SyncServer.process` decided."""

    @property
    def outputs(self) -> list[tuple[int, list[bytes]]]:
        """Frames to send, in order, by connection."""

    @property
    def closes(self) -> list[tuple[int, int, str]]:
        """Connections to close after their frames: number, websocket code, reason."""

    @property
    def more(self) -> list[int]:
        """Connections that have more to send once they are writable again."""

    @property
    def log(self) -> list[str]:
        """Entries for the log, each a JSON object."""

    @property
    def deadline_ms(self) -> int | None:
        """When to call again at the latest, in Unix ms."""
