"""Realm files from Python: opening, writing, snapshots, queries, and what each mistake raises."""

import json

import pytest

from skerry import errors
from skerry._core import RealmFile, check_query, check_subscription

from .conftest import SCHEMA, class_entry, write


def ids(reader, rql="TRUEPREDICATE", args=()):
    return [row[0] for row in reader.query("Thing", rql, args)]


def fill(file, count):
    def work(txn):
        for key in range(count):
            txn.create("Thing", key, [("int", key * 10), ("string", f"t{key}")], [], "error")

    return write(file, work)


def test_a_file_keeps_what_was_committed(path, schema_json):
    file = RealmFile.open(path, schema_json, synced=False, synchronous="normal")
    assert file.path == path
    version = fill(file, 3)
    assert file.version() == version
    file.close()
    again = RealmFile.open(path, schema_json, synced=False)
    assert again.version() == version
    assert ids(again.snapshot()) == [0, 1, 2]
    again.close()


def test_a_snapshot_never_moves(file):
    first = fill(file, 2)
    snapshot = file.snapshot()
    second = write(file, lambda txn: txn.delete("Thing", 0))
    assert second > first
    assert (snapshot.version, ids(snapshot)) == (first, [0, 1])
    later = file.snapshot()
    assert (later.version, ids(later)) == (second, [1])
    assert snapshot.get("Thing", 0) is not None
    assert later.get("Thing", 0) is None
    for each in (snapshot, later, later):
        each.close()
    with pytest.raises(errors.IllegalStateError):
        snapshot.get("Thing", 0)


def test_a_transaction_sees_itself_and_others_do_not(file):
    fill(file, 1)
    before = file.data_version()
    txn = file.begin_write(1_000)
    txn.create("Thing", 5, [], [], "error")
    txn.add_integer("Thing", 0, "int", 7)
    txn.set("Thing", 0, "string", "changed")
    assert txn.get("Thing", 0)[1:5] == (7, None, None, "changed")
    assert txn.count("Thing", "TRUEPREDICATE", []) == 2
    assert ids(file.snapshot()) == [0]
    txn.rollback()
    txn.rollback()
    assert ids(file.snapshot()) == [0]
    assert file.data_version() == before
    with pytest.raises(errors.IllegalStateError):
        txn.set("Thing", 0, "string", "too late")
    fill_version = write(file, lambda txn: txn.delete_all("Thing"))
    assert fill_version == file.version()
    assert file.data_version() != before


def test_creating_follows_the_policy(file):
    txn = file.begin_write(1_000)
    defaults = [("int", 1), ("string", "default")]
    assert txn.create("Thing", 1, [("int", 2)], defaults, "error") is True
    assert txn.get("Thing", 1)[1:5] == (2, None, None, "default")
    with pytest.raises(errors.PrimaryKeyExistsError):
        txn.create("Thing", 1, [], [], "error")
    assert txn.create("Thing", 1, [("int", 3)], defaults, "modified") is False
    assert txn.create("Thing", 1, [("bool", True)], [], "all") is False
    assert txn.get("Thing", 1)[1:5] == (3, True, None, "default")
    with pytest.raises(errors.ConfigurationError, match="policy"):
        txn.create("Thing", 1, [], [], "merge")
    assert (txn.delete("Thing", 1), txn.delete("Thing", 1)) == (True, False)
    txn.rollback()


def test_queries_take_arguments_and_lists(file):
    fill(file, 5)
    snapshot = file.snapshot()
    assert ids(snapshot, "int >= $0 AND string != $1 SORT(int DESC)", [10, "t3"]) == [4, 2, 1]
    assert ids(snapshot, "int IN $0", [[0, 30]]) == [0, 3]
    assert ids(snapshot, "int IN $0", [(0, 30)]) == [0, 3]
    assert snapshot.count("Thing", "TRUEPREDICATE LIMIT(2)", []) == 2
    snapshot.close()


@pytest.mark.parametrize(
    ("rql", "args", "position"),
    [
        ("int ==", [], 6),
        ("string == 'höhö' AND nothing == 1", [], 21),
        ("int == $0", [], 7),
        ("int == 'text'", [], None),
    ],
)
def test_a_query_error_tells_where(file, schema_json, rql, args, position):
    fill(file, 1)
    snapshot, txn = file.snapshot(), file.begin_write(1_000)
    for ask in (
        lambda: snapshot.query("Thing", rql, args),
        lambda: snapshot.count("Thing", rql, args),
        lambda: txn.query("Thing", rql, args),
        lambda: txn.count("Thing", rql, args),
        lambda: check_query(schema_json, "Thing", rql, args),
    ):
        with pytest.raises(errors.QueryError) as raised:
            ask()
        assert isinstance(raised.value.position, int)
        if position is not None:
            assert raised.value.position == position
    txn.rollback()
    snapshot.close()


