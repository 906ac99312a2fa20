"""Writes ``tests/vectors/decimal/*.jsonl`` with Python's ``decimal`` as the oracle.

Run it as ``python -m tools.make_decimal_vectors``; its output is committed and the same each time.
``parse.jsonl`` has texts with their bytes (encoded here, from IEEE 754-2008 3.5.2, and in hex) and
printed form, or the name of the error; ``compare.jsonl`` has pairs with their numeric order, NaN
being the smallest; ``from_f64.jsonl`` has doubles by their bits with the text of the decimal that
15 significant digits make; ``arithmetic.jsonl`` has operations with the printed form of what they
make. What it does not do: check the Rust code, which the crate's tests do.
"""

from __future__ import annotations

import decimal
import json
import random
import struct
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FOLDER = Path(__file__).parent.parent / "tests" / "vectors" / "decimal"
SEED = 20150101
COEFFICIENT_MAX = 10**34 - 1
EXPONENT_MIN, EXPONENT_MAX = -6176, 6111
RANDOM_TEXTS = 400
RANDOM_PAIRS = 600
RANDOM_DOUBLES = 400
RANDOM_OPERATIONS = 300  # of each kind

EXACT = decimal.Context(
    prec=34,
    Emin=-6143,
    Emax=6144,
    clamp=1,
    traps=[decimal.Inexact, decimal.Overflow, decimal.InvalidOperation],
)
ROUNDING = decimal.Context(
    prec=34, Emin=-6143, Emax=6144, clamp=1, rounding=decimal.ROUND_HALF_EVEN, traps=[]
)
OPERATIONS = {
    "+": ROUNDING.add,
    "-": ROUNDING.subtract,
    "*": ROUNDING.multiply,
    "/": ROUNDING.divide,
}

HAND_MADE_TEXTS = [
    "0", "-0", "+0", "0.00", "0E+3", "0E-7000", "-0E+7000", "1", "1.0", "1.00", "-1", "+7.5",
    "10", "1E1", "1E+1", "1e-1", "12.345", "0.001", "0.000001", "0.0000001", "1E-6", "1E-7",
    "123456789E-9", "123456789E-15", "123456789E-16", ".5", "5.", "-.5e3", "1E+6111", "1E+6112",
    "1E+6144", "1E+6145", "1E-6176", "1E-6177", "10E-6177", "100E-6177", "15E-6177",
    str(COEFFICIENT_MAX), str(COEFFICIENT_MAX + 1), f"{COEFFICIENT_MAX}E+6111",
    f"{COEFFICIENT_MAX}E-6176", f"{COEFFICIENT_MAX}1", f"{COEFFICIENT_MAX}0", "1" + 40 * "0",
    "0." + 40 * "0" + "1", "1." + 40 * "0", "1." + 40 * "0" + "1", "inf", "-Infinity", "+INF",
    "NaN", "nan", "170141183460469231731687303715884105727", "00000000000000000000000000000000001",
]  # fmt: skip
HAND_MADE_DOUBLES = [
    0.0, -0.0, 1.0, 1.5, -1.5, 0.1, 0.1 + 0.2, 1 / 3, 100.0, 1e14, 1e15, 1e16, 123456789012345.0,
    1234567890123456.0, 1e20, 1e22, 1e23, 1e308, 5e-324, 2.2250738585072014e-308, 0.0001, 0.00001,
    9007199254740993.0, 999999999999999.5, 99999999999999.95, 0.999999999999999944,
    float("inf"), float("-inf"), float("nan"),
]  # fmt: skip
NINES = str(COEFFICIENT_MAX)
SPECIAL_OPERANDS = [
    "NaN", "Infinity", "-Infinity", "0", "-0", "0E-6176", "-0E+6111", "0.00", "0E+40", "1", "-1",
    "1.0", "10", "3", "0.5", "-2.50", "1E-6176", "-1E-6176", "5E-6176", "1E-6143", NINES,
    f"-{NINES}", f"{NINES}E+6111", f"-{NINES}E+6111", f"{NINES}E-6176", "1E+6111", "1E+6144",
    "5E+6110", "1E+34", "1E-34", "5E-35", "1E+38", "-1E-38", "1E+3000", "-1E-3100",
]  # fmt: skip


def to_bid(value: decimal.Decimal) -> bytes:
    """The 16 bytes of a number that fits, least significant first."""
    sign, digits, exponent = value.as_tuple()
    if value.is_nan():
        bits = 0b11111 << 122
    elif isinstance(exponent, str):
        bits = sign << 127 | 0b11110 << 122
    else:
        coefficient = int("".join(map(str, digits)))
        bits = sign << 127 | (exponent - EXPONENT_MIN) << 113 | coefficient
    return bits.to_bytes(16, "little")


