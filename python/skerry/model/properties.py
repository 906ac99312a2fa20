"""Properties: what one annotated attribute of a model class stores, and its two conversions.

A property turns what the application gives into a scalar (checking the type) and a scalar into
what the application's annotation promises. It does not read annotations (`annotations`) and does
not resolve links to objects (`objects`).
"""

import decimal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from skerry.errors import PropertyTypeError
from skerry.types import Decimal128, Link, ObjectId, Scalar, Timestamp, to_scalar

if TYPE_CHECKING:
    from skerry.model.objects import RealmObject


class PropertyType(Enum):
    """The stored types, by their names in a schema."""

    INT = "int"
    BOOL = "bool"
    DOUBLE = "double"
    STRING = "string"
    DATA = "data"
    DATE = "date"
    OBJECT_ID = "objectId"
    UUID = "uuid"
    DECIMAL128 = "decimal128"
    OBJECT = "object"


SCALAR_TYPES: Final[dict[type, PropertyType]] = {
    int: PropertyType.INT,
    bool: PropertyType.BOOL,
    float: PropertyType.DOUBLE,
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
    }
)


class Index(Enum):
    """The indexes that a property may have, by their names in a schema."""

    GENERAL = "general"
    FULL_TEXT = "fulltext"


class Missing(Enum):
    """The one value that says "no default": None is a value."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING


@dataclass(frozen=True, slots=True)
class Default:
    """What a property gets when the application gives nothing, and what else its specifier says.

    Attributes:
        value: The constant, or `MISSING`.
        factory: Called for each object instead, or None.
        is_primary_key: Whether the specifier was `primary_key`.
        indexes: What indexes the specifier asked for.
    """

    value: object = MISSING
    factory: Callable[[], object] | None = None
    is_primary_key: bool = False
    indexes: tuple[Index, ...] = ()

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
        name: Attribute and persisted name.
        index: Position in the class's rows.
        kind: Stored type.
        nullable: Whether None may be stored; links always are.
        python_type: The annotated type without ``| None``.
        target: For links, the target class, or its Python name while it is not yet defined.
        default: Its default.
    """

    class_name: str
    name: str
    index: int
    kind: PropertyType
    nullable: bool
    python_type: type | None
    target: "type[RealmObject] | str | None"
    default: Default

    @property
    def indexed(self) -> Index | None:
        """The index on the property."""
        return next(iter(self.default.indexes), None)

    @property
    def is_link(self) -> bool:
        """Whether the property refers to another object."""
        return self.kind is PropertyType.OBJECT

    def store(self, value: object) -> Scalar:
        """Return what is stored for `value`, which is not a link to an object.

        Raises:
            PropertyTypeError: The value is of another type or out of its range.
        """
        if value is None:
            if not self.nullable:
                raise PropertyTypeError(f"{self} may not be None")
            return None
        try:
            scalar = to_scalar(value)
        except (TypeError, ValueError) as error:
            raise PropertyTypeError(f"{self}: {error}") from error
        if self.is_link:
            if isinstance(scalar, Link):
                return scalar
        else:
            expected = _STORED_AS[self.kind]
            if type(scalar) is expected:
                return scalar
            # An int is a double that happens to be whole; a bool is neither.
            if expected is float and type(scalar) is int:
                return float(scalar)
            # Subclasses such as enums of str are stored as what they are derived from.
            if isinstance(scalar, expected) and not isinstance(scalar, bool):
                return _plain(scalar, expected)
        raise PropertyTypeError(f"{self} is of type {self.kind.value}, not {type(value).__name__}")

    def load(self, scalar: Scalar) -> object:
        """Return what the annotation promises for a stored value that is not a link."""
        if isinstance(scalar, Timestamp) and self.python_type is datetime:
            return scalar.to_datetime()
        if isinstance(scalar, Decimal128) and self.python_type is decimal.Decimal:
            return scalar.to_decimal()
        return scalar

    def __str__(self) -> str:
        return f"{self.class_name}.{self.name}"


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
