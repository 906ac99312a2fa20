"""What happens to an observed object.

`RealmObject.changes` yields these; the client layer makes them. Objects in them are frozen.
"""

from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class InitialObject(Generic[_T]):
    """The object as it is when observation begins.

    Attributes:
        obj: The object, frozen.
    """

    obj: _T


@dataclass(frozen=True, slots=True)
class UpdatedObject(Generic[_T]):
    """The object differs from what the event before showed.

    Attributes:
        obj: The object, frozen.
        changed_properties: Names of the properties that differ, themselves or in what is watched
            behind their links, in schema order; at least one. A property that was set to the value
            that it had may be among them.
    """

    obj: _T
    changed_properties: tuple[str, ...]

    def is_changed(self, name: str) -> bool:
        """Whether a property is among the changed ones."""
        return name in self.changed_properties


@dataclass(frozen=True, slots=True)
class DeletedObject:
    """The object does not exist any more, or did not when observation began; the last event."""


ObjectChange: TypeAlias = InitialObject[_T] | UpdatedObject[_T] | DeletedObject
"""What is yielded for an object."""
