"""``skerry inspect`` on real files: what it prints, and what it says of damaged ones."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import skerry
from skerry._core import RealmFile, SyncServer
from tests.unit.cli.inspected import SCHEMA, found, hashes, make, run


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.realm"
    make(path).close()
    return path


def test_the_overview_names_what_there_is(path):
    result = run(path)
    assert result.exit_code == 0
    for text in (
        str(path),
        "realm file, format",
        "at rest",
        "synced",
        "list<string>",
        "Item?",
        "primary key",
        "indexed",
        "embedded",
        "mine",
        "TRUEPREDICATE",
        "pending",
    ):
        assert text in result.stdout, text
    assert all(line == line.rstrip() or len(line) < 200 for line in result.stdout.splitlines())


def test_the_members_of_the_json_form_are_those_of_the_manual(path):
    report = found(path, "--full")["report"]
    manual = (Path(__file__).parents[3] / "docs" / "inspect.md").read_text()

    def members(value):
        match value:
            case dict():
                for name, inner in value.items():
                    yield name
                    yield from members(inner)
            case list():
                for inner in value:
                    yield from members(inner)

    missing = {name for name in members(report) if f"`{name}`" not in manual}
    assert missing == set()
    realm = report["realm"]
    assert (report["kind"], realm["synced"], realm["file_ident"]) == ("realm", True, 0)
    assert realm["history"]["pending_uploads"] == 4, "the schema and three objects"
    assert realm["history"]["origins"][0]["origin"] == "own"
    assert [one["version"] for one in realm["subscription_sets"]] == [1, 0]
    counts = {one["name"]: one["objects"] for one in report["classes"]}
    assert counts == {"Item": 3, "Place": None}
    assert {one["class_name"] for one in report["tables"]} == {None, "Item"}


def test_a_query_gives_a_table_and_how_many_there_are(path):
    result = run(path, "--query", "Item: complexity >= 1 SORT(name DESC)", "--limit", 1)
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["_id", "name", "complexity", "tags", "parent", "place"]
    assert lines[2] == ["2", "n2", "2", "[]", "null", "null"]
    assert "… and 1 more; --limit shows more" in result.stdout
    assert "2 objects" in result.stdout


def test_without_a_condition_a_query_gives_all_objects_of_a_class(path):
    [answer] = found(path, "--query", "Item", "--limit", 2)["queries"]
    assert (answer["total"], answer["query"], len(answer["rows"])) == (3, "TRUEPREDICATE", 2)
    assert answer["rows"][1] == {
        "_id": 1,
        "name": "n1",
        "complexity": 1,
        "tags": [],
        "parent": None,
        "place": None,
    }


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("Nope: a == 1", "classes are Item"),
        ("Place", "classes are Item"),
        ("Item: nope == 1", "nope"),
        ("Item: name ==", "query: "),
    ],
)
def test_a_wrong_query_exits_2_in_one_line(path, query, said):
    result = run(path, "--query", query)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert said in result.stderr


def test_the_history_is_listed_and_an_entry_shows_its_instructions(path):
    page = found(path, "--history")["history"]
    assert (page["total"], page["entries"][0]["classes"]) == (4, {"Item": 3})
    version = page["entries"][0]["version"]
    detail = found(path, "--history", version)["entry"]
    assert detail["instructions"]["lines"][0] == "CreateObject Item[2]"
    assert detail["reciprocal"] is None
    assert "2027-01-15 08:00:00Z" in run(path, "--history").stdout
    assert 'Update Item[2].name = "n2"' in run(path, "--history", version).stdout
    result = run(path, "--history", 999)
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    result = run("--history", path)
    assert result.exit_code == 2
    assert "write FILE before --history" in result.stderr


def test_a_check_exits_1_when_it_finds_something(path):
    assert found(path, "--check") == {"findings": []}
    assert "sound" in run(path, "--check").stdout
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE o1 SET p2 = 'x' WHERE p0 = 1")
    connection.close()
    result = run(path, "--check")
    assert result.exit_code == 1
    assert 'property "complexity"' in result.stdout
    assert [
        one["place"] for one in json.loads(run(path, "--check", "--json").stdout)["findings"]
    ] == ["Item"]


def missing(path):
    path.unlink()


def folder(path):
    path.unlink()
    path.mkdir()


def empty(path):
    path.write_bytes(b"")


def text(path):
    path.write_text("no database, only text\n" * 200)


def truncated(path):
    path.write_bytes(path.read_bytes()[:5000])


def overwritten(path):
    data = bytearray(path.read_bytes())
    data[100:] = b"\xa5" * (len(data) - 100)
    path.write_bytes(data)


def foreign(path):
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (x)")
    connection.close()


def set_format(path, change):
    connection = sqlite3.connect(path)
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {found + change}")
    connection.close()


def newer(path):
    set_format(path, 1)


def older(path):
    set_format(path, -1)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (missing, "no such file"),
        (folder, "no regular file"),
        (empty, "is empty"),
        (text, "not a database"),
        (truncated, "malformed"),
        (overwritten, "malformed"),
        (foreign, "application id"),
        (newer, "update it"),
        (older, "open it for writing first"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--check",), ("--json",), ("--query", "Item")])
def test_what_cannot_be_read_exits_2_in_one_line_with_the_file(path, damage, said, options):
    damage(path)
    result = run(path, *options)
    assert (result.exit_code, result.stdout) == (2, "")
    assert len(result.stderr.splitlines()) == 1
    assert path.name in result.stderr
    assert said in result.stderr


def test_a_servers_store_gives_its_classes_and_numbers(tmp_path):
    SyncServer.open(str(tmp_path), server_config()).close()
    report = found(tmp_path / "skerry.db")["report"]
    assert (report["kind"], report["realm"]) == ("server", None)
    assert report["server"]["clients"] == 0
    assert "server's store" in run(tmp_path / "skerry.db").stdout
    result = run(tmp_path / "skerry.db", "--history")
    assert result.exit_code == 2
    assert "server's store" in result.stderr


def server_config():
    from skerry.server.config import core_config_json, load_config
    from tests.unit.server.fakes import write_config

    with tempfile.TemporaryDirectory() as folder:
        return core_config_json(load_config(write_config(Path(folder) / "config", toml="")))


def test_the_prompt_answers_line_by_line_and_goes_on_after_an_error(path):
    lines = [
        ".help",
        ".classes",
        ".schema Place",
        ".schema Nope",
        ".info",
        ".history",
        ".history x",
        ".check",
        ".nope",
        "",
        "Item: nope == 1",
        "Item: complexity == 2",
        ".quit",
        "Item",
    ]
    result = run(path, "--shell", input="\n".join(lines))
    assert (result.exit_code, result.stderr) == (0, "")
    for said in (
        "CLASS: RQL",
        "embedded",
        "double",
        "there is no class 'Nope'",
        "to upload",
        "4 entries",
        "a version is a number, not 'x'",
        "sound",
        "there is no command .nope",
        "1 object\n",
    ):
        assert said in result.stdout, said
    assert "3 objects" not in result.stdout, "what follows .quit is not read"
    assert run(path, "--shell", "--json").exit_code == 2


@given(
    programs=st.lists(st.tuples(st.integers(0, 5), st.text(max_size=20)), max_size=6),
    is_open=st.booleans(),
    options=st.lists(
        st.sampled_from(
            [
                ("--full",),
                ("--check",),
                ("--history",),
                ("--json",),
                ("--query", "Item: name != null"),
            ]
        ),
        unique=True,
    ),
)
def test_looking_changes_no_byte(programs, is_open, options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.realm"
        file = make(path, 0)
        for key, name in programs:
            txn = file.begin_write(20_000)
            txn.create("Item", key, [("name", name)], (), "all")
            txn.commit(1_800_000_000_000)
        if not is_open:
            file.close()
        before = hashes(Path(folder))
        result = run(path, *(word for option in options for word in option))
        assert result.exit_code == 0, result.output
        assert hashes(Path(folder)) == before
        if not is_open:
            assert [one.name for one in Path(folder).iterdir()] == ["a.realm"]
        file.close()


@given(name=st.text(st.characters(categories=["Cc", "Cf", "Zl", "Zp", "L"]), max_size=12))
def test_nothing_of_a_file_commands_the_terminal(name):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.realm"
        file = make(path, 0)
        txn = file.begin_write(20_000)
        txn.create("Item", 1, [("name", name)], (), "all")
        version = txn.commit(1_800_000_000_000)
        file.close()
        for options in (("--query", "Item"), ("--history", version)):
            shown = run(path, *options).stdout
            assert all(c.isprintable() for c in shown.replace("\n", "")), repr(shown)


def test_without_the_extra_the_command_says_how_to_install_it():
    program = """
