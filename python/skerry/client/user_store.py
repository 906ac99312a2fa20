"""The file that remembers users: tokens, identities, who is current.

One JSON file, readable by its owner only, replaced atomically: after a crash it is the old one or
the new one. Two processes of one app may both write it; the last one wins whole.
"""

import json
import os
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from skerry.client.http import UserIdentity
from skerry.errors import CorruptedError, DiskFullError, StoreError

FORMAT_VERSION: Final = 1
_ENOSPC: Final = 28


class UserState(Enum):
    """Whether a user may sync."""

    LOGGED_OUT = "logged out"
    LOGGED_IN = "logged in"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What is remembered of one user.

    Attributes:
        id: The server's id, 24 hexadecimal digits.
        provider: The provider of the last login.
        state: LOGGED_IN or LOGGED_OUT; removed users are not remembered.
        device_id: The server's id of this device; kept after log-out.
        access_token: Empty after log-out.
        refresh_token: Empty after log-out.
        identities: As of the last profile.
        profile: As of the last profile.
    """

    id: str
    provider: str
    state: UserState
    device_id: str
    access_token: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    identities: tuple[UserIdentity, ...] = ()
    profile: dict[str, object] = field(default_factory=dict)


def user_file(app_directory: Path) -> Path:
    """Return where an app's users are remembered."""
    return app_directory / "server-utility" / "metadata" / "users.json"


def load_users(path: Path) -> list[UserRecord]:
    """Return the users, the last logged in last. Blocking.

    Raises:
        CorruptedError: The file is not what `save_users` writes.
        StoreError: It cannot be read.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StoreError(f"the users in {path} cannot be read: {error}") from error
    try:
        content = json.loads(text)
        if content["version"] != FORMAT_VERSION:
            raise CorruptedError(f"{path} has the unknown version {content['version']!r}")
        return [_record(entry) for entry in content["users"]]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptedError(f"the users in {path} cannot be understood: {error!r}") from error


def save_users(path: Path, records: list[UserRecord]) -> None:
    """Replace the file, durably. Blocking.

    Raises:
        DiskFullError: There is no room.
        StoreError: It cannot be written.
    """
    content = {"version": FORMAT_VERSION, "users": [_entry(record) for record in records]}
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # A draft of a crashed run would keep its own mode.
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        failure = DiskFullError if error.errno == _ENOSPC else StoreError
        raise failure(f"the users in {path} cannot be written: {error}") from error


def _sync_folder(folder: Path) -> None:
    """Make the renaming durable too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _entry(record: UserRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "provider": record.provider,
        "state": record.state.value,
        "device_id": record.device_id,
        "access_token": record.access_token,
        "refresh_token": record.refresh_token,
        "identities": [[one.id, one.provider] for one in record.identities],
        "profile": record.profile,
    }


def _record(entry: dict[str, object]) -> UserRecord:
    texts = {
        name: entry[name]
        for name in ("id", "provider", "device_id", "access_token", "refresh_token")
    }
    if not all(isinstance(text, str) for text in texts.values()):
        raise TypeError("a text is missing")
    identities, profile = entry["identities"], entry["profile"]
    if not isinstance(identities, list) or not isinstance(profile, dict):
        raise TypeError("identities or profile are of another type")
    return UserRecord(
        id=str(texts["id"]),
        provider=str(texts["provider"]),
        state=UserState(entry["state"]),
        device_id=str(texts["device_id"]),
        access_token=str(texts["access_token"]),
        refresh_token=str(texts["refresh_token"]),
        identities=tuple(UserIdentity(str(one[0]), str(one[1])) for one in identities),
        profile=profile,
    )
