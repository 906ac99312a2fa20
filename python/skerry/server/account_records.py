"""What is stored about users, as JSON records in the metadata store.

Namespaces: ``users`` by user id, ``identities`` by ``provider:name``, ``sessions`` by session id,
``devices`` by device id. The identity is the point of uniqueness: inserting it claims the name,
and the user of an identity is created at its first login, as App Services does (server 8.3).
"""

from typing import Final

import msgspec

USERS: Final = "users"
IDENTITIES: Final = "identities"
SESSIONS: Final = "sessions"
DEVICES: Final = "devices"


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """How a user proves who they are, as others may see it."""

    id: str
    provider_type: str


class UserRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A user (server 8.5). `data` is the merged metadata of the providers."""

    id: str
    type: str = "normal"
    data: dict[str, str] = {}
    identities: list[Identity] = []
    created_ms: int = 0
    is_disabled: bool = False


class IdentityRecord(msgspec.Struct, frozen=True, kw_only=True):
    """An e-mail address that has been claimed, and the argon2 hash of its password."""

    id: str
    user_id: str
    email: str
    password_hash: str
    created_ms: int


class SessionRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A login: what a refresh token refers to. Deleting the record revokes the token."""

    id: str
    user_id: str
    device_id: str
    identity_id: str
    provider_type: str
    created_ms: int
    expires_ms: int


class DeviceRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A device as it described itself at its last login."""

    id: str
    user_id: str
    description: dict[str, str]
    created_ms: int
    seen_ms: int


def encode(record: msgspec.Struct) -> bytes:
    """Return the stored form of a record."""
    return msgspec.json.encode(record)
