"""How ``skerry inspect`` writes values, sizes and times, and reads questions."""

import base64
import json
import math
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.cli.inspect_values import age, cut, size, time, to_json, to_text
from skerry.cli.inspection import split_question
from skerry.errors import QueryError
from skerry.types import Decimal128, Link, ObjectId, Timestamp

INT64 = st.integers(-(2**63), 2**63 - 1)
KEYS = st.one_of(
    INT64,
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.uuids(),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    KEYS,
    st.floats(),
    st.binary(),
    st.builds(Timestamp, st.integers(0, 2**63 - 1), st.integers(0, 999_999_999)),
    st.builds(Link, st.just("Item"), KEYS),
    st.decimals(-(10**25), 10**25, places=3).map(lambda d: Decimal128(str(d))),
)
NAMES = st.text(st.characters(categories=["L"]))
CONTENTS = st.recursive(
    SCALARS | st.lists(st.integers()).map(set),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=10,
)


def read(value):
    """What `to_json` wrote."""
    match value:
        case {"$set": elements}:
            return {read(one) for one in elements}
        case {"$double": text}:
            return float(text)
        case {"$binary": text}:
            return base64.b64decode(text)
        case {"$oid": text}:
            return ObjectId(text)
        case {"$uuid": text}:
            return UUID(text)
        case {"$date": {"seconds": seconds, "nanoseconds": nanoseconds}}:
            return Timestamp(seconds, nanoseconds)
        case {"$decimal": text}:
            return Decimal128(text)
        case {"$link": {"class_name": name, "key": key}}:
            return Link(name, read(key))
        case dict():
            return {name: read(one) for name, one in value.items()}
        case list():
            return [read(one) for one in value]
    return value


@given(SCALARS)
def test_json_loses_nothing_of_a_scalar(value):
    written = read(json.loads(json.dumps(to_json(value), allow_nan=False)))
    assert type(written) is type(value)
    is_nan = isinstance(value, float) and math.isnan(value)
    assert written == value or (is_nan and math.isnan(written))


@given(CONTENTS, st.integers(4, 60))
def test_text_is_one_line_no_wider_than_asked(value, width):
    text = to_text(value, width)
    assert len(text) <= width
    assert text.isprintable()
    json.dumps(to_json(value), allow_nan=False)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        (b"\x01\xff", "2 bytes 01ff"),
        (Timestamp(1_800_000_000), "2027-01-15 08:00:00Z"),
        (Timestamp(1_800_000_000, 5), "2027-01-15 08:00:00Z +5 ns"),
        (Timestamp(2**62), f"{2**62} s 0 ns"),
        (Link("Item", 3), "Item[3]"),
        ([1, "a"], "[1, a]"),
        ({2, 1}, "{1, 2}"),
        ({"x": 1.5, "y": None}, "{x: 1.5, y: null}"),
        ("x" * 50, "x" * 39 + "…"),
    ],
)
def test_text_of_each_kind(value, text):
    assert to_text(value, 40) == text


@pytest.mark.parametrize(
    ("bytes_", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (5 << 30, "5.0 GiB"),
        (1 << 60, "1048576 TiB"),
    ],
)
def test_sizes_have_the_unit_that_suits_them(bytes_, text):
    assert size(bytes_) == text


def test_times_are_utc_and_ages_in_whole_units():
    assert time(None) == "-"
    assert time(0) == "1970-01-01 00:00:00Z"
    assert time(2**62) == f"{2**62} ms"
    assert [age(0, ms) for ms in (-5, 5000, 600_000, 8_000_000, 200_000_000)] == [
        "0 s ago",
        "5 s ago",
        "10 min ago",
        "2 h ago",
        "2 d ago",
    ]


def test_cutting_keeps_what_fits():
    assert (cut("abc", 3), cut("abcd", 3), cut("\x00abc", 4)) == ("abc", "ab…", "\\x0…")


@given(
    st.sets(st.text("ab: ", min_size=1, max_size=4).filter(lambda name: name == name.strip(": "))),
    st.text("ab= ", max_size=6),
    st.data(),
)
def test_a_question_begins_with_the_longest_class_that_fits(classes, rql, data):
    if not classes:
        with pytest.raises(QueryError, match="classes are none"):
            split_question("a: b", classes)
        return
    name = data.draw(st.sampled_from(sorted(classes)))
    found, rest = split_question(f"{name}: {rql}", classes)
    assert found in classes
    assert len(found) >= len(name)
    if found == name:
        assert rest == (rql.strip() or "TRUEPREDICATE")
