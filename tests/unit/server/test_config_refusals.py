"""What a configuration may not say: each refusal names file, key and reason."""

import copy
import pickle

import pytest

from skerry.server.config import load_config
from skerry.server.errors import ConfigurationError
from tests.unit.server.fakes import FILES, ROLE, SCHEMA, TOML, write_config

ROOT = "root_config.json"
SYNC = "sync/config.json"
PROVIDERS = "auth/providers.json"
RULES = "data_sources/main/todo/Item/rules.json"
SCHEMA_FILE = "data_sources/main/todo/Item/schema.json"


def altered(file: str, path: str, value: object) -> dict[str, object]:
    """Return a change of one key of a file; a path such as ``roles/0/name``."""
    content = copy.deepcopy(FILES[file])
    *parents, last = [int(part) if part.isdigit() else part for part in path.split("/")]
    target = content
    for part in parents:
        target = target[part]
    target[last] = value
    return {file: content}


CASES = [
    (altered(ROOT, "nme", "x"), ROOT, "nme", "unknown key"),
    (altered(ROOT, "app_id", 5), ROOT, "app_id", "must be a string, not a whole number"),
    (altered(ROOT, "app_id", "a/b"), ROOT, "app_id", "letters"),
    ({ROOT: "{"}, ROOT, "(file)", "cannot be parsed"),
    ({ROOT: "[]"}, ROOT, "(file)", "must be an object, not an array"),
    ({ROOT: "[" * 100 + "]" * 100}, ROOT, "(file)", "nested"),
    ({ROOT: {"name": "x"}}, ROOT, "app_id", "required key is missing"),
    ({ROOT: None}, ROOT, "(file)", "does not exist"),
    ({"realm_config.json": {"app_id": "x"}}, ROOT, "(file)", "only one"),
    ({"notes.txt": "x"}, "notes.txt", "(file)", "unknown file"),
    ({"functions/f.js": "x"}, "functions/f.js", "(file)", "not supported yet"),
    ({"triggers/t.json": {"name": "t"}}, "triggers/t.json", "(file)", "not supported yet"),
    (altered(SYNC, "type", "partition"), SYNC, "type", "must be one of 'flexible'"),
    (altered(SYNC, "state", "disabled"), SYNC, "state", "not supported yet"),
    (altered(SYNC, "permissions", {}), SYNC, "permissions", "default_rule.json"),
    (altered(SYNC, "client_max_offline_days", 0), SYNC, "client_max_offline_days", "between"),
    (altered(SYNC, "client_max_offline_days", True), SYNC, "client_max_offline_days", "whole"),
    (altered(SYNC, "asymmetric_tables", ["M"]), SYNC, "asymmetric_tables", "Data Ingest"),
    (
        altered(SYNC, "indexed_queryable_fields_names", ["a"]),
        SYNC,
        "indexed_queryable_fields_names",
        "not supported yet",
    ),
    (altered(SYNC, "service_name", "other"), "data_sources/main", "(file)", "'other'"),
    (
        altered(SYNC, "queryable_fields_names/0", "Limit"),
        SYNC,
        "queryable_fields_names[0]",
        "Limit",
    ),
    (altered(SYNC, "queryable_fields_names/1", "uuid"), SYNC, "queryable_fields_names[1]", "uuid"),
    (
        altered(SYNC, "queryable_fields_names/1", "complexity"),
        SYNC,
        "queryable_fields_names[1]",
        "listed twice",
    ),
    (
        altered(SYNC, "collection_queryable_fields_names", {"Item": [3]}),
        SYNC,
        "collection_queryable_fields_names.Item[0]",
        "must be a string",
    ),
    (altered(PROVIDERS, "sms", {}), PROVIDERS, "sms", "unknown key"),
    (altered(PROVIDERS, "api-key/disabled", False), PROVIDERS, "api-key.disabled", "'api-key'"),
    (altered(PROVIDERS, "anon-user/type", "x"), PROVIDERS, "anon-user.type", "must be"),
    (
        altered(PROVIDERS, "local-userpass/config", {"autoConfirm": False}),
        PROVIDERS,
        "local-userpass.config.autoConfirm",
        "e-mail",
    ),
    (
        altered(
            PROVIDERS,
            "local-userpass/config",
            {"autoConfirm": False, "runConfirmationFunction": True},
        ),
        PROVIDERS,
        "local-userpass.config.runConfirmationFunction",
        "not supported yet",
    ),
    (
        altered("auth/custom_user_data.json", "enabled", True),
        "auth/custom_user_data.json",
        "enabled",
        "not supported yet",
    ),
    (altered(RULES, "roles/0/fields", {}), RULES, "roles[0].fields", "not supported yet"),
    (
        altered(RULES, "roles/0/additional_fields", {}),
        RULES,
        "roles[0].additional_fields",
        "not supported yet",
    ),
    (altered(RULES, "roles/0/applyWhen", {}), RULES, "roles[0].applyWhen", "unknown key"),
    (
        altered(RULES, "roles/0/document_filters", {"raed": True}),
        RULES,
        "roles[0].document_filters.raed",
        "unknown key",
    ),
    (altered(RULES, "roles/0/read", "true"), RULES, "roles[0].read", "expression"),
    (altered(RULES, "roles/0/search", 1), RULES, "roles[0].search", "true or false"),
    (altered(RULES, "roles", [ROLE, ROLE]), RULES, "roles[1].name", "another role"),
    (altered(RULES, "roles/0/name", "x" * 101), RULES, "roles[0].name", "100"),
    (altered(RULES, "database", "other"), RULES, "database", "'todo'"),
    (
        {"data_sources/main/todo/Item/rule.json": {}},
        "data_sources/main/todo/Item/rule.json",
        "(file)",
        "unknown file",
    ),
    (altered(SCHEMA_FILE, "title", "T" * 58), SCHEMA_FILE, "title", "57"),
    (altered(SCHEMA_FILE, "titel", "T"), SCHEMA_FILE, "titel", "unknown key"),
    (altered(SCHEMA_FILE, "required/1", "gone"), SCHEMA_FILE, "required[1]", "'gone'"),
    (
        altered(SCHEMA_FILE, "properties/ownerId", {"bsontype": "string"}),
        SCHEMA_FILE,
        "properties.ownerId.bsontype",
        "unknown key",
    ),
    (altered(SCHEMA_FILE, "properties", {}), SCHEMA_FILE, "properties", "_id"),
    (
        {"data_sources/main/todo/Other/schema.json": SCHEMA},
        "data_sources/main/todo/Other/schema.json",
        "title",
        "'Item'",
    ),
    (
        {"data_sources/main/todo/Item/relationships.json": {"owner": {"ref": "x"}}},
        "data_sources/main/todo/Item/relationships.json",
        "owner.source_key",
        "missing",
    ),
    ({"environments/dev.json": {}}, "environments/dev.json", "(file)", "must be one of"),
    (
        altered("values/limit.json", "from_secret", True),
        "values/limit.json",
        "from_secret",
        "not supported yet",
    ),
    (
        {"values/other.json": {"name": "limit", "value": 1}},
        "values/other.json",
        "name",
        "same name",
    ),
]


