"""Extended JSON values: each comes back as it was, and of the type that it had."""

import json
import math
from uuid import UUID

import pytest

from skerry.testing.conformance.extended_json import decode, encode, is_tagged
from skerry.testing.conformance.members import FormatError
from skerry.types import Decimal128, Float32, Link, ObjectId, Timestamp

OID = "0123456789abcdef01234567"
UUID_TEXT = "3b241101-e2bb-4255-8caf-4136c566a962"
VALUES = [
    ("null", None),
    ("true", True),
    ("1", 1),
    ("1.0", 1.0),
    ("-9223372036854775808", -(2**63)),
    ('"text"', "text"),
    ('{"$numberDouble": "inf"}', float("inf")),
    ('{"$binary": {"base64": "AAEC/w==", "subType": "00"}}', b"\0\1\2\xff"),
    ('{"$date": "2024-02-29T12:34:56.789Z"}', Timestamp(1_709_210_096, 789_000_000)),
    ('{"$date": {"$numberLong": "-1"}}', Timestamp(0, -1_000_000)),
    ('{"$date": {"$numberLong": "-62135596800000"}}', Timestamp(-62_135_596_800, 0)),
    ('{"$realmDate": {"seconds": "-1", "nanoseconds": -500000001}}', Timestamp(-1, -500_000_001)),
    ('{"$numberFloat": "0.10000000149011612"}', Float32(0.1)),
    ('{"$numberDecimal": "12.50"}', Decimal128("12.50")),
    (f'{{"$oid": "{OID}"}}', ObjectId(OID)),
    (f'{{"$uuid": "{UUID_TEXT}"}}', UUID(UUID_TEXT)),
    ('{"$ref": "Person", "$id": "p1"}', Link("Person", "p1")),
    (f'{{"$ref": "Person", "$id": {{"$oid": "{OID}"}}}}', Link("Person", ObjectId(OID))),
]


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_a_value_comes_back_as_it_was(text, value):
    decoded = decode(json.loads(text), "mixed")
    assert (type(decoded), decoded) == (type(value), value)
    assert json.dumps(encode(decoded)) == text


def test_a_number_without_fraction_is_a_double_where_doubles_are():
    assert isinstance(decode(1, "double"), float)
    assert decode(True, "double") is True


def test_a_32_bit_float_is_a_float_where_such_are():
    assert decode({"$numberFloat": "0.5"}, "float") == 0.5
    assert math.isnan(decode({"$numberFloat": "NaN"}, "float"))


def test_an_object_stands_for_a_value_by_its_first_member():
    assert is_tagged({"$oid": OID})
    assert not is_tagged({})
    assert not is_tagged({"a": 1, "$oid": OID})


def test_a_long_may_be_tagged():
    assert decode({"$numberLong": "5"}, "int") == 5


def test_contents_are_written_whole():
    assert encode({"a": [1, Link("P", 2)], "b": {3, 1}}) == {
        "a": [1, {"$ref": "P", "$id": 2}],
        "b": [1, 3],
    }


@pytest.mark.parametrize(
    "value",
    [
        [],
        {},
        2**63,
        {"$oid": "12"},
        {"$oid": 12},
        {"$numberDecimal": "twelve"},
        {"$binary": {"base64": "!"}},
        {"$date": "yesterday"},
        {"$date": "2024-02-29T12:34:56"},
        {"$numberLong": str(2**63)},
        {"$ref": "Person"},
        {"$numberFloat": 1.5},
        {"$numberFloat": "one"},
        {"$realmDate": {"seconds": "1", "nanoseconds": -1}},
        {"$realmDate": {"seconds": 1, "nanoseconds": 1}},
        {"$unknown": 1},
    ],
)
def test_what_is_no_value_is_refused(value):
    with pytest.raises(FormatError):
        decode(value, "mixed")
