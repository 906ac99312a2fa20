"""A trio loop in a thread of its own, and what `skerry.blocking` and `skerry.aio` share over it."""

from skerry.portal.facade import Bridge, Facade, unwrap
from skerry.portal.held import Held, Holdings
from skerry.portal.lease import Lease
from skerry.portal.portal import Call, Portal, PortalOverError, call_soon
from skerry.portal.source import End, Source

__all__ = [
    "Bridge",
    "Call",
    "End",
    "Facade",
    "Held",
    "Holdings",
    "Lease",
    "Portal",
    "PortalOverError",
    "Source",
    "call_soon",
    "unwrap",
]
