"""The rows of the reference workload "one million Items", and the class that holds them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from skerry import ObjectId, RealmObject, primary_key

MASK = (1 << 64) - 1
YEAR_2020_S = 1_577_836_800
YEAR_2020 = datetime(2020, 1, 1, tzinfo=UTC)


class Item(RealmObject):
    _id: ObjectId = primary_key()
    ownerId: str  # noqa: N815 - the reference's name
    itemName: str  # noqa: N815 - the reference's name
    complexity: int
    price: float
    created: datetime
    tags: list[str]


class Row(TypedDict):
    """One row, as a mapping from attributes to values."""

    _id: ObjectId
    ownerId: str
    itemName: str
    complexity: int
    price: float
    created: datetime
    tags: list[str]


def draws(seed: int) -> Iterator[int]:
    """Yield the numbers of the reference's generator."""
    state = seed & MASK
    while True:
        state = (state * 6364136223846793005 + 1442695040888963407) & MASK
        yield state >> 33


def owner(number: int) -> str:
    """Return the owner of that number, 0 to 999."""
    draw = draws(1000003 * (number + 1))
    return "".join("0123456789abcdef"[next(draw) & 15] for _ in range(24))


OWNERS = [owner(number) for number in range(1000)]


def key(number: int) -> ObjectId:
    """Return the primary key of the row of that number."""
    return ObjectId((YEAR_2020_S + number).to_bytes(4) + b"\xa5" * 4 + number.to_bytes(4))


def row(number: int) -> Row:
    """Return the row of that number."""
    draw = draws(number * 2654435761 + 42)
    next(draw)
    next(draw)
    owned_by = OWNERS[next(draw) % 1000]
    letters = [next(draw) % 27 for _ in range(16 + next(draw) % 9)]
    name = "".join(" " if letter == 26 else chr(97 + letter) for letter in letters)
    complexity, price = next(draw) % 10, next(draw) % 10000 / 100.0
    created = YEAR_2020 + timedelta(seconds=next(draw) % 157680000)
    tags = [f"tag{next(draw) % 100}" for _ in range(3)]
    return Row(
        _id=key(number),
        ownerId=owned_by,
        itemName=name,
        complexity=complexity,
        price=price,
        created=created,
        tags=tags,
    )
