"""Model classes: what annotations mean, what is refused and where, and the three conditions."""

import decimal
import json
import uuid
from datetime import UTC, datetime
from enum import Enum
from typing import ClassVar, Optional

import pytest

from skerry import (
    Counter,
    Decimal128,
    EmbeddedObject,
    Float32,
    Link,
    ObjectId,
    RealmObject,
    Schema,
    Timestamp,
    asdict,
    field,
    primary_key,
    where,
)
from skerry.errors import IllegalStateError, PropertyTypeError, SchemaError


class Person(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)
    name: str
    best_friend: "Person | None" = None


class Place(EmbeddedObject):
    street: str = ""


class Mood(Enum):
    GOOD = 1
    BAD = "bad"


class Everything(RealmObject, name="All"):
    kind: ClassVar[str] = "not stored"
    _id: int = primary_key(default=0)
    flag: bool = False
    ratio: float = 0.5
    text: str | None = None
    data: bytes = b""
    at: datetime | None = None
    exact_at: Optional[Timestamp] = None  # noqa: UP045 - the older spelling must do as well
    key: uuid.UUID = field(default_factory=uuid.uuid4)
    amount: decimal.Decimal = decimal.Decimal("1.10")
    exact_amount: Decimal128 = Decimal128("1.10")
    person: Person | None = None


def define(annotations, **values):
    """Make a class as a `class` statement would."""
    body = {"__module__": __name__, "__annotations__": {"_id": int, **annotations}}
    return type("Broken", (RealmObject,), {**body, "_id": primary_key(), **values})


def test_a_schema_names_every_property_with_its_type():
    schema = json.loads(Schema([Person, Everything]).to_json())
    assert [entry["name"] for entry in schema] == ["All", "Person"]
    assert schema[1]["properties"] == [
        {"name": "_id", "type": "objectId", "nullable": False},
        {"name": "name", "type": "string", "nullable": False},
        {"name": "best_friend", "type": "object", "nullable": True, "target": "Person"},
    ]
    types = {prop["name"]: (prop["type"], prop["nullable"]) for prop in schema[0]["properties"]}
    assert types == {
        "_id": ("int", False),
        "flag": ("bool", False),
        "ratio": ("double", False),
        "text": ("string", True),
        "data": ("data", False),
        "at": ("date", True),
        "exact_at": ("date", True),
        "key": ("uuid", False),
        "amount": ("decimal128", False),
        "exact_amount": ("decimal128", False),
        "person": ("object", True),
    }


@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (list, "say what it holds"),
        (list[int] | None, "never None, only empty"),
        (dict[int, int], "the keys of a dictionary are str"),
        (list[list[int]], "not nested"),
        ("list[Person | None]", "list[Person]"),
        ("dict[str, Person]", "dict[str, Person | None]"),
        (set[Place], "use a list"),
        (list[Counter], "use int"),
        (tuple[int, int], "use list[...]"),
        (int | str, "RealmValue"),
        (complex, "use an embedded object"),
        (Float32, "Annotated[float, Float32]"),
        (Person, "Person | None"),
        (Place, "Place | None"),
        (Mood, "not all int or all str"),
        ("nonsense(", "cannot be read"),
    ],
)
def test_what_cannot_be_stored_is_refused_at_definition_with_class_and_property(annotation, reason):
    with pytest.raises(SchemaError, match=r"Broken\.wrong") as caught:
        define({"wrong": annotation})
    assert reason in str(caught.value)


def test_a_class_needs_exactly_one_primary_key_of_a_key_type():
    with pytest.raises(SchemaError, match="exactly one"):
        define({"other": int}, other=primary_key())
    with pytest.raises(SchemaError, match=r"Broken\._id.*double"):
        define({"_id": float})


def test_a_default_of_another_type_is_refused_at_definition():
    with pytest.raises(SchemaError, match=r"Broken\.count"):
        define({"count": int}, count="none")


class Note(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)
    title: str = field(indexed=True)
    body: str | None = field(default=None, full_text=True)
    made_at: datetime | None = field(default_factory=lambda: None, indexed=True)
    pages: int = 1


def test_a_schema_names_indexes():
    (entry,) = json.loads(Schema([Note]).to_json())
    indexes = {prop["name"]: prop.get("indexed") for prop in entry["properties"]}
    assert indexes == {
        "_id": None,
        "title": "general",
        "body": "fulltext",
        "made_at": "general",
        "pages": None,
    }


