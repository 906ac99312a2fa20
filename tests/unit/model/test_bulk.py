"""Adding many at once: the same objects and the same marks of defaults as adding each by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry import EmbeddedObject, ObjectId, RealmObject, RealmValue, asdict, field, primary_key
from skerry.errors import IllegalStateError, PrimaryKeyExistsError, PropertyTypeError
from tests.unit.model.realms import with_realm


class Part(EmbeddedObject):
    size: int = 0


class Thing(RealmObject):
    _id: int = primary_key()
    name: str = "unnamed"
    ratio: float = 0.5
    tags: list[str] = field(default_factory=list)
    flags: set[int] = field(default_factory=set)
    counts: dict[str, int] = field(default_factory=dict)
    part: Part | None = None
    anything: RealmValue = None
    peer: "Thing | None" = None


class Keyed(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)
    title: str


attributes = st.fixed_dictionaries(
    {},
    optional={
        "name": st.text("ab", max_size=2),
        "ratio": st.integers(0, 3) | st.floats(0, 1),
        "tags": st.lists(st.text("ab", max_size=2), max_size=2),
        "flags": st.sets(st.integers(0, 3), max_size=2),
        "counts": st.dictionaries(st.text("ab", max_size=2), st.integers(), max_size=2).filter(
            lambda counts: all(-(2**63) <= count < 2**63 for count in counts.values())
        ),
        "part": st.none() | st.builds(Part, size=st.integers(0, 3)),
        "anything": st.none() | st.lists(st.integers(0, 3), max_size=2),
    },
)


@given(
    rows=st.lists(attributes, max_size=12),
    as_objects=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_many_are_added_as_each_would_be(rows, as_objects):
    async def body(realm):
        given_rows = [{"_id": number, **row} for number, row in enumerate(rows)]
        mixed = (
            Thing(**row) if is_object else row
            for row, is_object in zip(given_rows, as_objects, strict=False)
        )
        async with realm.write() as txn:
            assert txn.add_all(Thing, mixed) == len(rows)
        got = {thing._id: asdict(thing) for thing in realm.objects(Thing)}
        assert got == {row["_id"]: asdict(Thing(**row)) for row in given_rows}

    with_realm([Thing], body)


def test_rows_may_link_to_objects_that_are_added_with_them():
    async def body(realm):
        shared = Thing(_id=100)
        async with realm.write() as txn:
            rows = [{"_id": number, "peer": shared} for number in range(3)]
            assert txn.add_all(Thing, rows) == 3
            live = txn.find(Thing, 1)
            assert live.peer is txn.find(Thing, 100)
            with pytest.raises(PrimaryKeyExistsError):
                txn.add_all(Thing, [{"_id": 7, "peer": Thing(_id=100)}])
            rows = [{"_id": 7, "peer": Thing(_id=100, name="new")}]
            assert txn.add_all(Thing, rows, update_policy="all") == 1
            assert txn.find(Thing, 100).name == "new"
        assert len(realm.objects(Thing)) == 5

    with_realm([Thing], body)


def test_policies_decide_about_keys_that_exist_and_live_objects_follow():
    async def body(realm):
        async with realm.write() as txn:
            live = txn.add(Thing(_id=1, name="old", tags=["kept"]))
            tags = live.tags
            with pytest.raises(PrimaryKeyExistsError):
                txn.add_all(Thing, [{"_id": 2}, {"_id": 1, "name": "new"}])
            rows = [{"_id": 1, "name": "new", "tags": ["a", "b"]}, {"_id": 3}]
            assert txn.add_all(Thing, rows, update_policy="modified") == 1
            assert (live.name, tags) == ("new", ["a", "b"])
            assert txn.add_all(Thing, [{"_id": 1, "ratio": 2}], update_policy="all") == 0
            assert (live.ratio, live.name) == (2.0, "new")

    with_realm([Thing], body)


def test_a_generator_is_read_as_it_is_written_and_keys_are_made():
    async def body(realm):
        async with realm.write() as txn:
            assert txn.add_all(Keyed, ({"title": str(number)} for number in range(2000))) == 2000
        assert len({keyed._id for keyed in realm.objects(Keyed)}) == 2000

    with_realm([Keyed], body)


@pytest.mark.parametrize(
    ("row", "error", "text"),
    [
        ({"_id": 1, "nane": "x"}, TypeError, "Thing has no property 'nane'"),
        ({"name": "x"}, TypeError, r"Thing\._id has no default"),
        ({"_id": 1, "name": 3}, PropertyTypeError, "name"),
        ({"_id": 1, "tags": ["a", 3]}, PropertyTypeError, "tags"),
        ({"_id": 1, "tags": "ab"}, PropertyTypeError, "tags"),
        ({"_id": 1, "part": 3}, PropertyTypeError, r"Thing\.part"),
        ({"_id": 1, "counts": {"$": 3}}, PropertyTypeError, r"Thing\.counts"),
        ({"_id": "1"}, PropertyTypeError, "key"),
        (Keyed(title="x"), TypeError, "a row is a Thing or a mapping"),
    ],
)
def test_a_wrong_row_is_refused_and_a_block_left_by_it_writes_nothing(row, error, text):
    async def body(realm):
        with pytest.raises(error, match=text):
            async with realm.write() as txn:
                txn.add_all(Thing, [{"_id": 7}, row])
        assert len(realm.objects(Thing)) == 0

    with_realm([Thing, Keyed], body)


def test_objects_of_a_realm_are_refused_as_rows():
    async def body(realm):
        async with realm.write() as txn:
            live = txn.add(Thing(_id=1))
            with pytest.raises(IllegalStateError, match="in a realm already"):
                txn.add_all(Thing, [live])

    with_realm([Thing], body)
