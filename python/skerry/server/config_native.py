"""Reading ``skerry.toml``: what the App Services export has no place for (design 6).

Addresses, limits, clock skew, token lifetime and the log. The file is optional; so is every key.
"""

from dataclasses import dataclass, field, fields
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from skerry.server.json_reader import Mapping, Node, read_toml
from skerry.server.limits import (
    REFRESH_TOKEN_LIFETIME_DEFAULT_S,
    REFRESH_TOKEN_LIFETIME_MAX_S,
    REFRESH_TOKEN_LIFETIME_MIN_S,
    Limits,
)

FILE: Final = "skerry.toml"

_PORT_MAX: Final = 65_535
_LIMIT_MAX: Final = 2**31 - 1
_CLOCK_SKEW_MAX_S: Final = 365 * 24 * 3600


class LogLevel(Enum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenConfig:
    """Where to listen, and under which URLs clients reach it.

    Attributes:
        host: Address to bind, numeric or a name.
        http_port: Port of the HTTP API; 0 lets the system choose.
        sync_port: Port of the sync websocket; 0 lets the system choose.
        public_http_url: What ``location`` tells clients; None means the bound address.
        public_sync_url: Likewise for the websocket.
    """

    host: str = "127.0.0.1"
    http_port: int = 9090
    sync_port: int = 9091
    public_http_url: str | None = None
    public_sync_url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """The log's target, ``stdout``, ``stderr`` or the path of a file, and its level."""

    target: str = "stderr"
    level: LogLevel = LogLevel.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeConfig:
    """All of ``skerry.toml``.

    Attributes:
        max_clock_skew_s: How far in the future a changeset's stamp may lie (design 4).
        refresh_token_lifetime_s: Of users who are not anonymous (server 8.4).
    """

    listen: ListenConfig = field(default_factory=ListenConfig)
    limits: Limits = field(default_factory=Limits)
    log: LogConfig = field(default_factory=LogConfig)
    max_clock_skew_s: int = 24 * 3600
    refresh_token_lifetime_s: int = REFRESH_TOKEN_LIFETIME_DEFAULT_S


def load_native(root: Path) -> NativeConfig:
    """Read ``skerry.toml``, or return the defaults when there is none."""
    if not (root / FILE).exists():
        return NativeConfig()
    node = read_toml(root, FILE)
    config = node.closed_object("listen", "limits", "log", "max_clock_skew_s", "tokens")
    defaults = NativeConfig()
    skew = config.get("max_clock_skew_s")
    return NativeConfig(
        listen=_read_listen(config.get("listen"), defaults.listen),
        limits=_read_limits(config.get("limits"), defaults.limits),
        log=_read_log(config.get("log"), defaults.log),
        max_clock_skew_s=(
            defaults.max_clock_skew_s if skew is None else skew.integer(0, _CLOCK_SKEW_MAX_S)
        ),
        refresh_token_lifetime_s=_read_refresh_lifetime(config.get("tokens")),
    )


def _read_listen(node: Node | None, defaults: ListenConfig) -> ListenConfig:
    if node is None:
        return defaults
    listen = node.closed_object(
        "host", "http_port", "sync_port", "public_http_url", "public_sync_url"
    )
    return ListenConfig(
        host=listen.string("host", defaults.host),
        http_port=_port(listen, "http_port", defaults.http_port),
        sync_port=_port(listen, "sync_port", defaults.sync_port),
        public_http_url=_url(listen.get("public_http_url"), "http", "https"),
        public_sync_url=_url(listen.get("public_sync_url"), "ws", "wss"),
    )


def _port(listen: Mapping, key: str, default: int) -> int:
    found = listen.get(key)
    return default if found is None else found.integer(0, _PORT_MAX)


def _url(node: Node | None, *schemes: str) -> str | None:
    if node is None:
        return None
    text = node.string()
    try:
        parts = urlsplit(text)
    except ValueError as error:
        node.refuse(f"is not a URL: {error}")
    if parts.scheme not in schemes or not parts.netloc or parts.query or parts.fragment:
        node.refuse(f"must be a URL of the form {schemes[0]}://host[:port], not {text!r}")
    return text.rstrip("/")


def _read_limits(node: Node | None, defaults: Limits) -> Limits:
    if node is None:
        return defaults
    names = [item.name for item in fields(Limits)]
    limits = node.closed_object(*names)
    given = {
        name: member.integer(1, _LIMIT_MAX)
        for name in names
        if (member := limits.get(name)) is not None
    }
    return Limits(**{**defaults.as_integers(), **given})


def _read_log(node: Node | None, defaults: LogConfig) -> LogConfig:
    if node is None:
        return defaults
    log = node.closed_object("target", "level")
    level = log.get("level")
    target = log.string("target", defaults.target)
    if not target:
        log["target"].refuse("must be stdout, stderr or the path of a file")
    return LogConfig(
        target=target,
        level=(
            defaults.level
            if level is None
            else LogLevel(level.one_of(*(item.value for item in LogLevel)))
        ),
    )


def _read_refresh_lifetime(node: Node | None) -> int:
    if node is None:
        return REFRESH_TOKEN_LIFETIME_DEFAULT_S
    found = node.closed_object("refresh_token_lifetime_s").get("refresh_token_lifetime_s")
    if found is None:
        return REFRESH_TOKEN_LIFETIME_DEFAULT_S
    return found.integer(REFRESH_TOKEN_LIFETIME_MIN_S, REFRESH_TOKEN_LIFETIME_MAX_S)
