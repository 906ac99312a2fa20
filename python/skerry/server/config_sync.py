"""Reading ``sync/config.json``: Flexible Sync and its queryable fields (server 2.1, 2.3)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skerry.server.json_reader import Mapping, Node, read_json, unsupported

FILE: Final = "sync/config.json"
QUERYABLE_KEY: Final = "queryable_fields_names"
COLLECTION_QUERYABLE_KEY: Final = "collection_queryable_fields_names"

_OFFLINE_DAYS_MAX: Final = 36_500

# Words of the query language: some in any capitalisation, some only as written (server 2.3).
_RESERVED_ANY_CASE: Final = frozenset(
    (
        *("and", "asc", "ascending", "beginswith", "between", "contains", "desc", "descending"),
        *("distinct", "endswith", "falsepredicate", "inf", "infinity", "like", "limit", "nan"),
        *("nil", "null", "or", "sort", "subquery", "truepredicate"),
    )
)
_RESERVED_EXACT: Final = frozenset(
    (
        *("ALL", "ANY", "B64", "FALSE", "IN", "NONE", "NOT", "SOME", "TRUE"),
        *("all", "any", "false", "in", "none", "not", "oid", "some", "true", "uuid"),
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncConfig:
    """Flexible Sync as configured; names as in the file."""

    service_name: str
    database_name: str
    development_mode_enabled: bool
    client_max_offline_days: int
    is_recovery_mode_disabled: bool
    queryable_fields: tuple[str, ...]
    collection_queryable_fields: dict[str, tuple[str, ...]]


def load_sync(root: Path) -> SyncConfig:
    """Read ``sync/config.json``.

    Raises:
        ConfigurationError: If anything in it is unknown, mistyped or not supported yet.
    """
    node = read_json(root, FILE)
    if "permissions" in node.as_object():
        node.child("permissions").refuse(
            "the old form of permissions is not accepted; move defaultRoles to "
            "data_sources/<service>/default_rule.json and each class to its rules.json, with "
            "applyWhen as apply_when and read and write as document_filters"
        )
    config = node.closed_object(
        *("development_mode_enabled", "database_name", "client_max_offline_days"),
        *("is_recovery_mode_disabled", QUERYABLE_KEY, COLLECTION_QUERYABLE_KEY),
        *("indexed_queryable_fields_names", "asymmetric_tables", "last_disabled"),
        required=("type", "service_name", "state"),
    )
    config["type"].one_of("flexible")
    if config["state"].one_of("enabled", "disabled", "") != "enabled":
        config["state"].refuse(unsupported("serving a paused or terminated application"))
    config.refuse_unless_empty("indexed_queryable_fields_names", "an indexed queryable field")
    config.refuse_unless_empty("asymmetric_tables", "Data Ingest")
    days = config.get("client_max_offline_days")
    return SyncConfig(
        service_name=config.string("service_name"),
        database_name=config.string("database_name"),
        development_mode_enabled=config.boolean("development_mode_enabled", default=False),
        client_max_offline_days=30 if days is None else days.integer(1, _OFFLINE_DAYS_MAX),
        is_recovery_mode_disabled=config.boolean("is_recovery_mode_disabled", default=False),
        queryable_fields=_field_names(config.get(QUERYABLE_KEY)),
        collection_queryable_fields=_collection_field_names(config),
    )


def _collection_field_names(config: Mapping) -> dict[str, tuple[str, ...]]:
    node = config.get(COLLECTION_QUERYABLE_KEY)
    if node is None:
        return {}
    return {name: _field_names(member) for name, member in node.members()}


def _field_names(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    for item in node.items():
        name = item.string()
        if not name:
            item.refuse("must not be empty")
        if name in _RESERVED_EXACT or name.lower() in _RESERVED_ANY_CASE:
            item.refuse(f"{name!r} is a reserved word of the query language")
    return node.strings()
