"""Lists, sets and dictionaries: they behave as Python's own in each condition, and the file agrees.

The same operations go to a property and to Python's collection, and both must say the same at every
step: before the object is in a realm, inside a write, and as it is read back.
"""

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry import EmbeddedObject, RealmObject, RealmValue, asdict, primary_key
from skerry.errors import IllegalStateError, PropertyTypeError
from tests.unit.model.realms import same_outcome, with_realm


class Part(EmbeddedObject):
    size: int = 0
    tags: list[str] = []


class Thing(RealmObject):
    _id: int = primary_key()
    names: list[str] = []
    numbers: list[int | None] = []
    flags: set[int] = set()
    counts: dict[str, int] = {}
    peers: list["Thing"] = []
    peer_set: set["Thing"] = set()
    peer_map: dict[str, "Thing | None"] = {}
    parts: list[Part] = []
    part_map: dict[str, Part | None] = {}
    anything: RealmValue = None


texts = st.text(st.sampled_from("abc"), max_size=2)
positions = st.integers(-6, 6)
slices = st.builds(
    slice,
    st.none() | positions,
    st.none() | positions,
    st.none() | st.sampled_from([1, 1, 2, -1, -2]),
)

list_steps = st.one_of(
    st.tuples(st.just("append"), texts),
    st.tuples(st.just("extend"), st.lists(texts, max_size=3)),
    st.tuples(st.just("insert"), positions, texts),
    st.tuples(st.just("pop")),
    st.tuples(st.just("pop"), positions),
    st.tuples(st.just("remove"), texts),
    st.tuples(st.just("reverse")),
    st.tuples(st.just("sort")),
    st.tuples(st.just("clear")),
    st.tuples(st.just("index"), texts),
    st.tuples(st.just("count"), texts),
    st.tuples(st.just("__getitem__"), positions | slices),
    st.tuples(st.just("__setitem__"), positions, texts),
    st.tuples(st.just("__setitem__"), slices, st.lists(texts, max_size=3)),
    st.tuples(st.just("__delitem__"), positions | slices),
    st.tuples(st.just("__iadd__"), st.lists(texts, max_size=3)),
)

set_steps = st.one_of(
    st.tuples(st.just("add"), st.integers(0, 5)),
    st.tuples(st.just("discard"), st.integers(0, 5)),
    st.tuples(st.just("remove"), st.integers(0, 5)),
    st.tuples(st.just("update"), st.sets(st.integers(0, 5))),
    st.tuples(st.just("clear")),
    st.tuples(st.just("__contains__"), st.integers(0, 5)),
    st.tuples(st.just("issubset"), st.sets(st.integers(0, 5))),
    st.tuples(st.just("__or__"), st.sets(st.integers(0, 5))),
    st.tuples(st.just("__and__"), st.sets(st.integers(0, 5))),
    st.tuples(st.just("difference"), st.sets(st.integers(0, 5))),
)

dictionary_steps = st.one_of(
    st.tuples(st.just("__setitem__"), texts, st.integers(0, 5)),
    st.tuples(st.just("__getitem__"), texts),
    st.tuples(st.just("__delitem__"), texts),
    st.tuples(st.just("pop"), texts),
    st.tuples(st.just("setdefault"), texts, st.integers(0, 5)),
    st.tuples(st.just("update"), st.dictionaries(texts, st.integers(0, 5), max_size=3)),
    st.tuples(st.just("get"), texts),
    st.tuples(st.just("clear")),
    st.tuples(st.just("__contains__"), texts),
)


def perform(ours, theirs, step):
    name, *arguments = step

    def call(target):
        result = getattr(target, name)(*arguments)
        # What changes in place returns itself, or None; either way it is looked at below.
        return None if result is target else result

    with same_outcome() as outcome:
        outcome(lambda: call(ours))
        outcome(lambda: call(theirs))
    assert ours == theirs
    assert len(ours) == len(theirs)


