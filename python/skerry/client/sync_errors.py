"""From the core's events to the exceptions that the error handler receives (client-api 3).

Texts have the layout of client-api 1.12; that of a compensating write is kept to the letter
(design 8).
"""

from typing import TYPE_CHECKING, Final

from skerry.client.http_errors import error_message
from skerry.errors import (
    AuthExpiredError,
    BadFlexibleSyncQueryError,
    ClientResetRequiredError,
    CompensatingWriteError,
    CompensatingWriteInfo,
    LinkError,
    PermissionDeniedError,
    ProtocolError,
    SyncConnectFailedError,
    SyncError,
    WrongSyncTypeError,
)

if TYPE_CHECKING:
    from skerry import _core

_BAD_QUERY: Final = 226
_BY_NUMBER: Final[dict[int, type[SyncError]]] = {
    _BAD_QUERY: BadFlexibleSyncQueryError,
    201: AuthExpiredError,
    203: AuthExpiredError,
    206: PermissionDeniedError,
    1043: WrongSyncTypeError,
}
_BY_ACTION: Final[dict[str, type[SyncError]]] = {
    "ClientReset": ClientResetRequiredError,
    "ClientResetNoRecovery": ClientResetRequiredError,
    "DeleteRealm": ClientResetRequiredError,
    "ProtocolViolation": ProtocolError,
    "LogOutUser": AuthExpiredError,
    "MigrateToFLX": WrongSyncTypeError,
    "RevertToPBS": WrongSyncTypeError,
}


def compensating_write(event: "_core.SyncEvent") -> CompensatingWriteError:
    """Return the exception for writes that the server undid."""
    return CompensatingWriteError(
        writes=[CompensatingWriteInfo(*write) for write in event.writes or []],
        log_url=event.log_url or None,
    )


def protocol_error(event: "_core.SyncEvent") -> SyncError:
    """Return the exception for an error event."""
    number = event.code or 0
    category = "Connection" if number < 200 else "Session"
    name = event.name or "Unknown"
    log_url = event.log_url or None
    is_fatal = bool(event.is_fatal)
    error_class = _BY_NUMBER.get(number) or _BY_ACTION.get(event.action or "")
    if error_class is None:
        error_class = ProtocolError if number < 200 else SyncError
    return error_class(
        error_message(category, name, number, event.message or "the server gave no text", log_url),
        is_fatal=is_fatal,
        is_retryable=bool(event.try_again),
        category=category,
        name=name,
        number=number,
        log_url=log_url,
    )


def refused_subscriptions(text: str | None) -> BadFlexibleSyncQueryError:
    """Return the exception for a subscription set in error."""
    return BadFlexibleSyncQueryError(
        error_message(
            "Session", "BadQuery", _BAD_QUERY, text or "the server refused the subscriptions"
        ),
        is_fatal=False,
        category="Session",
        name="BadQuery",
        number=_BAD_QUERY,
    )


def connect_failed(error: Exception) -> SyncConnectFailedError:
    """Return the report of a connection that could not be made; sync keeps trying."""
    number = error.close_code if isinstance(error, LinkError) else None
    return SyncConnectFailedError(
        error_message("Websocket", "SyncConnectFailed", number, str(error)),
        category="Websocket",
        name="SyncConnectFailed",
        number=number,
    )


def link_error(
    error: LinkError, error_class: type[SyncError], name: str, *, is_fatal: bool
) -> SyncError:
    """Return the report of a link's end that means more than trying again."""
    return error_class(
        error_message("Websocket", name, error.close_code, error.reason or str(error)),
        is_fatal=is_fatal,
        category="Websocket",
        name=name,
        number=error.close_code,
    )