def parsed(text: str) -> Mapping[str, str]:
    """One line of ``parse.jsonl``."""
    try:
        value = EXACT.create_decimal(text)
    except decimal.Overflow:
        return {"text": text, "error": "Overflow"}
    except decimal.Inexact:
        return {"text": text, "error": "Inexact"}
    return {"text": text, "bytes": to_bid(value).hex(), "printed": str(value)}


def order(a: decimal.Decimal, b: decimal.Decimal) -> int:
    """Numeric order, -1, 0 or 1, with NaN as the smallest number."""
    if a.is_nan() or b.is_nan():
        return int(b.is_nan()) - int(a.is_nan())
    return int(a > b) - int(a < b)


def random_text(rng: random.Random) -> str:
    """A number of any length and size, mostly such that it fits."""
    digits = "".join(rng.choices("0123456789", weights=[5] + 9 * [1], k=rng.randint(1, 36)))
    point = rng.randint(0, len(digits))
    near_zero = rng.random() < 0.5
    exponent = rng.randint(-40, 40) if near_zero else rng.randint(-6230, 6200)
    sign = rng.choice(["", "-", "+"])
    return f"{sign}{digits[:point]}.{digits[point:]}E{exponent}"


def random_pair(rng: random.Random) -> tuple[decimal.Decimal, decimal.Decimal]:
    """Two numbers that are often near each other."""

    def number() -> decimal.Decimal:
        coefficient = rng.randint(0, 10 ** rng.randint(0, 34) - 1)
        return decimal.Decimal((rng.randint(0, 1), tuple(map(int, str(coefficient))), exponent()))

    def exponent() -> int:
        return rng.choice([0, -1, 1, rng.randint(-34, 34), rng.randint(EXPONENT_MIN, EXPONENT_MAX)])

    a = number()
    kind = rng.randrange(3)
    if kind == 0:
        return a, number()
    # The same number with other zeros, then perhaps one unit away.
    shift = rng.randint(0, 34 - len(a.as_tuple().digits))
    raw = a.as_tuple()
    if not isinstance(raw.exponent, int) or raw.exponent - shift < EXPONENT_MIN:
        return a, a
    coefficient = int("".join(map(str, raw.digits))) * 10**shift
    coefficient = min(coefficient + (kind - 1) * rng.randint(0, 1), COEFFICIENT_MAX)
    digits = tuple(map(int, str(coefficient)))
    return a, decimal.Decimal((raw.sign, digits, raw.exponent - shift))


def random_double(rng: random.Random) -> float:
    """A double of any size, or a short decimal as people write them."""
    if rng.random() < 0.5:
        return rng.randint(-(10**9), 10**9) / float(10 ** rng.randint(0, 9))
    return float(struct.unpack(">d", rng.randbytes(8))[0])


def texts(rng: random.Random) -> Iterator[Mapping[str, str]]:
    """The lines of ``parse.jsonl``."""
    yield from map(parsed, HAND_MADE_TEXTS)
    yield from (parsed(random_text(rng)) for _ in range(RANDOM_TEXTS))


def pairs(rng: random.Random) -> Iterator[Mapping[str, str | int]]:
    """The lines of ``compare.jsonl``."""
    special = [decimal.Decimal(text) for text in ("NaN", "-Infinity", "-1", "-0", "0", "Infinity")]
    some = [(a, b) for a in special for b in special]
    some += [random_pair(rng) for _ in range(RANDOM_PAIRS)]
    for a, b in some:
        yield {"a": str(a), "b": str(b), "order": order(a, b)}


def doubles(rng: random.Random) -> Iterator[Mapping[str, str]]:
    """The lines of ``from_f64.jsonl``."""
    some = HAND_MADE_DOUBLES + [random_double(rng) for _ in range(RANDOM_DOUBLES)]
    for double in some:
        text = str(decimal.Decimal(f"{double:.15g}"))
        yield {"bits": struct.pack(">d", double).hex(), "decimal": text}


def finite(sign: int, coefficient: int, exponent: int) -> decimal.Decimal:
    """A number from integers, with the exponent clamped into its range."""
    exponent = min(max(exponent, EXPONENT_MIN), EXPONENT_MAX)
    return decimal.Decimal((sign, tuple(map(int, str(coefficient))), exponent))


