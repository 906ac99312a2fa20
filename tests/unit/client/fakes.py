"""Stand-ins for what the client takes from outside: core, clock, threads and network.

They keep the contract of `skerry._core` for what the tests need; they do not merge and do not sync.
"""

import random
import re
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import trio

from skerry.client.environment import Environment
from skerry.errors import (
    ClosedRealmError,
    ConnectFailedError,
    LockTimeoutError,
    NoSuchObjectError,
    PrimaryKeyExistsError,
    QueryError,
    RealmInUseError,
    StaleSubscriptionSetError,
)
from skerry.testing import memory_link_pair
from skerry.types import Link

FIRST_MS = 1_700_000_000_000
_TERM = re.compile(r"(\w+) (==|<=) (\$0|\S+)")


def subscription_data(version, state, items, error_message=None):
    return SimpleNamespace(version=version, state=state, items=items, error_message=error_message)


class FakeDisk:
    """The content of one file, shared by all that open it."""

    def __init__(self, schema):
        self.classes = {entry["name"]: entry for entry in schema}
        self.tables = {name: {} for name in self.classes}
        self.version = 1
        self.data_version = 1
        self.is_locked = False
        self.sets = {0: subscription_data(0, "complete", [])}
        self.pending_upload = False
        self.uploaded_through = 0
        self.download_requests = 0
        self.downloads_answered = 0


class FakeRows:
    """Reading tables of rows, a row being a tuple in schema order."""

    def __init__(self, disk, tables):
        self.disk, self.tables = disk, tables

    def index(self, class_name, prop):
        names = [entry["name"] for entry in self.disk.classes[class_name]["properties"]]
        if prop not in names:
            raise NoSuchObjectError(f"{class_name} has no property {prop}")
        return names.index(prop)

    def get(self, class_name, key):
        row = self.tables[class_name].get(key)
        return None if row is None else tuple(row)

    def query(self, class_name, rql, args):
        text, _, limit = rql.partition(" LIMIT(")
        rows = [tuple(row) for row in self.tables[class_name].values()]
        if text != "TRUEPREDICATE":
            match = _TERM.fullmatch(text)
            if match is None:
                raise QueryError(f"cannot read {text!r}", 0)
            name, operator, literal = match.groups()
            value = args[0] if literal == "$0" else int(literal)
            at = self.index(class_name, name)
            rows = [
                row for row in rows if (row[at] == value if operator == "==" else row[at] <= value)
            ]
        return rows[: int(limit[:-1])] if limit else rows

    def count(self, class_name, rql, args):
        return len(self.query(class_name, rql, args))


def copy_tables(tables):
    return {name: {key: list(row) for key, row in table.items()} for name, table in tables.items()}


class FakeSnapshot(FakeRows):
    def __init__(self, disk):
        super().__init__(disk, copy_tables(disk.tables))
        self.version = disk.version

    def matches(self, class_name, rql, args):
        key = self.index(class_name, self.disk.classes[class_name]["primary_key"])
        return FakeMatches(self.query(class_name, rql, args), key)

    def close(self):
        self.tables = {}


class FakeMatches:
    is_found = True

    def __init__(self, found, key_index):
        self.found, self.key_index = found, key_index

    def __len__(self):
        return len(self.found)

    def find(self):
        return len(self.found)

    def rows(self, start, length):
        return self.found[start : start + length]

    def first(self):
        return self.found[0] if self.found else None

    def get(self, key):
        return next((row for row in self.found if row[self.key_index] == key), None)


