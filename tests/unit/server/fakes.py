"""Stand-ins for the engine and its store, and a configuration to serve.

The fake engine speaks a protocol of one word per frame, so that tests can make it do what they
need: any frame is echoed to its sender; ``all:`` goes to every connection; see `FakeCore.process`.
"""

import io
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path

import argon2

from skerry.server.log import ServerLog
from skerry.server.passwords import PasswordHasher

APP_ID = "skerry-test-abcde"
START_MS = 1_700_000_000_000

ROLE = {
    "name": "readOwnWriteOwn",
    "apply_when": {},
    "document_filters": {
        "read": {"ownerId": "%%user.id"},
        "write": {"ownerId": "%%user.id"},
    },
    "read": True,
    "write": True,
    "insert": True,
    "delete": True,
    "search": True,
}

SCHEMA = {
    "title": "Item",
    "bsonType": "object",
    "required": ["_id", "ownerId"],
    "properties": {
        "_id": {"bsonType": "objectId"},
        "ownerId": {"bsonType": "string"},
        "complexity": {"bsonType": "int"},
    },
}

FILES: dict[str, object] = {
    "root_config.json": {"app_id": APP_ID, "name": "test", "environment": ""},
    "sync/config.json": {
        "type": "flexible",
        "service_name": "main",
        "state": "enabled",
        "queryable_fields_names": ["complexity", "ownerId"],
    },
    "auth/providers.json": {
        "anon-user": {"name": "anon-user", "type": "anon-user", "disabled": False},
        "api-key": {"name": "api-key", "type": "api-key", "disabled": True},
        "local-userpass": {
            "name": "local-userpass",
            "type": "local-userpass",
            "disabled": False,
            "config": {"autoConfirm": True},
        },
    },
    "auth/custom_user_data.json": {"enabled": False},
    "data_sources/main/config.json": {"name": "main", "type": "mongodb-atlas", "config": {}},
    "data_sources/main/default_rule.json": {"roles": [ROLE]},
    "data_sources/main/todo/Item/schema.json": SCHEMA,
    "data_sources/main/todo/Item/rules.json": {
        "database": "todo",
        "collection": "Item",
        "roles": [ROLE],
    },
    "data_sources/main/todo/Item/relationships.json": {},
    "environments/no-environment.json": {"values": {"anything": {"goes": [1]}}},
    "values/limit.json": {"name": "limit", "value": 5, "from_secret": False},
    "functions/config.json": [],
}

TOML = """
max_clock_skew_s = 60

[listen]
http_port = 0
sync_port = 0

[limits]
http_body_max_bytes = 4096
client_message_max_bytes = 100000
sync_connections_max = 8
"""


def write_config(root: Path, changes: dict[str, object] | None = None, toml: str = TOML) -> Path:
    """Write a configuration; a change of None leaves the file out, a string is written as it is."""
    for file, content in {**FILES, **(changes or {})}.items():
        if content is None:
            continue
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    (root / "skerry.toml").write_text(toml)
    return root


def cheap_hasher() -> PasswordHasher:
    """Return real argon2 with the least cost, so that tests measure nothing but behaviour."""
    return PasswordHasher(argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


class MemoryStore:
    """A metadata store in memory."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()

    def meta_get(self, namespace: str, key: str) -> bytes | None:
        return self.values.get((namespace, key))

    def meta_put(self, namespace: str, key: str, value: bytes) -> None:
        self.values[namespace, key] = value

    def meta_insert(self, namespace: str, key: str, value: bytes) -> bool:
        with self._lock:
            return self.values.setdefault((namespace, key), value) is value

    def meta_delete(self, namespace: str, key: str) -> bool:
        return self.values.pop((namespace, key), None) is not None

    def meta_scan(self, namespace: str) -> list[tuple[str, bytes]]:
        return [(key, value) for (ns, key), value in self.values.items() if ns == namespace]


@dataclass
class Result:
    """A `ProcessResult`."""

    outputs: list[tuple[int, list[bytes]]] = field(default_factory=list)
    closes: list[tuple[int, int, str]] = field(default_factory=list)
    more: list[int] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    deadline_ms: int | None = None


class FakeCore(MemoryStore):
    """An engine that does what frames tell it to."""

    def __init__(self) -> None:
        super().__init__()
        self.users: dict[int, dict[str, object]] = {}
        self.batches: list[list[tuple[int, bytes]]] = []
        self.offered: list[list[int]] = []
        self.disconnected: list[int] = []
        self.owed: dict[int, list[bytes]] = {}
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.is_inside = False
        self.was_reentered = False
        self.is_closed = False
        self.deadline_ms: int | None = None

    def connect(self, user_json: str, now_ms: int) -> int:
        user = json.loads(user_json)
        if user["data"].get("email") == "refused@example.com":
            raise ValueError("refused by the engine")
        number = len(self.users) + 1
        self.users[number] = user
        return number

    def process(self, frames: list[tuple[int, bytes]], writable: list[int], now_ms: int) -> Result:
        self.was_reentered |= self.is_inside
        self.is_inside = True
        self.entered.set()
        assert self.gate.wait(timeout=30)
        try:
            self.batches.append(frames)
            self.offered.append(writable)
            result = Result(deadline_ms=self.deadline_ms)
            if self.deadline_ms is not None and self.deadline_ms <= now_ms:
                self.deadline_ms = result.deadline_ms = None
                result.outputs += [(number, [b"deadline"]) for number in writable]
            for number, frame in frames:
                self._obey(number, frame, result)
            self._pay(writable, result)
            return result
        finally:
            self.is_inside = False

    def _obey(self, number: int, frame: bytes, result: Result) -> None:
        word, _, rest = frame.partition(b":")
        if word == b"raise":
            raise RuntimeError("told to raise")
        if word == b"close":
            result.outputs.append((number, [b"closing"]))
            result.closes.append((number, int(rest), "told to close"))
        elif word == b"all":
            others = [n for n in self.users if n not in self.disconnected]
            result.outputs += [(other, [rest]) for other in others]
        elif word == b"owe":
            count, size = map(int, rest.split(b"x"))
            self.owed[number] = [b"o" * size] * count
        elif word == b"log":
            result.log.append(
                json.dumps({"type": "SYNC_ERROR", "connection": number, "error": "e"})
            )
        else:
            result.outputs.append((number, [frame]))

    def _pay(self, writable: list[int], result: Result) -> None:
        """Send one owed frame a turn to each connection that has room."""
        for number in writable:
            if self.owed.get(number):
                result.outputs.append((number, [self.owed[number].pop()]))
        result.more = [number for number, frames in self.owed.items() if frames]

    def disconnect(self, connection: int) -> None:
        assert connection not in self.disconnected
        self.disconnected.append(connection)
        self.owed.pop(connection, None)

    def close(self) -> None:
        self.is_closed = True


class ManualClock:
    """A wall clock that stands still until it is set."""

    def __init__(self, now_ms: int = START_MS) -> None:
        self.now_ms = now_ms

    def __call__(self) -> int:
        return self.now_ms

    def advance_s(self, seconds: int) -> None:
        self.now_ms += seconds * 1000


class CapturedLog:
    """A server log kept in memory."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        self.log = ServerLog(self.stream, app_id=APP_ID, now_ms=lambda: START_MS)

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def entries(self, type_: str | None = None) -> list[dict[str, object]]:
        found = [json.loads(line) for line in self.text.splitlines()]
        return [entry for entry in found if type_ is None or entry["type"] == type_]
