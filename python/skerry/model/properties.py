"""Properties: what one annotated attribute of a model class stores, and its two conversions.

A property turns what the application gives into what is stored (checking types) and a stored scalar
into what the application's annotation promises. What is stored of collections is made into lists,
sets and dictionaries by `skerry.model.collections`. It does not read annotations (`annotations`)
and does not resolve links to objects (`objects`).
"""

import decimal
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias, cast
from uuid import UUID

from skerry.errors import PropertyTypeError
from skerry.geo import GeoPoint
from skerry.model.counter import Counter
from skerry.types import Decimal128, Float32, Link, ObjectId, Scalar, Timestamp, to_scalar

if TYPE_CHECKING:
    from skerry.model.base import ModelObject


class PropertyType(Enum):
    """The stored types, by their names in a schema."""

    INT = "int"
    BOOL = "bool"
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    DATA = "data"
    DATE = "date"
    OBJECT_ID = "objectId"
    UUID = "uuid"
    DECIMAL128 = "decimal128"
    OBJECT = "object"
    MIXED = "mixed"


class Collection(Enum):
    """Whether a property holds one value or a collection, by the names in a schema."""

    SINGLE = "single"
    LIST = "list"
    SET = "set"
    DICTIONARY = "dictionary"


SCALAR_TYPES: Final[dict[type, PropertyType]] = {
    int: PropertyType.INT,
    Counter: PropertyType.INT,
    bool: PropertyType.BOOL,
    float: PropertyType.DOUBLE,
    Float32: PropertyType.FLOAT,
    str: PropertyType.STRING,
    bytes: PropertyType.DATA,
    datetime: PropertyType.DATE,
    Timestamp: PropertyType.DATE,
    ObjectId: PropertyType.OBJECT_ID,
    UUID: PropertyType.UUID,
    Decimal128: PropertyType.DECIMAL128,
    decimal.Decimal: PropertyType.DECIMAL128,
}

PRIMARY_KEY_TYPES: Final = frozenset(
    {PropertyType.INT, PropertyType.STRING, PropertyType.OBJECT_ID, PropertyType.UUID}
)

_STORED_AS: Final[dict[PropertyType, type]] = {
    PropertyType.INT: int,
    PropertyType.BOOL: bool,
    PropertyType.FLOAT: float,
    PropertyType.DOUBLE: float,
    PropertyType.STRING: str,
    PropertyType.DATA: bytes,
    PropertyType.DATE: Timestamp,
    PropertyType.OBJECT_ID: ObjectId,
    PropertyType.UUID: UUID,
    PropertyType.DECIMAL128: Decimal128,
}


INDEXABLE_TYPES: Final = frozenset(
    {
        PropertyType.INT,
        PropertyType.BOOL,
        PropertyType.STRING,
        PropertyType.DATE,
        PropertyType.OBJECT_ID,
        PropertyType.UUID,
        PropertyType.MIXED,
    }
)

NESTING_MAX: Final = 100
"""Collections inside collections of a mixed value."""


class Index(Enum):
    """The indexes that a property may have, by their names in a schema."""

    GENERAL = "general"
    FULL_TEXT = "fulltext"