@pytest.mark.parametrize(
    ("rql", "args", "kind"),
    [
        ("int ==", [], errors.QueryErrorKind.SYNTAX),
        ("none == 1", [], errors.QueryErrorKind.SYNTAX),
        ("nothing == 1", [], errors.QueryErrorKind.INVALID_PROPERTY),
        ("int == 'a'", [], errors.QueryErrorKind.TYPE_MISMATCH),
        ("int == $0", [], errors.QueryErrorKind.BAD_ARGUMENT),
        ("1 == 1", [], errors.QueryErrorKind.UNSUPPORTED),
        ("string TEXT 'a'", [], errors.QueryErrorKind.UNSUPPORTED),
    ],
)
def test_a_query_error_tells_its_kind(file, rql, args, kind):
    snapshot = file.snapshot()
    for ask in (snapshot.query, snapshot.evaluate, snapshot.count):
        with pytest.raises(errors.QueryError) as raised:
            ask("Thing", rql, args)
        assert raised.value.kind is kind
    snapshot.close()


def test_a_query_may_be_evaluated_without_sql(file):
    numbers = [3, 1, 2]
    write(file, lambda txn: [txn.create("Thing", n, [("int", n)], [], "error") for n in numbers])
    snapshot = file.snapshot()
    for rql in ("int >= 2", "int IN {1, 3} SORT(int ASC)", "int == $0"):
        found = snapshot.evaluate("Thing", rql, [1])
        assert found == snapshot.query("Thing", rql, [1])
        assert len(found) == snapshot.count("Thing", rql, [1]) > 0
    snapshot.close()


def test_a_query_searches_for_words_where_the_schema_says_so(path, schema_json):
    schema = json.loads(schema_json)
    (prop,) = (each for each in schema[0]["properties"] if each["name"] == "string")
    file = RealmFile.open(path, schema_json, synced=False)
    texts = ["The quick fox", "quick!", None]
    write(
        file,
        lambda txn: [
            txn.create("Thing", i, [("string", text)], [], "error") for i, text in enumerate(texts)
        ],
    )
    file.close()

    prop["indexed"] = "fulltext"
    file = RealmFile.open(path, json.dumps(schema), synced=False)
    snapshot = file.snapshot()
    for text, keys in [("QUICK", [0, 1]), ("qu* -fox", [1]), ("-fox", [1, 2])]:
        rows = snapshot.query("Thing", "string TEXT $0", [text])
        assert [row[0] for row in rows] == keys
    snapshot.close()
    file.close()


def test_a_checked_query_is_printed_with_its_arguments(schema_json):
    assert check_query(schema_json, "Thing", "int  >  $0", [5]) == "int > 5"
    with pytest.raises(errors.QueryError):
        check_query(schema_json, "Nothing", "TRUEPREDICATE", [])


def test_a_subscription_is_checked_for_what_servers_take(schema_json):
    assert check_subscription(schema_json, "Thing", "int  >  $0", [5]) == "int > 5"
    for rql, what in [
        ("int > 5 LIMIT(1)", "LIMIT is not supported in subscriptions"),
        ("int + 1 == 2", "arithmetic is not supported in subscriptions"),
        ("nothing == 1", "nothing"),
    ]:
        with pytest.raises(errors.QueryError, match=what):
            check_subscription(schema_json, "Thing", rql, [])


def test_what_does_not_exist_is_named(file):
    txn = file.begin_write(1_000)
    for call in (
        lambda: txn.set("Thing", 1, "int", 1),
        lambda: txn.create("Nothing", 1, [], [], "error"),
        lambda: txn.create("Thing", 1, [("nothing", 1)], [], "error"),
        lambda: txn.get("Nothing", 1),
    ):
        with pytest.raises(errors.NoSuchObjectError):
            call()
    txn.create("Thing", 1, [], [], "error")
    with pytest.raises(errors.PropertyTypeError):
        txn.add_integer("Thing", 1, "int", 1)
    with pytest.raises(errors.IllegalStateError):
        txn.set("Thing", 1, "_id", 2)
    txn.rollback()


