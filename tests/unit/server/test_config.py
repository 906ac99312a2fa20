"""Loading a configuration: what is read, what the engine is given, and where refusals point."""

import json
from pathlib import Path

import pytest

from skerry.server.config import Config, core_config_json, load_config, locate
from skerry.server.config_native import LogLevel, NativeConfig
from tests.unit.server.fakes import APP_ID, ROLE, SCHEMA, write_config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load_config(write_config(tmp_path))


def test_engine_receives_every_part_in_the_agreed_shape(config):
    document = json.loads(core_config_json(config))
    assert document == {
        "app_id": APP_ID,
        "sync": {
            "development_mode_enabled": False,
            "client_max_offline_days": 30,
            "is_recovery_mode_disabled": False,
        },
        "queryable_fields": ["complexity", "ownerId"],
        "collection_queryable_fields": {},
        "collections": [
            {
                "class": "Item",
                "database": "todo",
                "collection": "Item",
                "roles": [ROLE],
                "schema": SCHEMA,
                "relationships": {},
            }
        ],
        "default_roles": [ROLE],
        "values": {"limit": 5},
        "environment": {"tag": "", "values": {"anything": {"goes": [1]}}},
        "limits": {
            "http_requests_concurrent_max": 10_000,
            "http_body_max_bytes": 4096,
            "sync_connections_max": 8,
            "client_message_max_bytes": 100_000,
        },
        "max_clock_skew_ms": 60_000,
    }


def test_providers_are_enabled_as_configured(config):
    assert config.auth.is_enabled("anon-user")
    assert config.auth.is_enabled("local-userpass")
    assert not config.auth.is_enabled("api-key")


def test_realm_config_is_an_older_name_of_the_root_file(tmp_path):
    root = write_config(
        tmp_path, {"root_config.json": None, "realm_config.json": {"app_id": "other"}}
    )
    assert load_config(root).app_id == "other"


def test_toml_may_be_absent(tmp_path):
    root = write_config(tmp_path)
    (root / "skerry.toml").unlink()
    native = load_config(root).native
    assert native.listen.host == "127.0.0.1"
    assert native.log.level is LogLevel.INFO


def test_values_of_the_tagged_environment_are_used(tmp_path):
    root = write_config(
        tmp_path,
        {
            "root_config.json": {"app_id": APP_ID, "environment": "qa"},
            "environments/qa.json": {"values": {"here": True}},
        },
    )
    document = json.loads(core_config_json(load_config(root)))
    assert document["environment"] == {"tag": "qa", "values": {"here": True}}


def test_collection_without_roles_or_schema_is_told_so(tmp_path):
    rules = {"database": "todo", "collection": "Item", "roles": []}
    root = write_config(
        tmp_path,
        {
            "data_sources/main/todo/Item/rules.json": rules,
            "data_sources/main/todo/Item/schema.json": None,
        },
    )
    (collection,) = json.loads(core_config_json(load_config(root)))["collections"]
    assert (collection["class"], collection["roles"], collection["schema"]) == ("Item", None, None)


@pytest.mark.parametrize(
    ("path", "file", "key"),
    [
        (
            "collections[0].roles[1].document_filters.read",
            "data_sources/main/todo/Item/rules.json",
            "roles[1].document_filters.read",
        ),
        (
            "collections[0].schema.properties._id",
            "data_sources/main/todo/Item/schema.json",
            "properties._id",
        ),
        (
            "collections[0].relationships.owner.ref",
            "data_sources/main/todo/Item/relationships.json",
            "owner.ref",
        ),
        ("collections[0].class", "data_sources/main/todo/Item/schema.json", "title"),
        (
            "default_roles[0].apply_when",
            "data_sources/main/default_rule.json",
            "roles[0].apply_when",
        ),
        ("queryable_fields[1]", "sync/config.json", "queryable_fields_names[1]"),
        (
            "collection_queryable_fields.Item[0]",
            "sync/config.json",
            "collection_queryable_fields_names.Item[0]",
        ),
        ("values.limit", "values/limit.json", "value"),
        ("environment.values.x", "environments/no-environment.json", "values.x"),
        ("max_clock_skew_ms", "skerry.toml", "max_clock_skew_s"),
        ("collections[7].roles", "root_config.json", "collections[7].roles"),
        ("", "root_config.json", "(file)"),
    ],
)
def test_refusal_of_the_engine_points_at_file_and_key(config, path, file, key):
    error = locate(config, path, "is wrong")
    assert (error.file, error.key, error.reason) == (file, key, "is wrong")
    assert str(error) == f"{file}: {key}: is wrong"


def test_documented_defaults_are_the_defaults(tmp_path):
    page = (Path(__file__).parents[3] / "docs" / "server-configuration.md").read_text()
    toml = page.partition("```toml\n")[2].partition("```")[0]
    assert "max_clock_skew_s" in toml
    assert load_config(write_config(tmp_path, toml=toml)).native == NativeConfig()
