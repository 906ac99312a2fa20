"""Real files with one class that has a property of every type."""

import json

import pytest

from skerry._core import RealmFile

KINDS = {
    "int": "int",
    "bool": "bool",
    "double": "double",
    "string": "string",
    "data": "data",
    "date": "date",
    "oid": "objectId",
    "uuid": "uuid",
    "decimal": "decimal128",
}


def class_entry(name, key_type="int", **kinds):
    properties = [{"name": "_id", "type": key_type, "nullable": False}]
    for prop, kind in kinds.items():
        entry = {"name": prop, "type": kind, "nullable": True}
        if kind.startswith("object:"):
            entry |= {"type": "object", "target": kind.removeprefix("object:")}
        properties.append(entry)
    return {"name": name, "primary_key": "_id", "properties": properties}


SCHEMA = [
    class_entry("Thing", **KINDS, link="object:Thing"),
    class_entry("ByText", "string", number="int"),
    class_entry("ByOid", "objectId", number="int"),
    class_entry("ByUuid", "uuid", number="int"),
]


@pytest.fixture
def schema_json():
    return json.dumps(SCHEMA)


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "a.realm")


@pytest.fixture
def file(path, schema_json):
    file = RealmFile.open(path, schema_json, synced=False)
    yield file
    file.close()


@pytest.fixture
def synced(tmp_path, schema_json):
    file = RealmFile.open(str(tmp_path / "synced.realm"), schema_json, synced=True)
    yield file
    file.close()


def write(file, work, now_ms=1_750_000_000_000):
    """Run `work` in a transaction and return the version."""
    txn = file.begin_write(1_000)
    try:
        work(txn)
        return txn.commit(now_ms)
    finally:
        txn.rollback()
