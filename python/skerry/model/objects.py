"""`RealmObject`: annotated classes whose objects live in a realm.

An object is in one of three conditions, told by its *keeper*: unmanaged (no keeper; attributes are
free to set), frozen (read outside a write; a snapshot that cannot be set) or live (inside a write;
setting writes through). The primary key never changes. This module does no input or output: the
keeper, which belongs to the client layer, does.
"""

from typing import TYPE_CHECKING, Any, ClassVar, Self, cast, dataclass_transform

from skerry.errors import IllegalStateError, SchemaError
from skerry.geo import GeoBox, GeoCircle, GeoPolygon, region_text
from skerry.model.base import ClassSchema, ModelObject, as_pairs, schema_of_class
from skerry.model.definition import define
from skerry.model.fields import backlinks, field, ignored, primary_key
from skerry.model.keeper import Keeper, PathSteps
from skerry.model.properties import Stored
from skerry.query import MATCH_ALL, Query
from skerry.types import SCALARS, Link, Scalar, to_scalar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from skerry.model.object_changes import ObjectChange


@dataclass_transform(
    kw_only_default=True, field_specifiers=(primary_key, field, ignored, backlinks)
)
class RealmObject(ModelObject):
    """Base of model classes.

    Example::

        class Item(RealmObject):
            _id: ObjectId = primary_key(default_factory=ObjectId)
            name: str
            complexity: int = 1
            tags: list[str] = []
            parent: "Item | None" = None

    Annotations may be int, bool, float, str, bytes, datetime, Timestamp, ObjectId, uuid.UUID,
    Decimal128, decimal.Decimal, an enum with members of int or of str, each optionally ``| None``;
    `RealmValue` for a value of any type, `Counter`, ``Annotated[float, Float32]`` for 32 bits,
    ``Other | None`` for a link, ``Address | None`` for an `EmbeddedObject`, ``GeoPoint | None``,
    and ``list[...]``, ``set[...]``, ``dict[str, ...]`` of these, with elements ``Other`` in lists
    and sets, ``Other | None`` in dictionaries. A class gets another persisted name by the class
    keyword ``name``. Objects are made with keyword arguments; those without a default are required.

    Objects are equal when class and all stored values are equal; links compare by key. The hash is
    that of class and primary key. Frozen objects may be used by any thread, live ones by the task
    or thread of their write.

    Raises:
        SchemaError: At class definition; names class and property.
    """

    __slots__ = ("_skerry_keeper",)

    _skerry_is_top_level: ClassVar[bool] = True
    _skerry_keeper: Keeper | None

    def __init_subclass__(cls, *, name: str | None = None, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        define(cls, name or cls.__name__, has_key=True)
        for attribute in cls._skerry_schema.backlinks:
            setattr(cls, attribute, _Linking(attribute))

    def __init__(self, **values: object) -> None:
        _SET_KEEPER(self, None)
        super().__init__(**values)

    def __hash__(self) -> int:
        return hash((self._skerry_schema.name, key_of(self)))

    __eq__ = ModelObject.__eq__

    def changes(
        self, key_paths: "Sequence[str] | None" = None
    ) -> "AsyncIterator[ObjectChange[Self]]":
        """Return an async iterator of what happens to the object; see `Realm.changes_of`.

        It begins with the object at the newest version, whatever version this one is of.

        Args:
            key_paths: What is watched, such as ``["name", "owner.name"]``; ``*`` stands for every
                property. None watches everything up to 4 links away.

        Raises:
            IllegalStateError: The object is in no realm, or inside of a write.
            ConfigurationError: A key path leads nowhere; it is a ValueError too.
            ClosedRealmError: The realm is closed.
        """
        if self._skerry_keeper is None:
            raise IllegalStateError(
                f"this {type(self).__name__} is in no realm, so nothing can change it"
            )
        return self._skerry_keeper.observe(self, key_paths)

    def _skerry_keeper_of(self) -> Keeper | None:
        return self._skerry_keeper

    def _skerry_base(self) -> "tuple[RealmObject, PathSteps]":
        return self, ()

    def _skerry_link(self) -> Link:
        return Link(self._skerry_schema.name, key_of(self))

    def _skerry_plain(self) -> Link:
        return self._skerry_link()

    def _skerry_store(self) -> Stored:
        return self


class _Linking:
    """The descriptor of an attribute that gives backlinks."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: RealmObject | None, owner: type) -> object:
        if instance is None:
            raise AttributeError(f"{self._name} belongs to objects, not to the class")
        keeper = instance._skerry_keeper
        if keeper is None:
            return ()
        return keeper.linking(instance, self._name)

    def __set__(self, instance: RealmObject, value: object) -> None:
        raise AttributeError(f"{self._name} follows the links to the object and is never set")


_PLAIN_ARGUMENTS = SCALARS - {int}
"""Types of values that cross as they are, whatever they are; an int may be too great."""

_SET_ROW = ModelObject.__dict__["_skerry_row"].__set__
_SET_GIVEN = ModelObject.__dict__["_skerry_given"].__set__
_SET_EXTRA = ModelObject.__dict__["_skerry_extra"].__set__
_SET_KEEPER = RealmObject.__dict__["_skerry_keeper"].__set__


def make_managed(model: type[RealmObject], row: list[Stored], keeper: Keeper) -> RealmObject:
    """Return an object over a stored row, without running the application's constructor."""
    made = model.__new__(model)
    # Past __setattr__, which is for applications: many objects are made.
    _SET_ROW(made, row)
    _SET_KEEPER(made, keeper)
    if model._skerry_schema.ignored:
        _SET_EXTRA(made, {})
    return made


def schema_of(model: type[RealmObject]) -> ClassSchema:
    """Return the schema of a model class.

    Raises:
        SchemaError: It is not one.
    """
    given: object = model
    if not isinstance(given, type) or not issubclass(given, ModelObject):
        raise SchemaError(f"{model!r} is not a subclass of RealmObject")
    return schema_of_class(model)


def key_of(target: RealmObject) -> Scalar:
    """Return the primary key of an object, in every condition of it."""
    return cast("Scalar", target._skerry_row[target._skerry_schema.primary_key.index])


def row_of(target: ModelObject) -> list[Stored]:
    """Return what an object keeps, in schema order; the very list, for whoever manages it."""
    return target._skerry_row


def reload_row(target: RealmObject, row: list[Stored]) -> None:
    """Give an object newly read values; what has been read of it follows."""
    target._skerry_reload_row(row)


def given_of(target: RealmObject) -> set[str]:
    """Return the names of properties that the application gave, rather than defaults.

    A collection that was filled after it was made was given, whatever it was made as.
    """
    row = target._skerry_row
    filled = {prop.name for prop in target._skerry_schema.collections if row[prop.index]}
    return target._skerry_given | filled


def hand_over(target: RealmObject, keeper: Keeper, row: list[Stored] | None = None) -> None:
    """Put an object behind another keeper, and over other values if they are given."""
    _SET_KEEPER(target, keeper)
    if row is not None:
        _SET_ROW(target, row)


def link_to(target: RealmObject) -> Link:
    """Return the link that addresses an object."""
    return target._skerry_link()


def part_at(target: RealmObject, path: PathSteps) -> object:
    """Return what is at a path of persisted names, positions and keys; None if there is nothing."""
    found: Any = target
    for step in path:
        if isinstance(found, ModelObject):
            names = {prop.stored_name: prop.name for prop in schema_of_class(type(found))}
            found = getattr(found, names.get(str(step), ""), None)
        else:
            try:
                found = None if found is None else found[step]
            except LookupError:
                return None
    return found


def keeper_of(target: RealmObject) -> Keeper | None:
    """Return what stands behind an object."""
    return target._skerry_keeper


def is_managed(target: RealmObject) -> bool:
    """Whether the object came from a realm, frozen or live."""
    return target._skerry_keeper is not None


def asdict(target: ModelObject) -> dict[str, Any]:
    """Return the properties of an object by name, in plain lists, sets and dicts.

    Embedded objects are dicts of their properties; a link appears as its `Link`, never nested.
    Backlinks and ignored attributes are left out.
    """
    return dict(as_pairs(target, schema_of_class(type(target))))


def where(model: type[RealmObject], text: str = MATCH_ALL, *arguments: object) -> Query:
    """Describe a query without a realm, such as for a subscription.

    Args:
        model: Class to query.
        text: RQL; checked where the query is used.
        arguments: Values of ``$0``, ``$1``, …; objects stand for links to them, and a `GeoBox`,
            `GeoCircle` or `GeoPolygon` for its region.

    Raises:
        TypeError: An argument is of a type that no property holds.
        ValueError: An argument is out of the range of its type.
    """
    return Query(schema_of(model).name, text, tuple(to_argument(one) for one in arguments))


def to_argument(value: object) -> Any:  # noqa: ANN401 - a scalar, or for IN a list of them
    """Return a query argument or key as it crosses to Rust."""
    if type(value) in _PLAIN_ARGUMENTS:
        return value
    if isinstance(value, GeoBox | GeoCircle | GeoPolygon):
        return region_text(value)
    if isinstance(value, RealmObject):
        return value._skerry_link()
    if isinstance(value, list | tuple | set | frozenset) or getattr(
        type(value), "_skerry_is_list", False
    ):
        return [to_argument(one) for one in cast("list[object]", value)]
    return to_scalar(value)
