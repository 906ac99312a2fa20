"""What mypy must know of model classes, and what it must refuse. Read by mypy, never run.

An unneeded `type: ignore` is an error in strict mode, so each one here proves a refusal.
"""

from typing import assert_type

from skerry import ObjectId, RealmObject, primary_key


class Item(RealmObject):
    _id: ObjectId = primary_key(default_factory=ObjectId)
    name: str
    complexity: int = 0
    note: str | None = None


item = Item(name="a name", complexity=3)
assert_type(item, Item)
assert_type(item._id, ObjectId)
assert_type(item.name, str)
assert_type(item.complexity, int)
assert_type(item.note, str | None)

Item()  # type: ignore[call-arg]
Item(name=3)  # type: ignore[arg-type]
Item(name="a name", nane="b")  # type: ignore[call-arg]
item.complexity = "high"  # type: ignore[assignment]
