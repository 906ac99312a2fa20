"""Values that Python has no type for: `ObjectId`, `Timestamp`, `Decimal128`, `Float32` and `Link`.

They are immutable, hashable and exact: what is stored is what comes back. The Rust binding builds
them by position and reads the attributes named here, so names and argument order are a contract.
No arithmetic is offered; convert to `datetime` or `decimal.Decimal` for that.
"""

import ctypes
import decimal
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import total_ordering
from typing import Final, SupportsIndex, TypeAlias
from uuid import UUID

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1
NANOSECONDS_PER_SECOND: Final = 1_000_000_000
OBJECT_ID_SIZE_BYTES: Final = 12

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@total_ordering
class ObjectId:
    """A 12-byte identifier that sorts roughly by the second of its creation.

    ``ObjectId()`` generates one: four bytes of Unix seconds, big-endian, and eight random bytes.

    Args:
        value: 24 hexadecimal digits, 12 bytes, another `ObjectId`, or None to generate.

    Raises:
        ValueError: The text or bytes do not have that form.
    """

    __slots__ = ("binary",)
    __match_args__ = ("binary",)

    binary: bytes

    def __init__(self, value: "str | bytes | ObjectId | None" = None) -> None:
        object.__setattr__(self, "binary", _object_id_bytes(value))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"ObjectId is immutable; cannot set {name}")

    @classmethod
    def generate(cls) -> "ObjectId":
        """Return a new identifier that no other call returns, on any machine."""
        return cls()

    @property
    def hex(self) -> str:
        """The 24 lower-case hexadecimal digits, also what `str` gives."""
        return self.binary.hex()

    @property
    def generation_time(self) -> datetime:
        """The second of creation, in UTC, that the first four bytes hold."""
        return EPOCH + timedelta(seconds=int.from_bytes(self.binary[:4], "big"))

    def __eq__(self, other: object) -> bool:
        return self.binary == other.binary if isinstance(other, ObjectId) else NotImplemented

    def __lt__(self, other: object) -> bool:
        return self.binary < other.binary if isinstance(other, ObjectId) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.binary)

    def __str__(self) -> str:
        return self.hex

    def __repr__(self) -> str:
        return f"ObjectId('{self.hex}')"

    def __reduce__(self) -> "tuple[type[ObjectId], tuple[bytes]]":
        return type(self), (self.binary,)