def random_coefficient(rng: random.Random) -> int:
    """Up to 34 digits; often all nines, few digits and many zeros, or a 5 at the end."""
    count = rng.choice([rng.randint(1, 34), 33, 34])
    kind = rng.randrange(6)
    if kind == 0:
        return int(10**count - 1 - rng.randint(0, 1) * rng.randint(0, 9))
    if kind == 1:
        return int(rng.randint(1, 9) * 10 ** (count - 1) + rng.randint(0, 1))
    if kind == 2:
        return int(rng.randint(0, 10 ** (count - 1) - 1) * 10 + 5)
    if kind == 3:
        return int(rng.choice([0, 1, 2, 4, 5, 8, 15, 25, 50, 125, 625, 5 * 10 ** (count - 1)]))
    return rng.randint(0, 10**count - 1)


Operands = tuple[decimal.Decimal, decimal.Decimal]


def operands_of_sums(rng: random.Random) -> Operands:
    """Some digits apart, the second often a half of the first's last digit, or near it."""
    exponent = rng.choice(
        [rng.randint(-40, 40), rng.randint(EXPONENT_MIN, EXPONENT_MAX), 6111, -6176]
    )
    a = finite(rng.randint(0, 1), random_coefficient(rng), exponent)
    if rng.random() < 0.5:
        return a, finite(
            rng.randint(0, 1), random_coefficient(rng), exponent - rng.randint(-45, 45)
        )
    zeros = rng.randint(0, 33)
    half = 5 * 10**zeros + rng.choice([-1, 0, 0, 1]) * rng.randint(0, 1)
    # Of a first number that has fewer digits than 34, the half lies below the digits to come.
    digits_to_come = rng.choice([0, 34 - len(a.as_tuple().digits)])
    return a, finite(rng.randint(0, 1), half, exponent - digits_to_come - zeros - 1)


def operands_at_the_limits(rng: random.Random, *, of_quotient: bool) -> Operands:
    """Such that product or quotient is near the least or the greatest exponent."""
    limit = rng.choice([EXPONENT_MIN - rng.randint(-2, 72), EXPONENT_MAX - rng.randint(-36, 72)])
    first = rng.randint(max(EXPONENT_MIN, limit - 6000), min(EXPONENT_MAX, limit + 6000))
    second = first - limit if of_quotient else limit - first
    a = finite(rng.randint(0, 1), random_coefficient(rng), first)
    return a, finite(rng.randint(0, 1), random_coefficient(rng), second)


def operands_near_each_other(rng: random.Random) -> Operands:
    """Any exponents that do not reach the limits; the second number may be a part of the first."""
    second = random_coefficient(rng)
    first = random_coefficient(rng)
    if second and rng.random() < 0.5:
        first = first // 10 ** len(str(second)) * second
    a = finite(rng.randint(0, 1), first, rng.randint(-40, 40))
    return a, finite(rng.randint(0, 1), second, rng.randint(-40, 40))


def operations(rng: random.Random) -> Iterator[Mapping[str, str]]:
    """The lines of ``arithmetic.jsonl``."""
    special = [EXACT.create_decimal(text) for text in SPECIAL_OPERANDS]
    some = [(a, op, b) for a in special[:5] for op in OPERATIONS for b in special[:5]]
    # All with all would be more lines than of random numbers.
    rest = [(a, op, b) for a in special for op in OPERATIONS for b in special[5:]]
    some += rng.sample(rest, 3 * RANDOM_OPERATIONS)
    for _ in range(RANDOM_OPERATIONS):
        for op in "+-":
            a, b = operands_of_sums(rng)
            some.append(rng.choice([(a, op, b), (b, op, a)]))
            a, b = random_pair(rng)
            some.append((a, op, b))
        for op in "*/":
            a, b = operands_at_the_limits(rng, of_quotient=op == "/")
            some.append((a, op, b))
            a, b = operands_near_each_other(rng)
            some.append((a, op, b))
    for a, op, b in some:
        result = OPERATIONS[op](a, b)
        # There is one NaN, without a sign.
        printed = "NaN" if result.is_nan() else str(result)
        yield {"a": str(a), "op": op, "b": str(b), "result": printed}


def write(name: str, lines: Iterable[Mapping[str, str | int]]) -> None:
    """Writes one file, a JSON object a line."""
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (FOLDER / name).write_text(text, encoding="utf-8")


def main() -> None:
    """Writes the four files."""
    rng = random.Random(SEED)
    FOLDER.mkdir(parents=True, exist_ok=True)
    write("parse.jsonl", texts(rng))
    write("compare.jsonl", pairs(rng))
    write("from_f64.jsonl", doubles(rng))
    write("arithmetic.jsonl", operations(rng))


if __name__ == "__main__":
    main()