@pytest.mark.parametrize(
    ("attribute", "steps", "empty"),
    [
        ("names", list_steps, list),
        ("flags", set_steps, set),
        ("counts", dictionary_steps, dict),
    ],
)
def test_a_collection_does_what_pythons_own_does(attribute, steps, empty):
    @given(
        before=st.lists(steps, max_size=8),
        writes=st.lists(st.lists(steps, max_size=8), max_size=3),
    )
    def run(before, writes):
        async def body(realm):
            expected = empty()
            thing = Thing(_id=1)
            for step in before:
                perform(getattr(thing, attribute), expected, step)
            async with realm.write() as txn:
                live = txn.add(thing)
                assert getattr(live, attribute) == expected
            for write in writes:
                async with realm.write() as txn:
                    live = txn.find(Thing, 1)
                    for step in write:
                        perform(getattr(live, attribute), expected, step)
                    # A fresh look at what the file has, beside what the collection shows.
                    assert asdict(live)[attribute] == expected
                frozen = getattr(realm.find(Thing, 1), attribute)
                assert frozen == expected
                assert asdict(realm.find(Thing, 1))[attribute] == expected
                assert not expected or ast.literal_eval(repr(frozen)) == expected

        with_realm([Thing], body)

    run()


def test_lists_of_objects_are_found_by_what_they_are_not_by_what_they_hold():
    async def body(realm):
        async with realm.write() as txn:
            one, two = txn.add(Thing(_id=1)), txn.add(Thing(_id=2))
            one.peers.extend([two, one, two])
            one.peer_set.add(two)
            one.peer_map["two"] = two
        old = realm.find(Thing, 2)
        async with realm.write() as txn:
            txn.live(old).names.append("changed")
        holder = realm.find(Thing, 1)
        assert old in holder.peers
        assert holder.peers.index(old) == 0
        assert holder.peers.count(old) == 2
        assert old in holder.peer_set
        assert [peer.names == ["changed"] for peer in holder.peers] == [True, False, True]
        assert holder.peer_map["two"] == holder.peers[0]
        async with realm.write() as txn:
            txn.live(holder).peers.remove(old)
            assert [peer._id for peer in txn.live(holder).peers] == [1, 2]

    with_realm([Thing], body)


def test_a_deleted_object_leaves_the_collections_that_are_at_hand():
    async def body(realm):
        async with realm.write() as txn:
            one, two = txn.add(Thing(_id=1)), txn.add(Thing(_id=2))
            one.peers.extend([two, one, two])
            one.peer_set.add(two)
            one.peer_map["two"] = two
            one.anything = [two, {"two": two}]
            peers, anything = one.peers, one.anything
            assert txn.delete(two) is True
            assert [peer._id for peer in peers] == [1]
            assert len(one.peer_set) == 0
            assert one.peer_map == {"two": None}
            # The deleter takes links out of lists, also out of those in a mixed value.
            assert anything == [{"two": None}]
        assert [peer._id for peer in realm.find(Thing, 1).peers] == [1]

    with_realm([Thing], body)


def test_what_is_embedded_is_edited_where_it_is_also_after_it_has_moved():
    async def body(realm):
        async with realm.write() as txn:
            live = txn.add(Thing(_id=1, parts=[Part(size=1), Part(size=2)]))
            second = live.parts[1]
            live.parts.insert(0, Part(size=0))
            second.size = 22
            second.tags.append("moved")
            live.parts.move(0, 2)
            second.tags.append("again")
            live.part_map["a"] = second
            live.part_map["a"].size = 5
            assert second.parent is live
            del live.parts[live.parts.index(second)]
            with pytest.raises(IllegalStateError, match="taken out"):
                second.size = 3
            first = live.parts[0]
            live.parts = [Part(size=9)]
            with pytest.raises(IllegalStateError, match="holds something else"):
                first.size = 3
        frozen = realm.find(Thing, 1)
        assert asdict(frozen)["parts"] == [{"size": 9, "tags": []}]
        assert asdict(frozen)["part_map"] == {"a": {"size": 5, "tags": ["moved", "again"]}}

    with_realm([Thing], body)


