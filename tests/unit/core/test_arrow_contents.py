"""Collections, embedded objects and mixed as Arrow: lists, maps, structs and JSON."""

import json
from uuid import UUID

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry._core import RealmFile
from skerry.types import Decimal128, Float32, Link, ObjectId, Timestamp


def prop(name, kind, collection=None, *, nullable=False, target=None):
    entry = {"name": name, "type": kind, "nullable": nullable}
    if collection is not None:
        entry["collection"] = collection
    return entry if target is None else entry | {"target": target}


SCHEMA = json.dumps(
    [
        {
            "name": "Thing",
            "primary_key": "_id",
            "properties": [
                prop("_id", "int"),
                prop("float", "float", nullable=True),
                prop("ints", "int", "list", nullable=True),
                prop("texts", "string", "set"),
                prop("map", "uuid", "dictionary", nullable=True),
                prop("peers", "object", "list", target="Thing"),
                prop("part", "object", nullable=True, target="Part"),
                prop("parts", "object", "list", target="Part"),
                prop("tree", "object", nullable=True, target="Node"),
                prop("mixed", "mixed", nullable=True),
                prop("bag", "mixed", "list", nullable=True),
            ],
        },
        {
            "name": "Part",
            "embedded": True,
            "properties": [
                prop("size", "int"),
                prop("note", "string", nullable=True),
                prop("weights", "double", "list"),
                prop("owner", "object", nullable=True, target="Thing"),
            ],
        },
        {
            "name": "Node",
            "embedded": True,
            "properties": [
                prop("value", "int"),
                prop("next", "object", nullable=True, target="Node"),
            ],
        },
    ]
)
NAMES = [each["name"] for each in json.loads(SCHEMA)[0]["properties"]]


class Stream:
    def __init__(self, matches, batch_rows):
        self.matches, self.batch_rows = matches, batch_rows

    def __arrow_c_schema__(self):
        return self.matches.arrow_schema(NAMES, "ns")

    def __arrow_c_stream__(self, requested_schema=None):
        return self.matches.arrow_stream(NAMES, "ns", self.batch_rows)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("arrow") / "contents.realm")
    made = RealmFile.open(path, SCHEMA, synced=False, synchronous="normal")
    yield made
    made.close()


def table(file, work, batch_rows=65_536):
    txn = file.begin_write(1000)
    txn.delete_all("Thing")
    work(txn)
    txn.commit(0)
    matches = file.snapshot().matches("Thing", "TRUEPREDICATE", ())
    reader = pa.RecordBatchReader.from_stream(Stream(matches, batch_rows))
    found = pa.Table.from_batches(list(reader), reader.schema)
    found.validate(full=True)
    return found, matches.rows(0, 1000)


def test_types_of_contents(file):
    found, _ = table(file, lambda txn: None)
    types = {field.name: str(field.type) for field in found.schema}
    part = (
        "struct<size: int64 not null, note: string, "
        "weights: list<item: double not null> not null, owner: int64>"
    )
    assert types == {
        "_id": "int64",
        "float": "float",
        "ints": "list<item: int64>",
        "texts": "list<item: string not null>",
        "map": "map<string, extension<arrow.uuid>>",
        "peers": "list<item: int64 not null>",
        "part": part,
        "parts": f"list<item: {part} not null>",
        "tree": "struct<value: int64 not null, next: string>",
        "mixed": "string",
        "bag": "list<item: string>",
    }


def test_what_is_not_there(file):
    found, _ = table(file, lambda txn: txn.create("Thing", 1, [], [], "error"))
    (row,) = found.to_pylist()
    empty = dict.fromkeys(NAMES)
    assert row == empty | {
        "_id": 1,
        **{name: [] for name in ("ints", "texts", "map", "peers", "parts", "bag")},
    }