def test_a_second_writer_waits_its_time_and_is_told(file, path, schema_json):
    txn = file.begin_write(1_000)
    with pytest.raises(errors.LockTimeoutError):
        file.begin_write(1)
    other = RealmFile.open(path, schema_json, synced=False)
    with pytest.raises(errors.LockTimeoutError):
        other.begin_write(1)
    txn.rollback()
    other.begin_write(1_000).rollback()
    other.close()


def test_a_wait_for_ever_is_a_wait(file):
    file.begin_write(2**64 - 1).rollback()
    for timeout_ms in (2**64, -1):
        with pytest.raises(OverflowError):
            file.begin_write(timeout_ms)


def test_an_abandoned_transaction_gives_the_lock_back(file):
    txn = file.begin_write(1_000)
    txn.create("Thing", 1, [], [], "error")
    del txn
    file.begin_write(0).rollback()
    assert ids(file.snapshot()) == []


def test_a_closed_file_says_so(file):
    snapshot = file.snapshot()
    file.close()
    file.close()
    for call in (
        file.version,
        file.data_version,
        file.snapshot,
        file.subscriptions,
        file.pending_upload,
        lambda: file.begin_write(1_000),
    ):
        with pytest.raises(errors.ClosedRealmError):
            call()
    assert ids(snapshot) == []
    snapshot.close()


def test_schemas_grow_but_do_not_change(path, file):
    fill(file, 1)
    file.close()
    grown = [*SCHEMA, class_entry("New", text="string")]
    grown[0] = {**SCHEMA[0], "properties": [*SCHEMA[0]["properties"]]}
    grown[0]["properties"].append({"name": "extra", "type": "int", "nullable": True})
    again = RealmFile.open(path, json.dumps(grown), synced=False)
    assert again.snapshot().get("Thing", 0)[-1] is None
    again.close()
    changed = [class_entry("ByText", "string", number="string")]
    with pytest.raises(errors.SchemaError, match="number"):
        RealmFile.open(path, json.dumps(changed), synced=False)


def with_index(kind, index):
    entry = class_entry("A", x=kind)
    entry["properties"][1]["indexed"] = index
    return json.dumps([entry])


@pytest.mark.parametrize(
    "schema",
    [
        "not json",
        "{}",
        "[1]",
        '[{"name": "A", "primary_key": "_id", "properties": []}]',
        json.dumps([class_entry("A", "double")]),
        json.dumps([class_entry("A", link="object:Nowhere")]),
        json.dumps([class_entry("A", x="complex")]),
        with_index("int", "fulltext"),
        with_index("double", "general"),
        with_index("string", "none"),
        with_index("string", 1),
    ],
)
def test_a_bad_schema_is_refused(tmp_path, schema):
    with pytest.raises(errors.SchemaError):
        RealmFile.open(str(tmp_path / "new.realm"), schema, synced=False)


def test_files_of_others_are_refused(tmp_path, file, path, schema_json):
    with pytest.raises(errors.ConfigurationError):
        RealmFile.open(path, schema_json, synced=True)
    with pytest.raises(errors.ConfigurationError, match="synchronous"):
        RealmFile.open(path, schema_json, synced=False, synchronous="off")
    text = tmp_path / "text.realm"
    text.write_text("no database\n" * 1000)
    with pytest.raises(errors.CorruptedError, match=r"text\.realm"):
        RealmFile.open(str(text), schema_json, synced=False)
    with pytest.raises(errors.StoreError):
        RealmFile.open(str(tmp_path / "no" / "folder.realm"), schema_json, synced=False)


@pytest.mark.parametrize("query_cache_bytes", [0, 1 << 20])
def test_keys_and_plans_of_a_query_are_given_with_and_without_a_cache(
    path, schema_json, query_cache_bytes
):
    file = RealmFile.open(path, schema_json, synced=False, query_cache_bytes=query_cache_bytes)
    fill(file, 2_500)
    snapshot = file.snapshot()
    rql = "int >= $0 SORT(int DESC) LIMIT(3)"
    assert snapshot.matching_keys("Thing", rql, (20,)) == [2499, 2498, 2497]
    assert [row[0] for row in snapshot.query("Thing", rql, (20,))] == [2499, 2498, 2497]
    assert snapshot.count("Thing", "int == 70", ()) == 1
    plan = snapshot.explain("Thing", rql, (20,))
    assert ("columns in memory" in plan) == (query_cache_bytes > 0), plan
    with pytest.raises(errors.QueryError):
        snapshot.explain("Thing", "nonsense", ())
    snapshot.close()
    file.close()
