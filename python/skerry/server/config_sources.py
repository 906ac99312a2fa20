"""Reading ``data_sources/``: roles, schemas and relationships (server 1.1, 9.1).

The shape of every file is decided here, strictly. What an expression *means* is decided by the
engine when it opens; `LoadedCollection` keeps the file of each part so that a refusal of the engine
can be told in the operator's terms.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from skerry.server.json_reader import Mapping, Node, read_json, unsupported
from skerry.server.limits import CLASS_NAME_MAX_CHARS, ROLE_NAME_MAX_CHARS

RULES_FILE: Final = "rules.json"
SCHEMA_FILE: Final = "schema.json"
RELATIONSHIPS_FILE: Final = "relationships.json"
DEFAULT_RULE_FILE: Final = "default_rule.json"

_ROLE_KEYS: Final = (
    "apply_when",
    "document_filters",
    "read",
    "write",
    "insert",
    "delete",
    "search",
)
_FIELD_LEVEL_KEYS: Final = ("fields", "additional_fields")
_SCHEMA_KEYS: Final = (
    *("title", "bsonType", "required", "properties", "items", "uniqueItems"),
    *("additionalProperties", "default", "description"),
    # Keywords of the query API's document validation; they do not bear on sync (server 9.1).
    *("enum", "minLength", "maxLength", "pattern", "minimum", "maximum", "exclusiveMinimum"),
    *("exclusiveMaximum", "multipleOf", "minItems", "maxItems", "minProperties"),
    *("maxProperties", "patternProperties", "dependencies", "validate"),
)


@dataclass(frozen=True, slots=True)
class LoadedCollection:
    """One collection as configured.

    Attributes:
        class_name: The schema's title, or the collection's name.
        folder: Its folder relative to the configuration directory.
        roles: As in the file; None when the default roles apply.
        schema: As in the file; None without one.
        relationships: As in the file; empty without one.
    """

    class_name: str
    database: str
    collection: str
    folder: str
    roles: list[object] | None
    schema: dict[str, object] | None
    relationships: dict[str, object]


@dataclass(frozen=True, slots=True)
class LoadedService:
    """One data source as configured."""

    name: str
    folder: str
    default_roles: list[object]
    collections: tuple[LoadedCollection, ...]


def load_service(root: Path, name: str) -> LoadedService:
    """Read ``data_sources/<name>``.

    Raises:
        ConfigurationError: At the first thing that is not as documented.
    """
    folder = f"data_sources/{name}"
    _check_service_config(read_json(root, f"{folder}/config.json"), name)
    default_roles: list[object] = []
    collections: list[LoadedCollection] = []
    for entry in _entries(root / folder):
        file = f"{folder}/{entry.name}"
        if entry.is_dir():
            collections.extend(_load_database(root, file, entry.name))
        elif entry.name == DEFAULT_RULE_FILE:
            rule = read_json(root, file).closed_object("roles", "filters", "_id", "id")
            default_roles = _read_rule(rule) or []
        elif entry.name != "config.json":
            Node(file, "", None).refuse("unknown file")
    _check_titles(collections)
    return LoadedService(name, folder, default_roles, tuple(collections))


def _entries(folder: Path) -> Iterator[Path]:
    """Yield a folder's entries in a fixed order, without those hidden by a dot."""
    yield from sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _check_service_config(node: Node, name: str) -> None:
    config = node.closed_object("config", "version", "id", "_id", required=("name", "type"))
    if config.string("name") != name:
        config["name"].refuse(f"must be the name of its folder, {name!r}")
    config["type"].one_of("mongodb-atlas", "mongodb")
    inner = config.get("config")
    if inner is not None:
        texts = ("clusterId", "clusterName", "clusterType", "groupName", "orgName")
        cluster = inner.closed_object(*texts, "readPreference", "wireProtocolEnabled")
        for key in (*texts, "readPreference"):
            cluster.string(key)
        cluster.boolean("wireProtocolEnabled", default=False)


def _load_database(root: Path, folder: str, database: str) -> Iterator[LoadedCollection]:
    for entry in _entries(root / folder):
        file = f"{folder}/{entry.name}"
        if not entry.is_dir():
            Node(file, "", None).refuse("unknown file; a database holds one folder per collection")
        yield _load_collection(root, file, database, entry.name)


def _load_collection(root: Path, folder: str, database: str, name: str) -> LoadedCollection:
    roles: list[object] | None = None
    schema: dict[str, object] | None = None
    relationships: dict[str, object] = {}
    for entry in _entries(root / folder):
        node = Node(f"{folder}/{entry.name}", "", None)
        if entry.name == RULES_FILE:
            roles = _read_collection_rule(read_json(root, node.file), database, name)
        elif entry.name == SCHEMA_FILE:
            schema = _read_schema(read_json(root, node.file))
        elif entry.name == RELATIONSHIPS_FILE:
            relationships = _read_relationships(read_json(root, node.file))
        else:
            node.refuse(f"unknown file; known: {RULES_FILE}, {SCHEMA_FILE}, {RELATIONSHIPS_FILE}")
    title = name if schema is None else str(schema.get("title", name))
    return LoadedCollection(title, database, name, folder, roles, schema, relationships)


