"""What objects with a key and embedded objects have in common: their schema and attributes.

An object keeps a row, the stored value of each property in the order of the schema. Attributes read
from it what the annotation promises and keep what has been made for that, collections and embedded
objects, in the row; so each is one Python object.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, cast

from skerry.errors import IllegalStateError, NoSuchObjectError, PropertyTypeError, SchemaError
from skerry.model.collections import Part, collection_of, plain, present
from skerry.model.counter import Counter, wrapped
from skerry.model.keeper import Keeper, PathSteps
from skerry.model.properties import Collection, Default, Property, PropertyType, Stored
from skerry.types import INT64_MAX, INT64_MIN, Link

RESERVED_PREFIX = "_skerry_"


class ClassSchema:
    """What a model class stores: its persisted name and its properties in order.

    Attributes:
        name: Persisted class name.
        properties: In the order of their annotations, which is the order of rows.
        collections: Those of them that are lists, sets and dictionaries.
        key: The primary key; None for embedded classes.
        ignored: Attributes that are not stored, with their defaults.
        backlinks: Attributes that give backlinks: the linking class or its name, and its attribute.
        taking: Each property with its name and `Property.stored_type`, to make objects by.
    """

    __slots__ = (
        "_by_name",
        "backlinks",
        "collections",
        "ignored",
        "key",
        "name",
        "properties",
        "taking",
    )

    def __init__(
        self,
        name: str,
        properties: tuple[Property, ...],
        *,
        ignored: dict[str, Default],
        backlinks: "dict[str, tuple[type | str, str]]",
    ) -> None:
        self.name = name
        self.properties = properties
        self.collections = tuple(prop for prop in properties if not prop.is_single)
        self.key = next((prop for prop in properties if prop.default.is_primary_key), None)
        self.ignored = ignored
        self.backlinks = backlinks
        self.taking = tuple((prop, prop.name, prop.stored_type) for prop in properties)
        self._by_name = {prop.name: prop for prop in properties}

    @property
    def primary_key(self) -> Property:
        """The primary key.

        Raises:
            SchemaError: It is an embedded class.
        """
        if self.key is None:
            raise SchemaError(f"{self.name} is embedded, so its objects have no key")
        return self.key

    def property(self, name: str) -> Property:
        """Return the property of that attribute.

        Raises:
            NoSuchObjectError: The class has none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise NoSuchObjectError(f"{self.name} has no property {name!r}") from None

    def has(self, name: str) -> bool:
        """Whether objects have an attribute of that name, stored or not."""
        return name in self._by_name or name in self.ignored or name in self.backlinks

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Property]:
        return iter(self.properties)


class ModelObject:
    """Base of `RealmObject` and `EmbeddedObject`."""

    __slots__ = ("__weakref__", "_skerry_extra", "_skerry_given", "_skerry_row")

    _skerry_schema: ClassVar[ClassSchema]
    _skerry_is_held: ClassVar[bool] = True
    _skerry_row: list[Stored]
    _skerry_given: set[str]
    _skerry_extra: dict[str, object]

    def __init__(self, **values: object) -> None:
        schema = schema_of_class(type(self))
        given: set[str] = set()
        row: list[Stored] = []
        for prop, name, exact in schema.taking:
            if name in values:
                value = values.pop(name)
                given.add(name)
            elif prop.default.is_given:
                value = prop.default.make()
            else:
                raise TypeError(f"{prop} has no default, so it must be given")
            row.append(value if type(value) is exact and _fits(value) else prop.store(value))
        for name in values:
            if name not in schema.ignored:
                raise TypeError(f"{schema.name} has no property {name!r}")
        # Past __setattr__, which is for applications.
        object.__setattr__(self, "_skerry_row", row)
        object.__setattr__(self, "_skerry_given", given)
        object.__setattr__(self, "_skerry_extra", values)

    def __setattr__(self, name: str, value: object) -> None:
        # Attributes that are not stored would be lost silently at the next read.
        if name in getattr(type(self), "_skerry_schema", ()):  # most of them, so they go first
            object.__setattr__(self, name, value)
            return
        if not (name.startswith(RESERVED_PREFIX) or schema_of_class(type(self)).has(name)):
            raise AttributeError(f"{type(self).__name__} has no property {name!r}")
        object.__setattr__(self, name, value)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is not type(self) or not isinstance(other, ModelObject):
            return NotImplemented
        return bool(self._skerry_values() == other._skerry_values())

    def __repr__(self) -> str:
        schema = self._skerry_schema
        parts = [f"{name}={value!r}" for name, value in as_pairs(self, schema)]
        return f"{type(self).__name__}({', '.join(parts)})"

    def _skerry_values(self) -> list[Any]:
        """Return the row as plain values, which compare."""
        schema = self._skerry_schema
        return [
            _as_set(one) if prop.collection is Collection.SET else plain(one)
            for prop, one in zip(schema.properties, self._skerry_row, strict=True)
        ]

    # --- For its parts --------------------------------------------------------------------------

    def _skerry_keeper_of(self) -> Keeper | None:
        """Return what stands behind it, if it is in a realm."""
        return None

    def _skerry_base(self) -> "tuple[Any, PathSteps]":
        """Return the object with a key that this is or is in, and the path to it there."""
        raise IllegalStateError(f"this {type(self).__name__} is in no object")

    def _skerry_way_to(self, part: Part) -> "tuple[Any, PathSteps]":
        prop = part._skerry_property
        if self._skerry_row[prop.index] is not part:
            raise IllegalStateError(f"{prop} holds something else now; read it again")
        target, path = self._skerry_base()
        return target, (*path, prop.stored_name)

    def _skerry_reload_row(self, row: "list[Stored]") -> None:
        """Take over newly read values, in what has been made of the old ones where it fits."""
        mine = self._skerry_row
        for index, stored in enumerate(row):
            if not reload(mine[index], stored):
                mine[index] = stored


