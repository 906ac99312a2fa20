"""Every kind of property: what is written is what is read, found by queries, under both names."""

import dataclasses
import decimal
import enum
import json
import pickle
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry import (
    Backlinks,
    Configuration,
    Counter,
    Decimal128,
    EmbeddedObject,
    Float32,
    GeoPoint,
    Link,
    ObjectId,
    PreciseDatetime,
    Realm,
    RealmObject,
    RealmValue,
    Schema,
    Timestamp,
    asdict,
    backlinks,
    field,
    ignored,
    primary_key,
)
from skerry.errors import IllegalStateError, PropertyTypeError, QueryError, SchemaError
from skerry.model.objects import make_managed, row_of
from tests.unit.model.realms import with_realm


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Address(EmbeddedObject):
    street: str = ""
    position: GeoPoint | None = None
    visits: Counter = Counter(0)


class Kinds(RealmObject):
    _id: int = primary_key()
    truth: bool = False
    number: int | None = None
    ratio: float = 0.0
    small: Annotated[float, Float32] = 0.0
    text: str = ""
    data: bytes = b""
    at: datetime | None = None
    exact_at: Timestamp | None = None
    key: ObjectId | None = None
    uid: uuid.UUID | None = None
    amount: decimal.Decimal | None = None
    exact: Decimal128 | None = None
    color: Color = Color.RED
    level: Level | None = None
    point: GeoPoint | None = None
    points: list[GeoPoint] = []
    address: Address | None = None
    colors: list[Color] = []
    times: set[datetime] = set()
    amounts: dict[str, decimal.Decimal | None] = {}
    anything: RealmValue = None
    peer: "Kinds | None" = None


decimals = st.decimals(
    allow_nan=False, min_value=-(10**20), max_value=10**20, places=4
) | st.sampled_from([decimal.Decimal("Infinity"), decimal.Decimal("1E-6000")])
nanoseconds = st.integers(0, 999)
times = st.builds(
    PreciseDatetime.of, st.datetimes(timezones=st.just(UTC)), nanoseconds
) | st.datetimes(timezones=st.just(UTC))
timestamps = st.integers(-(2**62), 2**62).flatmap(
    lambda seconds: st.builds(
        Timestamp,
        st.just(seconds),
        st.integers(0, 10**9 - 1).map(lambda n: -n if seconds < 0 else n),
    )
)
int64s = st.integers(-(2**63), 2**63 - 1)
points = st.builds(GeoPoint, latitude=st.floats(-90, 90), longitude=st.floats(-180, 180))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
values = {
    "truth": st.booleans(),
    "number": st.none() | int64s,
    "ratio": st.floats(allow_nan=False),
    "small": st.floats(width=32, allow_nan=False),
    "text": texts,
    "data": st.binary(max_size=9),
    "at": st.none() | times,
    "exact_at": st.none() | timestamps,
    "key": st.none() | st.builds(ObjectId, st.binary(min_size=12, max_size=12)),
    "uid": st.none() | st.uuids(),
    "amount": st.none() | decimals,
    "exact": st.none() | decimals.map(Decimal128),
    "color": st.sampled_from(Color),
    "level": st.none() | st.sampled_from(Level),
    "point": st.none() | points,
    "points": st.lists(points, max_size=3),
    "address": st.none()
    | st.builds(Address, street=texts, position=st.none() | points, visits=int64s.map(Counter)),
    "colors": st.lists(st.sampled_from(Color), max_size=3),
    "times": st.sets(times, max_size=3),
    "amounts": st.dictionaries(
        st.text(st.characters(exclude_characters="$.", exclude_categories=["Cs"]), max_size=3),
        st.none() | decimals,
        max_size=3,
    ),
    "anything": st.none() | st.booleans() | int64s | texts | times | st.uuids(),
}


def nanoseconds_of(value):
    if isinstance(value, datetime):
        return getattr(value, "nanosecond", 0)
    return None