mixed = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@given(values=st.lists(mixed, min_size=1, max_size=4), keys=st.lists(texts | positions))
def test_a_mixed_value_holds_what_json_holds_and_is_edited_inside(values, keys):
    async def body(realm):
        first, *others = values
        async with realm.write() as txn:
            live = txn.add(Thing(_id=1, anything=first))
            expected = json.loads(json.dumps(first))
            for other in others:
                # The same way down in both, then an edit there.
                mine, theirs = live.anything, expected
                way = list(keys)
                while way and isinstance(theirs, list | dict) and theirs:
                    key = way.pop()
                    inner = None
                    if isinstance(theirs, list):
                        index = len(key) if isinstance(key, str) else abs(key)
                        inner = index % len(theirs)
                    elif str(key) in theirs:
                        inner = str(key)
                    if inner is None or not isinstance(theirs[inner], list | dict):
                        break
                    mine, theirs = mine[inner], theirs[inner]
                copied = json.loads(json.dumps(other))
                if isinstance(theirs, list):
                    mine.append(other)
                    theirs.append(copied)
                elif isinstance(theirs, dict):
                    mine["k"] = other
                    theirs["k"] = copied
                else:
                    live.anything = other
                    expected = copied
                assert asdict(live)["anything"] == expected
                assert live.anything == expected
        assert asdict(realm.find(Thing, 1))["anything"] == expected

    with_realm([Thing], body)


def test_iterating_a_frozen_collection_is_not_disturbed_by_writes():
    async def body(realm):
        async with realm.write() as txn:
            txn.add(Thing(_id=1, names=["a", "b", "c"]))
        seen = []
        for name in realm.find(Thing, 1).names:
            async with realm.write() as txn:
                txn.find(Thing, 1).names.clear()
            seen.append(name)
        assert seen == ["a", "b", "c"]
        assert sorted(realm.find(Thing, 1).names) == []

    with_realm([Thing], body)


def test_wrong_elements_are_refused_and_nothing_changes():
    async def body(realm):
        async with realm.write() as txn:
            live = txn.add(Thing(_id=1, names=["a"], counts={"a": 1}))
            with pytest.raises(PropertyTypeError, match=r"Thing\.names is of type string"):
                live.names.extend(["b", 3])
            with pytest.raises(PropertyTypeError, match=r"element of Thing\.names may not be None"):
                live.names.append(None)
            with pytest.raises(PropertyTypeError, match=r"Thing\.names is a list, not str"):
                live.names = "ab"
            with pytest.raises(PropertyTypeError, match=r"Thing\.counts.*begins with \$"):
                live.counts["$a"] = 1
            with pytest.raises(PropertyTypeError, match="contains a dot"):
                live.counts["a.b"] = 1
            with pytest.raises(PropertyTypeError, match=r"Thing\.parts does not hold Thing"):
                live.parts.append(live)
            live.numbers.append(None)
            assert (live.names, live.counts, live.numbers) == (["a"], {"a": 1}, [None])
        frozen = realm.find(Thing, 1)
        for change in (
            lambda: frozen.names.append("b"),
            lambda: frozen.counts.clear(),
            lambda: frozen.flags.add(1),
            lambda: frozen.parts.append(Part()),
        ):
            with pytest.raises(IllegalStateError, match=r"Thing\.\w+ cannot be changed here"):
                change()

    with_realm([Thing], body)


def test_a_collection_of_a_write_that_is_over_is_refused():
    async def body(realm):
        async with realm.write() as txn:
            names = txn.add(Thing(_id=1, names=["a"])).names
        with pytest.raises(IllegalStateError, match="write that is over"):
            names.append("b")
        assert names == ["a"]

    with_realm([Thing], body)


def test_deleting_one_of_many_live_objects_looks_at_those_that_linked_to_it(monkeypatch):
    async def body(realm):
        async with realm.write() as txn:
            things = [txn.add(Thing(_id=number)) for number in range(200)]
            things[0].peers.append(things[100])
            looked_at = []
            refresh = txn._refresh
            monkeypatch.setattr(
                txn, "_refresh", lambda *of: (looked_at.append(of[1]), refresh(*of))
            )
            assert txn.delete(things[50:]) == 150
            assert looked_at == [0]
            assert things[0].peers == []

    with_realm([Thing], body)
