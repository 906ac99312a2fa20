"""`AppConfiguration`: which server, where files live, and how long to wait (client-api 1.2)."""

import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from skerry.errors import ConfigurationError

FILES_FOLDER = "mongodb-realm"


def default_sync_root_directory() -> Path:
    """Return the platform's folder for this user's application data."""
    return platformdirs.user_data_path("skerry")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConfiguration:
    """Configuration of an `App`; checked when it is made, and never changed.

    Attributes:
        app_id: The app's id on the server; not empty.
        base_url: ``http://`` or ``https://`` URL of the server; trailing slashes are dropped.
        sync_root_directory: Created if missing. Files live under
            ``<root>/mongodb-realm/<app_id>/<user_id>/``.
        app_name: For the User-Agent header, or None.
        app_version: As `app_name`.
        authorization_header_name: Header that carries tokens over HTTP.
        custom_request_headers: Sent with every request and with the websocket's.
        request_timeout_s: For one HTTP request, seconds > 0.
        connect_timeout_s: For establishing the websocket, seconds ≥ 1.
        connection_linger_time_s: How long a connection without sessions stays open, seconds > 0.

    Raises:
        ConfigurationError: A value is out of range; names it.
    """

    app_id: str
    base_url: str
    sync_root_directory: Path = field(default_factory=default_sync_root_directory)
    app_name: str | None = None
    app_version: str | None = None
    authorization_header_name: str = "Authorization"
    custom_request_headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    request_timeout_s: float = 60.0
    connect_timeout_s: float = 120.0
    connection_linger_time_s: float = 30.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        object.__setattr__(self, "sync_root_directory", Path(self.sync_root_directory))
        _check_text("app_id", self.app_id)
        if "/" in self.app_id or os.sep in self.app_id or self.app_id in {".", ".."}:
            raise ConfigurationError(f"app_id is not a name: {self.app_id!r}")
        parts = urllib.parse.urlsplit(self.base_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ConfigurationError(f"base_url is not an http or https URL: {self.base_url!r}")
        for name in ("app_name", "app_version"):
            if getattr(self, name) is not None:
                _check_text(name, getattr(self, name))
        _check_text("authorization_header_name", self.authorization_header_name)
        for header in self.custom_request_headers:
            _check_text("a name in custom_request_headers", header)
        _check_over("request_timeout_s", self.request_timeout_s, 0)
        if not self.connect_timeout_s >= 1:
            raise ConfigurationError(
                f"connect_timeout_s is at least 1, not {self.connect_timeout_s}"
            )
        _check_over("connection_linger_time_s", self.connection_linger_time_s, 0)

    @property
    def app_directory(self) -> Path:
        """Where this app's files live."""
        return self.sync_root_directory / FILES_FOLDER / self.app_id

    @property
    def user_agent(self) -> str:
        """Value of the User-Agent header."""
        named = "/".join(part for part in (self.app_name, self.app_version) if part)
        return f"Skerry/0.1 {named}".rstrip()


def _check_text(name: str, value: str) -> None:
    if not value:
        raise ConfigurationError(f"{name} is empty")


def _check_over(name: str, value: float, bound: float) -> None:
    if not value > bound:
        raise ConfigurationError(f"{name} is more than {bound}, not {value}")
