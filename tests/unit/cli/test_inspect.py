"""``skerry inspect`` on real files: at rest, damaged, and in use by another process."""

import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import skerry
from skerry._core import RealmFile, SyncServer
from skerry.cli import main

SCHEMA = json.dumps(
    [
        {
            "name": "Item",
            "primary_key": "_id",
            "properties": [
                {"name": "_id", "type": "int", "nullable": False},
                {"name": "name", "type": "string", "nullable": True, "indexed": "general"},
                {"name": "complexity", "type": "int", "nullable": True},
                {"name": "tags", "type": "string", "nullable": False, "collection": "list"},
                {"name": "parent", "type": "object", "nullable": True, "target": "Item"},
                {"name": "place", "type": "object", "nullable": True, "target": "Place"},
            ],
        },
        {
            "name": "Place",
            "embedded": True,
            "properties": [{"name": "x", "type": "double", "nullable": False}],
        },
    ]
)
SUBSCRIPTION = ("1" * 24, "mine", "Item", "TRUEPREDICATE", 5, 6)

# Commits what standard input asks for, and tells the version; another process as seen from here.
WRITER = """
import sys
from skerry._core import RealmFile

file = RealmFile.open(sys.argv[1], sys.argv[2], synced=True)
snapshots = []
for line in sys.stdin:
    command, number = line.split()
    if command == "pin":
        snapshots.append(file.snapshot())
    else:
        for _ in range(int(number)):
            txn = file.begin_write(20_000)
            key = txn.count("Item", "TRUEPREDICATE", ())
            txn.create("Item", key, [("name", "x" * 50)], (), "error")
            txn.commit(1_800_000_000_000)
    print(file.version(), flush=True)
"""


def make(path, objects=3, *, synced=True):
    file = RealmFile.open(str(path), SCHEMA, synced=synced)
    if synced:
        file.commit_subscriptions([SUBSCRIPTION], 0)
    for key in range(objects):
        txn = file.begin_write(20_000)
        txn.create("Item", key, [("name", f"n{key}"), ("complexity", key)], (), "error")
        txn.commit(1_800_000_000_000 + key)
    return file


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.realm"
    make(path).close()
    return path


def run(*arguments, **options):
    return CliRunner().invoke(main, ["inspect", *map(str, arguments)], **options)


def found(*arguments):
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def hashes(folder):
    """Every file but the log's index, in which each reader notes that it reads."""
    files = [path for path in folder.iterdir() if not path.name.endswith("-shm")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Writer:
    """Another process that has the file open."""

    def __init__(self, path):
        package = str(Path(skerry.__file__).parents[1])
        self.process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), SCHEMA],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": package},
        )

    def begin(self, command, number=1):
        self.process.stdin.write(f"{command} {number}\n")
        self.process.stdin.flush()

    def end(self):
        return int(self.process.stdout.readline())

    def ask(self, command, number=1):
        self.begin(command, number)
        return self.end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait(timeout=30)
        self.process.stdout.close()


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


def test_looking_while_another_process_writes_sees_one_version_at_a_time(tmp_path):
    path = tmp_path / "a.realm"
    make(path, 0).close()
    with Writer(path) as writer:
        before = writer.ask("commit")
        writer.begin("commit", 400)
        seen = []
        while not seen or seen[-1] < before + 400:
            report = found(path, "--full")["report"]
            seen.append(report["realm"]["version"])
            # The schema has one version, the subscriptions one, each object one more.
            [item] = [one for one in report["classes"] if one["name"] == "Item"]
            assert item["objects"] == seen[-1] - before + 1
            assert len(found(path, "--history", "--limit", 3)["history"]["entries"]) >= 2
            assert writer.process.poll() is None
        assert writer.end() == before + 400, "nobody was held up"
        assert seen == sorted(seen)
        assert found(path, "--check")["findings"] == []


def test_readers_that_pin_the_log_are_named(tmp_path):
    path = tmp_path / "a.realm"
    make(path, 1).close()
    with Writer(path) as writer:
        writer.ask("commit")
        pinned = writer.ask("pin")
        assert writer.ask("commit", 5) == pinned + 5
        before = hashes(tmp_path)
        log = found(path)["report"]["log"]
        assert log["size_bytes"] > 0
        index = log["index"]
        assert 0 < index["pinned_frames"] < index["frames"]
        frames = index["frames"] - index["pinned_frames"]
        reader = {"frames": frames, "version": pinned, "pids": [writer.process.pid]}
        assert index["readers"] == [reader]
        shown = run(path).stdout
        assert f"process {writer.process.pid} reads version {pinned}" in shown
        assert "beside others" in shown
        assert hashes(tmp_path) == before
        writer.ask("commit")
    assert found(path)["report"]["log"]["size_bytes"] is None


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


# Looks as somebody who may not write, also when the tests run as root.
READER = """
import os, sys
from skerry import _core
from skerry.cli import main
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
main(["inspect", *sys.argv[1:]], prog_name="skerry")
"""


def run_as_reader(path, *arguments):
    return subprocess.run(
        [sys.executable, "-c", READER, str(path), *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(skerry.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def closed_folder():
    """A folder that all may read and nobody write, and what gets put into it before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def close(folder):
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    return hashes(folder)


def test_a_folder_that_cannot_be_written_is_no_obstacle_to_a_file_at_rest(closed_folder):
    make(closed_folder / "a.realm").close()
    before = close(closed_folder)
    done = run_as_reader(closed_folder / "a.realm", "--json", "--full")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["report"]["file"]["access"] == "at_rest"
    assert hashes(closed_folder) == before


def test_nor_is_it_to_one_with_a_log_and_its_index(closed_folder, tmp_path):
    path = closed_folder / "a.realm"
    file = make(tmp_path / "a.realm")
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").write_bytes(Path(f"{tmp_path / 'a.realm'}{ending}").read_bytes())
    file.close()
    before = close(closed_folder)
    done = run_as_reader(path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)["report"]
    assert (report["file"]["access"], report["realm"]["version"]) == (
        "shared",
        file_version(tmp_path),
    )
    assert hashes(closed_folder) == before


def file_version(folder):
    return found(folder / "a.realm")["report"]["realm"]["version"]


@pytest.mark.parametrize(
    ("secret", "said"), [("", "you may not read it"), ("-wal", "its log cannot be read here")]
)
def test_what_may_not_be_read_is_said_with_a_remedy(closed_folder, tmp_path, secret, said):
    path = closed_folder / "a.realm"
    file = make(tmp_path / "a.realm")
    for ending in ("", "-wal"):
        Path(f"{path}{ending}").write_bytes(Path(f"{tmp_path / 'a.realm'}{ending}").read_bytes())
    file.close()
    close(closed_folder)
    Path(f"{path}{secret}").chmod(0)
    done = run_as_reader(path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert "a.realm" in done.stderr


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
