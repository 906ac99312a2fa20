"""Results as Arrow: what other libraries read is what the objects hold."""

import decimal
import sys
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skerry import (
    Configuration,
    Decimal128,
    ObjectId,
    Query,
    Realm,
    RealmObject,
    Timestamp,
    primary_key,
)
from skerry._core import RealmFile
from skerry.client.reader import Reader
from skerry.client.results import make_results
from skerry.errors import ConfigurationError, QueryError
from skerry.model import Schema
from skerry.types import Link


class Other(RealmObject):
    _id: UUID = primary_key()


class Kinds(RealmObject):
    _id: ObjectId = primary_key()
    whole: int
    truth: bool
    number: float
    text: str
    data: bytes
    date: Timestamp
    uuid: UUID
    decimal: Decimal128
    int_or_none: int | None = None
    truth_or_none: bool | None = None
    number_or_none: float | None = None
    text_or_none: str | None = None
    data_or_none: bytes | None = None
    date_or_none: datetime | None = None
    oid_or_none: ObjectId | None = None
    uuid_or_none: UUID | None = None
    decimal_or_none: Decimal128 | None = None
    friend: "Kinds | None" = None
    other: Other | None = None


INT64 = st.integers(-(2**63), 2**63 - 1)
# What nanoseconds since 1970 reach in 64 bits.
DATES = st.integers(-(2**63), 2**63 - 1).map(
    lambda ns: Timestamp(*(divmod(ns, 10**9) if ns >= 0 else (-(-ns // 10**9), -(-ns % 10**9))))
)
OIDS = st.binary(min_size=12, max_size=12).map(ObjectId)
DECIMALS = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**20)).filter(
        lambda number: len(number.as_tuple().digits) <= 34
    ),
    st.sampled_from([decimal.Decimal(text) for text in ("NaN", "Infinity", "1E+6000")]),
).map(Decimal128)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
BY_NAME = {
    "whole": INT64,
    "truth": st.booleans(),
    "number": st.floats(),
    "text": TEXTS,
    "data": st.binary(max_size=12),
    "date": DATES,
    "uuid": st.uuids(),
    "decimal": DECIMALS,
}
OPTIONAL = {
    "int_or_none": INT64,
    "truth_or_none": st.booleans(),
    "number_or_none": st.floats(),
    "text_or_none": TEXTS,
    "data_or_none": st.binary(max_size=12),
    "date_or_none": DATES,
    "oid_or_none": OIDS,
    "uuid_or_none": st.uuids(),
    "decimal_or_none": DECIMALS,
}
ROWS = st.lists(
    st.fixed_dictionaries(BY_NAME | {name: st.none() | of for name, of in OPTIONAL.items()}),
    max_size=8,
)


def key(number):
    return ObjectId(number.to_bytes(12))


@pytest.fixture(scope="module")
def fill(tmp_path_factory):
    """Fill a file with rows and return results of a query on it."""
    path = str(tmp_path_factory.mktemp("tables") / "kinds.realm")
    schema = Schema([Kinds, Other])
    file = RealmFile.open(path, schema.to_json(), synced=False, synchronous="normal")

    def made(rows, text="TRUEPREDICATE"):
        txn = file.begin_write(1000)
        txn.delete_all("Kinds")
        txn.delete_all("Other")
        for number, row in enumerate(rows):
            given = {name: value for name, value in row.items() if value is not None}
            txn.create("Kinds", key(number), list(given.items()), [], "error")
            if number:
                txn.set("Kinds", key(number), "friend", Link("Kinds", key(number - 1)))
            if number % 3 == 1:
                txn.create("Other", UUID(int=number), [], [], "error")
                txn.set("Kinds", key(number), "other", Link("Other", UUID(int=number)))
            if number % 6 == 1:
                txn.delete("Other", UUID(int=number))
        txn.commit(0)
        results = make_results(
            Kinds, Query("Kinds", text), Reader(schema, file.snapshot(), None), None
        )
        # What is written afterwards is not seen.
        txn = file.begin_write(1000)
        txn.delete_all("Kinds")
        txn.commit(0)
        return results

    yield made
    file.close()


def nanoseconds(value):
    return None if value is None else value.seconds * 10**9 + value.nanoseconds


def expected(one):
    """What Arrow holds of an object, dates as nanoseconds."""
    row = {}
    for name in (*BY_NAME, *OPTIONAL):
        stored = one._skerry_row[[prop.name for prop in one._skerry_schema].index(name)]
        match stored:
            case Timestamp():
                row[name] = nanoseconds(stored)
            case ObjectId():
                row[name] = stored.binary
            case Decimal128():
                row[name] = stored.text
            case _:
                row[name] = stored
    row["_id"] = one._id.binary
    row["friend"] = one.friend._id.binary if one.friend else None
    row["other"] = one.other._id if one.other else None
    return row


def told(table):
    """The rows of a table, dates as nanoseconds."""
    for name in ("date", "date_or_none"):
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table.column(name).cast(pa.int64()))
    return table.to_pylist()


