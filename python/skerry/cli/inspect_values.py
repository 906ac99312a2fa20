"""Values, sizes and times of ``skerry inspect``: as JSON without loss, and as text for a terminal.

What a file holds may come from anybody, so no control character of it reaches the terminal.
"""

import base64
import math
from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID

from skerry.types import Content, Decimal128, Float32, Link, ObjectId, Timestamp

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UNITS = ("KiB", "MiB", "GiB", "TiB")
_KIBI = 1024


def to_json(value: Content) -> Json:
    """Return a value for JSON; what JSON lacks is an object with one member that begins with $."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"$double": str(value)}
        case list():
            return [to_json(element) for element in value]
        case set():
            return {"$set": sorted((to_json(element) for element in value), key=str)}
        case dict():
            return {name: to_json(field) for name, field in value.items()}
        case _:
            return _special(value)


def _special(value: bytes | ObjectId | UUID | Timestamp | Decimal128 | Float32 | Link) -> Json:
    match value:
        case bytes():
            return {"$binary": base64.b64encode(value).decode()}
        case ObjectId():
            return {"$oid": value.hex}
        case UUID():
            return {"$uuid": str(value)}
        case Timestamp():
            return {"$date": {"seconds": value.seconds, "nanoseconds": value.nanoseconds}}
        case Decimal128():
            return {"$decimal": value.text}
        case Float32():
            return to_json(value.value)
        case Link():
            return {"$link": {"class_name": value.class_name, "key": to_json(value.key)}}


def to_text(value: Content, width: int) -> str:
    """Return a value as one line of at most `width` characters."""
    match value:
        case None:
            text = "null"
        case bool():
            text = "true" if value else "false"
        case str():
            # More than is shown is not worth looking at.
            text = value[: width + 1]
        case bytes():
            text = f"{len(value)} bytes {value[:width].hex()}" if value else "0 bytes"
        case Timestamp():
            text = _date(value)
        case list() | set():
            brackets = "[]" if isinstance(value, list) else "{}"
            shown = [to_text(element, width) for element in list(value)[: width + 1]]
            if isinstance(value, set):
                shown.sort()
            text = brackets[0] + ", ".join(shown) + brackets[1]
        case dict():
            fields = list(value.items())[: width + 1]
            shown = [f"{name}: {to_text(field, width)}" for name, field in fields]
            text = "{" + ", ".join(shown) + "}"
        case Link():
            text = f"{value.class_name}[{to_text(value.key, width)}]"
        case _:
            text = str(value)
    return cut(text, width)


def _date(value: Timestamp) -> str:
    try:
        time = _EPOCH + timedelta(seconds=value.seconds)
    except OverflowError:
        return f"{value.seconds} s {value.nanoseconds} ns"
    rest = f"{value.nanoseconds:+d} ns" if value.nanoseconds else ""
    return f"{time:%Y-%m-%d %H:%M:%S}Z {rest}".rstrip()


def cut(text: str, width: int) -> str:
    """Return a text of at most `width` characters, an ellipsis where it was cut, on one line."""
    clean = "".join(c if c.isprintable() else _escaped(c) for c in text[: width + 1])
    return clean if len(clean) <= width else clean[: max(width - 1, 0)] + "…"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()


def size(bytes_: int) -> str:
    """Return a number of bytes in the unit that suits it."""
    if bytes_ < _KIBI:
        return f"{bytes_} B"
    number = float(bytes_)
    for unit in _UNITS:
        number /= _KIBI
        if number < _KIBI:
            return f"{number:.1f} {unit}"
    return f"{number:.0f} {_UNITS[-1]}"


def time(unix_ms: int | None) -> str:
    """Return a time in UTC to the second; a dash for none, the number for one past the calendar."""
    if unix_ms is None:
        return "-"
    try:
        return f"{_EPOCH + timedelta(milliseconds=unix_ms):%Y-%m-%d %H:%M:%S}Z"
    except OverflowError:
        return f"{unix_ms} ms"


def age(unix_ms: int, now_ms: int) -> str:
    """Return how long ago a time was, in the largest unit of which it is two or more."""
    seconds = max(now_ms - unix_ms, 0) // 1000
    for name, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {name} ago"
    return f"{seconds} s ago"
