"""`EmbeddedObject`: objects without a key, owned by the place in another object where they are."""

from typing import TYPE_CHECKING, Any, cast, dataclass_transform

from skerry.model.base import ModelObject
from skerry.model.collections import Holder, Part, plain
from skerry.model.definition import define
from skerry.model.fields import field, ignored
from skerry.model.keeper import Keeper, PathSteps
from skerry.model.properties import Collection, Property, Stored

if TYPE_CHECKING:
    from skerry.model.objects import RealmObject


@dataclass_transform(kw_only_default=True, field_specifiers=(field, ignored))
class EmbeddedObject(Part, ModelObject):
    """Base of the classes of embedded objects.

    Example::

        class Address(EmbeddedObject):
            street: str
            city: str = ""

        class Person(RealmObject):
            _id: ObjectId = primary_key(default_factory=ObjectId)
            address: Address | None = None
            former: list[Address] = []

    Annotations are those of `RealmObject`. An embedded object has one owner, is deleted with it,
    and is replaced by an assignment: `person.address = address` stores a copy, and what is read
    from ``person.address`` is the stored one. It follows its owner in being frozen or live.

    Embedded objects are equal when class and values are equal. They have no hash.

    Raises:
        SchemaError: At class definition; names class and property.
    """

    __slots__ = ("_skerry_holder", "_skerry_property")
    __hash__ = None  # type: ignore[assignment]

    _skerry_takes_dict = True

    def __init_subclass__(cls, *, name: str | None = None, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        define(cls, name or cls.__name__, has_key=False)

    def __init__(self, **values: object) -> None:
        self._skerry_holder = None
        super().__init__(**values)

    @property
    def parent(self) -> "RealmObject | EmbeddedObject | None":
        """The object that it is in, directly or inside a collection; None while it is in none."""
        holder: Any = self._skerry_holder
        while holder is not None and not isinstance(holder, ModelObject):
            holder = holder._skerry_holder
        return cast("RealmObject | EmbeddedObject | None", holder)

    @classmethod
    def _skerry_embedded(cls, holder: Holder, prop: Property, stored: Stored) -> "EmbeddedObject":
        """Return the object over a stored dictionary."""
        made = cls.__new__(cls)
        object.__setattr__(made, "_skerry_holder", holder)
        object.__setattr__(made, "_skerry_property", prop)
        object.__setattr__(made, "_skerry_extra", {})
        object.__setattr__(made, "_skerry_given", set())
        made._skerry_row = cls._skerry_row_of(cast("dict[str, Stored]", stored))
        return made

    @classmethod
    def _skerry_row_of(cls, stored: dict[str, Stored]) -> list[Stored]:
        # A property that the file lacks for this object reads as None, or as an empty collection.
        return [
            stored[prop.stored_name] if prop.stored_name in stored else _empty(prop)
            for prop in cls._skerry_schema
        ]

    def _skerry_store(self) -> Stored:
        """Return what stands for it in another object: itself, or a copy if it is in one."""
        if self._skerry_holder is None:
            return self
        copy = type(self)._skerry_embedded(
            self._skerry_holder, self._skerry_property, self._skerry_plain()
        )
        object.__setattr__(copy, "_skerry_holder", None)
        return copy

    def _skerry_plain(self) -> dict[str, Any]:
        return {
            prop.stored_name: plain(stored)
            for prop, stored in zip(self._skerry_schema, self._skerry_row, strict=True)
        }

    def _skerry_reload(self, stored: dict[str, Stored]) -> None:
        self._skerry_reload_row(self._skerry_row_of(stored))

    def _skerry_keeper_of(self) -> Keeper | None:
        return Part._skerry_keeper_of(self)

    def _skerry_base(self) -> "tuple[RealmObject, PathSteps]":
        return self._skerry_way()


def _empty(prop: Property) -> Stored:
    match prop.collection:
        case Collection.SINGLE:
            return None
        case Collection.DICTIONARY:
            return {}
        case Collection.LIST | Collection.SET:
            return []
