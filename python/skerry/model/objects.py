"""`RealmObject`: annotated classes whose objects live in a realm.

An object is in one of three conditions, told by its *keeper*: unmanaged (no keeper; attributes are
free to set), frozen (read outside a write; a snapshot that cannot be set) or live (inside a write;
setting writes through). The primary key never changes. This module does no input or output: the
keeper, which belongs to the client layer, does.
"""

# The functions of this module are the other half of the class: they keep its private slots.
# ruff: noqa: SLF001

import inspect
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias, TypeVar, dataclass_transform

from skerry.errors import IllegalStateError, NoSuchObjectError, PropertyTypeError, SchemaError
from skerry.geo import GeoBox, GeoCircle, GeoPolygon, region_text
from skerry.model.annotations import Annotated, is_class_variable, read_annotation
from skerry.model.fields import field, primary_key
from skerry.model.properties import (
    INDEXABLE_TYPES,
    MISSING,
    PRIMARY_KEY_TYPES,
    Default,
    Index,
    Property,
    PropertyType,
)
from skerry.query import MATCH_ALL, Query
from skerry.types import Link, Scalar, to_scalar

if TYPE_CHECKING:
    from skerry.model.object_changes import ObjectChange

CLASS_NAME_LENGTH_MAX = 57
PROPERTY_NAME_LENGTH_MAX = 63
_RESERVED_PREFIX = "_skerry_"


_Observed = TypeVar("_Observed", bound="RealmObject")


class Keeper(Protocol):
    """What stands behind a managed object: a snapshot or a transaction."""

    def follow(self, prop: Property, link: Link) -> "RealmObject | None":
        """Return the target of a link in the same version, or None when it dangles."""

    def observe(
        self, target: _Observed, key_paths: Sequence[str] | None
    ) -> "AsyncIterator[ObjectChange[_Observed]]":
        """Return the changes of the object.

        Raises:
            IllegalStateError: The object is live, or of a transaction that is over.
        """

    def write(self, target: "RealmObject", prop: Property, value: object) -> "StoredValue":
        """Write one property and return what is now stored, or refuse.

        Raises:
            IllegalStateError: The object is a snapshot, or its transaction is over.
        """


class ClassSchema:
    """What a model class stores: its persisted name and its properties in order.

    Attributes:
        name: Persisted class name.
        properties: In the order of their annotations, which is the order of rows.
        primary_key: One of them.
    """

    __slots__ = ("_by_name", "name", "primary_key", "properties")

    def __init__(self, name: str, properties: tuple[Property, ...], key: Property) -> None:
        self.name = name
        self.properties = properties
        self.primary_key = key
        self._by_name = {prop.name: prop for prop in properties}

    def property(self, name: str) -> Property:
        """Return the property of that name.

        Raises:
            NoSuchObjectError: The class has none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise NoSuchObjectError(f"{self.name} has no property {name!r}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Property]:
        return iter(self.properties)


@dataclass_transform(kw_only_default=True, field_specifiers=(primary_key, field))
class RealmObject:
    """Base of model classes.

    Example::

        class Item(RealmObject):
            _id: ObjectId = primary_key(default_factory=ObjectId)
            name: str
            complexity: int = 1
            parent: "Item | None" = None

    Annotations may be int, bool, float, str, bytes, datetime, Timestamp, ObjectId, uuid.UUID,
    Decimal128, decimal.Decimal, each optionally ``| None``, and ``Other | None`` for a link. The
    persisted name is the class's, or the class keyword ``name``. Objects are made with keyword
    arguments; those without a default are required.

    Objects are equal when class and all stored values are equal; links compare by key. The hash is
    that of class and primary key.

    Raises:
        SchemaError: At class definition; names class and property.
    """

    __slots__ = ("__weakref__", "_skerry_given", "_skerry_keeper", "_skerry_row")

    _skerry_schema: ClassSchema
    _skerry_row: "list[StoredValue]"
    _skerry_keeper: Keeper | None
    _skerry_given: set[str]

    def __init_subclass__(cls, *, name: str | None = None, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        if any(hasattr(base, "_skerry_schema") for base in cls.__bases__):
            raise SchemaError(f"{cls.__name__}: a model class cannot extend another")
        cls._skerry_schema = _read_schema(cls, name or cls.__name__)
        for prop in cls._skerry_schema:
            setattr(cls, prop.name, _Attribute(prop))

    def __init__(self, **values: object) -> None:
        schema = _schema_of_class(type(self))
        unknown = [name for name in values if name not in schema]
        if unknown:
            raise TypeError(f"{schema.name} has no property {unknown[0]!r}")
        self._skerry_keeper = None
        self._skerry_given = set(values)
        self._skerry_row = []
        for prop in schema:
            if prop.name in values:
                value = values[prop.name]
            elif prop.default.is_given:
                value = prop.default.make()
            else:
                raise TypeError(f"{prop} has no default, so it must be given")
            self._skerry_row.append(check_value(prop, value))

    def __setattr__(self, name: str, value: object) -> None:
        # Attributes that are not stored would be lost silently at the next read.
        if not name.startswith(_RESERVED_PREFIX) and name not in _schema_of_class(type(self)):
            raise AttributeError(f"{type(self).__name__} has no property {name!r}")
        object.__setattr__(self, name, value)

    def changes(
        self, key_paths: Sequence[str] | None = None
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

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self) or not isinstance(other, RealmObject):
            return NotImplemented
        return _comparable_row(self) == _comparable_row(other)

    def __hash__(self) -> int:
        return hash((self._skerry_schema.name, key_of(self)))

    def __repr__(self) -> str:
        parts = []
        for prop, stored in zip(self._skerry_schema, self._skerry_row, strict=True):
            shown = link_to(stored) if isinstance(stored, RealmObject) else prop.load(stored)
            parts.append(f"{prop.name}={shown!r}")
        return f"{type(self).__name__}({', '.join(parts)})"


StoredValue: TypeAlias = Scalar | RealmObject
"""A row's element: a scalar, or, before it is added, the object a link was set to."""