class Missing(Enum):
    """The one value that says "no default": None is a value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


Stored: TypeAlias = object
"""What stands in a row: a scalar, list, set or dict as the file holds it, or what has been made of
it: a collection, an embedded object, or an object that is in no realm yet."""


@dataclass(frozen=True, slots=True)
class Default:
    """What a property gets when the application gives nothing, and what else its specifier says.

    Attributes:
        value: The constant, or `MISSING`.
        factory: Called for each object instead, or None.
        is_primary_key: Whether the specifier was `primary_key`.
        indexes: What indexes the specifier asked for.
        stored_name: The persisted name it asked for, or None.
        is_ignored: Whether the attribute is not stored.
        links: For backlinks, the linking property's attribute.
    """

    value: object = MISSING
    factory: Callable[[], object] | None = None
    is_primary_key: bool = False
    indexes: tuple[Index, ...] = ()
    stored_name: str | None = None
    is_ignored: bool = False
    links: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether the attribute may be left out."""
        return self.value is not MISSING or self.factory is not None

    def make(self) -> object:
        """Return the default of one new object."""
        return self.factory() if self.factory is not None else self.value


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a model class.

    Attributes:
        class_name: Persisted name of the owning class, for messages.
        name: Attribute.
        stored_name: Persisted name.
        index: Position in the class's rows.
        kind: Stored type of the value, or of the elements of a collection.
        collection: Whether it is one, and which.
        nullable: Whether None is a value or element; links and mixed always may be, save for
            links in lists and sets.
        python_type: The annotated type of the value or element, without ``| None``.
        target: For links and embedded objects, the target class, or its Python name while it is
            not yet defined.
        default: Its default.
        exact_type: The type whose instances are stored as they are, alone or as elements, ints if
            they are int64; None where every value is converted.
    """

    class_name: str
    name: str
    stored_name: str
    index: int
    kind: PropertyType
    collection: Collection
    nullable: bool
    python_type: type | None
    target: "type[ModelObject] | str | None"
    default: Default
    exact_type: type | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        is_converted = (
            self.kind in {PropertyType.OBJECT, PropertyType.MIXED, PropertyType.FLOAT}
            or self.python_type in {datetime, decimal.Decimal, Counter}
            or (self.python_type is not None and issubclass(self.python_type, Enum))
        )
        exact = None if is_converted else _STORED_AS[self.kind]
        object.__setattr__(self, "exact_type", exact)

    @property
    def indexed(self) -> Index | None:
        """The index on the property."""
        return next(iter(self.default.indexes), None)

    @property
    def is_link(self) -> bool:
        """Whether its values refer to other objects, or are embedded ones."""
        return self.kind is PropertyType.OBJECT

    @property
    def is_single(self) -> bool:
        """Whether it is no collection. A mixed that holds one is still single."""
        return self.collection is Collection.SINGLE

    @property
    def stored_type(self) -> type | None:
        """The one Python type of what is stored of a plain property; None where there are several.

        Floats of 32 bits have None: what is stored is another number than what is given.
        """
        return self.exact_type if self.is_single else None

    # --- From the application -------------------------------------------------------------------

    def store(self, value: object) -> Stored:
        """Return what is stored for `value`, with objects that are not in a realm as they are.

        Raises:
            PropertyTypeError: The value is of another type or out of its range.
        """
        match self.collection:
            case Collection.SINGLE:
                return self.store_value(value)
            case Collection.LIST | Collection.SET:
                if not isinstance(value, Iterable) or isinstance(value, str | bytes | Mapping):
                    raise self._refuse(f"is a {self.collection.value}", value)
                # An int may be too great.
                exact = None if self.exact_type is int else self.exact_type
                return [one if type(one) is exact else self.store_value(one) for one in value]
            case Collection.DICTIONARY:
                if not isinstance(value, Mapping):
                    raise self._refuse("is a dictionary", value)
                return {
                    self.store_key(key): self.store_value(element) for key, element in value.items()
                }

    def store_key(self, key: object) -> str:
        """Return a key of a dictionary.

        Raises:
            PropertyTypeError: It is no str, begins with ``$`` or contains a dot (client-api 2.5).
        """
        if not isinstance(key, str):
            raise self._refuse("has keys of type str", key)
        if key.startswith("$") or "." in key:
            raise PropertyTypeError(f"{self}: the key {key!r} begins with $ or contains a dot")
        return str(key)

    def store_value(self, value: object, depth: int = 0) -> Stored:
        """Return what is stored for one value or element.

        Raises:
            PropertyTypeError: The value is of another type or out of its range.
        """
        if value is None:
            if not self.nullable:
                within = "" if self.is_single else "an element of "
                raise PropertyTypeError(f"{within}{self} may not be None")
            return None
        if self.kind is PropertyType.OBJECT:
            return self._store_object(value)
        if self.kind is PropertyType.MIXED:
            return self._store_mixed(value, depth)
        return self._store_scalar(value)

    def _store_scalar(self, value: object) -> Scalar:
        if self.python_type is not None and issubclass(self.python_type, Enum):
            value = self._member(value).value
        scalar = self._to_scalar(value)
        if self.kind is PropertyType.FLOAT and isinstance(scalar, int | float):
            return self._to_32_bits(scalar)
        expected = _STORED_AS[self.kind]
        if type(scalar) is expected:
            return scalar
        # An int is a double that happens to be whole; a bool is neither.
        if expected is float and type(scalar) is int:
            return float(scalar)
        if expected is float and isinstance(scalar, Float32):
            return scalar.value
        # Subclasses such as counters and enums of str are stored as what they are derived from.
        if isinstance(scalar, expected) and not isinstance(scalar, bool):
            return _plain(scalar, expected)
        raise self._refuse(f"is of type {self.kind.value}", value)

    def _to_32_bits(self, number: float) -> float:
        """Return what the file keeps, so that objects show it from the beginning."""
        if isinstance(number, bool):
            raise self._refuse(f"is of type {self.kind.value}", number)
        return Float32(float(number)).value

    def _member(self, value: object) -> Enum:
        assert self.python_type is not None
        try:
            member = self.python_type(value)
        except ValueError as error:
            raise PropertyTypeError(f"{self}: {error}") from error
        assert isinstance(member, Enum)
        return member

    def _store_object(self, value: object) -> Stored:
        if isinstance(value, Link):
            return value
        if self.python_type is GeoPoint:
            if isinstance(value, GeoPoint):
                return {"type": "Point", "coordinates": [value.longitude, value.latitude]}
            raise self._refuse("is a GeoPoint", value)
        store = getattr(type(value), "_skerry_store", None)
        if store is None:
            raise self._refuse("is of type object", value)
        target = self.target
        if not is_meant(target, type(value)):
            shown = target if isinstance(target, str) else getattr(target, "__name__", "")
            raise PropertyTypeError(f"{self} does not hold {type(value).__name__}, but {shown}")
        held: Stored = store(value)
        return held

    def _store_mixed(self, value: object, depth: int) -> Stored:
        if depth > NESTING_MAX:
            raise PropertyTypeError(f"{self}: collections are nested at most {NESTING_MAX} deep")
        if getattr(type(value), "_skerry_is_top_level", False):
            held: Stored = type(value)._skerry_store(value)  # type: ignore[attr-defined]
            return held
        if isinstance(value, Mapping):
            return {
                self.store_key(key): self.store_value(one, depth + 1) for key, one in value.items()
            }
        if isinstance(value, list | tuple) or getattr(type(value), "_skerry_is_list", False):
            elements = cast("Iterable[object]", value)
            return [self.store_value(one, depth + 1) for one in elements]
        scalar = self._to_scalar(value)
        for plain in (bool, int, float, str, bytes):
            if isinstance(scalar, plain):
                return scalar if type(scalar) is plain else _plain(scalar, plain)
        return scalar

    def _to_scalar(self, value: object) -> Scalar:
        try:
            return to_scalar(value)
        except (TypeError, ValueError) as error:
            raise PropertyTypeError(f"{self}: {error}") from error

    def _refuse(self, wanted: str, value: object) -> PropertyTypeError:
        return PropertyTypeError(f"{self} {wanted}, not {type(value).__name__}")

    # --- To the application ---------------------------------------------------------------------

    @property
    def is_plain(self) -> bool:
        """Whether a stored value is what the application sees, without any conversion."""
        return (
            self.is_single
            and self.kind not in {PropertyType.OBJECT, PropertyType.MIXED}
            and self.python_type not in {datetime, decimal.Decimal, Counter}
            and not (self.python_type is not None and issubclass(self.python_type, Enum))
        )

    def load_point(self, stored: Stored) -> GeoPoint | None:
        """Return the point that a stored embedded object is, if points are annotated.

        Raises:
            PropertyTypeError: It is none, as when another program wrote something else.
        """
        if self.python_type is not GeoPoint:
            return None
        match stored:
            case {"type": "Point", "coordinates": [float(longitude), float(latitude), *_]}:
                return GeoPoint(latitude=latitude, longitude=longitude)
            case _:
                raise PropertyTypeError(f"{self} holds {stored!r}, which is no point")

    def load(self, scalar: Scalar) -> object:
        """Return what the annotation promises for a stored scalar that is not a link.

        Raises:
            PropertyTypeError: It is no member of the annotated enum, as when a newer program wrote
                it.
            ValueError: The year is outside those of the annotated `datetime`.
        """
        wanted = self.python_type
        match scalar:
            case Timestamp() if wanted is datetime:
                return scalar.to_datetime()
            case Timestamp() if self.kind is PropertyType.MIXED:
                return _datetime_or_timestamp(scalar)
            case Decimal128() if wanted is decimal.Decimal:
                return scalar.to_decimal()
            case int() | str() if wanted is not None and issubclass(wanted, Enum):
                return self._member(scalar)
            case _:
                return scalar

    def __str__(self) -> str:
        return f"{self.class_name}.{self.name}"


def is_meant(target: "type | str | None", model: type) -> bool:
    """Whether a class is the one that a property refers to.

    A class that was defined anew, as in a notebook, is the same as before by its name and module.
    """
    if isinstance(target, str):
        return model.__name__ == target
    return target is model or (
        target is not None
        and (target.__module__, target.__qualname__) == (model.__module__, model.__qualname__)
    )


def _datetime_or_timestamp(scalar: Timestamp) -> datetime | Timestamp:
    try:
        return scalar.to_datetime()
    except ValueError:
        # Realm's times reach beyond the years of datetime.
        return scalar


def _plain(scalar: Scalar, expected: type) -> Scalar:
    match scalar:
        case int():
            return int(scalar)
        case float():
            return float(scalar)
        case str():
            return str.__str__(scalar)
        case bytes():
            return bytes(scalar)
        case _:
            raise PropertyTypeError(f"a subclass of {expected.__name__} is not stored")