def _object_id_bytes(value: "str | bytes | ObjectId | None") -> bytes:
    match value:
        case None:
            # 64 random bits per second of the clock: no counter, hence no shared state, and a
            # forked process cannot repeat its parent's identifiers.
            return int(time.time()).to_bytes(4, "big") + os.urandom(8)
        case ObjectId():
            return value.binary
        case bytes() if len(value) == OBJECT_ID_SIZE_BYTES:
            return value
        case str() if len(value) == 2 * OBJECT_ID_SIZE_BYTES:
            return bytes.fromhex(value)
        case str() | bytes():
            raise ValueError(f"an ObjectId is 12 bytes or 24 hexadecimal digits, not {value!r}")


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A point in time with nanoseconds, from 1970-01-01 UTC.

    Args:
        seconds: Whole seconds, int64.
        nanoseconds: The rest, -999 999 999 to 999 999 999, never of the other sign than `seconds`
            (so that each time has one form; client-api 2.5).

    Raises:
        ValueError: A part is out of range, or the signs differ.
    """

    seconds: int
    nanoseconds: int = 0

    def __post_init__(self) -> None:
        if not INT64_MIN <= self.seconds <= INT64_MAX:
            raise ValueError(f"seconds of a Timestamp are an int64, not {self.seconds}")
        if not -NANOSECONDS_PER_SECOND < self.nanoseconds < NANOSECONDS_PER_SECOND:
            raise ValueError(f"nanoseconds are less than a second, not {self.nanoseconds}")
        if self.seconds * self.nanoseconds < 0:
            raise ValueError(
                f"seconds and nanoseconds have one sign, not {self.seconds}, {self.nanoseconds}"
            )

    @classmethod
    def from_datetime(cls, value: datetime) -> "Timestamp":
        """Return the same point in time, with the nanoseconds of those that have them.

        They are the attribute ``nanosecond``, 0 to 999, of `PreciseDatetime` and of
        ``pandas.Timestamp``.

        Raises:
            ValueError: `value` has no time zone, so it names no point in time.
        """
        if value.tzinfo is None:
            raise ValueError(f"a datetime needs a time zone, such as UTC: {value!r}")
        since = value - EPOCH
        seconds, rest = since.days * 86_400 + since.seconds, since.microseconds * 1000
        if type(value) is not datetime:  # which is known to have no more
            rest += int(getattr(value, "nanosecond", 0))
        if seconds < 0 < rest:
            seconds, rest = seconds + 1, rest - NANOSECONDS_PER_SECOND
        return cls(seconds, rest)

    def to_datetime(self) -> datetime:
        """Return the UTC datetime: a `PreciseDatetime` if it has parts of a microsecond.

        Raises:
            ValueError: The year is outside 1 to 9999.
        """
        microseconds, nanosecond = divmod(self.nanoseconds, 1000)
        try:
            cut = EPOCH + timedelta(seconds=self.seconds, microseconds=microseconds)
        except OverflowError as error:
            raise ValueError(f"{self} is outside the years of datetime") from error
        return PreciseDatetime.of(cut, nanosecond) if nanosecond else cut


class PreciseDatetime(datetime):
    """A `datetime` that keeps nanoseconds, so that what was read can be written unchanged.

    It compares, prints and computes as the datetime without them, and what is computed from it has
    none. Read from properties annotated ``datetime`` where the stored time has parts of a
    microsecond; use `Timestamp` to compute with those.

    Attributes:
        nanosecond: 0 to 999, beyond the microseconds.
    """

    nanosecond: int = 0

    @classmethod
    def of(cls, value: datetime, nanosecond: int) -> "PreciseDatetime":
        """Return the same time with nanoseconds."""
        precise = cls.combine(value.date(), value.timetz())
        precise.nanosecond = nanosecond
        return precise

    def __reduce_ex__(self, protocol: SupportsIndex) -> "tuple[object, tuple[datetime, int]]":
        plain = datetime.combine(self.date(), self.timetz())
        return _precise, (plain, self.nanosecond)


def _precise(value: datetime, nanosecond: int) -> PreciseDatetime:
    return PreciseDatetime.of(value, nanosecond)


@total_ordering
class Decimal128:
    """An IEEE 754 decimal number of 34 digits, kept exactly, trailing zeros included.

    Equality and order are numeric (``1.0 == 1.00``), as in Python's `decimal`; the text tells the
    two apart. A NaN equals a NaN here, so that a stored value equals itself.

    Args:
        value: Text such as ``"1.50"``, ``"-1E+3"``, ``"NaN"``, ``"Infinity"``; an int or a
            `decimal.Decimal`.

    Raises:
        ValueError: Not a number, or not representable without rounding.
    """

    __slots__ = ("text",)
    __match_args__ = ("text",)

    text: str

    def __init__(self, value: "str | int | decimal.Decimal | Decimal128") -> None:
        source = value.text if isinstance(value, Decimal128) else value
        try:
            exact = _decimal128_context().create_decimal(source)
        except decimal.DecimalException as error:
            raise ValueError(f"not exactly a Decimal128: {value!r}") from error
        object.__setattr__(self, "text", str(exact))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Decimal128 is immutable; cannot set {name}")

    def to_decimal(self) -> decimal.Decimal:
        """Return the same number as `decimal.Decimal`, with the same trailing zeros."""
        return decimal.Decimal(self.text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Decimal128):
            return NotImplemented
        mine, theirs = self.to_decimal(), other.to_decimal()
        if mine.is_nan() or theirs.is_nan():
            return mine.is_nan() and theirs.is_nan()
        return mine == theirs

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Decimal128):
            return NotImplemented
        mine, theirs = self.to_decimal(), other.to_decimal()
        if mine.is_nan() or theirs.is_nan():
            return False
        return mine < theirs

    def __hash__(self) -> int:
        number = self.to_decimal()
        return hash("NaN") if number.is_nan() else hash(number)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"Decimal128('{self.text}')"

    def __reduce__(self) -> "tuple[type[Decimal128], tuple[str]]":
        return type(self), (self.text,)


def _decimal128_context() -> decimal.Context:
    """The limits of decimal128; anything that would lose a digit is an error, not a rounding."""
    return decimal.Context(
        prec=34,
        Emin=-6143,
        Emax=6144,
        clamp=1,
        traps=[
            decimal.Inexact,
            decimal.Overflow,
            decimal.InvalidOperation,
            decimal.FloatOperation,
        ],
    )


@dataclass(frozen=True, slots=True)
class Float32:
    """A 32-bit float, for a mixed value or an argument of a query; a `float` is a 64-bit one there.

    What is stored as one is read as a `float`, which holds it exactly.

    Args:
        value: Rounded to 32 bits, to an infinity if it is too large.
    """

    value: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", ctypes.c_float(self.value).value)


@dataclass(frozen=True, slots=True)
class Link:
    """A reference to an object by class and primary key; dangling while that object is absent.

    Args:
        class_name: Persisted class name of the target.
        key: Its primary key.
    """

    class_name: str
    key: "Scalar"


SCALARS: Final = frozenset(
    {
        bool,
        int,
        float,
        str,
        bytes,
        Timestamp,
        Decimal128,
        Float32,
        ObjectId,
        UUID,
        Link,
        type(None),
    }
)

Scalar: TypeAlias = (
    bool
    | int
    | float
    | str
    | bytes
    | Timestamp
    | Decimal128
    | Float32
    | ObjectId
    | UUID
    | Link
    | None
)
"""Every value that crosses to the realm file."""

Argument: TypeAlias = Scalar | list[Scalar] | tuple[Scalar, ...]
"""What a query takes for ``$0``, ``$1`` and so on; lists and tuples as IN does."""

Content: TypeAlias = "Scalar | list[Content] | set[Scalar] | dict[str, Content]"
"""What a property holds: lists as lists; sets as sets, or as lists where two elements are equal to
Python (1 and True); dictionaries and embedded objects as dicts. Links to absent objects are None,
and in lists and sets of links they are not there."""


def to_scalar(value: object) -> Scalar:
    """Return the stored form of a Python value.

    Converts `datetime` (with a time zone) and `decimal.Decimal`; leaves the scalars as they are.

    Raises:
        TypeError: No property type holds such a value.
        ValueError: The value is out of the range of its type.
    """
    if type(value) is datetime:  # else found late
        return Timestamp.from_datetime(value)
    match value:
        case None | bool() | float() | str() | Timestamp() | Decimal128() | ObjectId():
            return value
        case UUID() | Link() | Float32():
            return value
        case int():
            if not INT64_MIN <= value <= INT64_MAX:
                raise ValueError(f"{value} does not fit into an int64")
            return value
        case bytes() | bytearray() | memoryview():
            return bytes(value)
        case datetime():
            return Timestamp.from_datetime(value)
        case decimal.Decimal():
            return Decimal128(value)
        case Enum():
            return to_scalar(value.value)
        case _ if type(value).__module__.startswith("bson"):
            return _from_bson(value)
        case _:
            raise TypeError(f"no property type holds a {type(value).__name__}")


def _from_bson(value: object) -> Scalar:
    """Return the stored form of PyMongo's own values, without needing PyMongo."""
    match type(value).__name__, value:
        case "ObjectId", object(binary=bytes(binary)):
            return ObjectId(binary)
        case "Decimal128", object(to_decimal=convert) if callable(convert):
            return Decimal128(convert())
        case name, _:
            raise TypeError(f"no property type holds a bson {name}")