class _Attribute:
    """The descriptor of one property."""

    __slots__ = ("_property",)

    def __init__(self, prop: Property) -> None:
        self._property = prop

    def __get__(self, instance: RealmObject | None, owner: type[RealmObject]) -> object:
        if instance is None:
            # As for an annotation without a value: the class itself has no such attribute.
            raise AttributeError(f"{self._property} belongs to objects, not to the class")
        stored = instance._skerry_row[self._property.index]
        if isinstance(stored, RealmObject):
            return stored
        if isinstance(stored, Link):
            keeper = instance._skerry_keeper
            return stored if keeper is None else keeper.follow(self._property, stored)
        return self._property.load(stored)

    def __set__(self, instance: RealmObject, value: object) -> None:
        prop = self._property
        if prop.default.is_primary_key:
            raise IllegalStateError(f"{prop} is the primary key, which never changes")
        if instance._skerry_keeper is not None:
            instance._skerry_row[prop.index] = instance._skerry_keeper.write(instance, prop, value)
            return
        instance._skerry_row[prop.index] = check_value(prop, value)
        instance._skerry_given.add(prop.name)


def check_value(prop: Property, value: object) -> StoredValue:
    """Return what an object keeps for `value`: a scalar, or the object that a link points at.

    Raises:
        PropertyTypeError: The value does not fit the property.
    """
    if not (prop.is_link and isinstance(value, RealmObject)):
        return prop.store(value)
    target = prop.target
    fits = type(value).__name__ == target if isinstance(target, str) else type(value) is target
    if not fits:
        raise PropertyTypeError(f"{prop} does not link to {type(value).__name__}")
    return value


def make_managed(model: type[RealmObject], row: "list[StoredValue]", keeper: Keeper) -> RealmObject:
    """Return an object over a stored row, without running the application's constructor."""
    made = model.__new__(model)
    made._skerry_row = row
    made._skerry_keeper = keeper
    made._skerry_given = set()
    return made


def schema_of(model: type[RealmObject]) -> ClassSchema:
    """Return the schema of a model class.

    Raises:
        SchemaError: It is not one.
    """
    if not issubclass(model, RealmObject):
        raise SchemaError(f"{model!r} is not a subclass of RealmObject")
    return _schema_of_class(model)


def key_of(target: RealmObject) -> Scalar:
    """Return the primary key of an object, in every condition of it."""
    key = target._skerry_row[target._skerry_schema.primary_key.index]
    assert not isinstance(key, RealmObject), "a primary key is never a link"
    return key


def row_of(target: RealmObject) -> "list[StoredValue]":
    """Return what an object keeps, in schema order; the very list, for whoever manages it."""
    return target._skerry_row


def given_of(target: RealmObject) -> set[str]:
    """Return the names of properties that the application gave, rather than defaults."""
    return target._skerry_given