@pytest.mark.parametrize(
    ("changes", "file", "key", "reason"), CASES, ids=[f"{c[1]}-{c[2]}-{c[3]}" for c in CASES]
)
def test_refusal_names_file_key_and_reason(tmp_path, changes, file, key, reason):
    root = write_config(tmp_path, changes)
    with pytest.raises(ConfigurationError) as caught:
        load_config(root)
    error = caught.value
    assert (error.file, error.key) == (file, key)
    assert reason in error.reason
    assert str(error) == f"{error.file}: {error.key}: {error.reason}"


@pytest.mark.parametrize(
    ("toml", "key", "reason"),
    [
        ("[listen]\nport = 1", "listen.port", "unknown key"),
        ("[listen]\nhttp_port = 70000", "listen.http_port", "between 0 and 65535"),
        ("[listen]\npublic_http_url = 'ftp://x'", "listen.public_http_url", "http://"),
        ("[limits]\nsync_connections_max = 0", "limits.sync_connections_max", "between 1"),
        ("[limits]\nconnections = 5", "limits.connections", "unknown key"),
        ("[log]\nlevel = 'loud'", "log.level", "must be one of"),
        ("[tokens]\nrefresh_token_lifetime_s = 5", "tokens.refresh_token_lifetime_s", "between"),
        ("max_clock_skew_s = 1.5", "max_clock_skew_s", "not a number"),
        ("max_clock_skew_s = ", "(file)", "cannot be parsed"),
    ],
)
def test_toml_is_as_strict(tmp_path, toml, key, reason):
    with pytest.raises(ConfigurationError) as caught:
        load_config(write_config(tmp_path, toml=toml))
    assert (caught.value.file, caught.value.key) == ("skerry.toml", key)
    assert reason in caught.value.reason


def test_missing_directory_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="is not a directory"):
        load_config(tmp_path / "absent")


def test_unaltered_configuration_is_accepted(tmp_path):
    """Each case above fails by its change alone."""
    assert load_config(write_config(tmp_path, toml=TOML)).app_id


def test_error_survives_pickling():
    error = pickle.loads(pickle.dumps(ConfigurationError("f", "k", "r")))
    assert (error.file, error.key, error.reason, str(error)) == ("f", "k", "r", "f: k: r")