@given(
    first=st.fixed_dictionaries({}, optional=values),
    then=st.fixed_dictionaries({}, optional=values),
)
def test_what_is_written_is_what_is_read(first, then):
    async def body(realm):
        made = Kinds(_id=1, **first)
        async with realm.write() as txn:
            live = txn.add(made)
            assert live == made
        frozen = realm.find(Kinds, 1)
        assert frozen == made
        for name, value in first.items():
            assert getattr(frozen, name) == value
            assert nanoseconds_of(getattr(frozen, name)) == nanoseconds_of(value)
        async with realm.write() as txn:
            live = txn.live(frozen)
            for name, value in then.items():
                setattr(live, name, value)
                assert getattr(live, name) == value
        frozen = realm.find(Kinds, 1)
        for name, value in then.items():
            assert getattr(frozen, name) == value
            is_loose = isinstance(value, dict | set | list | datetime)
            assert is_loose or type(getattr(frozen, name)) is type(value)
        # The same again, by mappings.
        async with realm.write() as txn:
            txn.add_all(Kinds, [{"_id": 2, **first, **then}])
        expected = {**asdict(frozen), "_id": 2}
        assert asdict(realm.find(Kinds, 2)) == expected
        # And what was read can be written.
        async with realm.write() as txn:
            again = {name: getattr(frozen, name) for name in values}
            txn.add(Kinds(_id=3, **again))
        assert asdict(realm.find(Kinds, 3)) == {**expected, "_id": 3}

    with_realm([Kinds], body)


def test_a_precise_time_stays_so_through_pickle_and_loses_it_by_computing():
    precise = PreciseDatetime.of(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), 789)
    again = pickle.loads(pickle.dumps(precise))
    assert (again, again.nanosecond) == (precise, 789)
    assert precise == datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)
    assert (precise + timedelta(seconds=1)).nanosecond == 0
    assert Timestamp.from_datetime(precise).nanoseconds == 6789
    early = Timestamp(-1, -1)
    assert Timestamp.from_datetime(early.to_datetime()) == early


@dataclasses.dataclass
class FakeBsonObjectId:
    binary: bytes


@dataclasses.dataclass
class FakeBsonDecimal:
    number: decimal.Decimal

    def to_decimal(self):
        return self.number


FakeBsonObjectId.__module__ = "bson.objectid"
FakeBsonObjectId.__name__ = "ObjectId"
FakeBsonDecimal.__module__ = "bson.decimal128"
FakeBsonDecimal.__name__ = "Decimal128"


def test_values_of_pymongo_are_accepted():
    one = Kinds(
        _id=1, key=FakeBsonObjectId(b"x" * 12), exact=FakeBsonDecimal(decimal.Decimal("1.50"))
    )
    assert (one.key, str(one.exact)) == (ObjectId(b"x" * 12), "1.50")


def test_an_enum_that_lacks_what_is_stored_says_so():
    class Newer(RealmObject, name="Kinds"):
        _id: int = primary_key()
        color: str = ""

    async def body(realm):
        with realm.write_blocking() as txn:
            txn.add(Newer(_id=1, color="green"))

        class Item(RealmObject, name="Kinds"):
            _id: int = primary_key()
            color: Color = Color.RED

        row = realm.find(Newer, 1)
        older = make_managed(Item, list(row_of(row)), None)
        with pytest.raises(PropertyTypeError, match=r"Kinds\.color.*'green' is not a valid Color"):
            assert older.color

    with_realm([Newer], body)
    with pytest.raises(PropertyTypeError, match=r"Kinds\.color"):
        Kinds(_id=1, color="green")
    assert Kinds(_id=1, color="blue").color is Color.BLUE


