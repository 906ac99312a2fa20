"""Queries through the public API on a realm file: the language, its errors, its plans."""

import pytest

from skerry import Configuration, Realm, RealmObject, field, primary_key
from skerry.errors import ConfigurationError, QueryError, QueryErrorKind


class Person(RealmObject):
    _id: int = primary_key()
    name: str = field(indexed=True)
    age: int = 0
    bio: str = field(full_text=True, default="")
    friend: "Person | None" = None


PEOPLE = 3000


async def filled(configuration):
    async with Realm.open(configuration) as realm:
        async with realm.write() as txn:
            for number in range(PEOPLE):
                person = Person(
                    _id=number,
                    name=f"n{number % 50}",
                    age=number % 90,
                    bio=f"likes the café number {number}",
                )
                txn.add(person)
        async with realm.write() as txn:
            first, second = txn.query(Person, "_id IN {1, 2} SORT(_id ASC)")
            first.friend = second


@pytest.fixture
async def realm(tmp_path):
    configuration = Configuration([Person], directory=tmp_path)
    await filled(configuration)
    async with Realm.open(configuration) as opened:
        yield opened


@pytest.mark.parametrize(
    ("rql", "arguments", "keys"),
    [
        ("age > 80 AND name == 'n3' AND _id < 400", (), [353]),
        ("bio TEXT $0", ("cafe 17",), [17]),
        ("friend.age == 2", (), [1]),
        ("@links.Person.friend.@count == 1", (), [2]),
        ("SUBQUERY(@links.Person.friend, $p, $p.age == $0).@count > 0", (1,), [2]),
        ("friend != null AND friend.friend == null", (), [1]),
        ("age + 1 == $0 AND _id < 90", (5,), [4]),
        ("$K0 LIKE[c] 'N1?' AND _id < 12", ("name",), [10, 11]),
        ("age BETWEEN {3, 5} SORT(name DESC, _id ASC) LIMIT(2)", (), [5, 455]),
    ],
)
async def test_the_whole_language_can_be_asked(realm, rql, arguments, keys):
    found = realm.query(Person, rql, *arguments)
    assert [person._id for person in found] == keys
    assert len(found) == len(keys)


@pytest.mark.parametrize(
    ("rql", "kind", "place"),
    [
        ("age >> 3", QueryErrorKind.SYNTAX, "at 5"),
        ("agee == 3", QueryErrorKind.INVALID_PROPERTY, "at 0"),
        ("age == 'x'", QueryErrorKind.TYPE_MISMATCH, "at 4"),
        ("bio TEXT ''", QueryErrorKind.BAD_ARGUMENT, "at 4"),
        ("ANY age == 3", QueryErrorKind.UNSUPPORTED, "at 4"),
        ("(" * 300, QueryErrorKind.SYNTAX, "at 100"),
    ],
)
async def test_what_has_no_answer_is_refused_with_kind_and_place(realm, rql, kind, place):
    with pytest.raises(QueryError) as refused:
        len(realm.query(Person, rql))
    assert refused.value.kind is kind
    assert place in str(refused.value)


async def test_plans_tell_of_indexes_columns_and_the_evaluator(realm):
    assert "USING INDEX" in realm.query(Person, "name == 'n3'").explain()
    assert "words" in realm.query(Person, "bio TEXT 'cafe'").explain()
    assert "evaluator: friend.age == 2" in realm.query(Person, "friend.age == 2").explain()
    for _ in range(5):
        assert len(realm.query(Person, "age == 7")) == PEOPLE // 90 + 1
    assert "columns in memory" in realm.query(Person, "age == 7").explain()


async def test_without_a_cache_no_columns_are_used(tmp_path):
    configuration = Configuration([Person], directory=tmp_path, query_cache_bytes=0)
    await filled(configuration)
    async with Realm.open(configuration) as realm:
        for _ in range(5):
            assert len(realm.query(Person, "age == 7")) == PEOPLE // 90 + 1
        assert "columns in memory" not in realm.query(Person, "age == 7").explain()


def test_a_cache_of_less_than_nothing_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match="query_cache_bytes"):
        Configuration([Person], directory=tmp_path, query_cache_bytes=-1)
