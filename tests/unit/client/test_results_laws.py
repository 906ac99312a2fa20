"""Laws of results: whatever is made of them step by step is what the same steps make of a list."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry import Query, RealmObject, primary_key
from skerry._core import RealmFile
from skerry.client.reader import Reader
from skerry.client.results import make_results
from skerry.model import Schema
from skerry.types import Link

COUNT = 2500


class Item(RealmObject):
    _id: int = primary_key()
    name: str
    group: int
    price: float | None = None
    next: "Item | None" = None


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file with more objects than columns in memory need."""
    path = tmp_path_factory.mktemp("laws") / "items.realm"
    made = RealmFile.open(str(path), Schema([Item]).to_json(), synced=False, synchronous="normal")
    txn = made.begin_write(1000)
    for number in range(COUNT):
        values = [("name", f"n{number % 50:02}"), ("group", number % 11)]
        if number % 7:
            values.append(("price", number / 4))
        txn.create("Item", number, values, [], "error")
    for number in range(1, 500, 3):
        txn.set("Item", number, "next", Link("Item", number * 5 % COUNT))
    txn.commit(0)
    yield made
    made.close()


@pytest.fixture(scope="module", params=["columns", "sql"])
def results(request, file):
    """Make results of a query; on SQL alone, the file is opened without memory for columns."""
    schema = Schema([Item])
    opened = file
    if request.param == "sql":
        opened = RealmFile.open(
            file.path, schema.to_json(), synced=False, synchronous="normal", query_cache_bytes=0
        )
    reader = Reader(schema, opened.snapshot(), None)

    def make(text="TRUEPREDICATE"):
        return make_results(Item, Query("Item", text), reader, None)

    yield make
    if opened is not file:
        opened.close()


def keys(found):
    return [one._id for one in found]


def places():
    return st.none() | st.integers(-50, 50)


SLICES = st.builds(
    slice, places(), places(), (st.none() | st.integers(-9, 9)).filter(bool) | st.none()
)


@given(st.lists(SLICES, max_size=4), st.integers(0, 40))
def test_slices_of_slices_are_those_of_a_list(results, slices, count):
    found = results(f"_id < {count} SORT(name DESC)")
    wanted = list(found)
    for one in slices:
        found, wanted = found[one], wanted[one]
    assert list(found) == wanted
    assert len(found) == len(wanted)
    assert [one in found for one in wanted] == [True] * len(wanted)


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("query"), st.sampled_from(["group > 4", "price < 200.0", "next == null"])
        ),
        st.tuples(st.just("sort"), st.sampled_from(["group", "name", "price", "next.name"])),
        st.tuples(st.just("distinct"), st.sampled_from(["group", "name"])),
        st.tuples(st.just("limit"), st.integers(1, 900)),
        st.tuples(st.just("slice"), SLICES),
    ),
    max_size=5,
)

NAMES = {
    "group > 4": lambda one: one.group > 4,
    "price < 200.0": lambda one: one.price is not None and one.price < 200.0,
    "next == null": lambda one: one.next is None,
    "group": lambda one: one.group,
    "name": lambda one: one.name,
    # Null is before all, and what a null link leads to behind.
    "price": lambda one: (one.price is not None, one.price or 0.0),
    "next.name": lambda one: (one.next is None, one.next.name if one.next else ""),
}


def applied(objects, step, what):
    match step:
        case "query":
            return [one for one in objects if NAMES[what](one)]
        case "sort":
            return sorted(objects, key=NAMES[what])
        case "distinct":
            return list({NAMES[what](one): one for one in reversed(objects)}.values())[::-1]
        case "limit":
            return objects[:what]
        case _:
            return objects[what]


def first_of_each(objects, key):
    seen = set()
    return [one for one in objects if not (key(one) in seen or seen.add(key(one)))]


@given(STEPS, st.booleans())
def test_any_steps_give_what_they_give_on_a_list(results, steps, is_found_early):
    found = results()
    wanted = list(results())
    for step, what in steps:
        if is_found_early:
            len(list(found[:1]))
        found = found[what] if step == "slice" else getattr(found, step)(what)
        if step == "distinct":
            wanted = first_of_each(wanted, NAMES[what])
        else:
            wanted = applied(wanted, step, what)
    assert len(found) == len(wanted)
    first = found.first()
    assert (first and first._id) == (wanted[0]._id if wanted else None)
    assert keys(found) == [one._id for one in wanted]
    prices = [one.price for one in wanted if one.price is not None]
    assert found.max("price") == max(prices, default=None)
    assert found.sum("group") == sum(one.group for one in wanted)
