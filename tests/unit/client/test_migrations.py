"""Migrations of local realms: what is kept, what a function can do, and what is refused."""

import hashlib
import itertools
import json
from pathlib import Path

import pytest

from skerry import (
    Configuration,
    Decimal128,
    Link,
    Realm,
    RealmObject,
    errors,
    field,
    primary_key,
)
from skerry._core import RealmFile
from skerry.client.migration import Migration


class Item(RealmObject):
    _id: int = primary_key()
    name: str = ""
    count: int = 0
    next: "Item | None" = None


def named(name, annotations, defaults=(), key="_id"):
    """A model class of a persisted name, made as source would make it."""
    namespace = {"__annotations__": dict(annotations), "__module__": __name__, **dict(defaults)}
    namespace[key] = primary_key()
    return type(name, (RealmObject,), namespace)


def item_with(annotations, defaults=(), name="Item", key="_id"):
    return named(name, {key: int, **annotations}, defaults, key)


@pytest.fixture
def old(tmp_path):
    return Configuration([Item], directory=tmp_path, name="a", schema_version=1)


def newer(old, models, *, schema_version=2, **options):
    return Configuration(
        models, directory=old.path.parent, name="a", schema_version=schema_version, **options
    )


async def fill(configuration, count=3):
    async with Realm.open(configuration) as realm, realm.write() as txn:
        items = [txn.add(Item(_id=i, name=f"n{i}", count=i * 10)) for i in range(count)]
        for before, after in itertools.pairwise(items):
            before.next = after


async def rows(configuration, model):
    async with Realm.open(configuration) as realm:
        return {one._id: one for one in realm.objects(model)}