def hand_over(target: RealmObject, keeper: Keeper, row: "list[StoredValue] | None" = None) -> None:
    """Put an object behind another keeper, and over other values if they are given."""
    target._skerry_keeper = keeper
    if row is not None:
        target._skerry_row = row


def link_to(target: RealmObject) -> Link:
    """Return the link that addresses an object."""
    return Link(target._skerry_schema.name, key_of(target))


def is_managed(target: RealmObject) -> bool:
    """Whether the object came from a realm, frozen or live."""
    return target._skerry_keeper is not None


def asdict(target: RealmObject) -> dict[str, object]:
    """Return the properties of an object by name; a link appears as its `Link`, never nested."""
    return {
        prop.name: link_to(stored) if isinstance(stored, RealmObject) else prop.load(stored)
        for prop, stored in zip(target._skerry_schema, target._skerry_row, strict=True)
    }


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


def to_argument(value: object) -> Scalar:
    """Return a query argument or key as it crosses to Rust."""
    if isinstance(value, GeoBox | GeoCircle | GeoPolygon):
        return region_text(value)
    return link_to(value) if isinstance(value, RealmObject) else to_scalar(value)


def _comparable_row(target: RealmObject) -> list[Scalar]:
    return [link_to(one) if isinstance(one, RealmObject) else one for one in target._skerry_row]


def _schema_of_class(model: type[RealmObject]) -> ClassSchema:
    schema = getattr(model, "_skerry_schema", None)
    if not isinstance(schema, ClassSchema):
        raise SchemaError(f"{model.__name__} has no properties; derive a class from it")
    return schema


def _read_schema(cls: type[RealmObject], name: str) -> ClassSchema:
    if len(name) > CLASS_NAME_LENGTH_MAX or not name.isidentifier():
        raise SchemaError(
            f"{name!r} is not a class name: an identifier of at most {CLASS_NAME_LENGTH_MAX}"
        )
    properties = [
        _read_property(cls, name, attribute, annotation)
        for attribute, annotation in inspect.get_annotations(cls).items()
        if not is_class_variable(annotation)
    ]
    numbered = tuple(
        Property(
            class_name=name,
            name=attribute,
            index=index,
            kind=read.kind,
            nullable=read.nullable,
            python_type=read.python_type,
            target=read.target,
            default=default,
        )
        for index, (attribute, read, default) in enumerate(properties)
    )
    keys = [prop for prop in numbered if prop.default.is_primary_key]
    if len(keys) != 1:
        raise SchemaError(f"{name} needs exactly one primary_key() property, has {len(keys)}")
    if keys[0].kind not in PRIMARY_KEY_TYPES:
        raise SchemaError(
            f"{keys[0]}: a primary key is an int, str, ObjectId or UUID, not {keys[0].kind.value}"
        )
    for prop in numbered:
        _check_default(prop)
        _check_indexes(prop)
    return ClassSchema(name, numbered, keys[0])


def _read_property(
    cls: type[RealmObject], name: str, attribute: str, annotation: object
) -> tuple[str, Annotated, Default]:
    if attribute.startswith((_RESERVED_PREFIX, "__")) or len(attribute) > PROPERTY_NAME_LENGTH_MAX:
        raise SchemaError(
            f"{name}.{attribute}: names have at most {PROPERTY_NAME_LENGTH_MAX} characters and "
            f"do not begin with {_RESERVED_PREFIX} or two underscores"
        )
    read = read_annotation(
        annotation,
        module=cls.__module__,
        class_name=cls.__name__,
        name=attribute,
        model_base=RealmObject,
    )
    given = cls.__dict__.get(attribute, MISSING)
    default = given if isinstance(given, Default) else Default(given)
    return attribute, read, default


def _check_indexes(prop: Property) -> None:
    indexes = prop.default.indexes
    if len(indexes) > 1:
        raise SchemaError(f"{prop}: indexed and full_text exclude each other")
    if Index.FULL_TEXT in indexes and prop.kind is not PropertyType.STRING:
        raise SchemaError(f"{prop}: only a str has a full-text index, not {prop.kind.value}")
    if Index.GENERAL in indexes and prop.kind not in INDEXABLE_TYPES:
        raise SchemaError(f"{prop}: a property of type {prop.kind.value} cannot be indexed")


def _check_default(prop: Property) -> None:
    """Refuse a constant that could never be stored, where the class is defined."""
    if prop.default.value is MISSING:
        return
    try:
        check_value(prop, prop.default.value)
    except PropertyTypeError as error:
        raise SchemaError(f"the default of {error}") from error