def _read_collection_rule(node: Node, database: str, collection: str) -> list[object] | None:
    rule = node.closed_object(
        *("roles", "filters", "_id", "id"), required=("database", "collection")
    )
    for key, expected in (("database", database), ("collection", collection)):
        if rule.string(key) != expected:
            rule[key].refuse(f"must be the name of its folder, {expected!r}")
    return _read_rule(rule)


def _read_rule(rule: Mapping) -> list[object] | None:
    """Return the roles, or None when the rule has none, so that the default roles apply."""
    filters = rule.get("filters")
    if filters is not None:
        # Filters shape answers of the query API only and never apply to sync (server 1.5).
        for item in filters.items():
            item.closed_object("apply_when", "query", "projection", required=("name",))
    node = rule.get("roles")
    if node is None:
        return None
    names: list[str] = []
    roles: list[object] = []
    for item in node.items():
        _check_role(item, names)
        roles.append(item.value)
    return roles or None


def _check_role(node: Node, names: list[str]) -> None:
    for key in _FIELD_LEVEL_KEYS:
        if key in node.as_object():
            node.child(key).refuse(unsupported("a permission of single fields"))
    role = node.closed_object(*_ROLE_KEYS, required=("name", "apply_when"))
    name = role.string("name")
    if not 1 <= len(name) <= ROLE_NAME_MAX_CHARS:
        role["name"].refuse(f"must have 1 to {ROLE_NAME_MAX_CHARS} characters")
    if name in names:
        role["name"].refuse(f"another role of this collection is named {name!r}")
    names.append(name)
    filters = role.get("document_filters")
    if filters is not None:
        for _, expression in filters.closed_object("read", "write").node.members():
            _check_expression(expression)
    for key in ("apply_when", "read", "write", "insert", "delete"):
        found = role.get(key)
        if found is not None:
            _check_expression(found)
    role.boolean("search", default=True)


def _check_expression(node: Node) -> None:
    if not isinstance(node.value, bool | dict):
        node.refuse("must be true, false or an expression object")


def _read_schema(node: Node) -> dict[str, object]:
    schema = node.closed_object(*_SCHEMA_KEYS, required=("bsonType", "properties"))
    schema["bsonType"].one_of("object")
    _check_title(schema)
    if "_id" not in schema["properties"].as_object():
        schema["properties"].refuse("must define the primary key '_id'")
    _check_object_schema(schema)
    return node.as_object()


def _check_title(schema: Mapping) -> None:
    title = schema.get("title")
    if title is not None and not 1 <= len(title.string()) <= CLASS_NAME_MAX_CHARS:
        title.refuse(f"must have 1 to {CLASS_NAME_MAX_CHARS} characters")


def _check_object_schema(schema: Mapping) -> None:
    """Check the parts that hold further schemas, and that what is required exists."""
    properties = schema.get("properties")
    if properties is not None:
        for _, node in properties.members():
            _check_property(node)
    required = schema.get("required")
    if required is not None:
        known = {} if properties is None else properties.as_object()
        required.strings()
        for item in required.items():
            if item.string() not in known:
                item.refuse(f"no property is named {item.string()!r}")
    items = schema.get("items")
    if items is not None:
        _check_property(items)
    additional = schema.get("additionalProperties")
    if additional is not None and not isinstance(additional.value, bool):
        _check_property(additional)
    schema.boolean("uniqueItems", default=False)


def _check_property(node: Node) -> None:
    schema = node.closed_object(*_SCHEMA_KEYS)
    kind = schema.get("bsonType")
    if kind is not None:
        kind.string()
    _check_title(schema)
    _check_object_schema(schema)


def _read_relationships(node: Node) -> dict[str, object]:
    for _, member in node.members():
        relationship = member.closed_object(
            "is_list", required=("ref", "source_key", "foreign_key")
        )
        for key in ("ref", "source_key", "foreign_key"):
            relationship.string(key)
        relationship.boolean("is_list", default=False)
    return node.as_object()


def _check_titles(collections: list[LoadedCollection]) -> None:
    """Refuse two collections of one class: the title is the class name (server 9.1)."""
    places: dict[str, str] = {}
    for item in collections:
        other = places.setdefault(item.class_name, item.folder)
        if other != item.folder:
            file = f"{item.folder}/{SCHEMA_FILE if item.schema is not None else RULES_FILE}"
            Node(file, "title", None).refuse(f"{item.class_name!r} is also the class of {other}")
