"""What a live object does with a value is what one in no realm does, however it gets there."""

import uuid
from datetime import UTC, datetime
from enum import IntEnum
from typing import Annotated

from hypothesis import example, given, settings
from hypothesis import strategies as st

from skerry import (
    Decimal128,
    Float32,
    ObjectId,
    RealmObject,
    Timestamp,
    asdict,
    primary_key,
)
from skerry.errors import SkerryError
from tests.unit.model.realms import with_realm


class Level(IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


class Kinds(RealmObject):
    _id: int = primary_key()
    whole: int = 0
    truth: bool = False
    real: float = 0.0
    short: Annotated[float, Float32] = 0.0
    text: str = ""
    data: bytes = b""
    at: Timestamp | None = None
    moment: datetime = datetime(2020, 1, 1, tzinfo=UTC)
    oid: ObjectId | None = None
    uid: uuid.UUID | None = None
    number: Decimal128 | None = None
    level: Level = Level.LOW


NAMES = [prop.name for prop in Kinds._skerry_schema]
VALUES = [
    None,
    0,
    -(2**63),
    2**63 - 1,
    2**63,
    -(2**63) - 1,
    True,
    Level.LOW,
    0.5,
    0.1,
    "",
    "text",
    Text("text"),
    b"data",
    bytearray(b"data"),
    Timestamp(1, 2),
    datetime(2021, 1, 1, tzinfo=UTC),
    datetime(2021, 1, 1),
    ObjectId("5e0be100a5a5a5a500000001"),
    uuid.UUID(int=7),
    Decimal128("1.50"),
    [],
]


def outcome(target, name, value):
    try:
        setattr(target, name, value)
    except SkerryError as error:
        return type(error)
    return getattr(target, name), type(getattr(target, name))


@example([("short", 0.1)])
@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(NAMES[1:]), st.sampled_from(VALUES)), max_size=30))
def test_live_and_loose_objects_take_the_same_values(steps):
    async def body(realm):
        loose = Kinds(_id=1)
        async with realm.write() as txn:
            live = txn.add(Kinds(_id=1))
            for name, value in steps:
                assert outcome(live, name, value) == outcome(loose, name, value), (name, value)
            shown = asdict(live)
        stored = realm.find(Kinds, 1)
        assert asdict(stored) == shown
        assert shown == asdict(loose)

    with_realm([Kinds], body)


class Lists(RealmObject):
    _id: int = primary_key()
    whole: list[int] = []
    truth: set[bool] = set()
    real: list[float] = []
    text: list[str | None] = []
    data: list[bytes] = []
    moment: list[datetime] = []
    level: list[Level] = []


def made_of(model, name, value):
    try:
        made = model(_id=1, **{name: value})
    except SkerryError as error:
        return type(error)
    return getattr(made, name), type(getattr(made, name))


@given(st.sampled_from(NAMES[1:]), st.sampled_from(VALUES))
def test_an_object_is_made_of_what_it_can_be_set_to(name, value):
    assert made_of(Kinds, name, value) == outcome(Kinds(_id=1), name, value)


@given(
    st.sampled_from([prop for prop in Lists._skerry_schema if not prop.is_single]),
    st.lists(st.sampled_from(VALUES), max_size=3),
)
def test_collections_take_the_elements_that_they_take_one_by_one(prop, values):
    def stored(store):
        try:
            elements = store()
        except SkerryError as error:
            return type(error)
        return [(one, type(one)) for one in elements]

    one_by_one = stored(lambda: [prop.store_value(value) for value in values])
    assert stored(lambda: prop.store(values)) == one_by_one


def test_objects_are_found_alike_in_every_way():
    class Thing(RealmObject):
        _id: ObjectId = primary_key()
        twin: ObjectId | None = None
        number: int = 0

    keys = [ObjectId(bytes(11) + bytes([number])) for number in range(4)]

    async def body(realm):
        async with realm.write() as txn:
            for number, key in enumerate(keys[:3]):
                txn.add(Thing(_id=key, twin=keys[number // 2], number=number))
        before = realm.objects(Thing)
        for key in keys:
            ways = [
                realm.find(Thing, key),
                realm.objects(Thing).find(key),
                realm.query(Thing, "number >= $0", 0).find(key),
            ]
            shown = [None if one is None else asdict(one) for one in ways]
            assert shown[0] == shown[1] == shown[2]
            assert (shown[0] is None) == (key is keys[3])
        async with realm.write() as txn:
            txn.delete(txn.find(Thing, keys[0]))
            txn.add(Thing(_id=keys[3]))
        assert before.find(keys[0]).number == 0
        assert before.find(keys[3]) is None
        assert realm.objects(Thing).find(keys[0]) is None
        assert realm.objects(Thing).find(keys[3]).number == 0
        assert realm.objects(Thing).limit(1).find(keys[3]) is None
        assert (len(before), len(realm.objects(Thing))) == (3, 3)

    with_realm([Thing], body)
