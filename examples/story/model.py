"""What the devices keep, and the part of it that each of them asks for."""

from skerry import MutableSubscriptionSet, ObjectId, RealmObject, primary_key, where


class Item(RealmObject):
    """A thing to do. The server learns this class from the first device (development mode)."""

    _id: ObjectId = primary_key(default_factory=ObjectId)
    ownerId: str
    itemName: str
    complexity: int


def simple_items(subscriptions: MutableSubscriptionSet) -> None:
    """Subscribe to the items that are not too complex."""
    subscriptions.add(where(Item, "complexity <= 4"), name="simple-items")
