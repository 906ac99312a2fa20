"""``python -m skerry.testing.conformance rql``: queries give what was recorded; faults are seen."""

import decimal
import json
import subprocess
import sys
from pathlib import Path

import pytest

from skerry.testing.conformance import queries
from skerry.testing.conformance.classes import Collection
from skerry.testing.conformance.command import main
from skerry.testing.conformance.dataset import read_dataset
from skerry.testing.conformance.members import as_members
from skerry.testing.conformance.states import first_difference, read_state, state_of_rows

VECTORS = Path(__file__).parents[2] / "vectors" / "rql"
DATASET = VECTORS / "dataset.json"
CASES = [json.loads(line) for line in (VECTORS / "cases.jsonl").read_text().splitlines()]
ENGINES = ["sql", "evaluator"]
# Explained one by one in docs/rql-differences.md.
DIFFERENCES = {
    "q1681",
    "q2080",
    "q2278",
    "q2299",
    "q2300",
    "q2581",
    "q2683",
    "q2687",
    "q2688",
    "q2702",
}


def prop(name, kind, **rest):
    return {"name": name, "type": kind, "nullable": rest.pop("nullable", False), **rest}


SCHEMA = [
    {
        "name": "Part",
        "primary_key": None,
        "embedded": True,
        "properties": [prop("size", "int"), prop("item", "object", target="Item")],
    },
    {
        "name": "Item",
        "primary_key": "_id",
        "embedded": False,
        "properties": [
            prop("n", "int", nullable=True, indexed="general", collection=None, target=None),
            prop("_id", "int"),
            prop("text", "string", nullable=True, indexed="fulltext"),
            prop("small", "float", nullable=True),
            prop("at", "date", nullable=True),
            prop("next", "object", target="Item"),
            prop("part", "object", target="Part"),
            prop("parts", "object", collection="list", target="Part"),
            prop("named", "object", collection="dictionary", target="Part"),
            prop("peers", "object", collection="set", target="Item"),
            prop("numbers", "double", collection="list"),
            prop("value", "mixed", nullable=True),
            prop("anys", "mixed", nullable=True, collection="dictionary"),
        ],
    },
]
EMPTY = {
    "n": None,
    "text": None,
    "small": None,
    "at": None,
    "next": None,
    "part": None,
    "parts": [],
    "named": {},
    "peers": [],
    "numbers": [],
    "value": None,
    "anys": {},
}
# In the order of insertion, which is not that of the keys; the first links to the last.
ITEMS = [
    EMPTY
    | {
        "_id": 5,
        "n": 1,
        "text": "one word",
        "small": {"$numberFloat": "0.10000000149011612"},
        "at": {"$realmDate": {"seconds": "-1", "nanoseconds": -500000001}},
        "next": 2,
        "part": {"size": 3, "item": 2},
        "parts": [{"size": 1, "item": None}, {"size": 2, "item": 5}],
        "named": {"a": {"size": 7, "item": 3}, "b": None},
        "peers": [3, 2],
        "numbers": [{"$numberDouble": "NaN"}, {"$numberDouble": "-0.0"}],
        "value": [1, {"inner": [{"$ref": "Item", "$id": 2}, [], {}]}, {"$numberFloat": "1.5"}],
        "anys": {"list": [["deep"], None], "dict": {"x": {"y": {"$oid": "0" * 24}}}, "plain": 1},
    },
    EMPTY | {"_id": 2, "n": 2, "text": "other words", "value": {"a": 1, "$b": 2}},
    EMPTY | {"_id": 3, "value": {"$ref": "Item", "$id": 5}},
]


def case(query, *pks, args=(), kind=None, name="c", class_name="Item"):
    result = {"pks": list(pks)} if kind is None else {"error": {"kind": kind}}
    return {
        "id": name,
        "class": class_name,
        "query": query,
        "args": list(args),
        "result": result,
    }


@pytest.fixture
def rql(tmp_path, capsys):
    """Run lines, or what JSON makes of them; return the exit status, and what was printed where."""

    def run(*lines, dataset=None, engine="sql"):
        dataset_path, path = tmp_path / "dataset.json", tmp_path / "queries.jsonl"
        whole = {"schema": SCHEMA, "objects": {"Item": ITEMS}} if dataset is None else dataset
        dataset_path.write_text(whole if isinstance(whole, str) else json.dumps(whole))
        texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
        path.write_text("".join(f"{text}\n" for text in texts))
        status = main(["rql", str(dataset_path), str(path), "--engine", engine])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("engine", ENGINES)
