"""``python -m skerry.testing.conformance``: programs end as recorded, and faults are seen."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from skerry.testing.conformance.command import main
from skerry.testing.conformance.peers import Peers

VECTORS = Path(__file__).parents[2] / "vectors" / "merge"
CASES = (VECTORS / "cases.jsonl").read_text().splitlines()
PARTS = 8

SCHEMA = [
    {
        "name": "Item",
        "primary_key": "_id",
        "embedded": False,
        "properties": [{"name": "_id", "type": "int"}, {"name": "n", "type": "int"}],
    }
]
ITEM = {"Item": [{"_id": 1, "n": 7}]}
NOTHING = {"Item": []}


def create(n, **at):
    return at | {"write": [{"op": "create", "table": "Item", "pk": 1, "values": {"n": n}}]}


def setting(n, **at):
    return at | {"write": [{"op": "set", "table": "Item", "pk": 1, "path": ["n"], "value": n}]}


def program(*steps, server=ITEM, clients=(ITEM, ITEM), name="p"):
    return {
        "name": name,
        "schema": SCHEMA,
        "clients": len(clients),
        "steps": list(steps),
        "final": {"server": server, "clients": list(clients)},
    }


@pytest.fixture
def merge(tmp_path, capsys):
    """Run lines, or what JSON makes of them; return the exit status, and what was printed where."""

    def run(*lines, options=()):
        path = tmp_path / "programs.jsonl"
        texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text("".join(f"{text}\n" for text in texts))
        status = main(["merge", str(path), *options])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("part", range(PARTS))
def test_every_program_ends_as_recorded(merge, part):
    lines = CASES[part::PARTS]
    assert merge(*lines) == (0, f"{len(lines)} passed, 0 failed\n", "")


def test_peers_agree_where_those_of_the_other_engine_do_not(capsys):
    assert main(["merge", str(VECTORS / "divergent.jsonl"), "--peers-only"]) == 0
    assert capsys.readouterr() == ("29 passed, 0 failed\n", "")


def test_all_programs_are_there():
    assert len(CASES) == 548


def test_a_planted_difference_is_named(merge):
    good = [json.loads(line) for line in CASES[:3]]
    planted = json.loads(CASES[0])
    planted["name"] = "planted"
    planted["final"]["clients"][1]["Item"][0]["s"] = "two"
    status, out, err = merge(good[0], planted, good[1])
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        'planted: client 2: Item[1].s: found "one", expected "two"',
        "2 passed, 1 failed",
    ]


@pytest.mark.parametrize("peer", ["server", "client 1", "client 2"])
def test_a_missing_object_is_named_with_its_peer(merge, peer):
    states = [NOTHING if peer == each else ITEM for each in ("server", "client 1", "client 2")]
    steps = [create(7, client=1, at=1), {"upload": 1}, {"download": 2}]
    status, out, _ = merge(program(*steps, server=states[0], clients=states[1:]))
    assert status == 1
    assert out.startswith(f'p: {peer}: Item[1]: found {{"_id": 1, "n": 7}}, expected nothing\n')


def test_an_int_is_not_a_double(merge):
    planted = program(create(7, client=1, at=1), {"upload": 1}, {"download": 2})
    planted["schema"][0]["properties"][1]["type"] = "mixed"
    planted["final"]["server"] = {"Item": [{"_id": 1, "n": 7.0}]}
    status, out, _ = merge(planted)
    assert (status, out.splitlines()[0]) == (1, "p: server: Item[1].n: found 7, expected 7.0")


def test_frames_wait_for_the_step_that_lets_them_pass(merge):
    steps = [create(7, client=1, at=1), {"download": 2}]
    alone = program(*steps, server=NOTHING, clients=(ITEM, NOTHING))
    steps.append({"upload": 1})
    on_the_way = program(*steps, server=ITEM, clients=(ITEM, NOTHING))
    assert merge(alone, on_the_way)[:2] == (0, "2 passed, 0 failed\n")


def test_a_download_brings_all_that_the_server_has(merge):
    steps = [create(0, client=1, at=1), {"upload": 1}, {"download": 2}]
    for n in range(1, 8):
        steps += [setting(n, client=1, at=n), {"upload": 1}, {"upload": 2}]
    assert merge(program(*steps, {"download": 2}))[:2] == (0, "1 passed, 0 failed\n")


def test_stamps_are_compared_without_a_sign(merge):
    begin = [create(0, client=1, at=3), {"upload": 1}, {"download": 2}]
    race = [setting(7, client=1, at=-1), setting(5, client=2, at=9)]
    end = [{"upload": 1}, {"upload": 2}, {"download": 1}, {"download": 2}]
    assert merge(program(*begin, *race, *end))[:2] == (0, "1 passed, 0 failed\n")


def test_an_operation_that_is_refused_is_named_with_its_step(merge):
    steps = [create(7, client=1, at=1), setting(7, client=2, at=2)]
    gone = {"client": 2, "at": 2, "write": [{"op": "delete", "table": "Item", "pk": 4}]}
    status, out, _ = merge(program(*steps), program(gone, name="q"))
    first, second, last = out.splitlines()
    assert status == 1
    assert first.startswith("p: step 1, write of client 2: NoSuchObjectError: ")
    assert second == "q: step 0, write of client 2: NothingToDeleteError: the object is not there"
    assert last == "0 passed, 2 failed"


def test_peers_only_goes_on_until_nothing_is_left_and_ignores_what_was_recorded(merge):
    steps = [create(7, client=1, at=1), create(8, client=2, at=2), {"upload": 2}]
    recorded = program(*steps, server=NOTHING, clients=(NOTHING, ITEM))
    bare = {name: value for name, value in recorded.items() if name != "final"}
    assert merge(recorded, bare, options=["--peers-only"])[:2] == (0, "2 passed, 0 failed\n")


def test_peers_that_part_are_named(merge, monkeypatch):
    monkeypatch.setattr(Peers, "download", lambda *_: None)
    steps = [create(7, client=1, at=1), create(8, client=2, at=2)]
    status, out, _ = merge(program(*steps), options=["--peers-only"])
    assert status == 1
    assert out.splitlines()[0] == "p: client 1: Item[1].n: found 7, expected 8 as on the server"


def with_step(**step):
    return program(step)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting property name enclosed in double quotes"),
        ("[]", "program: an object is expected, not an array"),
        ({"name": "p"}, 'program: "clients" is missing'),
        (program() | {"clients": 0}, "program.clients: 1 to 100 are possible, not 0"),
        (program() | {"schema": 3}, "program.schema: an array is expected, not a whole number"),
        (with_step(upload=3), "steps[0]: there is no client 3"),
        (with_step(client=1, at="1", write=[]), "steps[0].at: a whole number is expected"),
        (
            with_step(client=1, at=1, write=[{"op": "drop", "table": "Item"}]),
            'steps[0].write[0]: there is no operation "drop"',
        ),
        (
            with_step(client=1, at=1, write=[{"op": "delete", "table": "Other", "pk": 1}]),
            'schema: there is no class "Other"',
        ),
        (
            with_step(
                client=1, at=1, write=[{"op": "clear", "table": "Item", "pk": 1, "path": []}]
            ),
            'schema: class "Item" has nothing at []',
        ),
        (program(server={"Item": [{"_id": {"$x": 1}, "n": 1}]}), 'value: "$x" is no type'),
        (program(clients=(ITEM,)) | {"clients": 2}, "final.clients: there are 1 states"),
        (
            {name: value for name, value in program().items() if name != "final"},
            'program "p" has no member "final"; it can only be run with --peers-only',
        ),
    ],
)
def test_a_line_that_is_no_program_is_refused_before_any_is_run(merge, tmp_path, line, reason):
    status, out, err = merge(program(), "", line)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"{tmp_path / 'programs.jsonl'}:3: {reason}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path, capsys):
    (tmp_path / "empty").touch()
    (tmp_path / "latin").write_bytes(b"\xe9")
    reasons = {
        "absent": "No such file or directory",
        ".": "Is a directory",
        "empty": "there is no program in it",
        "latin": "it is not UTF-8: unexpected end of data",
    }
    for name, reason in reasons.items():
        assert main(["merge", str(tmp_path / name)]) == 2
        assert capsys.readouterr() == ("", f"{tmp_path / name}: {reason}\n")


def test_it_is_a_command(tmp_path):
    command = [sys.executable, "-m", "skerry.testing.conformance", "merge", "programs.jsonl"]
    planted = program(create(7, client=1, at=1), {"upload": 1}, clients=(ITEM,), server=NOTHING)
    (tmp_path / "programs.jsonl").write_text(json.dumps(planted))
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.endswith("0 passed, 1 failed\n")
