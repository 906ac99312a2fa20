"""The configuration directory of the end-to-end tests: one class, one role that all may have.

`write_app` writes the App Services layout that `skerry serve` reads. The rules are parameters; the
schema is that of `tests.support.devices.Item`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

APP_ID = "e2e"
OWN = {"ownerId": "%%user.id"}

ITEM_SCHEMA = {
    "title": "Item",
    "bsonType": "object",
    "required": ["_id", "ownerId", "complexity", "name", "count"],
    "properties": {
        "_id": {"bsonType": "objectId"},
        "ownerId": {"bsonType": "string"},
        "complexity": {"bsonType": "long"},
        "name": {"bsonType": "string"},
        "note": {"bsonType": "string"},
        "count": {"bsonType": "long"},
    },
}


def role(name: str, *, read: object, write: object) -> dict[str, object]:
    """Return a role for everybody with these document filters."""
    allowed = dict.fromkeys(("read", "write", "insert", "delete", "search"), True)
    filters = {"read": read, "write": write}
    return {"name": name, "apply_when": {}, "document_filters": filters, **allowed}


READ_WRITE_OWN = role("readOwnWriteOwn", read=OWN, write=OWN)
READ_ALL_WRITE_OWN = role("readAllWriteOwn", read=True, write=OWN)


def write_app(root: Path, role: Mapping[str, object], *, toml: str = "") -> Path:
    """Write the configuration into a folder and return it."""
    files: dict[str, object] = {
        "root_config.json": {"app_id": APP_ID, "name": APP_ID},
        "sync/config.json": {
            "type": "flexible",
            "service_name": "main",
            "state": "enabled",
            "queryable_fields_names": ["_id", "complexity", "ownerId"],
        },
        "auth/providers.json": {
            "anon-user": {"name": "anon-user", "type": "anon-user", "disabled": False},
            "local-userpass": {
                "name": "local-userpass",
                "type": "local-userpass",
                "disabled": False,
                "config": {"autoConfirm": True},
            },
        },
        "data_sources/main/config.json": {"name": "main", "type": "mongodb-atlas", "config": {}},
        "data_sources/main/todo/Item/schema.json": ITEM_SCHEMA,
        "data_sources/main/todo/Item/rules.json": {
            "database": "todo",
            "collection": "Item",
            "roles": [dict(role)],
        },
    }
    for file, content in files.items():
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    (root / "skerry.toml").write_text(toml)
    return root