def test_counters_add_in_each_condition():
    async def body(realm):
        one = Kinds(_id=1, address=Address())
        one.address.visits.increment(3)
        assert one.address.visits == 3
        async with realm.write() as txn:
            live = txn.add(one)
            live.address.visits.increment()
            live.address.visits.decrement(5)
            assert live.address.visits == -1
        frozen = realm.find(Kinds, 1)
        assert frozen.address.visits == -1
        assert json.dumps(frozen.address.visits) == "-1"
        with pytest.raises(IllegalStateError, match=r"Address\.visits cannot be changed"):
            frozen.address.visits.increment()
        with pytest.raises(TypeError, match="only a counter read from an object"):
            Counter(3).increment()
        async with realm.write() as txn:
            live = txn.live(frozen)
            with pytest.raises(PropertyTypeError, match=r"Kinds\.number is None"):
                txn.increment(live, "number")
            live.number = 2**63 - 1
            txn.increment(live, "number")
            assert live.number == -(2**63)

    with_realm([Kinds], body)


class Owner(RealmObject):
    _id: int = primary_key()
    items: Backlinks["Item"] = backlinks("owner")
    lent: Backlinks["Item"] = backlinks("borrowers")
    mapped: Backlinks["Item"] = backlinks("roles")


class Item(RealmObject, name="StoredItem"):
    key: int = primary_key(name="_id")
    title: str = field(default="", name="stored_title", indexed=True)
    owner: Owner | None = field(default=None, name="stored_owner")
    borrowers: list[Owner] = []
    roles: dict[str, Owner | None] = {}
    note: dict[str, int] = ignored(default_factory=dict)
    loud: bool = ignored(default=False)


def test_backlinks_follow_the_links_in_the_same_version():
    async def body(realm):
        async with realm.write() as txn:
            owner = txn.add(Owner(_id=1))
            assert list(owner.items) == []
            txn.add(Item(key=1, owner=owner, borrowers=[owner, owner]))
            txn.add(Item(key=2, owner=owner, roles={"x": owner}))
            assert [item.key for item in owner.items] == [1, 2]
        frozen = realm.find(Owner, 1)
        async with realm.write() as txn:
            txn.find(Item, 1).owner = None
        assert [item.key for item in frozen.items] == [1, 2]
        assert [item.key for item in realm.find(Owner, 1).items] == [2]
        assert [item.key for item in frozen.lent] == [1]
        assert [item.key for item in frozen.mapped] == [2]
        assert tuple(Owner(_id=2).items) == ()
        with pytest.raises(AttributeError, match="never set"):
            frozen.items = []

    with_realm([Owner, Item], body)


def test_persisted_names_are_in_the_file_and_queries_take_both():
    async def body(realm):
        async with realm.write() as txn:
            owner = txn.add(Owner(_id=7))
            txn.add(Item(key=1, title="b", owner=owner))
            txn.add(Item(key=2, title="a"))
        for name in ("title", "stored_title"):
            assert [i.key for i in realm.query(Item, f"{name} == $0", "a")] == [2]
            found = realm.query(Item, f"TRUEPREDICATE SORT({name} ASC)")
            assert [item.key for item in found] == [2, 1]
        for path in ("owner", "stored_owner"):
            assert [item.key for item in realm.query(Item, f"{path}._id == 7")] == [1]
        for links in ("@links.Item.owner", "@links.StoredItem.stored_owner"):
            assert [o._id for o in realm.query(Owner, f"ANY {links}.title == 'b'")] == [7]
        with pytest.raises(QueryError, match="nonsense"):
            len(realm.query(Item, "nonsense == 1"))
        assert repr(realm.find(Item, 2)).startswith("Item(key=2, title='a'")

    with_realm([Owner, Item], body)
    entry = next(
        e for e in json.loads(Schema([Owner, Item]).to_json()) if e["name"] == "StoredItem"
    )
    assert [prop["name"] for prop in entry["properties"]][:3] == [
        "_id",
        "stored_title",
        "stored_owner",
    ]


