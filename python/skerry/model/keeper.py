"""`Keeper`: what stands behind an object of a realm, and the way from a part of it to the object.

The model knows a realm only through a keeper; the client layer has them, one for snapshots, one for
writes.
"""

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

from skerry.types import Content, Link

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from skerry.model.base import ModelObject
    from skerry.model.object_changes import ObjectChange
    from skerry.model.objects import RealmObject
    from skerry.model.properties import Property, Stored

_Observed = TypeVar("_Observed", bound="RealmObject")

Step: TypeAlias = str | int
PathSteps: TypeAlias = tuple[Step, ...]
"""A property, positions in lists, keys of dictionaries and properties of embedded objects."""


class Keeper(Protocol):
    """What stands behind a managed object: a snapshot or a transaction."""

    def follow(self, link: Link) -> "RealmObject | Link | None":
        """Return the target of a link in the same version, or None when it dangles."""

    def target(self, prop: "Property") -> "type[ModelObject]":
        """Return the class that a property of links or embedded objects refers to."""

    def linking(self, target: "RealmObject", attribute: str) -> "Sequence[RealmObject]":
        """Return the objects that an attribute of backlinks gives, in the same version."""

    def observe(
        self, target: "_Observed", key_paths: "Sequence[str] | None"
    ) -> "AsyncIterator[ObjectChange[_Observed]]":
        """Return the changes of the object.

        Raises:
            IllegalStateError: The object is live, or of a transaction that is over.
        """

    def observe_collection(
        self, target: "RealmObject", path: PathSteps, key_paths: "Sequence[str] | None"
    ) -> "AsyncIterator[Any]":
        """Return the changes of a collection in the object, likewise."""

    def edit(
        self,
        target: "RealmObject",
        prop: "Property",
        operation: str,
        path: PathSteps,
        *arguments: object,
    ) -> None:
        """Edit a live object, by an operation of the core's write transaction, or refuse.

        Raises:
            IllegalStateError: The object is a snapshot, or its transaction is over.
        """

    def lower(self, stored: "Stored", prop: "Property") -> Content:
        """Return what crosses to the core for `prop`; objects that are in no realm are added first.

        Raises:
            IllegalStateError: The object is a snapshot, or an object is of another realm.
        """