def test_an_index_alone_gives_no_default():
    with pytest.raises(TypeError, match=r"Note\.title has no default"):
        Note()
    note = Note(title="x")
    assert (note.body, note.made_at) == (None, None)


@pytest.mark.parametrize(
    ("annotation", "options", "reason"),
    [
        (str, {"indexed": True, "full_text": True}, "indexed and full_text exclude each other"),
        (int, {"full_text": True}, "only a str has a full-text index, not int"),
        (float, {"indexed": True}, "a property of type double cannot be indexed"),
        (bytes, {"indexed": True}, "a property of type data cannot be indexed"),
        (decimal.Decimal, {"indexed": True}, "a property of type decimal128 cannot be indexed"),
        ("Person | None", {"indexed": True}, "a property of type object cannot be indexed"),
    ],
)
def test_what_cannot_be_indexed_is_refused_at_definition(annotation, options, reason):
    with pytest.raises(SchemaError, match=r"^Broken\.wrong: ") as caught:
        define({"wrong": annotation}, wrong=field(**options))
    assert reason in str(caught.value)


def test_a_field_that_says_nothing_is_refused():
    with pytest.raises(TypeError, match="default, default_factory, an index"):
        field()


def test_links_must_stay_inside_the_schema():
    with pytest.raises(SchemaError, match=r"All\.person refers to Person"):
        Schema([Everything])


def test_a_synced_class_names_its_key_id():
    class Local(RealmObject):
        name: str = primary_key()

    with pytest.raises(SchemaError, match=r"Local\.name"):
        Schema([Local]).check_synced()


def test_defaults_and_factories_fill_what_is_not_given():
    one, other = Everything(), Everything(flag=True)
    assert (one.flag, other.flag, one.ratio) == (False, True, 0.5)
    assert one.key != other.key
    with pytest.raises(TypeError, match=r"Person\.name"):
        Person()
    with pytest.raises(TypeError, match="typo"):
        Person(name="x", typo=1)


def test_values_come_back_as_annotated():
    moment = datetime(2024, 5, 1, tzinfo=UTC)
    one = Everything(at=moment, exact_at=moment, ratio=2)
    assert one.at == moment
    assert one.exact_at == Timestamp.from_datetime(moment)
    assert one.amount == decimal.Decimal("1.10")
    assert one.exact_amount.text == "1.10"
    assert one.ratio == 2.0
    assert type(one.ratio) is float


@pytest.mark.parametrize(
    ("name", "value"),
    [("flag", 1), ("ratio", True), ("text", 3), ("data", "x"), ("flag", None), ("key", "x")],
)
def test_a_value_of_another_type_is_refused_and_changes_nothing(name, value):
    one = Everything()
    before = getattr(one, name)
    with pytest.raises(PropertyTypeError, match=f"All.{name}"):
        setattr(one, name, value)
    assert getattr(one, name) == before


def test_links_take_objects_of_their_class_only():
    ann = Person(name="Ann")
    ben = Person(name="Ben", best_friend=ann)
    assert ben.best_friend is ann
    with pytest.raises(PropertyTypeError, match=r"Person\.best_friend"):
        ben.best_friend = Everything()


def test_the_primary_key_never_changes():
    ann = Person(name="Ann")
    with pytest.raises(IllegalStateError, match="primary key"):
        ann._id = ObjectId()


def test_undeclared_attributes_are_refused_rather_than_lost():
    with pytest.raises(AttributeError, match="nmae"):
        Person(name="Ann").nmae = "Anne"


def test_equality_is_by_values_and_hash_by_key():
    key = ObjectId()
    one, same = Person(_id=key, name="Ann"), Person(_id=key, name="Ann")
    other = Person(_id=key, name="Anne")
    assert one == same != other
    assert hash(one) == hash(same) == hash(other)


def test_repr_and_asdict_show_links_by_key_even_in_a_circle():
    ann = Person(name="Ann")
    ann.best_friend = ann
    assert asdict(ann)["best_friend"] == Link("Person", ann._id)
    assert repr(ann).startswith("Person(_id=ObjectId(")


def test_models_do_not_inherit_from_one_another():
    with pytest.raises(SchemaError, match="cannot extend"):
        type("Child", (Person,), {"__annotations__": {}, "__module__": __name__})


def test_a_query_may_be_described_without_a_realm():
    ann = Person(name="Ann")
    query = where(Person, "best_friend == $0", ann)
    assert (query.class_name, query.arguments) == ("Person", (Link("Person", ann._id),))