class FakeWrite(FakeRows):
    def __init__(self, disk):
        super().__init__(disk, copy_tables(disk.tables))
        self.log = []
        disk.is_locked = True

    def create(self, class_name, key, values, defaults, policy):
        self.log.append(("create", class_name, key, tuple(values), tuple(defaults), policy))
        entry = self.disk.classes[class_name]
        row = self.tables[class_name].get(key)
        if row is not None and policy == "error":
            raise PrimaryKeyExistsError(f"{class_name} {key!r} exists")
        is_created = row is None
        if row is None:
            row = [None] * len(entry["properties"])
            row[self.index(class_name, entry["primary_key"])] = key
            for prop, value in defaults:
                row[self.index(class_name, prop)] = value
        for prop, value in values:
            row[self.index(class_name, prop)] = value
        self.tables[class_name][key] = row
        return is_created

    def _row(self, class_name, key):
        if key not in self.tables[class_name]:
            raise NoSuchObjectError(f"no {class_name} {key!r}")
        return self.tables[class_name][key]

    def set(self, class_name, key, prop, value):
        self.log.append(("set", class_name, key, prop, value))
        self._row(class_name, key)[self.index(class_name, prop)] = value

    def add_integer(self, class_name, key, prop, amount):
        self._row(class_name, key)[self.index(class_name, prop)] += amount

    def delete(self, class_name, key):
        gone = self.tables[class_name].pop(key, None)
        for table in self.tables.values():
            for row in table.values():
                row[:] = [None if value == Link(class_name, key) else value for value in row]
        return gone is not None

    def delete_telling(self, class_name, key):
        link = Link(class_name, key)
        holders = [
            (name, holder)
            for name, table in self.tables.items()
            for holder, row in table.items()
            if link in row
        ]
        return holders if self.delete(class_name, key) else None

    def delete_all(self, class_name):
        keys = list(self.tables[class_name])
        return sum(self.delete(class_name, key) for key in keys)

    def commit(self, now_ms):
        self.disk.tables = self.tables
        self.disk.version += 1
        self.disk.is_locked = False
        return self.disk.version

    def rollback(self):
        self.disk.is_locked = False


class FakeFile:
    def __init__(self, path, disk):
        self.path, self.disk, self.is_closed = path, disk, False

    def _open_disk(self):
        if self.is_closed:
            raise ClosedRealmError("closed")
        return self.disk

    def close(self):
        self.is_closed = True

    def version(self):
        return self._open_disk().version

    def data_version(self):
        return self._open_disk().data_version

    def snapshot(self):
        return FakeSnapshot(self._open_disk())

    def begin_write(self, timeout_ms):
        if self._open_disk().is_locked:
            raise LockTimeoutError("locked")
        return FakeWrite(self.disk)

    def pending_upload(self):
        return self._open_disk().pending_upload

    def is_uploaded(self, version):
        return version <= self._open_disk().uploaded_through

    def request_download(self):
        self._open_disk().download_requests += 1
        return self.disk.download_requests

    def is_download_answered(self, request):
        return request <= self._open_disk().downloads_answered

    def subscriptions(self):
        sets = self._open_disk().sets
        return sets[max(sets)]

    def subscription_set(self, version):
        return self._open_disk().sets.get(version)

    def commit_subscriptions(self, items, expected_version):
        if self.subscriptions().version != expected_version:
            raise StaleSubscriptionSetError("stale")
        added = subscription_data(expected_version + 1, "pending", list(items))
        self.disk.sets[added.version] = added
        return added


def event(kind, session=1, **data):
    names = [
        *("request", "version", "state", "code", "name", "message", "action", "is_fatal"),
        *("try_again", "log_url", "writes", "direction", "estimate", "level"),
    ]
    return SimpleNamespace(**{"kind": kind, "session": session, **dict.fromkeys(names), **data})


class FakeSync:
    """The client end of a websocket: records calls; tests put what `poll` is to return."""

    def __init__(self):
        self.calls = []
        self.received = []
        self.frames = []
        self.events = []
        self.deadline_ms = None
        self.close = None
        self.idents = 0
        self.requests = 0
        self.polls = 0
        self.failure = None
        self.answers_uploads = False

    def attach(self, realm):
        self.idents += 1
        self.calls.append(("attach", realm.path))
        return self.idents

    def connected(self, now_ms):
        self.calls.append(("connected",))

    def _note(self, name):
        return lambda *args: self.calls.append((name, *args))

    def __getattr__(self, name):
        if name in {"detach", "disconnected", "pause", "resume"}:
            return self._note(name)
        raise AttributeError(name)

    def wait_download(self, session):
        self.requests += 1
        self.calls.append(("wait_download", session, self.requests))
        return self.requests

    def wait_upload(self, session):
        self.requests += 1
        self.calls.append(("wait_upload", session, self.requests))
        if self.answers_uploads:
            self.events.append(event("upload_complete", session, request=self.requests))
        return self.requests

    def receive(self, frame, now_ms):
        self.received.append(frame)

    def poll(self, now_ms, max_bytes):
        self.polls += 1
        if self.failure is not None:
            failure, self.failure = self.failure, None
            raise failure
        frames, self.frames = (self.frames, []) if max_bytes else ([], self.frames)
        events, self.events = self.events, []
        close, self.close = self.close, None
        return SimpleNamespace(
            frames=frames, events=events, deadline_ms=self.deadline_ms, close=close
        )


