"""Every value comes back as it went in: same type, same bits, same text."""

import json
import math
import struct
import uuid

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skerry._core import RealmFile
from skerry.errors import PropertyTypeError
from skerry.types import Decimal128, Float32, Link, ObjectId, Timestamp

from .conftest import KINDS, write

PER_FILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@st.composite
def timestamps(draw):
    seconds, nanoseconds = draw(INT64), draw(st.integers(0, 999_999_999))
    return Timestamp(seconds, -nanoseconds if seconds < 0 else nanoseconds)


@st.composite
def decimals(draw):
    sign = draw(st.sampled_from(("", "-")))
    special = draw(st.sampled_from((None, None, None, None, "Infinity")))
    if special:
        return Decimal128(sign + special)
    digits = draw(st.integers(0, 10**34 - 1))
    return Decimal128(f"{sign}{digits}E{draw(st.integers(-6176, 6111))}")


VALUES = {
    "int": INT64,
    "bool": st.booleans(),
    "double": st.floats(),
    "string": TEXT,
    "data": st.binary(),
    "date": timestamps(),
    "oid": st.binary(min_size=12, max_size=12).map(ObjectId),
    "uuid": st.uuids(),
    "decimal": decimals() | st.just(Decimal128("NaN")),
    "link": st.none(),
}


def exactly(value):
    """What tells two values apart that may compare equal."""
    match value:
        case float():
            return "double", struct.pack("<d", value)
        case Decimal128():
            return "decimal", value.text
        case _:
            return type(value), value


def test_every_type_has_a_strategy():
    assert VALUES.keys() == {*KINDS, "link"}


@PER_FILE
@given(st.fixed_dictionaries({name: st.none() | kind for name, kind in VALUES.items()}))
def test_values_of_every_type_come_back_exactly(file, row):
    write(file, lambda txn: txn.create("Thing", 1, list(row.items()), [], "all"))
    snapshot = file.snapshot()
    try:
        _, *stored = snapshot.get("Thing", 1)
        [queried] = snapshot.query("Thing", "TRUEPREDICATE", [])
    finally:
        snapshot.close()
    given_values = [exactly(row[name]) for name in VALUES]
    assert list(map(exactly, stored)) == given_values
    assert list(map(exactly, queried)) == [exactly(1), *given_values]


@PER_FILE
@pytest.mark.parametrize(
    ("class_name", "keys"),
    [
        ("Thing", INT64),
        ("ByText", TEXT),
        ("ByOid", VALUES["oid"]),
        ("ByUuid", VALUES["uuid"]),
    ],
)
@given(data=st.data())
def test_keys_of_every_type_come_back_exactly(file, class_name, keys, data):
    key = data.draw(keys)
    write(file, lambda txn: txn.create(class_name, key, [], [], "modified"))
    snapshot = file.snapshot()
    try:
        assert snapshot.get(class_name, key)[0] == key
        assert snapshot.query(class_name, "_id == $0", [key])[0][0] == key
    finally:
        snapshot.close()


def test_a_link_is_followed_by_key_and_dangles_as_none(file):
    write(file, lambda txn: txn.create("Thing", 1, [("link", Link("Thing", 2))], [], "error"))
    snapshot = file.snapshot()
    assert snapshot.get("Thing", 1)[-1] is None
    write(file, lambda txn: txn.create("Thing", 2, [], [], "error"))
    assert snapshot.get("Thing", 1)[-1] is None, "the snapshot is of before"
    snapshot.close()
    snapshot = file.snapshot()
    assert snapshot.get("Thing", 1)[-1] == Link("Thing", 2)
    snapshot.close()


def test_subclasses_of_the_types_are_values_too(file):
    class Text(str):
        __slots__ = ()

    write(file, lambda txn: txn.create("Thing", 1, [("string", Text("x"))], [], "error"))
    snapshot = file.snapshot()
    [row] = snapshot.query("Thing", "string == $0", [Text("x")])
    assert type(row[4]) is str
    snapshot.close()


@pytest.mark.parametrize(
    ("prop", "value"),
    [
        ("int", 2**63),
        ("int", -(2**63) - 1),
        ("int", 1.0),
        ("int", True),
        ("double", "1"),
        ("bool", 1),
        ("string", b"x"),
        ("string", "\ud800"),
        ("data", "x"),
        ("data", bytearray(b"x")),
        ("date", 5),
        ("oid", "0" * 24),
        ("uuid", str(uuid.UUID(int=1))),
        ("decimal", 1.5),
        ("link", 1),
        ("link", Link("ByText", "x")),
        ("link", Link("Thing", "not an int")),
        ("string", object()),
        ("string", ["x"]),
    ],
)
def test_a_value_of_another_type_is_refused_and_nothing_changes(file, prop, value):
    write(file, lambda txn: txn.create("Thing", 1, [], [], "error"))
    txn = file.begin_write(1_000)
    with pytest.raises(PropertyTypeError):
        txn.set("Thing", 1, prop, value)
    with pytest.raises(PropertyTypeError):
        txn.create("Thing", 2, [("bool", True), (prop, value)], [], "error")
    assert txn.query("Thing", "TRUEPREDICATE", []) == [(1, *[None] * len(VALUES))]
    txn.rollback()


@pytest.mark.parametrize("key", [1.5, True, b"x", Timestamp(1), Link("Thing", 1), object()])
def test_what_cannot_be_a_key_is_refused(file, key):
    snapshot = file.snapshot()
    with pytest.raises(PropertyTypeError):
        snapshot.get("Thing", key)
    snapshot.close()


def test_a_mixed_value_may_be_a_32_bit_float(tmp_path):
    properties = [
        {"name": "_id", "type": "int", "nullable": False},
        {"name": "mixed", "type": "mixed", "nullable": True},
    ]
    schema = [{"name": "Any", "primary_key": "_id", "properties": properties}]
    file = RealmFile.open(str(tmp_path / "a.realm"), json.dumps(schema), synced=False)
    values = [0.1, Float32(0.1), None]
    write(file, lambda txn: [txn.create("Any", i, [], [], "error") for i in range(3)])
    write(file, lambda txn: [txn.set("Any", i, "mixed", each) for i, each in enumerate(values)])
    snapshot = file.snapshot()
    for rql, args, expected in [
        ("mixed.@type == 'float'", [], [1]),
        ("mixed == $0", [Float32(0.1)], [1]),
        ("mixed == $0", [0.1], [0]),
    ]:
        assert [row[0] for row in snapshot.query("Any", rql, args)] == expected
    assert snapshot.get("Any", 1) == (1, Float32(0.1).value)
    snapshot.close()
    file.close()


def test_infinities_and_both_zeros_are_kept(file):
    for key, value in enumerate((math.inf, -math.inf, 0.0, -0.0)):
        write(
            file, lambda txn, k=key, v=value: txn.create("Thing", k, [("double", v)], [], "error")
        )
    snapshot = file.snapshot()
    rows = snapshot.query("Thing", "TRUEPREDICATE SORT(_id ASC)", [])
    assert [str(row[3]) for row in rows] == ["inf", "-inf", "0.0", "-0.0"]
    snapshot.close()