def test_ignored_attributes_live_on_the_python_object_alone():
    async def body(realm):
        one = Item(key=1, loud=True)
        one.note["x"] = 1
        async with realm.write() as txn:
            txn.add(one)
        frozen = realm.find(Item, 1)
        assert (frozen.note, frozen.loud, one.note) == ({}, False, {"x": 1})
        frozen.loud = True
        frozen.note["y"] = 2
        assert (frozen.loud, frozen.note) == (True, {"y": 2})
        assert "loud" not in asdict(frozen)
        with pytest.raises(AttributeError, match="no property 'quiet'"):
            frozen.quiet = True

    with_realm([Owner, Item], body)


def test_schema_errors_name_the_place_and_suggest():
    with pytest.raises(SchemaError, match=r"Broken\.title has no annotation.*did you mean titel"):

        class Broken(RealmObject):
            _id: int = primary_key()
            titel: str = ""
            title = field(default="")

    with pytest.raises(SchemaError, match="one and two are both stored as 'same'"):

        class Twice(RealmObject):
            _id: int = primary_key()
            one: str = field(default="", name="same")
            two: str = field(default="", name="same")

    with pytest.raises(SchemaError, match=r"Inner\._id: embedded objects have no primary key"):

        class Inner(EmbeddedObject):
            _id: int = primary_key()

    class Lost(RealmObject):
        _id: int = primary_key()
        items: Backlinks["Itme"] = backlinks("owner")  # noqa: F821 - misspelt on purpose

    with pytest.raises(SchemaError, match=r"Lost\.items refers to Itme.*did you mean Item"):
        Schema([Lost, Owner, Item])

    class Wrong(RealmObject):
        _id: int = primary_key()
        items: Backlinks[Item] = backlinks("ownr")

    with pytest.raises(SchemaError, match=r"Wrong\.items: Item has no property 'ownr'.*owner"):
        Schema([Wrong, Owner, Item])


def test_an_object_of_another_realm_is_refused():
    async def outer(one):
        async def inner(other):
            async with one.write() as txn:
                txn.add(Owner(_id=1))
            foreign = one.find(Owner, 1)
            async with other.write() as txn:
                with pytest.raises(IllegalStateError, match="Owner 1 is of another realm"):
                    txn.add(Item(key=1, owner=foreign))
                assert txn.count(Item) == 0

        with tempfile.TemporaryDirectory() as directory:
            async with Realm.open(Configuration([Owner, Item], directory=directory)) as other:
                await inner(other)

    with_realm([Owner, Item], outer)


def test_links_in_mixed_values_to_classes_the_program_does_not_know_stay_links():
    link = Link("Stranger", 1)
    one = Kinds(_id=1, anything=link)
    assert one.anything == link


def test_tables_and_aggregates_go_by_the_names_of_attributes():
    async def body(realm):
        async with realm.write() as txn:
            txn.add_all(Item, [{"key": number, "title": f"t{number}"} for number in range(3)])
        results = realm.objects(Item)
        assert results.sort("title", descending=True)[0].key == 2
        assert (results.min("key"), results.max("_id"), results.sum("key")) == (0, 2, 3)
        table = results.to_pyarrow(columns=["key", "title"])
        assert table.column_names == ["key", "title"]
        assert table.column("title").to_pylist() == ["t0", "t1", "t2"]
        assert results.to_pyarrow().column_names == ["key", "title", "owner", "borrowers", "roles"]

    with_realm([Owner, Item], body)


def test_a_class_that_is_defined_anew_stands_for_the_old_one():
    def define():
        class Task(RealmObject):
            _id: int = primary_key()

        return Task

    first = define()

    class Project(RealmObject):
        _id: int = primary_key()
        task: first | None = None

    second = define()

    async def body(realm):
        async with realm.write() as txn:
            txn.add(Project(_id=1, task=second(_id=2)))
        assert type(realm.find(Project, 1).task) is second

    with_realm([Project, second], body)