def same(left, right):
    # NaN is no reason to differ; the bits of other floats are.
    return repr([sorted(row.items()) for row in left]) == repr(
        [sorted(row.items()) for row in right]
    )


@given(ROWS, st.integers(1, 4))
@settings(max_examples=40)
def test_every_row_arrives_in_batches_of_any_size(fill, rows, batch_rows):
    results = fill(rows)
    reader = pa.RecordBatchReader.from_stream(results.arrow(batch_rows=batch_rows))
    batches = list(reader)
    assert [len(batch) for batch in batches[:-1]] == [batch_rows] * (len(batches) - 1)
    assert sum(map(len, batches)) == len(rows)
    table = pa.Table.from_batches(batches, reader.schema)
    assert same(told(table), [expected(one) for one in results])
    assert table.schema == pa.schema(results)


@given(ROWS)
@settings(max_examples=25)
def test_any_order_and_any_part_arrives(fill, rows):
    results = fill(rows, "TRUEPREDICATE SORT(whole DESC)")
    for part in (results, results[::-2], results[1:3], results.query("truth == true")):
        assert same(told(part.to_pyarrow()), [expected(one) for one in part])


@given(ROWS)
@settings(max_examples=25)
def test_pandas_and_polars_read_the_same(fill, rows):
    results = fill(rows)
    columns = ["_id", "whole", "text_or_none", "data_or_none", "oid_or_none", "decimal", "truth"]
    frame = results.to_polars(columns=columns)
    wanted = [{name: row[name] for name in columns} for row in map(expected, results)]
    assert frame.to_dicts() == wanted
    assert frame.columns == columns
    frame = results.to_pandas(columns=columns)
    assert (
        frame.to_dict("list") == {name: [row[name] for row in wanted] for name in columns}
        or [
            {name: None if pd.isna(value) else value for name, value in row.items()}
            for row in frame.to_dict("records")
        ]
        == wanted
    )


def test_types_are_those_that_are_written_down(fill):
    utc = pa.timestamp("ns", tz="UTC")
    schema = pa.schema(fill([]))
    types = {field.name: (field.type, field.nullable) for field in schema}
    assert types["_id"] == (pa.binary(12), False)
    assert types["whole"] == (pa.int64(), False)
    assert types["truth_or_none"] == (pa.bool_(), True)
    assert types["number"] == (pa.float64(), False)
    assert types["text_or_none"] == (pa.string(), True)
    assert types["data"] == (pa.binary(), False)
    assert types["date"] == (utc, False)
    assert types["uuid"] == (pa.uuid(), False)
    assert types["other"] == (pa.uuid(), True)
    assert types["decimal"] == (pa.string(), False)
    assert types["friend"] == (pa.binary(12), True)


def test_nothing_is_a_table_too(fill):
    results = fill([])
    assert results.to_pyarrow().num_rows == 0
    assert list(results.to_pandas().columns) == results.to_polars().columns
    assert len(results.to_polars()) == 0


