"""The server's log: one JSON object a line, with the entries of server 10.4.

Entries about connections and logins are made here; those about sessions, writes and errors come
from the engine as JSON and are written with the user and correlation id of their connection.
No token and no password is ever written: members with such names are left out whatever they hold.
"""

import logging
import sys
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TextIO

import msgspec
import structlog

from skerry.server.config_native import LogConfig, LogLevel
from skerry.server.engine import Clock
from skerry.server.object_ids import new_object_id

_SECRET_NAMES: Final = frozenset(
    {"password", "token", "access_token", "refresh_token", "baas_at", "authorization"}
)
_LISTENER_TYPES: Final = frozenset({"SYNC_CONNECTION_START", "SYNC_CONNECTION_END"})
_LEVELS: Final = {level.value: level for level in LogLevel}
_ORDER: Final = (LogLevel.DEBUG, LogLevel.INFO, LogLevel.WARNING, LogLevel.ERROR)


class ServerLog:
    """Writes log entries. Safe to use from any thread; every line is flushed.

    Use as a context manager: leaving it closes a file that it opened.
    """

    def __init__(
        self, stream: TextIO, *, app_id: str, now_ms: Clock, level: LogLevel = LogLevel.INFO
    ) -> None:
        self._stream = stream
        self._app_id = app_id
        self._now_ms = now_ms
        self._enabled = frozenset(_ORDER[_ORDER.index(level) :])
        self._lock = threading.Lock()
        self._owns_stream = False
        self._logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
            _LineWriter(stream, self._lock),
            processors=[_drop_secrets, structlog.processors.format_exc_info, _render],
            wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
            context_class=dict,
        )

    @classmethod
    def open(cls, config: LogConfig, *, app_id: str, now_ms: Clock) -> Self:
        """Open the log's target: ``stdout``, ``stderr`` or a file, which is appended to.

        Raises:
            OSError: If the file cannot be opened.
        """
        streams = {"stdout": sys.stdout, "stderr": sys.stderr}
        owned = config.target not in streams
        if owned:
            # Closed by the context manager that this object is.
            stream: TextIO = Path(config.target).open("a", encoding="utf-8")  # noqa: SIM115
        else:
            stream = streams[config.target]
        log = cls(stream, app_id=app_id, now_ms=now_ms, level=config.level)
        log._owns_stream = owned
        return log

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._owns_stream:
            self._stream.close()

    def new_correlation_id(self) -> str:
        """Return a new ``co_id``: one per HTTP request and per connection."""
        return new_object_id(self._now_ms())

    def entry(
        self,
        type_: str,
        common: Mapping[str, object] | None = None,
        /,
        *,
        level: LogLevel = LogLevel.INFO,
        exception: BaseException | None = None,
        **members: object,
    ) -> None:
        """Write an entry of a type of server 10.4; members that are None are left out.

        Args:
            type_: Such as ``AUTH``.
            common: Members known beforehand, such as those of a connection.
            level: Entries below the log's level are not written.
            exception: Its traceback becomes the member ``exception``.
            **members: Further members; they win over `common`.
        """
        self._write(type_, level, exception, {**(common or {}), **members})

    def _write(
        self,
        type_: str,
        level: LogLevel,
        exception: BaseException | None,
        members: Mapping[str, object],
    ) -> None:
        if level not in self._enabled:
            return
        now_ms = self._now_ms()
        fields: dict[str, object] = {
            "_id": new_object_id(now_ms),
            "type": type_,
            "level": level.value,
            "app_id": self._app_id,
            "completed": timestamp(now_ms),
            **{name: value for name, value in members.items() if value is not None},
        }
        fields.setdefault("started", fields["completed"])
        # Members travel as one value, so that none can collide with structlog's own names.
        self._logger.error(type_, members=fields, exc_info=exception)

    def engine_entries(
        self, entries: Iterable[str], connections: Mapping[int, Mapping[str, object]]
    ) -> None:
        """Write entries of the engine, each with what is known of its connection.

        Those about connections themselves are left out: the listener, which knows how they began
        and ended, writes them.
        """
        for text in entries:
            try:
                members = msgspec.json.decode(text, type=dict[str, object])
            except msgspec.DecodeError as error:
                self.entry("SYNC_OTHER", level=LogLevel.ERROR, exception=error, error=text)
                continue
            connection = members.pop("connection", None)
            known = connections.get(connection, {}) if isinstance(connection, int) else {}
            type_ = str(members.pop("type", "SYNC_OTHER"))
            if type_ in _LISTENER_TYPES:
                continue
            members.pop("exception", None)
            level = _LEVELS.get(str(members.pop("level", "")))
            if level is None:
                level = LogLevel.WARNING if "error" in members else LogLevel.INFO
            self._write(type_, level, None, {**known, **members})

    def standard_logger(self, name: str) -> logging.Logger:
        """Return a standard logger for a library: its warnings and errors become entries.

        It is not registered anywhere, so it neither inherits nor changes global logging.
        """
        logger = logging.Logger(name, logging.WARNING)
        logger.addHandler(_EntryHandler(self))
        return logger


def timestamp(time_ms: int) -> str:
    """Return a time in milliseconds since 1970 as ISO 8601 in UTC."""
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _LineWriter:
    """What structlog writes to: one flushed line per entry, whole even between threads."""

    def __init__(self, stream: TextIO, lock: threading.Lock) -> None:
        self._stream = stream
        self._lock = lock

    def error(self, line: str) -> None:
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


class _EntryHandler(logging.Handler):
    """Turns a library's log record into an entry."""

    def __init__(self, log: ServerLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        level = LogLevel.ERROR if record.levelno >= logging.ERROR else LogLevel.WARNING
        exception = record.exc_info[1] if record.exc_info else None
        self._log.entry(
            "SERVER",
            level=level,
            exception=exception,
            source=record.name,
            error=record.getMessage(),
        )


def _drop_secrets(
    _logger: object, _method: str, event: MutableMapping[str, object]
) -> MutableMapping[str, object]:
    members = event["members"]
    if isinstance(members, dict):
        shown = {
            name: value for name, value in members.items() if name.lower() not in _SECRET_NAMES
        }
        event["members"] = shown
    return event


def _render(_logger: object, _method: str, event: MutableMapping[str, object]) -> str:
    members = event["members"]
    if isinstance(members, dict) and "exception" in event:
        members = {**members, "exception": event["exception"]}
    return msgspec.json.encode(members, enc_hook=str).decode()
