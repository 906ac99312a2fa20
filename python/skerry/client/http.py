"""The App Services client API over HTTP (sync-engine 7): location, login, profile, tokens.

Invariant: every failure leaves as a `ServiceError`, and every answer is bounded before it is read.
The location is asked for once and kept until something suggests that the server has moved. Tokens
are passed in; who refreshes them is `skerry.client.users`.
"""

import json
import platform
import ssl
from dataclasses import dataclass, field
from typing import Final

import httpx2
import trio
import truststore

from skerry.client.app_configuration import AppConfiguration
from skerry.client.credentials import Credentials
from skerry.client.http_errors import connection_error, service_error
from skerry.transport.websocket import is_loopback

ANSWER_SIZE_MAX_BYTES: Final = 4 * 1024 * 1024
_BASE: Final = "/api/client/v2.0"
_MOVED: Final = frozenset({301, 308})


@dataclass(frozen=True, slots=True)
class Location:
    """Where the server is.

    Attributes:
        hostname: URL that HTTP requests go to.
        ws_hostname: URL that the websocket goes to.
    """

    hostname: str
    ws_hostname: str


@dataclass(frozen=True, slots=True)
class Login:
    """The answer to a login."""

    user_id: str
    device_id: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserIdentity:
    """One way in which a user logs in.

    Attributes:
        id: The server's id of the identity.
        provider: Name of the provider, such as ``local-userpass``.
    """

    id: str
    provider: str


@dataclass(frozen=True, slots=True)
class Profile:
    """What the server tells about a user."""

    identities: tuple[UserIdentity, ...]
    data: dict[str, object]