def test_recorded_queries_give_what_was_recorded(capsys, engine):
    recorded = VECTORS / "cases.jsonl"
    assert main(["rql", str(DATASET), str(recorded), "--engine", engine]) == 1
    out, err = capsys.readouterr()
    differing = {line.partition(":")[0] for line in out.splitlines() if line.startswith("q")}
    assert (differing, err) == (DIFFERENCES, "")
    passed = len(CASES) - len(DIFFERENCES)
    assert out.endswith(f"\n{passed} passed, {len(DIFFERENCES)} failed\n")


def test_all_cases_are_there():
    assert len(CASES) == 1474


def as_element(value):
    """What is equal for values that are one element of a set: numbers are, whatever their types."""
    tag = next(iter(value), "") if isinstance(value, dict) else ""
    text = value[tag] if tag.startswith("$number") else value
    is_number = text is not value or (isinstance(value, int) and not isinstance(value, bool))
    if not is_number:
        return json.dumps(value)
    number = decimal.Decimal(text)
    return "NaN" if number.is_nan() else number


def with_refs(members, of_class, classes):
    """Give links the form in which they say their class."""

    def element(prop, value):
        if value is None or prop.target is None:
            return value
        embedded = classes.embedded(prop)
        if embedded is not None:
            return with_refs(value, embedded, classes)
        return {"$ref": prop.target, "$id": value}

    def content(prop, value):
        if prop.collection is Collection.DICTIONARY:
            return {name: element(prop, each) for name, each in value.items()}
        if prop.collection is Collection.SINGLE:
            return element(prop, value)
        if prop.collection is Collection.SET:
            value = {as_element(each): each for each in reversed(value)}.values()
        return [element(prop, each) for each in value]

    return {prop.name: content(prop, members[prop.name]) for prop in of_class.properties}


def test_a_dataset_goes_into_the_file_whole(tmp_path):
    dataset = read_dataset(DATASET)
    file = dataset.make_file(tmp_path / "a.realm")
    snapshot = file.snapshot()
    classes = dataset.classes
    rows = [(each, snapshot.query(each.name, "TRUEPREDICATE", [])) for each in classes.top_level()]
    objects = json.loads(DATASET.read_text())["objects"]
    named = {
        name: [with_refs(each, classes[name], classes) for each in items]
        for name, items in objects.items()
    }
    wanted = read_state(as_members("objects", named), classes)
    assert sum(len(found) for _, found in rows) == len(dataset.objects)
    assert first_difference(state_of_rows(rows), wanted, classes) is None
    for of_class, found in rows:
        position = classes.key_position(of_class.name)
        assert [row[position] for row in found] == list(wanted[of_class.name])
    snapshot.close()
    file.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_kind_of_property_is_loaded(rql, engine):
    cases = [
        case("TRUEPREDICATE", 5, 2, 3),
        case("n IN {1, 2}", 5, 2),
        case("text TEXT 'word'", 5),
        case("small == $0", 5, args=[{"$numberFloat": "0.10000000149011612"}]),
        case("at == $0", 5, args=[{"$realmDate": {"seconds": "-1", "nanoseconds": -500000001}}]),
        case("at == $0", args=[{"$date": {"$numberLong": "-1500"}}]),
        case("next == $0", 5, args=[{"$ref": "Item", "$id": 2}]),
        case("part.size == 3", 5),
        case("ALL parts.size < 3 AND parts.@count == 2", 5),
        case("named.@keys == 'b' AND named['a'].size == 7", 5),
        case("peers.@count == 2", 5),
        case("ANY numbers == nan AND ANY numbers == 0", 5),
        case("value[0] == 1 AND value[1].inner[1].@type == 'list'", 5),
        case("value[2].@type == 'float' AND value[2] == $0", 5, args=[{"$numberFloat": "1.5"}]),
        case("value[2] == $0 OR value == $1", 5, 3, args=[1.5, {"$ref": "Item", "$id": 5}]),
        case("value['$b'] == 2", 2),
        case("anys['list'][0][0] == 'deep' AND anys['plain'] == 1", 5),
        case("anys['dict'].x.y == $0", 5, args=[{"$oid": "0" * 24}]),
        case("n IN $0", 2, args=[[2, 7]]),
        case("TRUEPREDICATE SORT(n DESC)", 2, 5, 3),
        case("n ==", kind="syntax"),
        case("m == 1", kind="invalid property"),
        case("n == 'a'", kind="type mismatch"),
        case("n == $0", kind="bad argument"),
        case("1 == 1", kind="unsupported"),
    ]
    assert rql(*cases, engine=engine) == (0, f"{len(cases)} passed, 0 failed\n", "")