def test_embedded_objects_are_structs_and_one_inside_of_itself_is_json(file):
    def work(txn):
        txn.create("Thing", 1, [], [], "error")
        txn.create("Thing", 2, [], [], "error")
        txn.set_embedded("Thing", 1, "part")
        txn.set("Thing", 1, ["part", "size"], 3)
        txn.list_insert("Thing", 1, ["part", "weights"], 0, 0.5)
        txn.set("Thing", 1, ["part", "owner"], Link("Thing", 2))
        txn.list_insert_embedded("Thing", 1, "parts", 0)
        txn.set("Thing", 1, ["parts", 0, "owner"], Link("Thing", 1))
        txn.set_embedded("Thing", 1, "tree")
        txn.set_embedded("Thing", 1, ["tree", "next"])
        txn.set("Thing", 1, ["tree", "next", "value"], 7)
        txn.delete("Thing", 2)

    found, _ = table(file, work)
    (row,) = found.to_pylist()
    # Its owner is no more.
    assert row["part"] == {"size": 3, "note": None, "weights": [0.5], "owner": None}
    assert row["parts"] == [{"size": 0, "note": None, "weights": [], "owner": 1}]
    assert row["tree"]["value"] == 0
    assert json.loads(row["tree"]["next"]) == {"value": 7, "next": None}


def test_links_to_absent_objects_are_not_in_lists(file):
    def work(txn):
        for key in (1, 2, 3):
            txn.create("Thing", key, [], [], "error")
        for index, key in enumerate((2, 3, 2)):
            txn.list_insert("Thing", 1, "peers", index, Link("Thing", key))
        txn.delete("Thing", 2)

    found, _ = table(file, work)
    assert found.column("peers").to_pylist() == [[3], []]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        (True, "true"),
        (-5, "-5"),
        (1.0, "1.0"),
        (float("inf"), '{"$double":"Infinity"}'),
        (Float32(0.5), "0.5"),
        ('"\n', '"\\"\\n"'),
        (b"\x00\xff", '{"$binary":"00ff"}'),
        (Timestamp(1, 5), '{"$date":{"nanoseconds":5,"seconds":1}}'),
        (Decimal128("1.50"), '{"$decimal":"1.50"}'),
        (ObjectId(b"\x01" * 12), '{"$oid":"010101010101010101010101"}'),
        (UUID(int=1), '{"$uuid":"00000000-0000-0000-0000-000000000001"}'),
        (Link("Thing", 1), '{"$key":1,"$link":"Thing"}'),
    ],
)
def test_mixed_values_are_json(file, value, text):
    def work(txn):
        txn.create("Thing", 1, [], [], "error")
        txn.set("Thing", 1, "mixed", value)
        txn.list_insert("Thing", 1, "bag", 0, value)

    found, _ = table(file, work)
    assert found.column("mixed").to_pylist() == [text]
    assert found.column("bag").to_pylist() == [[text]]


def test_collections_in_mixed_are_json(file):
    def work(txn):
        txn.create("Thing", 1, [], [], "error")
        txn.set_collection("Thing", 1, "mixed", "dictionary")
        txn.dictionary_set("Thing", 1, "mixed", "b", 1)
        txn.set_collection("Thing", 1, ["mixed", "a"], "list")
        txn.list_insert("Thing", 1, ["mixed", "a"], 0, None)

    found, _ = table(file, work)
    assert found.column("mixed").to_pylist() == ['{"a":[null],"b":1}']


TEXTS = st.text(st.characters(codec="utf-8"), max_size=6)
THINGS = st.lists(
    st.fixed_dictionaries(
        {
            "float": st.none() | st.floats(width=32, allow_nan=False),
            "ints": st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), max_size=5),
            "texts": st.sets(TEXTS, max_size=4),
            "map": st.dictionaries(
                st.text("abc", min_size=1, max_size=3), st.none() | st.uuids(), max_size=4
            ),
        }
    ),
    max_size=6,
)


@given(THINGS, st.integers(1, 4))
@settings(max_examples=40)
def test_collections_arrive_as_python_sees_them(file, things, batch_rows):
    def work(txn):
        for number, thing in enumerate(things):
            txn.create("Thing", number, [("float", thing["float"])], [], "error")
            for index, value in enumerate(thing["ints"]):
                txn.list_insert("Thing", number, "ints", index, value)
            for value in thing["texts"]:
                txn.set_insert("Thing", number, "texts", value)
            for key, value in thing["map"].items():
                txn.dictionary_set("Thing", number, "map", key, value)

    found, rows = table(file, work, batch_rows)
    shown = [dict(zip(NAMES, row, strict=True)) for row in rows]
    for name in ("_id", "float", "ints"):
        assert found.column(name).to_pylist() == [row[name] for row in shown]
    assert [set(texts) for texts in found.column("texts").to_pylist()] == [
        row["texts"] for row in shown
    ]
    assert [dict(pairs) for pairs in found.column("map").to_pylist()] == [
        row["map"] for row in shown
    ]