import sys
sys.modules["click"] = None
from skerry.cli import main
main()
"""
    package = str(Path(skerry.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": package},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        'skerry: the command needs click, which is not installed: pip install "skerry[server]"\n'
    )


def test_an_encrypted_file_is_looked_into_with_its_key(tmp_path):
    path, key_file = tmp_path / "a.realm", tmp_path / "key"
    key = bytes(range(64))
    file = RealmFile.open(str(path), SCHEMA, synced=False, encryption_key=key)
    txn = file.begin_write(20_000)
    txn.create("Item", 7, [("name", "seven")], (), "error")
    txn.commit(1_800_000_000_000)
    for content in (key, key.hex().encode() + b"\n"):
        key_file.write_bytes(content)
        result = run(path, "--key-file", key_file, "--query", "Item")
        assert "seven" in result.stdout, result.output
    file.close()
    assert run(path, "--key-file", key_file, "--check").exit_code == 0

    for content, said in [
        (bytes(64), "another key"),
        (key[:-1], "is not the key of a file"),
        (b"g" * 128, "is not the key of a file"),
        (b"", "is not the key of a file"),
    ]:
        key_file.write_bytes(content)
        result = run(path, "--key-file", key_file)
        assert result.exit_code == 2
        assert said in result.stderr
    assert "is encrypted" in run(path).stderr
