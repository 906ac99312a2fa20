"""The server's engine from Python: configuration, users, the application's data, closing."""

import json
import sqlite3

import pytest

from skerry import errors
from skerry._core import SyncConnection, SyncServer
from tests.support.loop import CONFIG

USER = json.dumps({"id": "alice", "type": "normal", "data": {}, "custom_data": {}})


@pytest.fixture
def server(tmp_path):
    server = SyncServer.open(str(tmp_path), json.dumps(CONFIG))
    yield server
    server.close()


def test_the_store_is_one_file_in_the_folder(server, tmp_path):
    assert (tmp_path / "skerry.db").exists()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"queryable_fields": [1]}, "queryable_fields[0]"),
        ({"queryable_fields": "x"}, "queryable_fields"),
    ],
)
def test_a_refused_configuration_names_the_place(tmp_path, change, place):
    with pytest.raises(errors.ConfigurationError) as raised:
        SyncServer.open(str(tmp_path), json.dumps(CONFIG | change))
    assert raised.value.path == place
    assert raised.value.reason
    assert place in raised.value.message


def test_a_folder_that_is_not_there_is_a_store_error(tmp_path):
    with pytest.raises(errors.StoreError):
        SyncServer.open(str(tmp_path / "nowhere"), json.dumps(CONFIG))


def test_connections_are_numbered_once(server):
    numbers = [server.connect(USER, 0) for _ in range(3)]
    assert len(set(numbers)) == 3
    server.disconnect(numbers[0])
    server.disconnect(numbers[0])
    assert server.connect(USER, 0) not in numbers


@pytest.mark.parametrize("user", ["no json", "{}", '{"id": ""}', '{"id": 5}'])
def test_a_user_needs_an_id(server, user):
    with pytest.raises(errors.ConfigurationError):
        server.connect(user, 0)


def test_garbage_is_answered_and_closes_its_own_connection_only(server):
    good, bad = server.connect(USER, 0), server.connect(USER, 0)
    result = server.process([(bad, b"\xff garbage"), (10**6, b"nobody")], [good, bad], 1)
    assert [number for number, _, _ in result.closes] == [bad]
    assert good not in [number for number, _ in result.outputs]
    assert all(isinstance(json.loads(entry), dict) for entry in result.log)


def test_data_of_the_application_are_kept(server, tmp_path):
    server.meta_put("users", "b", b"1")
    assert server.meta_insert("users", "a", b"2")
    assert not server.meta_insert("users", "a", b"3")
    server.meta_put("other", "a", b"")
    server.close()
    again = SyncServer.open(str(tmp_path), json.dumps(CONFIG))
    assert again.meta_get("users", "a") == b"2"
    assert again.meta_get("users", "z") is None
    assert again.meta_scan("users") == [("a", b"2"), ("b", b"1")]
    assert (again.meta_delete("users", "a"), again.meta_delete("users", "a")) == (True, False)
    assert again.meta_scan("users") == [("b", b"1")]
    again.close()


def test_a_closed_engine_says_so(server):
    server.close()
    server.close()
    for call in (
        lambda: server.connect(USER, 0),
        lambda: server.process([], [], 0),
        lambda: server.disconnect(1),
        lambda: server.meta_get("a", "b"),
    ):
        with pytest.raises(errors.IllegalStateError):
            call()


def test_two_servers_have_two_histories(tmp_path):
    """Salts come from the system's randomness: no two stores share one, at the same time either."""
    salts = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        SyncServer.open(str(tmp_path / name), json.dumps(CONFIG)).close()
        with sqlite3.connect(tmp_path / name / "skerry.db") as database:
            [[salt]] = database.execute("SELECT value FROM state WHERE name = 'salt'").fetchall()
        database.close()
        assert 0 < salt < 2**63
        salts.add(salt)
    assert len(salts) == 2


def test_only_synced_files_have_sessions(file, synced):
    sync = SyncConnection(2**64 - 1)
    with pytest.raises(errors.IllegalStateError):
        sync.attach(file)
    first, second = sync.attach(synced), sync.attach(synced)
    assert 0 < first < second
    with pytest.raises(errors.ClosedRealmError):
        sync.wait_upload(99)
    with pytest.raises(OverflowError):
        SyncConnection(-1)
