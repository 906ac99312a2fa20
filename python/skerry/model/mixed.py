"""`RealmValue`: the annotation of properties that hold values of any type."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias
    from uuid import UUID

    from skerry.model.objects import RealmObject
    from skerry.types import Decimal128, Float32, Link, ObjectId, Timestamp

    _Number: TypeAlias = bool | int | float | Float32 | Decimal128
    _Value: TypeAlias = _Number | str | bytes | datetime | Timestamp | ObjectId | UUID
    RealmValue: TypeAlias = (
        _Value | Link | RealmObject | Sequence["RealmValue"] | Mapping[str, "RealmValue"] | None
    )
else:

    class RealmValue:
        """A value of any type that a property can hold ("mixed"), None included.

        It may be a link to an object of any class, and a list or dictionary of such values, nested
        up to 100 deep. It holds no sets and no embedded objects. Times are read as `datetime`,
        those outside its years as `Timestamp`, and decimals as `Decimal128`.
        """
