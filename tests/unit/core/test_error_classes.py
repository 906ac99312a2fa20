"""The classes that the binding raises exist, and a newer or damaged file is told apart."""

import pickle
import re
import sqlite3
from pathlib import Path

import pytest

from skerry import errors
from skerry._core import RealmFile, SyncServer

SOURCE = Path(__file__).parents[3] / "rust" / "skerry-py" / "src" / "errors.rs"
RAISED = sorted(re.findall(r"import_exception!\(skerry\.errors, (\w+)\)", SOURCE.read_text()))


@pytest.mark.parametrize("name", RAISED)
def test_each_class_can_be_raised_with_a_text(name):
    raised = getattr(errors, name)("text")
    assert isinstance(raised, errors.SkerryError)
    assert raised.message == str(raised) == "text"
    assert not re.fullmatch(r"SKERRY-000", raised.code)


def test_the_source_was_read():
    assert "QueryError" in RAISED
    assert len(RAISED) > 10


def test_a_newer_file_is_refused_untouched(path, schema_json):
    RealmFile.open(path, schema_json, synced=False).close()
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(errors.VersionUnsupportedError, match="99"):
        RealmFile.open(path, schema_json, synced=False)


def test_attributes_survive_pickling(file, tmp_path):
    snapshot = file.snapshot()
    with pytest.raises(errors.QueryError) as raised:
        snapshot.query("Thing", "int ==", [])
    snapshot.close()
    copied = pickle.loads(pickle.dumps(raised.value))
    assert (copied.message, copied.position) == (raised.value.message, 6)
    with pytest.raises(errors.ConfigurationError) as refused:
        SyncServer.open(str(tmp_path), '{"queryable_fields": 5}')
    copied = pickle.loads(pickle.dumps(refused.value))
    assert (copied.path, copied.reason) == ("queryable_fields", refused.value.reason)
