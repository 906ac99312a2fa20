"""Results: lazy, a sequence, refined step by step, aggregated, and the same under later writes."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from skerry import Configuration, Decimal128, ObjectId, Realm, RealmObject, Timestamp, primary_key
from skerry.client.results import BLOCK_ROWS
from skerry.errors import (
    IllegalStateError,
    MultipleResultsError,
    NoResultError,
    PropertyTypeError,
    QueryError,
)

COUNT = 3000
START = datetime(2024, 1, 1, tzinfo=UTC)


class Item(RealmObject):
    _id: int = primary_key()
    name: str
    group: int
    price: float | None = None
    worth: Decimal128 | None = None
    made: datetime | None = None
    ref: ObjectId | None = None
    next: "Item | None" = None


def item(number):
    is_bare = number % 7 == 0
    return Item(
        _id=number,
        name=f"n{number % 50:02}",
        group=number % 11,
        price=None if is_bare else number / 4,
        worth=None if is_bare else Decimal128(f"{number}.25"),
        made=None if is_bare else START + timedelta(seconds=number),
    )


@pytest.fixture
async def realm(tmp_path):
    async with Realm.open(Configuration([Item], directory=tmp_path)) as opened:
        async with opened.write() as txn:
            for number in range(COUNT):
                txn.add(item(number))
        yield opened


def keys(results):
    return [one._id for one in results]


# --- The sequence ---------------------------------------------------------------------------------


async def test_results_are_a_sequence(realm):
    found = realm.query(Item, "group == 3")
    wanted = [number for number in range(COUNT) if number % 11 == 3]
    assert len(found) == found.count() == len(wanted)
    assert found
    assert keys(found) == wanted
    assert keys(reversed(found)) == wanted[::-1]
    assert [found[at]._id for at in range(len(found))] == wanted
    assert found[-1]._id == found.last()._id == wanted[-1]
    assert found.first()._id == found[0]._id == wanted[0]
    with pytest.raises(IndexError, match="273 results"):
        found[len(wanted)]
    with pytest.raises(IndexError):
        found[-len(wanted) - 1]
    with pytest.raises(TypeError):
        found["0"]


async def test_empty_results(realm):
    found = realm.query(Item, "group == 99")
    assert not found
    assert (len(found), found.first(), found.last(), found.one_or_none()) == (0, None, None, None)
    assert (list(found), list(found[1:]), list(reversed(found))) == ([], [], [])
    assert found.find(3) is None
    with pytest.raises(IndexError):
        found[0]
    with pytest.raises(NoResultError, match="no Item matches group == 99"):
        found.one()


async def test_membership_is_by_class_and_key(realm):
    found = realm.query(Item, "group == 3 SORT(_id DESC)")
    inside, outside = realm.find(Item, 14), realm.find(Item, 15)
    for _ in range(2):
        assert inside in found
        assert outside not in found
        assert 14 not in found
        assert found.count(inside) == 1
        assert found.find(14) == inside
        assert found.find(15) is None
        assert found.find(10**9) is None
        assert found.index(inside) == len(found) - 2
        len(found[:])
    assert Item(_id=14, name="unmanaged", group=0) in found
    with pytest.raises(ValueError, match="not among"):
        found.index(outside)
    with pytest.raises(ValueError, match="not among"):
        found.index(inside, 0, 5)
    with pytest.raises(PropertyTypeError):
        found.find("14")


async def test_exactly_one(realm):
    assert realm.query(Item, "_id == 5").one()._id == 5
    with pytest.raises(MultipleResultsError, match="several Item match"):
        realm.query(Item, "group == 3").one()
    with pytest.raises(MultipleResultsError):
        realm.objects(Item).one_or_none()


# --- Refining -------------------------------------------------------------------------------------


async def test_steps_apply_in_the_order_of_their_making(realm):
    everything = realm.objects(Item)
    assert keys(everything.query("group == $0", 3).query("_id < $0", 40)) == [3, 14, 25, 36]
    assert keys(everything.limit(20).query("group == 3")) == [3, 14]
    assert keys(everything.query("group == 3").limit(2)) == [3, 14]
    assert keys(everything.sort("_id", descending=True).limit(3).sort("_id")) == [2997, 2998, 2999]
    assert keys(everything.distinct("group").query("_id > 8")) == [9, 10]
    assert keys(everything.query("_id > 8").distinct("group").limit(2)) == [9, 10]
    assert keys(everything[5:50:10].query("_id > 20").sort("_id", descending=True)) == [45, 35, 25]
    by_two = everything.limit(30).sort(("group", "desc"), "_id")
    assert keys(by_two[:3]) == [10, 21, 9]


async def test_what_was_asked_can_be_said(realm):
    found = realm.query(Item, "group == $0", 3).query("name BEGINSWITH 'n'").sort("_id").limit(4)
    said = 'group == 3 and name BEGINSWITH "n" SORT(_id ASC) LIMIT(4)'
    assert found.description == said
    assert found.as_query().text == said
    assert keys(realm.query(Item, said)) == keys(found)
    within = found.query("_id > 3")
    assert within.description == f"{said} | _id > 3"
    assert "then on the rows found: _id > 3" in within.explain()
    for one in (within, found[1:]):
        with pytest.raises(IllegalStateError, match="no single query"):
            one.as_query()
    assert realm.query(Item, "group == $0", 3).as_query().arguments == (3,)


async def test_a_long_chain_of_steps_ends(realm):
    found = realm.objects(Item)
    for number in range(400):
        found = found.limit(COUNT - number).query("group != $0", number % 2 + 5)
    assert keys(found[:6]) == [0, 1, 2, 3, 4, 7]
    ordered = realm.objects(Item)
    for _ in range(64):
        ordered = ordered.sort("_id")
    with pytest.raises(QueryError, match="64"):
        ordered.sort("_id")


@pytest.mark.parametrize(
    ("refuse", "error"),
    [
        (lambda realm: realm.query(Item, "grupp == 3"), QueryError),
        (lambda realm: realm.query(Item, "group == 3 LIMIT(x)"), QueryError),
        (lambda realm: realm.objects(Item).query("name == 3"), QueryError),
        (lambda realm: realm.objects(Item).sort("grupp"), QueryError),
        (lambda realm: realm.objects(Item).distinct("grupp"), QueryError),
        (lambda realm: realm.objects(Item).sort(), ValueError),
        (lambda realm: realm.objects(Item).sort(("group", "up")), ValueError),
        (lambda realm: realm.objects(Item).sort("group ASC) LIMIT(1"), ValueError),
        (lambda realm: realm.objects(Item).distinct("a,b"), ValueError),
        (lambda realm: realm.objects(Item).distinct(), ValueError),
        (lambda realm: realm.objects(Item).limit(0), ValueError),
        (lambda realm: realm.objects(Item)[::0], ValueError),
    ],
)
async def test_what_has_no_meaning_is_refused_at_the_call(realm, refuse, error):
    with pytest.raises(error):
        refuse(realm)


# --- Aggregates -----------------------------------------------------------------------------------


async def test_aggregates_have_realms_types(realm):
    found = realm.query(Item, "_id < 20")
    numbers = [number for number in range(20) if number % 7]
    assert (found.min("_id"), found.max("_id"), found.sum("_id")) == (0, 19, 190)
    assert found.average("_id") == 9.5
    assert found.sum("price") == sum(number / 4 for number in numbers)
    assert found.average("price") == sum(number / 4 for number in numbers) / len(numbers)
    assert found.sum("worth") == Decimal128("173.25" if len(numbers) == 17 else "0")
    assert type(found.average("worth")) is Decimal128
    assert found.max("made") == Timestamp.from_datetime(START + timedelta(seconds=19))


async def test_aggregates_of_nothing(realm):
    for found in (realm.query(Item, "_id == 7"), realm.query(Item, "_id < 0")):
        for name in ("price", "worth", "made"):
            assert found.min(name) is None
            assert found.max(name) is None
        for name, zero in (("price", 0.0), ("worth", Decimal128("0"))):
            assert found.sum(name) == zero
            assert type(found.sum(name)) is type(zero)
            assert found.average(name) is None


@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("prise", "sum", 'class "Item" has no property "prise"'),
        ("made", "sum", r'"Item.made" of type date has no sum'),
        ("made", "average", r'"Item.made" of type date has no average'),
        ("name", "max", r'"Item.name" of type string has no maximum'),
        ("next", "min", r'"Item.next" of type object has no minimum'),
    ],
)
async def test_a_wrong_aggregate_names_class_and_property(realm, name, kind, said):
    with pytest.raises(QueryError, match=said):
        getattr(realm.objects(Item), kind)(name)


# --- Versions and threads -------------------------------------------------------------------------


async def test_results_stay_what_they_were_while_others_write(realm):
    found, dear = (
        realm.query(Item, "group == 3"),
        realm.query(Item, "price > 10.0 SORT(price DESC)"),
    )
    wanted, first = [number for number in range(COUNT) if number % 11 == 3], dear.first()
    passing = iter(found)
    next(passing)
    async with realm.write() as txn:
        for one in txn.query(Item, "_id < 2000"):
            txn.delete(one)
        txn.add(item(COUNT))
        for one in txn.query(Item, "_id > 2500"):
            one.group = 3
    assert [one._id for one in passing] == wanted[1:]
    assert keys(found) == wanted
    assert (dear.first(), dear.sum("group") > 0) == (first, True)
    assert found.version < realm.version
    assert len(realm.query(Item, "group == 3")) != len(found)
    assert keys(found.query("_id < 20")) == [3, 14]


async def test_results_may_be_read_by_many_threads(realm):
    found = realm.query(Item, "group == 3").sort("name")
    seen, wanted = [], [one._id for one in realm.query(Item, "group == 3 SORT(name ASC)")]

    def read():
        seen.append([found[at]._id for at in range(len(found))])
        seen.append(keys(found))

    threads = [threading.Thread(target=read) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert seen == [wanted] * 12


async def test_loading_finds_and_reads_nothing_twice(realm):
    found = await realm.query(Item, "group == 3").load()
    assert await found.load() is found
    assert len(found) == 273


# --- How much is read -----------------------------------------------------------------------------


class Counting:
    """Matches that count the rows that are read."""

    def __init__(self, matches, seen):
        self.matches, self.seen = matches, seen

    def __getattr__(self, name):
        return getattr(self.matches, name)

    def __len__(self):
        return len(self.matches)

    def refined(self, *args):
        return Counting(self.matches.refined(*args), self.seen)

    def rows(self, start, length):
        rows = self.matches.rows(start, length)
        self.seen.append(len(rows))
        return rows


@pytest.fixture
def counted(realm):
    found, seen = realm.objects(Item), []
    found._matches = Counting(found._matches, seen)
    return found, seen


async def test_rows_are_read_where_they_are_looked_at(counted):
    found, seen = counted
    assert len(found) == COUNT
    assert found.first()._id == 0
    assert found[10:20].query("_id > 3").description
    assert seen == []
    passing = iter(found)
    next(passing)
    assert seen == [BLOCK_ROWS]
    seen.clear()
    assert found[2000]._id == 2000
    assert seen == [1]
    for at in range(2001, 2101):
        assert found[at]._id == at
    assert len(seen) <= 5


async def test_showing_reads_few(counted):
    found, seen = counted
    shown = repr(found)
    assert shown.startswith("<Results(Item, 'TRUEPREDICATE', version=")
    assert shown.count("Item(_id=") == 3
    assert shown.endswith("...]>")
    html = found._repr_html_()
    assert html.count("<tr>") == 11
    assert sum(seen) <= 4 + 10
    assert not found._matches.is_found


async def test_html_is_escaped(realm):
    async with realm.write() as txn:
        txn.add(Item(_id=-1, name="<script>&", group=1))
    html = realm.query(Item, "name == '<script>&'")._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;&amp;" in html


async def test_results_are_equal_to_themselves_alone(realm):
    found = realm.query(Item)
    assert found == found
    assert found != realm.query(Item)
    assert len({found, realm.query(Item)}) == 2