def digest(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


async def test_without_a_function_what_is_compatible_is_kept(old):
    await fill(old)
    model = item_with(
        {"count": float, "fresh": str, "made": str, "name": "str | None"},
        {
            "count": 0.0,
            "fresh": "default",
            "made": field(default_factory=iter("abc").__next__),
            "name": None,
        },
    )
    configuration = newer(old, [model])
    found = await rows(configuration, model)
    assert [(one.count, one.fresh, one.name) for one in found.values()] == [
        (0.0, "default", "n0"),
        (10.0, "default", "n1"),
        (20.0, "default", "n2"),
    ]
    assert sorted(one.made for one in found.values()) == ["a", "b", "c"], "one for each"
    async with Realm.open(configuration) as realm:
        assert realm.schema_version == 2


async def test_an_added_property_gets_its_default_without_another_version(old):
    await fill(old)
    model = item_with(
        {"name": str, "count": int, "next": "Item | None", "fresh": str},
        {"name": "", "count": 0, "next": None, "fresh": "default"},
    )
    found = await rows(newer(old, [model], schema_version=1), model)
    assert {one.fresh for one in found.values()} == {"default"}


async def test_a_function_sees_both_sides_and_reports(old):
    await fill(old)
    seen, progress = [], []
    model = item_with({"title": str, "count": str}, {"title": "", "count": ""})

    def migration(migration):
        assert (migration.old_version, migration.new_version) == (1, 2)
        assert migration.old.class_names == ["Item"]
        assert migration.old.properties("Item") == ("_id", "name", "count", "next")
        migration.rename_property("Item", "name", "title")
        for index, (before, after) in enumerate(migration.enumerate("Item")):
            seen.append((dict(before), dict(after)))
            after["count"] = f"{before['count']} pieces"
            migration.report(index + 1, 3)
        assert migration.delete("Item", 0)
        assert not migration.delete("Item", 0)
        assert [after is None for _, after in migration.enumerate("Item")] == [True, False, False]
        made = migration.create("Item", {"_id": 9, "title": "nine"})
        assert (made.primary_key, made["title"], len(made)) == (9, "nine", 3)
        assert [one.primary_key for one in migration.objects("Item")] == [1, 2, 9]

    configuration = newer(
        old,
        [model],
        migration=migration,
        on_migration_progress=lambda done, total: progress.append((done, total)),
    )
    found = await rows(configuration, model)
    assert seen[0] == (
        {"_id": 0, "name": "n0", "count": 0, "next": Link("Item", 1)},
        {"_id": 0, "title": "n0", "count": ""},
    )
    assert {key: (one.title, one.count) for key, one in found.items()} == {
        1: ("n1", "10 pieces"),
        2: ("n2", "20 pieces"),
        9: ("nine", ""),
    }
    assert progress == [(3, 3), (1, 3), (2, 3), (3, 3)]


async def test_classes_are_renamed_and_deleted_and_keys_are_new(old):
    await fill(old)
    model = item_with(
        {"name": str, "next": "Renamed | None"}, {"name": "", "next": None}, "Renamed"
    )

    def migration(migration):
        migration.rename_class("Item", "Renamed")
        migration.rekey("Renamed", lambda before: before["_id"] + 100)
        assert [new.primary_key for _, new in migration.enumerate("Renamed")] == [100, 101, 102]
        with pytest.raises(errors.IllegalStateError, match="rename_class comes before"):
            migration.rename_class("Item", "Other")
        with pytest.raises(errors.SchemaError, match="no class Item"):
            migration.find("Item", 1)

    configuration = newer(old, [model], migration=migration)
    found = await rows(configuration, model)
    assert {key: one.next and one.next._id for key, one in found.items()} == {
        100: 101,
        101: 102,
        102: None,
    }

    def deletion(migration):
        migration.delete_class("Renamed")
        assert [new for _, new in migration.enumerate("Renamed")] == [None] * 3

    other = item_with({}, (), "Other")
    async with Realm.open(newer(old, [other], schema_version=3, migration=deletion)) as realm:
        assert list(realm.objects(other)) == []


async def test_what_a_function_raises_comes_out_and_changes_nothing(old):
    await fill(old)
    async with Realm.open(old):
        """Everything is in the file itself when it is closed."""
    before = digest(old.path)
    model = item_with({"name": str, "count": str}, {"name": "", "count": ""})

    class Mistake(Exception):
        pass

    def migration(migration):
        for _, after in migration.enumerate("Item"):
            after["name"] = "changed"
        raise Mistake

    with pytest.raises(Mistake):
        async with Realm.open(newer(old, [model], migration=migration)):
            pytest.fail("it is not open")
    assert digest(old.path) == before
    found = await rows(old, Item)
    assert [one.name for one in found.values()] == ["n0", "n1", "n2"]
    del found
    assert await Realm.delete_realm(old), "nobody holds it any more"


@pytest.mark.parametrize(
    ("value", "error"),
    [(1, errors.PropertyTypeError), (None, errors.PropertyTypeError), (object(), TypeError)],
)
async def test_values_that_do_not_fit_are_refused(old, value, error):
    await fill(old)
    model = item_with({"name": str}, {"name": ""})

    def migration(migration):
        one = migration.find("Item", 1)
        with pytest.raises(error):
            one["name"] = value
        with pytest.raises(errors.NoSuchObjectError, match="nothing"):
            one["nothing"] = 1
        with pytest.raises(errors.IllegalStateError, match="primary key"):
            one["_id"] = 7
        with pytest.raises(TypeError, match="cannot be removed"):
            del one["name"]
        with pytest.raises(errors.PrimaryKeyExistsError):
            migration.create("Item", {"_id": 1})
        assert (one["name"], migration.find("Item", 77)) == ("n1", None)

    assert (await rows(newer(old, [model], migration=migration), model))[1].name == "n1"


async def test_a_change_without_another_version_names_the_property_and_the_remedy(old):
    await fill(old)
    model = item_with({"name": str}, {"name": ""})
    with pytest.raises(errors.MigrationNeededError) as caught:
        async with Realm.open(newer(old, [model], schema_version=1)):
            pytest.fail("it is not open")
    assert str(old.path) in str(caught.value)
    assert 'property "Item.count": the file has it' in str(caught.value)
    assert "set schema_version to 2 or more" in str(caught.value)
    with pytest.raises(errors.MigrationNeededError, match="a newer program wrote"):
        async with Realm.open(newer(old, [Item], schema_version=0)):
            pytest.fail("it is not open")


@pytest.mark.parametrize("schema_version", [0, 1, 2])
async def test_a_file_that_needs_a_migration_can_be_deleted_instead(old, schema_version):
    await fill(old)
    model = item_with({"name": int}, {"name": 0})
    configuration = newer(
        old,
        [model],
        schema_version=schema_version,
        delete_realm_if_migration_needed=True,
        initial_data=lambda txn: txn.add(model(_id=5, name=55)),
    )
    for _ in range(2):
        found = await rows(configuration, model)
        assert {key: one.name for key, one in found.items()} == {5: 55}


async def test_equal_keys_and_lost_nulls_are_refused_by_name(old):
    await fill(old)
    by_count = named("Item", {"count": int}, key="count")

    def same(migration):
        migration.rekey("Item", {0: 1, 1: 1, 2: 3})

    with pytest.raises(errors.MigrationError, match=r"Item\.count.* two objects .* key Int\(1\)"):
        async with Realm.open(newer(old, [by_count], migration=same)):
            pytest.fail("it is not open")
    async with Realm.open(newer(old, [by_count])) as realm:
        assert sorted(one.count for one in realm.objects(by_count)) == [0, 10, 20]


def entry(name, properties, key="_id"):
    prop = {"nullable": False}
    described = {"name": name, "properties": [prop | one for one in properties]}
    return described | ({"primary_key": key} if key else {"embedded": True})


def written_schemas():
    """Two schemas with kinds of properties that the models of this file do not have."""
    key = {"name": "_id", "type": "int"}
    first = [entry("Thing", [key, {"name": "text", "type": "string"}])]
    part = entry(
        "Part",
        [
            {"name": "size", "type": "float"},
            {"name": "tags", "type": "string", "collection": "set"},
        ],
        None,
    )
    second = [
        entry(
            "Thing",
            [
                key,
                {"name": "words", "type": "string", "collection": "list"},
                {"name": "tags", "type": "string", "collection": "set"},
                {"name": "amounts", "type": "decimal128", "collection": "dictionary"},
                {"name": "part", "type": "object", "nullable": True, "target": "Part"},
                {"name": "peers", "type": "object", "collection": "list", "target": "Thing"},
                {"name": "any", "type": "mixed", "nullable": True},
            ],
        ),
        part,
    ]
    return json.dumps(first), json.dumps(second)


async def test_collections_and_embedded_objects_are_set_whole(tmp_path):
    first, second = written_schemas()
    path = str(tmp_path / "a.realm")

    def opened(schema_json, version):
        return RealmFile.open_versioned(
            path, schema_json, schema_version=version, timeout_ms=1000, synchronous="normal"
        )

    _, change = opened(first, 0)
    change.apply(classes=[], properties=[], dropped=[], keys=[], fills_nulls=False)
    file, core, _ = change.finish()
    core.create("Thing", 1, [("text", "one two two")], [], "error")
    core.commit(1)
    file.close()

    _, change = opened(second, 1)
    migration = Migration(
        change,
        change.before(),
        report=lambda done, total: None,
        fills_nulls=True,
        fill_defaults=lambda core, moves: None,
    )
    for before, after in migration.enumerate("Thing"):
        words = before["text"].split()
        after["words"] = words
        after["tags"] = words
        after["amounts"] = {"a": Decimal128("1.50")}
        after["part"] = {"tags": {"t"}, "size": 0.1}
        after["peers"] = [Link("Thing", 1)]
        after["any"] = {"list": [1, {"deep": None}]}
        with pytest.raises(errors.NoSuchObjectError, match="colour"):
            after["part"] = {"colour": 1}
        with pytest.raises(errors.PropertyTypeError):
            after["peers"] = [Link("Part", 1)]
    file, core = migration.finish()
    core.commit(2)
    expected_size = 0.10000000149011612  # a float of 32 bits
    assert file.snapshot().get("Thing", 1) == (
        1,
        ["one", "two", "two"],
        {"one", "two"},
        {"a": Decimal128("1.50")},
        {"size": expected_size, "tags": {"t"}},
        [Link("Thing", 1)],
        {"list": [1, {"deep": None}]},
    )
    file.close()
