"""Errors pickle, are complete for the Rust mapping, and have distinct codes; values are exact."""

import decimal
import inspect
import pickle
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry import errors
from skerry.client.http_errors import error_message
from skerry.types import Decimal128, Float32, Link, ObjectId, Timestamp, to_scalar

MAPPING = Path(__file__).parents[3] / "rust" / "skerry-py" / "src" / "errors.rs"
CLASSES = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if issubclass(value, errors.SkerryError)
]


@pytest.mark.parametrize("error_class", CLASSES)
def test_every_error_takes_a_message_and_survives_pickling(error_class):
    error = pickle.loads(pickle.dumps(error_class("what happened")))
    assert type(error) is error_class
    assert str(error) == error.message == "what happened"
    assert (error.is_fatal, error.is_retryable) == (
        error_class.is_fatal,
        error_class.is_retryable,
    )


def test_codes_are_distinct():
    codes = [error_class.code for error_class in CLASSES]
    assert len(set(codes)) == len(codes)


def test_data_survive_pickling():
    info = errors.CompensatingWriteInfo("Item", 7, "not allowed")
    error = errors.CompensatingWriteError(writes=[info], log_url="http://log")
    copy = pickle.loads(pickle.dumps(error))
    assert copy.writes == [info]
    assert (copy.number, copy.log_url, copy.is_fatal) == (231, "http://log", False)


def test_the_compensating_write_text_is_kept_to_the_letter():
    assert str(errors.CompensatingWriteError()) == (
        "[Session][CompensatingWrite(231)] Client attempted a write that is disallowed by "
        "permissions, or modifies an object outside the current query, and the server undid the "
        "change."
    )


@pytest.mark.skipif(not MAPPING.exists(), reason="the binding is not in this tree")
def test_every_class_that_the_binding_names_exists():
    text = MAPPING.read_text()
    named = re.findall(r"import_exception!\(\s*skerry\.errors\s*,\s*(\w+)", text)
    assert named
    assert [name for name in named if not hasattr(errors, name)] == []


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        (("Service", "InvalidPassword", 4349, "no"), "[Service][InvalidPassword(4349)] no."),
        (("Sync", "X", None, "no!"), "[Sync][X] no!"),
        (
            ("Http", "Unknown", 503, "no.", "http://l"),
            "[Http][Unknown(503)] no. Server log entry: http://l",
        ),
    ],
)
def test_messages_have_the_documented_layout(parts, text):
    assert error_message(*parts) == text


class TestObjectId:
    def test_generated_ones_differ_and_carry_the_time(self):
        made = {ObjectId() for _ in range(1000)}
        assert len(made) == 1000
        age = datetime.now(UTC) - next(iter(made)).generation_time
        assert timedelta(0) <= age < timedelta(minutes=1)

    @given(st.binary(min_size=12, max_size=12), st.binary(min_size=12, max_size=12))
    def test_orders_as_its_bytes(self, one, other):
        assert (ObjectId(one) < ObjectId(other)) == (one < other)
        assert (ObjectId(one) == ObjectId(other)) == (one == other)
        assert ObjectId(ObjectId(one).hex) == ObjectId(one)

    @pytest.mark.parametrize("value", ["", "zz" * 12, "00" * 11, b"short"])
    def test_other_forms_are_refused(self, value):
        with pytest.raises(ValueError, match=r".+"):
            ObjectId(value)

    def test_is_immutable_and_pickles(self):
        one = ObjectId("0123456789abcdef01234567")
        with pytest.raises(AttributeError):
            one.binary = b""
        assert pickle.loads(pickle.dumps(one)) == one
        assert repr(one) == "ObjectId('0123456789abcdef01234567')"


class TestTimestamp:
    @given(st.datetimes(timezones=st.just(UTC)))
    def test_datetimes_survive(self, moment):
        assert Timestamp.from_datetime(moment).to_datetime() == moment

    def test_before_1970_both_parts_are_negative(self):
        moment = datetime(1969, 12, 31, 23, 59, 58, 500_000, tzinfo=UTC)
        assert Timestamp.from_datetime(moment) == Timestamp(-1, -500_000_000)

    def test_zones_name_the_same_time(self):
        there = timezone(timedelta(hours=5))
        assert Timestamp.from_datetime(datetime(1970, 1, 1, 5, tzinfo=there)) == Timestamp(0, 0)

    @pytest.mark.parametrize("parts", [(1, -1), (-1, 1), (0, 10**9), (2**63, 0)])
    def test_parts_out_of_range_or_of_two_signs_are_refused(self, parts):
        with pytest.raises(ValueError, match=r".+"):
            Timestamp(*parts)

    def test_a_naive_datetime_is_refused(self):
        with pytest.raises(ValueError, match="time zone"):
            Timestamp.from_datetime(datetime(2020, 1, 1))


class TestDecimal128:
    @given(
        st.integers(min_value=-(10**34) + 1, max_value=10**34 - 1),
        st.integers(min_value=-6176, max_value=6111),
    )
    def test_every_number_of_the_type_is_kept_exactly(self, coefficient, exponent):
        text = f"{coefficient}E{exponent}"
        assert Decimal128(text).to_decimal() == decimal.Decimal(text)

    def test_trailing_zeros_are_kept_and_do_not_matter_for_equality(self):
        assert Decimal128("1.50").text == "1.50"
        assert Decimal128("1.50") == Decimal128("1.5")
        assert hash(Decimal128("1.50")) == hash(Decimal128("1.5"))
        assert Decimal128("1.4") < Decimal128("1.50")

    @pytest.mark.parametrize("text", ["1" * 35, "1E+6145", "1E-6177", "one", ""])
    def test_what_would_be_rounded_is_refused(self, text):
        with pytest.raises(ValueError, match="not exactly"):
            Decimal128(text)

    def test_a_nan_equals_itself(self):
        assert Decimal128("NaN") == Decimal128("NaN")
        assert Decimal128("Infinity") > Decimal128("9E+6144")


def test_values_become_scalars():
    assert to_scalar(decimal.Decimal("1.0")) == Decimal128("1.0")
    assert to_scalar(datetime(1970, 1, 2, tzinfo=UTC)) == Timestamp(86400)
    assert to_scalar(bytearray(b"x")) == b"x"
    assert to_scalar(Link("Item", 1)) == Link("Item", 1)
    with pytest.raises(TypeError, match="list"):
        to_scalar([])
    with pytest.raises(ValueError, match="int64"):
        to_scalar(2**63)


@given(st.floats())
def test_a_float32_is_rounded_once(number):
    rounded = Float32(number)
    assert repr(Float32(rounded.value)) == repr(rounded)
    assert to_scalar(rounded) is rounded


def test_a_float32_beyond_its_range_is_infinite():
    assert Float32(1e39).value == float("inf")
    assert (Float32(0.1).value, Float32(-0.0).value) == (0.10000000149011612, 0)