def _as_set(stored: Stored) -> Any:  # noqa: ANN401 - a set, or a list if that would lose elements
    values = plain(stored)
    return set(values) if len(set(values)) == len(values) else values


def reload(held: Stored, stored: Stored) -> bool:
    """Give newly read values to what has been made of the old; False if it is another thing."""
    take = getattr(type(held), "_skerry_reload", None)
    if take is None or not isinstance(stored, list | dict | set):
        return False
    if isinstance(stored, dict) != hasattr(held, "_skerry_takes_dict"):
        return False
    take(held, stored)
    return True


def schema_of_class(model: type) -> ClassSchema:
    """Return the schema of a model class.

    Raises:
        SchemaError: It is none.
    """
    schema = getattr(model, "_skerry_schema", None)
    if not isinstance(schema, ClassSchema):
        raise SchemaError(f"{model.__name__} has no properties; derive a class from it")
    return schema


def as_pairs(target: ModelObject, schema: ClassSchema) -> Iterator[tuple[str, Any]]:
    """Yield attributes with plain values; links appear as `Link`, never followed."""
    for prop, stored in zip(schema.properties, target._skerry_row, strict=True):
        yield prop.name, _as_plain(target, prop, stored, within=False)


def _as_plain(holder: Any, prop: Property, stored: Stored, *, within: bool) -> Any:  # noqa: ANN401 - anything
    """Return lists, sets, dicts and values as the application sees them."""
    if isinstance(stored, Link):
        return stored
    as_link = getattr(type(stored), "_skerry_link", None)
    if as_link is not None:
        return as_link(stored)
    if not within and not prop.is_single and not isinstance(stored, Part):
        stored = collection_of(holder, prop, stored)
    if isinstance(stored, list | dict):
        stored = present(holder, prop, stored)[0]
    if isinstance(stored, ModelObject):
        return dict(as_pairs(stored, stored._skerry_schema))
    if isinstance(stored, Part):
        items = stored._items  # type: ignore[attr-defined]
        if hasattr(stored, "_skerry_is_set"):
            values = [_as_plain(stored, prop, one, within=True) for one in items.values()]
            return set(values) if len(set(values)) == len(values) else values
        if isinstance(items, dict):
            return {key: _as_plain(stored, prop, one, within=True) for key, one in items.items()}
        return [_as_plain(stored, prop, one, within=True) for one in items]
    return present(holder, prop, stored)[0]


# --- Attributes --------------------------------------------------------------------------------


def attribute_of(prop: Property) -> "Attribute":
    """Return the descriptor of a property."""
    if prop.python_type is Counter:
        return _CounterAttribute(prop)
    if prop.is_plain:
        return _PlainAttribute(prop)
    return Attribute(prop) if prop.is_single else _CollectionAttribute(prop)


