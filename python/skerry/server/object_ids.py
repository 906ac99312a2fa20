"""New ObjectIds as 24 hexadecimal digits: the form of every id of users, sessions and devices."""

import re
import secrets
from typing import Final

_OBJECT_ID: Final = re.compile(r"[0-9a-f]{24}")


def new_object_id(now_ms: int) -> str:
    """Return a new id: four bytes of time, so that ids sort by creation, and eight random ones."""
    return f"{now_ms // 1000 & 0xFFFF_FFFF:08x}{secrets.token_hex(8)}"


def is_object_id(text: str) -> bool:
    """Return whether `text` has the form of an id."""
    return _OBJECT_ID.fullmatch(text) is not None