class HttpService:
    """The client API of one app. Used by the tasks of one trio run.

    Args:
        configuration: Of the app.
        client: An open HTTP client; the caller closes it.
    """

    def __init__(self, configuration: AppConfiguration, client: httpx2.AsyncClient) -> None:
        self._configuration = configuration
        self._client = client
        self._location: Location | None = None
        self._location_lock = trio.Lock()

    @property
    def is_location_known(self) -> bool:
        """Whether the location was asked for since it was last in doubt."""
        return self._location is not None

    def forget_location(self) -> None:
        """Ask the server again where it is before the next request."""
        self._location = None

    async def location(self) -> Location:
        """Return where the server is, asking at most once at a time.

        Raises:
            ServiceError: The server refuses; unknown app.
            ConnectionFailedError: It cannot be reached.
        """
        async with self._location_lock:
            if self._location is None:
                answer = await self._send("GET", self._configuration.base_url, "/location")
                self._location = Location(_text(answer, "hostname"), _text(answer, "ws_hostname"))
            return self._location

    async def log_in(self, credentials: Credentials, device_id: str | None) -> Login:
        """Log in.

        Raises:
            AuthError: The server refuses these credentials.
            ServiceError: It refuses for another reason, or cannot be reached.
        """
        options: dict[str, object] = {"device": self._device(device_id)}
        body: dict[str, object] = {**credentials.payload, "options": options}
        answer = await self._call(
            "POST", f"/auth/providers/{credentials.provider.value}/login", body=body
        )
        return Login(
            user_id=_text(answer, "user_id"),
            device_id=_text(answer, "device_id"),
            access_token=_text(answer, "access_token"),
            refresh_token=_text(answer, "refresh_token"),
        )

    async def register_user(self, email: str, password: str) -> None:
        """Register an e-mail address."""
        await self._call(
            "POST",
            "/auth/providers/local-userpass/register",
            body={"email": email, "password": password},
        )

    async def profile(self, access_token: str) -> Profile:
        """Return the user's profile."""
        answer = await self._call("GET", "/auth/profile", token=access_token, is_of_app=False)
        identities = answer.get("identities")
        data = answer.get("data")
        return Profile(
            tuple(
                UserIdentity(_text(entry, "id"), _text(entry, "provider_type"))
                for entry in (identities if isinstance(identities, list) else [])
                if isinstance(entry, dict)
            ),
            data if isinstance(data, dict) else {},
        )

    async def refresh(self, refresh_token: str) -> str:
        """Return a new access token."""
        answer = await self._call("POST", "/auth/session", token=refresh_token, is_of_app=False)
        return _text(answer, "access_token")

    async def log_out(self, refresh_token: str) -> None:
        """Revoke a refresh token."""
        await self._call("DELETE", "/auth/session", token=refresh_token, is_of_app=False)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, object] | None = None,
        token: str | None = None,
        is_of_app: bool = True,
    ) -> dict[str, object]:
        """Send a request to where the server is; once more if it has moved meanwhile."""
        for is_last in (False, True):
            location = await self.location()
            answer = await self._exchange(
                method, location.hostname, path, body=body, token=token, is_of_app=is_of_app
            )
            if answer.status_code in _MOVED and not is_last:
                self.forget_location()
                continue
            return _read(answer)
        raise AssertionError("the second round returns or raises")

    async def _send(self, method: str, host: str, path: str) -> dict[str, object]:
        return _read(await self._exchange(method, host, path))

    async def _exchange(
        self,
        method: str,
        host: str,
        path: str,
        *,
        body: dict[str, object] | None = None,
        token: str | None = None,
        is_of_app: bool = True,
    ) -> "_Answer":
        app = f"/app/{self._configuration.app_id}" if is_of_app else ""
        headers = {
            "Accept": "application/json",
            "User-Agent": self._configuration.user_agent,
            **self._configuration.custom_request_headers,
        }
        if body is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        if token is not None:
            headers[self._configuration.authorization_header_name] = f"Bearer {token}"
        content = None if body is None else json.dumps(body).encode()
        url = f"{host.rstrip('/')}{_BASE}{app}{path}"
        try:
            async with self._client.stream(
                method, url, headers=headers, content=content
            ) as response:
                received = bytearray()
                # Refused before reading where the size is told; what is not told, or grows by
                # decompression, is refused when it gets there.
                if int(response.headers.get("content-length", 0)) > ANSWER_SIZE_MAX_BYTES:
                    raise connection_error("the server's answer is too large")
                async for chunk in response.aiter_bytes():
                    received += chunk
                    if len(received) > ANSWER_SIZE_MAX_BYTES:
                        raise connection_error("the server's answer is too large")
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            # The next attempt asks for the location again: the server may have moved.
            self.forget_location()
            raise connection_error(f"{type(error).__name__}: {error}") from error
        return _Answer(
            response.status_code, response.headers.get("content-type", ""), bytes(received)
        )

    def _device(self, device_id: str | None) -> dict[str, object]:
        device: dict[str, object] = {
            "appId": self._configuration.app_name or self._configuration.app_id,
            "platform": platform.system(),
            "platformVersion": platform.release(),
            "sdk": "skerry",
            "sdkVersion": "0.1.0",
            "cpuArch": platform.machine(),
            "frameworkName": platform.python_implementation(),
            "frameworkVersion": platform.python_version(),
        }
        return device if device_id is None else {**device, "deviceId": device_id}


@dataclass(frozen=True, slots=True)
class _Answer:
    status_code: int
    content_type: str
    body: bytes


def open_http_client(configuration: AppConfiguration) -> httpx2.AsyncClient:
    """Return a client that trusts what the system trusts; close it with ``async with``."""
    return httpx2.AsyncClient(
        timeout=configuration.request_timeout_s,
        verify=truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        # A proxy for the outside is no way to a server on this machine.
        trust_env=not is_loopback(configuration.base_url),
        follow_redirects=False,
    )


def _read(answer: _Answer) -> dict[str, object]:
    """Return the JSON object of a success; an answer without content is an empty one."""
    if not 200 <= answer.status_code < 300:
        raise service_error(answer.status_code, answer.content_type, answer.body)
    if not answer.body:
        return {}
    try:
        value = json.loads(answer.body)
    except ValueError as error:
        raise connection_error("the server's answer is not JSON") from error
    if not isinstance(value, dict):
        raise connection_error("the server's answer is not a JSON object")
    return value


def _text(answer: dict[str, object], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise connection_error(f"the server's answer has no text {name!r}")
    return value
