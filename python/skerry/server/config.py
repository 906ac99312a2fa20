"""The configuration of a server: a directory in the App Services export layout (design 6).

`load_config` reads the whole directory or refuses it with file, key and reason; there is nothing in
between. `core_config_json` hands the result to the engine, and `locate` turns a refusal of the
engine, which knows nothing of files, back into a `ConfigurationError`.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from skerry.server import config_native, config_sync
from skerry.server.config_auth import AuthConfig, load_auth
from skerry.server.config_native import NativeConfig, load_native
from skerry.server.config_sources import (
    DEFAULT_RULE_FILE,
    RELATIONSHIPS_FILE,
    RULES_FILE,
    SCHEMA_FILE,
    LoadedCollection,
    LoadedService,
    load_service,
)
from skerry.server.config_sync import SyncConfig, load_sync
from skerry.server.errors import ConfigurationError
from skerry.server.json_reader import Node, read_json, unsupported

_ROOT_FILES: Final = ("root_config.json", "realm_config.json")
_DIRECTORIES: Final = ("auth", "data_sources", "environments", "sync", "values")
# Parts of an export that Skerry cannot serve yet: accepted while they configure nothing.
_UNSUPPORTED_DIRECTORIES: Final = {
    "functions": "functions",
    "triggers": "triggers",
    "http_endpoints": "HTTP endpoints",
    "log_forwarders": "log forwarders",
    "hosting": "hosting",
    "graphql": "GraphQL",
}
_NO_ENVIRONMENT: Final = "no-environment"
_ENVIRONMENTS: Final = (_NO_ENVIRONMENT, "development", "testing", "qa", "production")
_APP_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that has been checked as far as it can be without the engine."""

    root: Path
    root_file: str
    app_id: str
    name: str
    deployment_model: str
    location: str
    environment: str
    environment_values: dict[str, object]
    values: dict[str, object]
    value_files: dict[str, str] = field(default_factory=dict)
    sync: SyncConfig
    auth: AuthConfig
    service: LoadedService
    native: NativeConfig

    @property
    def collections(self) -> tuple[LoadedCollection, ...]:
        """The synced collections, in the order in which the engine numbers them."""
        return self.service.collections


def load_config(root: Path) -> Config:
    """Read and check the configuration in `root`. Blocking.

    Raises:
        ConfigurationError: Naming the file, the key and the reason of the first problem.
    """
    if not root.is_dir():
        raise ConfigurationError(str(root), ConfigurationError.WHOLE_FILE, "is not a directory")
    root_file = _check_layout(root)
    app = _RootFile.read(root, root_file)
    sync = load_sync(root)
    values, value_files = _load_values(root)
    return Config(
        root=root,
        root_file=root_file,
        app_id=app.app_id,
        name=app.name,
        deployment_model=app.deployment_model,
        location=app.location,
        environment=app.environment,
        environment_values=_load_environment(root, app.environment or _NO_ENVIRONMENT),
        values=values,
        value_files=value_files,
        sync=sync,
        auth=load_auth(root),
        service=_load_synced_service(root, sync),
        native=load_native(root),
    )


def core_config_json(config: Config) -> str:
    """Return the configuration as the engine reads it: one JSON object with fixed members."""
    sync = config.sync
    document: dict[str, object] = {
        "app_id": config.app_id,
        "sync": {
            "development_mode_enabled": sync.development_mode_enabled,
            "client_max_offline_days": sync.client_max_offline_days,
            "is_recovery_mode_disabled": sync.is_recovery_mode_disabled,
        },
        "queryable_fields": list(sync.queryable_fields),
        "collection_queryable_fields": {
            name: list(names) for name, names in sync.collection_queryable_fields.items()
        },
        "collections": [_core_collection(item) for item in config.collections],
        "default_roles": config.service.default_roles,
        "values": config.values,
        "environment": {"tag": config.environment, "values": config.environment_values},
        "limits": config.native.limits.as_integers(),
        "max_clock_skew_ms": config.native.max_clock_skew_s * 1000,
    }
    return msgspec.json.encode(document).decode()


def locate(config: Config, path: str, reason: str) -> ConfigurationError:
    """Return the error for a place in the document of `core_config_json`.

    Args:
        config: The configuration that the document was made from.
        path: Such as ``collections[0].roles[1].document_filters.read``.
        reason: Why the engine refused it.
    """
    file, key = _locate(config, path)
    return ConfigurationError(file, key or ConfigurationError.WHOLE_FILE, reason)


def _core_collection(item: LoadedCollection) -> dict[str, object]:
    return {
        "class": item.class_name,
        "database": item.database,
        "collection": item.collection,
        "roles": item.roles,
        "schema": item.schema,
        "relationships": item.relationships,
    }


_INDEXED: Final = re.compile(r"collections\[(\d+)\](?:\.(\w+))?(.*)", re.DOTALL)


def _locate(config: Config, path: str) -> tuple[str, str]:
    match = _INDEXED.fullmatch(path)
    if match is not None and int(match[1]) < len(config.collections):
        return _locate_in_collection(config, int(match[1]), match[2] or "", match[3])
    head = re.match(r"\w*", path)
    name = head[0] if head is not None else ""
    rest = path[len(name) :]
    if name == "default_roles":
        return f"{config.service.folder}/{DEFAULT_RULE_FILE}", f"roles{rest}"
    if name == "queryable_fields":
        return config_sync.FILE, f"{config_sync.QUERYABLE_KEY}{rest}"
    if name == "collection_queryable_fields":
        return config_sync.FILE, f"{config_sync.COLLECTION_QUERYABLE_KEY}{rest}"
    if name == "sync":
        return config_sync.FILE, rest.lstrip(".")
    if name == "values":
        key = re.split(r"[.\[]", rest.lstrip("."), maxsplit=1)[0]
        return config.value_files.get(key, "values"), "value"
    if name == "environment":
        file = f"environments/{config.environment or _NO_ENVIRONMENT}.json"
        return file, rest.lstrip(".")
    if name == "limits":
        return config_native.FILE, path
    if name == "max_clock_skew_ms":
        return config_native.FILE, "max_clock_skew_s"
    return config.root_file, path


