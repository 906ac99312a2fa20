"""Links: ordered frames over one connection. Knows websockets; knows nothing of what frames say."""

from skerry.transport.link import Link, LinkOpener, LinkTarget
from skerry.transport.websocket import SUBPROTOCOL, open_websocket

__all__ = ["SUBPROTOCOL", "Link", "LinkOpener", "LinkTarget", "open_websocket"]
