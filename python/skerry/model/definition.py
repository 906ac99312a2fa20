"""Defining a model class: from its annotations to its `ClassSchema`.

Invariant: a class that is defined could be stored; what is wrong is told where the class is
written, naming class and property.
"""

import difflib
import inspect

from skerry.errors import PropertyTypeError, SchemaError
from skerry.model.annotations import Annotated, Reader, is_class_variable
from skerry.model.base import (
    RESERVED_PREFIX,
    ClassSchema,
    IgnoredAttribute,
    ModelObject,
    attribute_of,
)
from skerry.model.properties import (
    INDEXABLE_TYPES,
    MISSING,
    PRIMARY_KEY_TYPES,
    Collection,
    Default,
    Index,
    Property,
    PropertyType,
)

CLASS_NAME_LENGTH_MAX = 57
PROPERTY_NAME_LENGTH_MAX = 63


def define(cls: type[ModelObject], name: str, *, has_key: bool) -> None:
    """Give a class its schema and attributes.

    Raises:
        SchemaError: It could not be stored.
    """
    if any(hasattr(base, "_skerry_schema") for base in cls.__bases__):
        raise SchemaError(f"{cls.__name__}: a model class cannot extend another")
    if len(name) > CLASS_NAME_LENGTH_MAX or not name.isidentifier():
        raise SchemaError(
            f"{name!r} is not a class name: an identifier of at most {CLASS_NAME_LENGTH_MAX}"
        )
    schema = _read_schema(cls, name, Reader(cls.__module__, cls.__name__))
    _check_key(schema, has_key=has_key)
    cls._skerry_schema = schema
    for prop in schema:
        setattr(cls, prop.name, attribute_of(prop))
    for attribute, default in schema.ignored.items():
        setattr(cls, attribute, IgnoredAttribute(attribute, default))


def _read_schema(cls: type, name: str, reader: Reader) -> ClassSchema:
    properties: list[tuple[str, Annotated, Default]] = []
    ignored: dict[str, Default] = {}
    backlinks: dict[str, tuple[type | str, str]] = {}
    for attribute, annotation in inspect.get_annotations(cls).items():
        if is_class_variable(annotation):
            continue
        _check_name(name, attribute)
        given = cls.__dict__.get(attribute, MISSING)
        default = given if isinstance(given, Default) else Default(given)
        if default.is_ignored:
            ignored[attribute] = default
        elif default.links is not None:
            backlinks[attribute] = (reader.backlinks(annotation, attribute), default.links)
        else:
            properties.append((attribute, reader.read(annotation, attribute), default))
    _check_forgotten(cls, name)
    numbered = tuple(
        _property(name, index, *described) for index, described in enumerate(properties)
    )
    _check_stored_names(name, numbered)
    return ClassSchema(name, numbered, ignored=ignored, backlinks=backlinks)


def _property(name: str, index: int, attribute: str, read: Annotated, default: Default) -> Property:
    prop = Property(
        class_name=name,
        name=attribute,
        stored_name=default.stored_name or attribute,
        index=index,
        kind=read.kind,
        collection=read.collection,
        nullable=read.nullable,
        python_type=read.python_type,
        target=read.target,
        default=default,
    )
    _check_default(prop)
    _check_indexes(prop)
    return prop


def _check_name(name: str, attribute: str) -> None:
    if attribute.startswith((RESERVED_PREFIX, "__")) or len(attribute) > PROPERTY_NAME_LENGTH_MAX:
        raise SchemaError(
            f"{name}.{attribute}: names have at most {PROPERTY_NAME_LENGTH_MAX} characters and "
            f"do not begin with {RESERVED_PREFIX} or two underscores"
        )


def _check_forgotten(cls: type, name: str) -> None:
    """Refuse specifiers without annotation: the interpreter does not see them as properties."""
    annotated = inspect.get_annotations(cls)
    for attribute, value in cls.__dict__.items():
        if isinstance(value, Default) and attribute not in annotated:
            close = difflib.get_close_matches(attribute, annotated, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise SchemaError(f"{name}.{attribute} has no annotation with its type{hint}")


def _check_stored_names(name: str, properties: tuple[Property, ...]) -> None:
    seen: dict[str, Property] = {}
    for prop in properties:
        stored = prop.stored_name
        if not 0 < len(stored) <= PROPERTY_NAME_LENGTH_MAX:
            raise SchemaError(
                f"{prop}: a persisted name has 1 to {PROPERTY_NAME_LENGTH_MAX} characters"
            )
        other = seen.setdefault(stored, prop)
        if other is not prop:
            raise SchemaError(f"{name}: {other.name} and {prop.name} are both stored as {stored!r}")
        clash = next((one for one in properties if one.name == stored and one is not prop), None)
        if clash is not None and clash.stored_name != clash.name:
            raise SchemaError(f"{prop} is stored under the name of the attribute {clash.name}")


def _check_key(schema: ClassSchema, *, has_key: bool) -> None:
    keys = [prop for prop in schema if prop.default.is_primary_key]
    if not has_key:
        if keys:
            raise SchemaError(f"{keys[0]}: embedded objects have no primary key")
        return
    if len(keys) != 1:
        raise SchemaError(
            f"{schema.name} needs exactly one primary_key() property, has {len(keys)}; for example "
            "_id: ObjectId = primary_key(default_factory=ObjectId)"
        )
    key = keys[0]
    if key.kind not in PRIMARY_KEY_TYPES or key.collection is not Collection.SINGLE:
        kind = key.kind.value if key.is_single else key.collection.value
        raise SchemaError(f"{key}: a primary key is an int, str, ObjectId or UUID, not {kind}")


def _check_indexes(prop: Property) -> None:
    indexes = prop.default.indexes
    if len(indexes) > 1:
        raise SchemaError(f"{prop}: indexed and full_text exclude each other")
    if indexes and not prop.is_single:
        raise SchemaError(f"{prop}: a {prop.collection.value} cannot be indexed")
    if Index.FULL_TEXT in indexes and prop.kind is not PropertyType.STRING:
        raise SchemaError(f"{prop}: only a str has a full-text index, not {prop.kind.value}")
    if Index.GENERAL in indexes and prop.kind not in INDEXABLE_TYPES:
        raise SchemaError(f"{prop}: a property of type {prop.kind.value} cannot be indexed")


def _check_default(prop: Property) -> None:
    """Refuse a constant that could never be stored, where the class is defined."""
    if prop.default.value is MISSING:
        return
    try:
        prop.store(prop.default.value)
    except PropertyTypeError as error:
        raise SchemaError(f"the default of {error}") from error
