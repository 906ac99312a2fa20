"""Values as relaxed Extended JSON v2, both ways.

A JSON number with a fraction is a double, one without a 64-bit int; in a property of doubles both
are doubles. Links are ``{"$ref": class, "$id": key}``. Dates have milliseconds, and where they are
no whole number of them, the form ``{"$realmDate": {"seconds": text, "nanoseconds": number}}``. A
32-bit float is ``{"$numberFloat": text}``.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from skerry.testing.conformance.members import (
    JSON_TYPES,
    FormatError,
    Members,
    as_members,
)
from skerry.types import (
    Content,
    Decimal128,
    Float32,
    Link,
    ObjectId,
    Scalar,
    Timestamp,
    to_scalar,
)

DOUBLE: Final = "double"
FLOAT: Final = "float"
MS_PER_SECOND: Final = 1_000
NS_PER_MS: Final = 1_000_000
# What relaxed Extended JSON writes as a text: 1970 to 9999.
TEXT_SECONDS_MAX: Final = 253_402_300_799


def is_tagged(value: Mapping[str, object]) -> bool:
    """Return whether an object stands for a value, and is no dictionary: by its first member."""
    return next(iter(value), "").startswith("$")


def decode(value: object, kind: str) -> Scalar:
    """Return the value that stands in a property of type `kind`.

    Raises:
        FormatError: It is no value of any type.
    """
    try:
        match value:
            case int() if kind == DOUBLE and not isinstance(value, bool):
                return float(value)
            case None | bool() | int() | float() | str():
                return to_scalar(value)
            case {"$numberFloat": str(text)}:
                # A property of floats knows what it holds.
                return float(text) if kind == FLOAT else Float32(float(text))
            case dict():
                return _tagged(as_members("value", value))
    except (ValueError, OverflowError, binascii.Error) as error:
        raise FormatError(str(error)) from error
    raise FormatError(f"{JSON_TYPES[type(value)]} is no value")


def encode(content: Content) -> object:
    """Return what `json.dumps` writes as the content; sets in the order of their texts."""
    match content:
        case list():
            return [encode(element) for element in content]
        case set():
            return sorted((encode(element) for element in content), key=repr)
        case dict():
            return {name: encode(element) for name, element in content.items()}
        case _:
            return _encode_scalar(content)


def _tagged(members: Members) -> Scalar:
    if "$ref" in members:
        return Link(members.text("$ref"), decode(members.any("$id"), ""))
    tag = next(iter(members.values), "")
    match tag:
        case "$oid":
            return ObjectId(members.text(tag))
        case "$uuid":
            return UUID(members.text(tag))
        case "$numberDecimal":
            return Decimal128(members.text(tag))
        case "$numberLong":
            return to_scalar(int(members.text(tag)))
        case "$numberDouble":
            return float(members.text(tag))
        case "$binary":
            return base64.b64decode(members.members(tag).text("base64"), validate=True)
        case "$date":
            return _date(members.any(tag))
        case "$realmDate":
            parts = members.members(tag)
            return Timestamp(int(parts.text("seconds")), parts.integer("nanoseconds"))
    raise FormatError(f'value: "{tag}" is no type')


def _date(value: object) -> Timestamp:
    if isinstance(value, str):
        return Timestamp.from_datetime(datetime.fromisoformat(value))
    unix_ms = int(as_members("$date", value).text("$numberLong"))
    seconds, rest_ms = divmod(abs(unix_ms), MS_PER_SECOND)
    sign = -1 if unix_ms < 0 else 1
    return Timestamp(sign * seconds, sign * rest_ms * NS_PER_MS)


def _encode_scalar(value: Scalar) -> object:
    match value:
        case float() if not math.isfinite(value):
            return {"$numberDouble": str(value)}
        case None | bool() | int() | float() | str():
            return value
        case bytes():
            return {"$binary": {"base64": base64.b64encode(value).decode(), "subType": "00"}}
        case Timestamp() if value.nanoseconds % NS_PER_MS:
            parts = {"seconds": str(value.seconds), "nanoseconds": value.nanoseconds}
            return {"$realmDate": parts}
        case Timestamp():
            return {"$date": _encode_date(value)}
        case Float32():
            return {"$numberFloat": str(value.value)}
        case Decimal128():
            return {"$numberDecimal": value.text}
        case ObjectId():
            return {"$oid": value.hex}
        case UUID():
            return {"$uuid": str(value)}
        case Link():
            return {"$ref": value.class_name, "$id": _encode_scalar(value.key)}


def _encode_date(value: Timestamp) -> object:
    ms = value.seconds * MS_PER_SECOND + int(value.nanoseconds / NS_PER_MS)
    if 0 <= value.seconds <= TEXT_SECONDS_MAX and value.nanoseconds >= 0:
        return value.to_datetime().isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"$numberLong": str(ms)}
