"""Devices and a server in one process, wired without sockets, on a clock that tests advance.

`Loop.settle` carries frames between all that are connected until nobody has anything to say. One
thread, a fixed order and a seed for each device: every run is the same.
"""

import json
from dataclasses import dataclass, field

from skerry._core import RealmFile, SyncConnection, SyncServer

ROUNDS_MAX = 1_000
ROOM_BYTES = 1 << 20

ITEM_SCHEMA = [
    {
        "name": "Item",
        "primary_key": "_id",
        "properties": [
            {"name": "_id", "type": "objectId", "nullable": False},
            {"name": "complexity", "type": "int", "nullable": False},
            {"name": "ownerId", "type": "string", "nullable": False},
            {"name": "summary", "type": "string", "nullable": True},
        ],
    }
]
READ_WRITE_OWN = {
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
READ_ALL_WRITE_OWN = {
    **READ_WRITE_OWN,
    "name": "readAllWriteOwn",
    "document_filters": {"read": True, "write": {"ownerId": "%%user.id"}},
}
CONFIG = {
    "app_id": "demo",
    "sync": {"development_mode_enabled": True},
    "queryable_fields": ["_id", "complexity", "ownerId"],
    "default_roles": [READ_WRITE_OWN],
}


@dataclass
class Device:
    """One realm file with its agent."""

    file: RealmFile
    sync: SyncConnection
    session: int
    user_id: str
    schema: list
    number: int | None = None
    events: list = field(default_factory=list)
    closes: list = field(default_factory=list)

    def of_kind(self, kind):
        return [event for event in self.events if event.kind == kind]

    def rows(self, class_name="Item", rql="TRUEPREDICATE"):
        snapshot = self.file.snapshot()
        try:
            return snapshot.query(class_name, rql, [])
        finally:
            snapshot.close()


class Loop:
    """See the module."""

    def __init__(self, folder, config=CONFIG, now_ms=1_750_000_000_000):
        self.folder = folder
        self.now_ms = now_ms
        self.config_json = json.dumps(config)
        self.server = SyncServer.open(str(folder), self.config_json)
        self.devices = []
        self.log = []

    def device(self, name, user_id, schema=ITEM_SCHEMA):
        """Open a device's file and begin its session; not connected yet."""
        file = open_file(str(self.folder / f"{name}.realm"), schema)
        sync = SyncConnection(len(self.devices))
        device = Device(file, sync, sync.attach(file), user_id, schema)
        self.devices.append(device)
        return device

    def crash(self, device):
        """End a device's process, so to speak, and begin another one; it is not connected."""
        if device.number is not None:
            self.server.disconnect(device.number)
            device.number = None
        device.file.close()
        device.file = open_file(device.file.path, device.schema)
        device.sync = SyncConnection(1)
        device.session = device.sync.attach(device.file)

    def connect(self, device):
        user = {"id": device.user_id, "type": "normal", "data": {}, "custom_data": {}}
        device.number = self.server.connect(json.dumps({**user, "identities": []}), self.now_ms)
        device.sync.connected(self.now_ms)

    def disconnect(self, device):
        self.server.disconnect(device.number)
        device.number = None
        device.sync.disconnected()

    def restart_server(self):
        for device in self.devices:
            if device.number is not None:
                self.disconnect(device)
        self.server.close()
        self.server = SyncServer.open(str(self.folder), self.config_json)

    def settle(self):
        """Carry frames until nobody has anything to say."""
        for _ in range(ROUNDS_MAX):
            if not self.step():
                return
        raise AssertionError(f"no rest after {ROUNDS_MAX} rounds")

    def step(self, lossy=None, up=0, down=0):
        """Let each device speak once and the server answer; tell whether anybody said anything.

        The link of `lossy`, if given, breaks when it has carried `up` frames to the server and
        `down` frames of the answer: what was sent after them is lost.
        """
        frames = []
        is_busy = False
        for device in self.devices:
            poll = device.sync.poll(self.now_ms, ROOM_BYTES)
            device.events += poll.events
            is_busy |= bool(poll.events or poll.frames)
            if device.number is not None:
                arriving = poll.frames[:up] if device is lossy else poll.frames
                frames += [(device.number, frame) for frame in arriving]
                if poll.close is not None:
                    self._close(device, poll.close)
        numbered = {d.number: d for d in self.devices if d.number is not None}
        result = self.server.process(frames, list(numbered), self.now_ms)
        self.log += [json.loads(entry) for entry in result.log]
        for number, outputs in result.outputs:
            device = numbered[number]
            for frame in outputs[:down] if device is lossy else outputs:
                device.sync.receive(frame, self.now_ms)
        for number, code, reason in result.closes:
            self._close(numbered[number], (code, reason))
        if lossy is not None and lossy.number is not None:
            self.disconnect(lossy)
        return is_busy or bool(result.outputs or result.more or result.closes)

    def _close(self, device, close):
        device.closes.append(close)
        self.disconnect(device)


def open_file(path, schema):
    """Open a synced file that does not wait for the disk: power failures are tested elsewhere."""
    return RealmFile.open(path, json.dumps(schema), synced=True, synchronous="normal")


def subscribe(device, *queries, class_name="Item", now_ms=0):
    """Commit a set of unnamed subscriptions and return it."""
    items = [(f"{i:024x}", None, class_name, q, now_ms, now_ms) for i, q in enumerate(queries)]
    return device.file.commit_subscriptions(items, device.file.subscriptions().version)
