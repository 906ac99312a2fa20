"""How links end, and what the client does then: the table of sync-engine 4.12.

Every code has a decision; unknown ones count as a protocol violation of the other end. The private
codes from 4400 on never cross the wire: they name what happened before or below the websocket.
"""

from enum import Enum, IntEnum


class CloseCode(IntEnum):
    """Websocket close codes, and private ones for the ends that have none."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    ABNORMAL = 1006
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011
    TLS_FAILURE = 1015
    UNAUTHORIZED = 4001
    FORBIDDEN = 4002
    MOVED_PERMANENTLY = 4003
    RESOLVE_FAILED = 4400
    CONNECT_FAILED = 4401
    READ_ERROR = 4402
    WRITE_ERROR = 4403
    RETRY = 4404
    FATAL = 4405


class LinkAction(Enum):
    """What the end of a link asks for, beside connecting again."""

    RECONNECT = "reconnect"
    REPORT_AND_RECONNECT = "report and reconnect"
    REFRESH_USER = "refresh user"
    LOG_OUT_USER = "log out user"
    REFRESH_LOCATION = "refresh location"
    CLIENT_RESET = "client reset"
    STOP = "stop"


_ACTIONS = {
    1000: LinkAction.RECONNECT,
    1006: LinkAction.REFRESH_USER,
    1009: LinkAction.CLIENT_RESET,
    1011: LinkAction.RECONNECT,
    1015: LinkAction.REPORT_AND_RECONNECT,
    4001: LinkAction.REFRESH_USER,
    4002: LinkAction.LOG_OUT_USER,
    4003: LinkAction.REFRESH_LOCATION,
    4400: LinkAction.REPORT_AND_RECONNECT,
    4401: LinkAction.REPORT_AND_RECONNECT,
    4402: LinkAction.RECONNECT,
    4403: LinkAction.RECONNECT,
    4404: LinkAction.RECONNECT,
    4405: LinkAction.STOP,
}

# 4400, 4401 and 4405 may only mean that the server has moved, as long as the location was not
# asked for in this run (sync-engine 4.12).
_DOUBTFUL = frozenset({4400, 4401, 4405})


def action_for(close_code: int, *, is_location_fresh: bool) -> LinkAction:
    """Return what the client does after a link ended with `close_code`.

    Args:
        close_code: Websocket or private code.
        is_location_fresh: Whether the server's location was fetched since the last failure.
    """
    if close_code in _DOUBTFUL and not is_location_fresh:
        return LinkAction.REFRESH_LOCATION
    # 1001 to 1010 but the above: the server broke a rule or went away; try again.
    return _ACTIONS.get(close_code, LinkAction.RECONNECT)


def close_code_of_status(status: int) -> int:
    """Return the close code that stands for an HTTP answer to the upgrade request."""
    match status:
        case 401:
            return CloseCode.UNAUTHORIZED
        case 403:
            return CloseCode.FORBIDDEN
        case 301 | 308:
            return CloseCode.MOVED_PERMANENTLY
        case _ if 300 <= status < 400:
            return CloseCode.RETRY
        case _ if status >= 500:
            return CloseCode.INTERNAL_ERROR
        case _:
            return CloseCode.FATAL
