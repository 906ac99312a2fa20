"""What mypy must know of every kind of property. Read by mypy, never run.

An unneeded `type: ignore` is an error in strict mode, so each one here proves a refusal.
"""

import decimal
import enum
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, assert_type

from skerry import (
    Backlinks,
    Counter,
    Decimal128,
    EmbeddedObject,
    Float32,
    GeoPoint,
    ObjectId,
    RealmObject,
    RealmValue,
    Schema,
    Timestamp,
    Transaction,
    backlinks,
    field,
    ignored,
    primary_key,
)


class Color(enum.Enum):
    RED = "red"


class Address(EmbeddedObject):
    street: str
    former: list[str] = field(default_factory=list)


class Person(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)
    name: str
    born: datetime | None = None
    seen_at: Timestamp | None = None
    uid: uuid.UUID = field(default_factory=uuid.uuid4)
    amount: decimal.Decimal = decimal.Decimal(0)
    exact: Decimal128 = Decimal128(0)
    small: Annotated[float, Float32] = 0.0
    color: Color = Color.RED
    visits: Counter = Counter(0)
    position: GeoPoint | None = None
    anything: RealmValue = None
    address: Address | None = None
    friends: list["Person"] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    roles: dict[str, "Person | None"] = field(default_factory=dict)
    cache: dict[str, int] = ignored(default_factory=dict)
    befriended: Backlinks["Person"] = backlinks("friends")


person = Person(name="a", address=Address(street="b"), anything=[1, {"a": None}], tags={"x"})
assert_type(person, Person)
assert_type(person.born, datetime | None)
assert_type(person.small, float)
assert_type(person.color, Color)
assert_type(person.visits, Counter)
assert_type(person.visits + 1, int)
assert_type(person.friends, list[Person])
assert_type(person.friends[0].name, str)
assert_type(person.roles, dict[str, Person | None])
assert_type(person.befriended[0], Person)
assert_type(person.cache, dict[str, int])
if person.address is not None:
    assert_type(person.address.street, str)
    assert_type(person.address.former, list[str])
    assert_type(person.address.parent, RealmObject | EmbeddedObject | None)

person.visits.increment()
person.tags.add("y")
person.friends.append(person)
person.anything = person

Address()  # type: ignore[call-arg]
Person(name="a", befriended=[])  # type: ignore[call-arg]
Person(name="a", tags=["x"])  # type: ignore[arg-type]
person.friends.append("x")  # type: ignore[arg-type]
person.color = "red"  # type: ignore[assignment]
person.address = person  # type: ignore[assignment]
person.anything = object()  # type: ignore[assignment]

Schema([Person, Address])


def write(txn: Transaction, people: Sequence[Person]) -> None:
    assert_type(txn.add(person), Person)
    assert_type(txn.find(Person, 1), Person | None)
    assert_type(txn.query(Person), list[Person])
    assert_type(txn.delete(person), bool)
    assert_type(txn.delete(people), int)
    assert_type(txn.add_all(Person, people), int)
    assert_type(txn.add_all(Person, [{"name": "a"}, {"name": "b"}]), int)
    txn.add_all(Person, [Address(street="a")])  # type: ignore[list-item]