class FakeLock:
    """A lock of a sync agent; `held` is of the machine, as the operating system has it."""

    def __init__(self, path, held):
        self.path, self.held = path, held
        held[path] = self

    def release(self):
        if self.held.get(self.path) is self:
            del self.held[self.path]


class FakeCore:
    def __init__(self):
        self.disks = {}
        self.syncs = []
        self.locks = {}
        self.lock_attempts = []
        self.clock = lambda: 0.0
        self.lock_failures = []

    def open_file(
        self, path, schema_json, *, synced, synchronous, query_cache_bytes, encryption_key
    ):
        import json

        Path(path).touch()
        disk = self.disks.setdefault(path, FakeDisk(json.loads(schema_json)))
        return FakeFile(path, disk)

    def open_versioned(
        self,
        path,
        schema_json,
        *,
        schema_version,
        timeout_ms,
        synchronous,
        query_cache_bytes,
        encryption_key,
    ):
        file = self.open_file(
            path,
            schema_json,
            synced=False,
            synchronous=synchronous,
            query_cache_bytes=query_cache_bytes,
            encryption_key=encryption_key,
        )
        return file, None

    def sync_agent_lock(self, path):
        self.lock_attempts.append(self.clock())
        if self.lock_failures:
            raise self.lock_failures.pop(0)
        return None if path in self.locks else FakeLock(path, self.locks)

    def delete_file(self, path, *, encryption_key=None):
        if path in self.locks:
            raise RealmInUseError(f"{path} is in use")
        is_there = Path(path).exists()
        Path(path).unlink(missing_ok=True)
        self.disks.pop(path, None)
        return is_there

    def sync_connection(self, seed):
        self.syncs.append(FakeSync())
        return self.syncs[-1]

    def check_query(self, schema_json, class_name, rql, args):
        if "!" in rql:
            raise QueryError(f"cannot read {rql!r}", rql.index("!"))
        for index, value in enumerate(args):
            rql = rql.replace(f"${index}", repr(value))
        return rql

    def check_subscription(self, schema_json, class_name, rql, args):
        if " LIMIT(" in rql:
            raise QueryError("LIMIT is not supported in subscriptions")
        return self.check_query(schema_json, class_name, rql, args)


async def run_inline(call):
    """Threads would let the mock clock jump; the fakes do not block."""
    await trio.lowlevel.checkpoint()
    try:
        return call()
    except LockTimeoutError:
        # A real call would have waited before giving up.
        await trio.sleep(0.2)
        raise


@dataclass
class FakeNetwork:
    """Opens memory links, or refuses as told; the tests hold the other ends."""

    refusals: list = field(default_factory=list)
    attempts: list = field(default_factory=list)
    targets: list = field(default_factory=list)

    def __post_init__(self):
        self.to_test, self.accepted = trio.open_memory_channel(100)

    @asynccontextmanager
    async def open_link(self, target):
        self.attempts.append(trio.current_time())
        self.targets.append(target)
        if self.refusals:
            code = self.refusals.pop(0)
            raise ConnectFailedError(f"refused with {code}", close_code=code)
        mine, theirs = memory_link_pair()
        self.to_test.send_nowait(theirs)
        yield mine


def fake_environment(core=None, network=None):
    # Read through the clock itself, which may be done on any thread.
    clock = trio.lowlevel.current_clock()
    start = clock.current_time()
    return Environment(
        core=core or FakeCore(),
        now_ms=lambda: FIRST_MS + int((clock.current_time() - start) * 1000),
        chance=random.Random(7),
        open_link=(network or FakeNetwork()).open_link,
        run_blocking=run_inline,
    )


async def until(condition, deadline_s=1000):
    """Wait for a state that other tasks bring about, looking after each of their turns."""
    with trio.fail_after(deadline_s):
        while not condition():  # noqa: ASYNC110 - any state, of any object
            await trio.sleep(0.01)


def histogram(calls):
    counts = defaultdict(int)
    for call in calls:
        counts[call[0]] += 1
    return dict(counts)
