"""Collections, embedded objects and mixed from Python: what is shown, and every edit at a path."""

import json
import math

import pytest

from skerry import errors
from skerry._core import RealmFile
from skerry.types import Link

from .conftest import write

_SCHEMA = json.dumps(
    [
        {
            "name": "Thing",
            "primary_key": "_id",
            "properties": [
                {"name": "_id", "type": "int", "nullable": False},
                {"name": "float", "type": "float", "nullable": True},
                {"name": "texts", "type": "string", "nullable": False, "collection": "list"},
                {"name": "set", "type": "mixed", "nullable": True, "collection": "set"},
                {"name": "map", "type": "int", "nullable": False, "collection": "dictionary"},
                {
                    "name": "peers",
                    "type": "object",
                    "nullable": False,
                    "target": "Thing",
                    "collection": "list",
                },
                {"name": "part", "type": "object", "nullable": True, "target": "Part"},
                {
                    "name": "parts",
                    "type": "object",
                    "nullable": False,
                    "target": "Part",
                    "collection": "list",
                },
                {"name": "mixed", "type": "mixed", "nullable": True},
            ],
        },
        {
            "name": "Part",
            "embedded": True,
            "properties": [
                {"name": "size", "type": "int", "nullable": False},
                {"name": "weights", "type": "float", "nullable": False, "collection": "list"},
            ],
        },
    ]
)
_NAMES = [each["name"] for each in json.loads(_SCHEMA)[0]["properties"]]


@pytest.fixture
def file(path):
    made = RealmFile.open(path, _SCHEMA, synced=False, synchronous="normal")
    write(made, lambda txn: txn.create("Thing", 1, [], [], "error"))
    yield made
    made.close()


def shown(file, key=1):
    snapshot = file.snapshot()
    row = snapshot.get("Thing", key)
    snapshot.close()
    return dict(zip(_NAMES, row, strict=True))


def test_a_new_object_shows_empty_collections_as_pythons_own(file):
    row = shown(file)
    assert (row["texts"], row["set"], row["map"]) == ([], set(), {})
    assert (row["peers"], row["part"], row["mixed"]) == ([], None, None)


def test_lists_are_edited_by_position(file):
    def work(txn):
        for index, text in enumerate("abcd"):
            txn.list_insert("Thing", 1, "texts", index, text)
        txn.list_set("Thing", 1, "texts", 0, "A")
        txn.list_move("Thing", 1, ["texts"], 0, 2)
        txn.list_erase("Thing", 1, ("texts",), 3)

    write(file, work)
    assert shown(file)["texts"] == ["b", "c", "A"]
    write(file, lambda txn: txn.clear("Thing", 1, "texts"))
    assert shown(file)["texts"] == []


def test_sets_and_dictionaries_are_edited_by_value_and_key(file):
    def work(txn):
        for value in (1, "1", None, 1):
            txn.set_insert("Thing", 1, "set", value)
        txn.set_erase("Thing", 1, "set", "1")
        for name in "xyz":
            txn.dictionary_set("Thing", 1, "map", name, ord(name))
        txn.dictionary_erase("Thing", 1, "map", "y")
        txn.add_integer("Thing", 1, ["map", "x"], 1)

    write(file, work)
    assert shown(file)["set"] == {1, None}
    assert shown(file)["map"] == {"x": ord("x") + 1, "z": ord("z")}


def test_a_set_with_elements_that_python_takes_for_one_is_a_list(file):
    write(file, lambda txn: [txn.set_insert("Thing", 1, "set", one) for one in (1, True)])
    found = shown(file)["set"]
    assert sorted(map(repr, found)) == ["1", "True"]
    assert isinstance(found, list)


def test_embedded_objects_are_dicts_and_their_properties_ends_of_paths(file):
    def work(txn):
        txn.set_embedded("Thing", 1, "part")
        txn.set("Thing", 1, ["part", "size"], 3)
        txn.list_insert("Thing", 1, ["part", "weights"], 0, 0.1)
        txn.list_insert_embedded("Thing", 1, "parts", 0)
        txn.set("Thing", 1, ["parts", 0, "size"], 7)

    write(file, work)
    row = shown(file)
    assert row["part"]["size"] == 3
    # Rounded to the 32 bits that are stored.
    assert math.isclose(row["part"]["weights"][0], 0.1, rel_tol=1e-7)
    assert row["parts"] == [{"size": 7, "weights": []}]


def test_collections_in_mixed_are_made_filled_and_seen(file):
    def work(txn):
        txn.set_collection("Thing", 1, "mixed", "dictionary")
        txn.dictionary_set("Thing", 1, "mixed", "n", 1)
        txn.set_collection("Thing", 1, ["mixed", "list"], "list")
        txn.list_insert_collection("Thing", 1, ["mixed", "list"], 0, "list")
        txn.list_insert("Thing", 1, ["mixed", "list", 0], 0, b"x")

    write(file, work)
    assert shown(file)["mixed"] == {"n": 1, "list": [[b"x"]]}


def test_links_to_absent_objects_are_not_seen_in_lists(file):
    def work(txn):
        txn.create("Thing", 2, [], [], "error")
        for index, key in enumerate((1, 2)):
            txn.list_insert("Thing", 1, "peers", index, Link("Thing", key))

    write(file, work)
    assert shown(file)["peers"] == [Link("Thing", 1), Link("Thing", 2)]
    write(file, lambda txn: txn.delete("Thing", 2))
    assert shown(file)["peers"] == [Link("Thing", 1)]


@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (lambda txn: txn.list_insert("Thing", 1, "texts", 1, "a"), errors.NoSuchObjectError),
        (lambda txn: txn.list_insert("Thing", 1, "texts", 0, 1), errors.PropertyTypeError),
        (lambda txn: txn.list_insert("Thing", 1, "texts", -1, "a"), errors.ConfigurationError),
        (lambda txn: txn.set("Thing", 1, [], "a"), errors.ConfigurationError),
        (lambda txn: txn.set("Thing", 1, ["part", "size"], 1), errors.NoSuchObjectError),
        (lambda txn: txn.dictionary_erase("Thing", 1, "map", "x"), errors.NoSuchObjectError),
        (lambda txn: txn.set_collection("Thing", 1, "mixed", "set"), errors.ConfigurationError),
        (lambda txn: txn.set_embedded("Thing", 1, "float"), errors.PropertyTypeError),
        (
            lambda txn: txn.list_insert("Thing", 1, "peers", 0, Link("Thing", 9)),
            errors.NoSuchObjectError,
        ),
    ],
)
def test_an_edit_that_does_not_fit_is_refused_and_the_transaction_goes_on(file, edit, error):
    def work(txn):
        with pytest.raises(error):
            edit(txn)
        txn.list_insert("Thing", 1, "texts", 0, "after")

    write(file, work)
    assert shown(file)["texts"] == ["after"]


def test_a_float_keeps_its_32_bits(file):
    write(file, lambda txn: txn.set("Thing", 1, "float", 0.1))
    assert shown(file)["float"] == pytest.approx(0.1, rel=1e-7)


def test_a_commit_may_be_stamped_exactly(file):
    txn = file.begin_write(1_000)
    txn.set("Thing", 1, "float", None)
    assert txn.commit(-5, stamped=True) == file.version()


def test_what_the_description_of_a_schema_gets_wrong_is_said():
    broken = json.loads(_SCHEMA)
    broken[0]["properties"][2]["collection"] = "bag"
    with pytest.raises(errors.SchemaError, match="bag"):
        RealmFile.open("/nowhere", json.dumps(broken), synced=False)