ROW = {
    "whole": 1,
    "truth": True,
    "number": 0.5,
    "text": "a",
    "data": b"",
    "date": Timestamp(0),
    "uuid": UUID(int=1),
    "decimal": Decimal128("1.0"),
}


@pytest.mark.parametrize(
    ("seconds", "unit", "wanted"),
    [
        (9_223_372_037, "us", 9_223_372_037_000_000),
        (-9_223_372_037, "ms", -9_223_372_037_000),
        (2**63 - 1, "s", 2**63 - 1),
    ],
)
def test_a_date_that_the_unit_does_not_reach_is_named(fill, seconds, unit, wanted):
    results = fill([ROW, ROW | {"date": Timestamp(seconds)}])
    said = rf'property "Kinds.date" holds T{seconds}:0.*unit "ns".*timestamp_unit'
    for convert in (results.to_pyarrow, results.to_pandas, results.to_polars):
        with pytest.raises(Exception, match=said):
            convert()
    table = results.to_pyarrow(columns=["date"], timestamp_unit=unit)
    assert table.column("date").cast(pa.int64()).to_pylist() == [0, wanted]


def test_coarser_units_cut_towards_1970(fill):
    dates = [Timestamp(1, 999_999_999), Timestamp(-1, -999_999_999)]
    results = fill([ROW | {"date": date} for date in dates])
    for unit, wanted in (("us", 1_999_999), ("ms", 1_999), ("s", 1)):
        column = results.to_pyarrow(columns=["date"], timestamp_unit=unit).column("date")
        assert column.cast(pa.int64()).to_pylist() == [wanted, -wanted]


def test_what_cannot_be_exported_is_refused_at_the_call(fill):
    results = fill([])
    with pytest.raises(QueryError, match='class "Kinds" has no property "hole"'):
        results.arrow(columns=["whole", "hole"])
    with pytest.raises(ConfigurationError, match="timestamp_unit"):
        results.to_pyarrow(timestamp_unit="days")
    with pytest.raises(ValueError, match="1 row or more"):
        results.arrow(batch_rows=0)


@pytest.mark.parametrize("name", ["pyarrow", "pandas", "polars"])
def test_a_missing_package_is_named(fill, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=f"to_{name} needs {name}: pip install {name}"):
        getattr(fill([]), f"to_{name}")()


def test_batches_are_read_when_they_are_pulled_on_any_thread(fill):
    results = fill([ROW] * 10)
    reader = pa.RecordBatchReader.from_stream(results.arrow(batch_rows=3, columns=["whole"]))
    first = reader.read_next_batch()
    fill([])
    del results
    seen = []
    thread = threading.Thread(target=lambda: seen.extend(reader))
    thread.start()
    thread.join()
    assert [len(batch) for batch in (first, *seen)] == [3, 3, 3, 1]


def test_a_stream_that_is_never_pulled_is_let_go(fill):
    results = fill([ROW])
    for _ in range(3):
        results.__arrow_c_stream__()
        results.__arrow_c_schema__()
    assert pl.DataFrame(results).height == pa.table(results).num_rows == 1


async def test_realms_results_become_tables(tmp_path):
    async with Realm.open(Configuration([Other], directory=tmp_path)) as realm:
        async with realm.write() as txn:
            for number in range(5):
                txn.add(Other(_id=UUID(int=number)))
        table = realm.objects(Other).sort("_id", descending=True).to_pyarrow()
    assert table.column("_id").to_pylist() == [UUID(int=number) for number in (4, 3, 2, 1, 0)]


def test_dates_of_pandas_are_aware(fill):
    made = datetime(2024, 5, 1, tzinfo=UTC) + timedelta(microseconds=1)
    frame = fill([ROW | {"date": Timestamp.from_datetime(made)}]).to_pandas()
    assert frame["date"][0].to_pydatetime() == made