def test_regions_are_arguments(rql):
    place = {
        "name": "Place",
        "primary_key": "_id",
        "properties": [prop("_id", "int"), prop("at", "object", target="Point")],
    }
    point = {
        "name": "Point",
        "embedded": True,
        "properties": [prop("type", "string"), prop("coordinates", "double", collection="list")],
    }
    places = [
        {"_id": i, "at": {"type": "Point", "coordinates": [{"$numberDouble": str(x)}, 0.5]}}
        for i, x in enumerate([0.5, -1.5, 30.0])
    ]
    dataset = {"schema": [place, point], "objects": {"Place": places}}
    ring = [[0, 0], [2, 0], [2, 2.5], [0, 2], [0, 0]]
    regions = [
        ({"$geoCircle": {"center": [-1.5, 0.5], "radius": 1e-7}}, [1]),
        ({"$geoBox": [[-2, 0], [1, 1]]}, [0, 1]),
        ({"$geoPolygon": [ring]}, [0]),
        ({"$geoPolygon": [ring, [[0.3, 0.3], [0.8, 0.3], [0.8, 0.8], [0.3, 0.3]]]}, []),
    ]
    cases = [
        case("at GEOWITHIN $0", *keys, args=[region], class_name="Place")
        for region, keys in regions
    ]
    negative = {"$geoCircle": {"center": [0, 0], "radius": -1.0}}
    open_ring = {"$geoPolygon": [ring[:-1]]}
    cases += [
        case("at GEOWITHIN $0", kind="bad argument", args=[region], class_name="Place")
        for region in (negative, open_ring)
    ]
    assert rql(*cases, dataset=dataset) == (0, "6 passed, 0 failed\n", "")


def test_planted_differences_are_named(rql):
    status, out, err = rql(
        case("n == $0", 2, args=[1], name="missing"),
        case("TRUEPREDICATE", 2, 3, 5, name="order"),
        case("n == 1", kind="type mismatch", name="refused"),
        case("n ==", kind="unsupported", name="kind"),
        case("n == 1", 5, name="fine"),
        case("n ==", 5, name="error"),
    )
    assert (status, err) == (1, "")
    lines = out.splitlines()
    assert lines[:9] == [
        "missing: Item: n == $0 with [1]",
        "    expected [2]",
        "    found    [5]",
        "order: Item: TRUEPREDICATE",
        "    expected [2, 3, 5]",
        "    found    [5, 2, 3]",
        "refused: Item: n == 1",
        "    expected error: type mismatch",
        "    found    [5]",
    ]
    assert lines[10] == "    expected error: unsupported"
    assert lines[11].startswith("    found    error: syntax (expected ")
    assert lines[14].startswith("    found    error: syntax (")
    assert lines[15:] == ["1 passed, 5 failed"]


def test_the_engines_are_told_apart(rql, monkeypatch):
    called = []

    class Recorder:
        def __init__(self, snapshot):
            self._snapshot = snapshot

        def __getattr__(self, name):
            called.append(name)
            return getattr(self._snapshot, name)

    run = queries._run
    monkeypatch.setattr(queries, "_run", lambda snapshot, *rest: run(Recorder(snapshot), *rest))
    for engine in ENGINES:
        assert rql(case("n == 1", 5), engine=engine)[0] == 0
    assert called == ["query", "evaluate"]


