"""Every limit and timeout of the server, with its unit in its name (style 3, server 11).

A limit that an operator may change is a field of `Limits` and a key of ``[limits]`` in
``skerry.toml``; the others are constants. The engine receives `Limits` whole, as integers.
"""

from dataclasses import asdict, dataclass
from typing import Final

KIBIBYTE: Final = 1024
MEBIBYTE: Final = 1024 * 1024

# --- configuration files ---------------------------------------------------------------------
CONFIG_FILE_MAX_BYTES: Final = 4 * MEBIBYTE
CONFIG_NESTING_MAX_LEVELS: Final = 64
ROLE_NAME_MAX_CHARS: Final = 100
CLASS_NAME_MAX_CHARS: Final = 57

# --- accounts and tokens (server 8.3, 8.4) ---------------------------------------------------
PASSWORD_MIN_CHARS: Final = 6
PASSWORD_MAX_CHARS: Final = 128
EMAIL_MAX_CHARS: Final = 320
DEVICE_FIELD_MAX_CHARS: Final = 256
ACCESS_TOKEN_LIFETIME_S: Final = 30 * 60
REFRESH_TOKEN_LIFETIME_DEFAULT_S: Final = 60 * 24 * 3600
REFRESH_TOKEN_LIFETIME_MIN_S: Final = 30 * 60
REFRESH_TOKEN_LIFETIME_MAX_S: Final = 5 * 365 * 24 * 3600
# An anonymous user has no credentials to log in with again, so its token must outlive the device.
ANONYMOUS_REFRESH_TOKEN_LIFETIME_S: Final = 50 * 365 * 24 * 3600
TOKEN_MAX_CHARS: Final = 16 * KIBIBYTE
# argon2 takes 64 MiB a hash; this many run at once and the other logins wait.
PASSWORD_HASHES_CONCURRENT_MAX: Final = 2

# --- sockets ---------------------------------------------------------------------------------
LISTEN_BACKLOG: Final = 256
HTTP_GRACEFUL_STOP_S: Final = 3.0
HTTP_READ_TIMEOUT_S: Final = 60
WEBSOCKET_OPEN_TIMEOUT_S: Final = 20.0
WEBSOCKET_CLOSE_TIMEOUT_S: Final = 5.0
WEBSOCKET_PING_INTERVAL_S: Final = 60.0
WEBSOCKET_PING_TIMEOUT_S: Final = 120.0
WEBSOCKET_SEND_TIMEOUT_S: Final = 120.0
# The frame queue inside the websocket library. One: what waits for the engine waits in our own
# queue, where its bytes are counted.
WEBSOCKET_FRAMES_BUFFERED_MAX: Final = 1
CLOSE_REASON_MAX_BYTES: Final = 123

# --- the engine loop -------------------------------------------------------------------------
INBOX_CONNECTION_MAX_FRAMES: Final = 64
INBOX_CONNECTION_MAX_BYTES: Final = 4 * MEBIBYTE
INBOX_TOTAL_MAX_BYTES: Final = 64 * MEBIBYTE
# After a batch that failed, the next turn comes this much later even if nothing arrives.
ENGINE_RETRY_MS: Final = 1_000
# Below this a connection counts as writable: the engine may produce more for it.
OUTBOX_WRITABLE_MAX_BYTES: Final = MEBIBYTE
# A peer that lets this much pile up is closed: it does not read.
OUTBOX_CONNECTION_MAX_BYTES: Final = 64 * MEBIBYTE
STOP_DRAIN_TIMEOUT_S: Final = 5.0
STOP_TIMEOUT_S: Final = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits an operator may set in ``[limits]`` (server 11). All are whole and positive.

    Bounds of the protocol itself, which both ends must know alike, are not for setting.
    """

    http_requests_concurrent_max: int = 10_000
    http_body_max_bytes: int = 64 * KIBIBYTE
    sync_connections_max: int = 5_000
    client_message_max_bytes: int = 20 * MEBIBYTE + 1

    def as_integers(self) -> dict[str, int]:
        """Return the limits by name, as the engine receives them."""
        return asdict(self)
