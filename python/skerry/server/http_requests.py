"""Reading requests of the HTTP API: bounded bodies, JSON objects, bearer tokens."""

from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import msgspec
from starlette.requests import ClientDisconnect, Request

from skerry.server.accounts import Device
from skerry.server.http_errors import ApiError, bad_request
from skerry.server.limits import DEVICE_FIELD_MAX_CHARS
from skerry.server.object_ids import is_object_id
from skerry.server.tokens import TokenProblem

_EVERY_ADDRESS: Final = ("0.0.0.0", "::")
_DEVICE_FIELDS: Final = (
    *("appId", "appVersion", "platform", "platformVersion", "sdk", "sdkVersion", "cpuArch"),
    *("deviceName", "deviceVersion", "frameworkName", "frameworkVersion", "coreVersion"),
    "bundleId",
)


async def read_object(request: Request, *, max_bytes: int) -> dict[str, object]:
    """Return the body, which must be a JSON object; an empty body is an empty object.

    Raises:
        ApiError: 413 when it is longer than `max_bytes`, before more than that is held; 400 when
            it is not a JSON object.
    """
    body = await _read_body(request, max_bytes)
    if not body:
        return {}
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise bad_request("request body is not valid JSON") from error
    if not isinstance(value, dict):
        raise bad_request("request body must be a JSON object")
    return value


async def _read_body(request: Request, max_bytes: int) -> bytes:
    too_long = ApiError(413, "RequestTooLarge", f"request body exceeds {max_bytes} bytes")
    declared = request.headers.get("content-length", "0")
    if not declared.isascii() or not declared.isdigit():
        raise bad_request("content-length is not a number")
    if int(declared) > max_bytes:
        raise too_long
    chunks: list[bytes] = []
    size = 0
    try:
        # Closed here when left early, not whenever the collector finds it.
        async with aclosing(request.stream()) as stream:
            async for chunk in stream:
                size += len(chunk)
                if size > max_bytes:
                    raise too_long
                chunks.append(chunk)
    except ClientDisconnect as error:
        raise bad_request("request body ended early") from error
    return b"".join(chunks)


def text_member(body: dict[str, object], name: str) -> str:
    """Return a member that must be a string.

    Raises:
        ApiError: 400 when it is missing or not a string.
    """
    value = body.get(name)
    if not isinstance(value, str):
        raise bad_request(f"{name!r} must be a string")
    return value


def bearer_token(request: Request) -> str:
    """Return the token of the Authorization header.

    Raises:
        ApiError: 401 when there is none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ApiError(401, "InvalidSession", TokenProblem.MALFORMED.value)
    return token


def reachable_url(url: str, request: Request) -> str:
    """Return one of our URLs as the client of `request` can use it.

    A server bound to every address does not know which of them a client can reach, but this client
    has just reached one.
    """
    parts = urlsplit(url)
    if parts.hostname not in _EVERY_ADDRESS or not request.url.hostname:
        return url
    host = request.url.hostname
    host = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}"))


def device_of(body: dict[str, object]) -> Device:
    """Return ``options.device`` of a login. What it does not know or is too long is left out.

    Raises:
        ApiError: 400 when it is not an object.
    """
    options = body.get("options", {})
    described = options.get("device", {}) if isinstance(options, dict) else None
    if not isinstance(described, dict):
        raise bad_request("'options.device' must be an object")
    description = tuple(
        (name, value)
        for name in _DEVICE_FIELDS
        if isinstance(value := described.get(name), str) and len(value) <= DEVICE_FIELD_MAX_CHARS
    )
    device_id = described.get("deviceId")
    known = isinstance(device_id, str) and is_object_id(device_id)
    return Device(device_id=str(device_id) if known else None, description=description)