def _locate_in_collection(config: Config, index: int, part: str, rest: str) -> tuple[str, str]:
    item = config.collections[index]
    if part == "schema" or (part == "class" and item.schema is not None):
        key = "title" if part == "class" else rest.lstrip(".")
        return f"{item.folder}/{SCHEMA_FILE}", key
    if part == "relationships":
        return f"{item.folder}/{RELATIONSHIPS_FILE}", rest.lstrip(".")
    if item.roles is None and item.schema is not None:
        # Without roles of its own there is no rules.json to point at.
        return f"{item.folder}/{SCHEMA_FILE}", f"{part}{rest}"
    return f"{item.folder}/{RULES_FILE}", f"{part}{rest}"


def _check_layout(root: Path) -> str:
    """Refuse what is not part of the layout; return the name of the root file."""
    root_files: list[str] = []
    for entry in sorted(root.iterdir()):
        node = Node(entry.name, "", None)
        if entry.name.startswith(".") or entry.name == "README.md":
            continue
        if entry.name in _ROOT_FILES and entry.is_file():
            root_files.append(entry.name)
        elif entry.name in _UNSUPPORTED_DIRECTORIES and entry.is_dir():
            _check_configures_nothing(root, entry)
        elif entry.name not in (*_DIRECTORIES, config_native.FILE):
            node.refuse("unknown file or directory")
    if not root_files:
        Node(_ROOT_FILES[0], "", None).refuse("does not exist")
    if len(root_files) > 1:
        Node(root_files[1], "", None).refuse(f"only one of {' and '.join(_ROOT_FILES)} may exist")
    return root_files[0]


def _check_configures_nothing(root: Path, folder: Path) -> None:
    for entry in sorted(folder.rglob("*")):
        if entry.is_dir():
            continue
        file = entry.relative_to(root).as_posix()
        empty = entry.suffix == ".json" and read_json(root, file).value in ([], {})
        if not empty:
            Node(file, "", None).refuse(unsupported(_UNSUPPORTED_DIRECTORIES[folder.name]))


@dataclass(frozen=True, slots=True)
class _RootFile:
    """The members of ``root_config.json`` that are used."""

    app_id: str
    name: str
    deployment_model: str
    location: str
    environment: str

    @classmethod
    def read(cls, root: Path, file: str) -> "_RootFile":
        node = read_json(root, file).closed_object(
            *("config_version", "location", "provider_region", "deployment_model"),
            *("environment", "name"),
            required=("app_id",),
        )
        app_id = node.string("app_id")
        if _APP_ID.fullmatch(app_id) is None:
            node["app_id"].refuse("must be 1 to 64 letters, digits, hyphens or underscores")
        version = node.get("config_version")
        if version is not None:
            version.integer(20180301, 20210101)
        node.string("provider_region")
        model = node.get("deployment_model")
        environment = node.get("environment")
        tag = "" if environment is None else environment.one_of("", *_ENVIRONMENTS)
        return cls(
            app_id,
            node.string("name", app_id),
            "GLOBAL" if model is None else model.one_of("GLOBAL", "LOCAL"),
            node.string("location", "US-VA"),
            "" if tag == _NO_ENVIRONMENT else tag,
        )


def _load_synced_service(root: Path, sync: SyncConfig) -> LoadedService:
    folder = root / "data_sources"
    names = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    for name in names:
        if name != sync.service_name and not name.startswith("."):
            Node(f"data_sources/{name}", "", None).refuse(
                f"only the synced data source {sync.service_name!r} is supported yet"
            )
    if sync.service_name not in names:
        Node(config_sync.FILE, "service_name", None).refuse(
            f"there is no data source data_sources/{sync.service_name}"
        )
    return load_service(root, sync.service_name)


def _load_environment(root: Path, environment: str) -> dict[str, object]:
    """Read every environment, so that all are checked, and return the values of one."""
    folder = root / "environments"
    found: dict[str, object] = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        file = f"environments/{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.suffix != ".json" or entry.stem not in _ENVIRONMENTS:
            Node(file, "", None).refuse(f"must be one of {', '.join(_ENVIRONMENTS)} with .json")
        values = read_json(root, file).closed_object(required=("values",))["values"].as_object()
        if entry.stem == environment:
            found = values
    return found


def _load_values(root: Path) -> tuple[dict[str, object], dict[str, str]]:
    """Return the values by name, and the file of each."""
    folder = root / "values"
    values: dict[str, object] = {}
    files: dict[str, str] = {}
    for entry in sorted(folder.iterdir()) if folder.is_dir() else ():
        file = f"values/{entry.name}"
        if entry.name.startswith("."):
            continue
        if entry.suffix != ".json":
            Node(file, "", None).refuse("unknown file; a value is a .json file")
        node = read_json(root, file).closed_object(
            *("id", "_id", "from_secret", "private"), required=("name", "value")
        )
        if node.boolean("from_secret", default=False):
            node["from_secret"].refuse(unsupported("a value that is read from a secret"))
        name = node.string("name")
        if name in values:
            node["name"].refuse(f"{files[name]} has the same name")
        values[name] = node["value"].value
        files[name] = file
    return values, files
