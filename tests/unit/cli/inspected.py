"""Files to be looked into, the command on them, and another process that has one open."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner

import skerry
from skerry._core import RealmFile
from skerry.cli import main

SCHEMA = json.dumps(
    [
        {
            "name": "Item",
            "primary_key": "_id",
            "properties": [
                {"name": "_id", "type": "int", "nullable": False},
                {"name": "name", "type": "string", "nullable": True, "indexed": "general"},
                {"name": "complexity", "type": "int", "nullable": True},
                {"name": "tags", "type": "string", "nullable": False, "collection": "list"},
                {"name": "parent", "type": "object", "nullable": True, "target": "Item"},
                {"name": "place", "type": "object", "nullable": True, "target": "Place"},
            ],
        },
        {
            "name": "Place",
            "embedded": True,
            "properties": [{"name": "x", "type": "double", "nullable": False}],
        },
    ]
)
SUBSCRIPTION = ("1" * 24, "mine", "Item", "TRUEPREDICATE", 5, 6)

# Commits what standard input asks for, and tells the version; another process as seen from here.
WRITER = """
import sys
from skerry._core import RealmFile

file = RealmFile.open(sys.argv[1], sys.argv[2], synced=True)
snapshots = []
for line in sys.stdin:
    command, number = line.split()
    if command == "pin":
        snapshots.append(file.snapshot())
    else:
        for _ in range(int(number)):
            txn = file.begin_write(20_000)
            key = txn.count("Item", "TRUEPREDICATE", ())
            txn.create("Item", key, [("name", "x" * 50)], (), "error")
            txn.commit(1_800_000_000_000)
    print(file.version(), flush=True)
"""


def make(path, objects=3, *, synced=True):
    file = RealmFile.open(str(path), SCHEMA, synced=synced)
    if synced:
        file.commit_subscriptions([SUBSCRIPTION], 0)
    for key in range(objects):
        txn = file.begin_write(20_000)
        txn.create("Item", key, [("name", f"n{key}"), ("complexity", key)], (), "error")
        txn.commit(1_800_000_000_000 + key)
    return file


def run(*arguments, **options):
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)], **options)


def found(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def hashes(folder):
    """Every file but the log's index, in which each reader notes that it reads."""
    files = [path for path in folder.iterdir() if not path.name.endswith("-shm")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Writer:
    """Another process that has the file open."""

    def __init__(self, path):
        package = str(Path(skerry.__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), SCHEMA],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": package},
        )

    def begin(self, command, number=1):
        self.process.stdin.write(f"{command} {number}\n")
        self.process.stdin.flush()

    def end(self):
        return int(self.process.stdout.readline())

    def ask(self, command, number=1):
        self.begin(command, number)
        return self.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()