class Attribute:
    """The descriptor of one property."""

    __slots__ = ("_index", "_property")

    def __init__(self, prop: Property) -> None:
        self._property = prop
        self._index = prop.index

    def __get__(self, instance: ModelObject | None, owner: type) -> object:
        if instance is None:
            return self._no_class_attribute()
        stored = instance._skerry_row[self._index]
        value, made = present(instance, self._property, stored)
        if made is not None:
            instance._skerry_row[self._index] = cast("Stored", made)
        return value

    def __set__(self, instance: ModelObject, value: object) -> None:
        prop = self._property
        if prop.default.is_primary_key:
            raise IllegalStateError(f"{prop} is the primary key, which never changes")
        held = instance._skerry_row[prop.index]
        if value is held and isinstance(held, Part):
            return  # as after `item.tags += [...]`, which has changed it already
        stored = prop.store(value)
        keeper = instance._skerry_keeper_of()
        if keeper is None:
            instance._skerry_given.add(prop.name)
        else:
            stored = cast("Stored", keeper.lower(stored, prop))
            self._write(instance, keeper, stored)
        instance._skerry_row[prop.index] = stored

    def _write(self, instance: ModelObject, keeper: Keeper, stored: Stored) -> None:
        target, path = instance._skerry_base()
        is_value = self._property.is_single and not isinstance(stored, list | dict)
        operation = "set" if is_value else "assign"
        keeper.edit(target, self._property, operation, (*path, self._property.stored_name), stored)

    def _no_class_attribute(self) -> object:
        # As for an annotation without a value: the class itself has no such attribute.
        raise AttributeError(f"{self._property} belongs to objects, not to the class")


class _PlainAttribute(Attribute):
    """Of a property whose stored values are what the application sees."""

    __slots__ = ("_exact",)

    def __init__(self, prop: Property) -> None:
        super().__init__(prop)
        # A value of just this type is stored as it is.
        self._exact = None if prop.default.is_primary_key else prop.stored_type

    def __get__(self, instance: ModelObject | None, owner: type) -> object:
        if instance is None:
            return self._no_class_attribute()
        return instance._skerry_row[self._index]

    def __set__(self, instance: ModelObject, value: object) -> None:
        keeper = instance._skerry_keeper_of()
        if type(value) is not self._exact or keeper is None or not _fits(value):
            super().__set__(instance, value)
            return
        self._write(instance, keeper, value)
        instance._skerry_row[self._index] = value


def _fits(value: object) -> bool:
    """Whether a value of an exact type is in its range."""
    return type(value) is not int or INT64_MIN <= value <= INT64_MAX


class _CollectionAttribute(Attribute):
    __slots__ = ()

    def __get__(self, instance: ModelObject | None, owner: type) -> object:
        if instance is None:
            return self._no_class_attribute()
        stored = instance._skerry_row[self._index]
        if isinstance(stored, Part):
            return stored
        made = collection_of(instance, self._property, stored)
        instance._skerry_row[self._index] = made
        return made


class _CounterAttribute(Attribute):
    __slots__ = ()

    def __get__(self, instance: ModelObject | None, owner: type) -> object:
        if instance is None:
            return self._no_class_attribute()
        value = instance._skerry_row[self._index]
        return (
            None
            if value is None
            else Counter.at(cast("int", value), _CounterPlace(instance, self._property))
        )


class _CounterPlace:
    """Where a counter was read."""

    __slots__ = ("_instance", "_property")

    def __init__(self, instance: ModelObject, prop: Property) -> None:
        self._instance = instance
        self._property = prop

    def add(self, amount: int) -> None:
        increment(self._instance, self._property, amount)


def increment(instance: ModelObject, prop: Property, amount: int) -> None:
    """Add to an int property of an object.

    Raises:
        PropertyTypeError: It is no single int, it is None, or the amount is no int64.
        IllegalStateError: The object cannot be changed.
    """
    if prop.kind is not PropertyType.INT or not prop.is_single or prop.default.is_primary_key:
        raise PropertyTypeError(f"{prop} is not an int that can be incremented")
    is_int = isinstance(cast("object", amount), int)
    if not is_int or not INT64_MIN <= amount <= INT64_MAX:
        raise PropertyTypeError(f"{prop}: {amount!r} does not fit into an int64")
    value = instance._skerry_row[prop.index]
    if value is None:
        raise PropertyTypeError(f"{prop} is None; nothing can be added to it")
    keeper = instance._skerry_keeper_of()
    if keeper is None:
        instance._skerry_given.add(prop.name)
    else:
        target, path = instance._skerry_base()
        keeper.edit(target, prop, "add_integer", (*path, prop.stored_name), int(amount))
    instance._skerry_row[prop.index] = wrapped(cast("int", value) + int(amount))


class IgnoredAttribute:
    """The descriptor of an attribute that is not stored."""

    __slots__ = ("_default", "_name")

    def __init__(self, name: str, default: Default) -> None:
        self._name = name
        self._default = default

    def __get__(self, instance: ModelObject | None, owner: type) -> object:
        if instance is None:
            raise AttributeError(f"{self._name} belongs to objects, not to the class")
        extra = instance._skerry_extra
        if self._name not in extra:
            extra[self._name] = self._default.make()
        return extra[self._name]

    def __set__(self, instance: ModelObject, value: object) -> None:
        instance._skerry_extra[self._name] = value