def without(name, value):
    return {each: value for each, value in value.items() if each != name}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "Expecting property name enclosed in double quotes"),
        ("[]", "query: an object is expected, not an array"),
        (without("query", case("n == 1")), 'query: "query" is missing'),
        (case("n == 1") | {"args": 1}, "query.args: an array is expected, not a whole number"),
        (case("n == 1") | {"result": {}}, 'query.result: "pks" is missing'),
        (case("n == 1", kind="odd"), 'query.result.error: "odd" is no kind of error'),
        (case("n == 1", args=[{"$x": 1}]), 'value: "$x" is no type'),
        (case("n == 1", args=[{"$geoBox": [[0, 0]]}]), "$geoBox: 2 are expected, not 1"),
        (
            case("n == 1", args=[{"$geoCircle": {"center": [0, "0"], "radius": 1}}]),
            "region: a number is expected, not a text",
        ),
        (case("n == 1", class_name="None"), 'schema: there is no class "None"'),
        (case("n == 1", class_name="Part"), 'schema: objects of class "Part" have no keys'),
    ],
)
def test_a_line_that_is_no_query_is_refused_before_any_is_run(rql, tmp_path, line, reason):
    status, out, err = rql(case("n == 1"), "", line)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"{tmp_path / 'queries.jsonl'}:3: {reason}")


@pytest.mark.parametrize(
    ("dataset", "reason"),
    [
        ("{", "Expecting property name enclosed in double quotes"),
        ("[]", "dataset: an object is expected, not an array"),
        ({"schema": SCHEMA}, 'dataset: "objects" is missing'),
        ({"schema": 1, "objects": {}}, "dataset.schema: an array is expected"),
        ({"schema": SCHEMA, "objects": {"None": [{}]}}, 'schema: there is no class "None"'),
        ({"schema": SCHEMA, "objects": {"Item": [{"_id": 1}]}}, 'Item[0]: "n" is missing'),
        (
            {"schema": SCHEMA, "objects": {"Item": [EMPTY | {"_id": 1, "parts": [{}]}]}},
            'parts: "size" is missing',
        ),
        (
            {"schema": SCHEMA, "objects": {"Item": [EMPTY | {"_id": 1, "n": "a"}]}},
            "PropertyTypeError: ",
        ),
        (
            {"schema": SCHEMA, "objects": {"Item": [EMPTY | {"_id": 1}] * 2}},
            "PrimaryKeyExistsError: ",
        ),
        (
            {"schema": [SCHEMA[0], SCHEMA[1] | {"primary_key": "none"}], "objects": {}},
            'schema: objects of class "Item" have no keys',
        ),
    ],
)
def test_what_is_no_dataset_is_refused(rql, tmp_path, dataset, reason):
    status, out, err = rql(case("n == 1"), dataset=dataset)
    place = "queries.jsonl:1" if "no keys" in reason else "dataset.json"
    assert (status, out) == (2, "")
    assert err.startswith(f"{tmp_path / place}: {reason}")


def test_a_file_that_cannot_be_read_is_refused(tmp_path, capsys):
    (tmp_path / "empty").touch()
    (tmp_path / "latin").write_bytes(b"\xe9")
    reasons = {
        "absent": "No such file or directory",
        ".": "Is a directory",
        "empty": "there is no query in it",
        "latin": "it is not UTF-8: unexpected end of data",
    }
    for name, reason in reasons.items():
        assert main(["rql", str(DATASET), str(tmp_path / name)]) == 2
        assert capsys.readouterr() == ("", f"{tmp_path / name}: {reason}\n")
    assert main(["rql", str(tmp_path / "absent"), str(VECTORS / "cases.jsonl")]) == 2
    assert capsys.readouterr() == ("", f"{tmp_path / 'absent'}: No such file or directory\n")


@pytest.mark.parametrize(
    "arguments",
    [[], ["rql"], ["rql", "dataset"], ["rql", "dataset", "file", "--engine", "steam"]],
)
def test_a_wrong_call_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: python -m skerry.testing.conformance" in capsys.readouterr().err


def test_it_is_a_command(tmp_path):
    (tmp_path / "dataset.json").write_text(
        json.dumps({"schema": SCHEMA, "objects": {"Item": ITEMS}})
    )
    (tmp_path / "queries.jsonl").write_text(json.dumps(case("n == 1")))
    command = [sys.executable, "-m", "skerry.testing.conformance", "rql"]
    ran = subprocess.run(
        [*command, "dataset.json", "queries.jsonl"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.endswith("0 passed, 1 failed\n")
