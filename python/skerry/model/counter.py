"""`Counter`: an int property to which devices add at the same time, and nothing is lost."""

from typing import Final, Protocol

INT64_SPAN: Final = 2**64
INT64_MAX: Final = 2**63 - 1


class CounterPlace(Protocol):
    """Where a counter was read."""

    def add(self, amount: int) -> None:
        """Add to what is stored there."""


class Counter(int):
    """The value of a counter property, as it was read; an int in every other respect.

    Annotate a property with it: ``visits: Counter = Counter(0)``. Assigning a value sets the
    counter, and overwrites what other devices add at the same time; `increment` adds, and what
    several devices add adds up (sync-engine 2, AddInteger). This value does not change: read the
    property again for the sum.

    Args:
        value: What it begins with.
    """

    _place: CounterPlace | None = None

    @classmethod
    def at(cls, value: int, place: CounterPlace) -> "Counter":
        """Return the value of a property of an object. Internal."""
        made = cls(value)
        made._place = place
        return made

    def increment(self, amount: int = 1) -> None:
        """Add `amount`, which may be negative, to the property that this was read from.

        The sum wraps at 64 bits, as in Realm.

        Raises:
            IllegalStateError: The object was read outside a write, or its write is over.
            PropertyTypeError: `amount` is no int64.
            TypeError: This is a value by itself, of no object.
        """
        if self._place is None:
            raise TypeError("only a counter read from an object can be incremented")
        self._place.add(amount)

    def decrement(self, amount: int = 1) -> None:
        """Subtract `amount`; as `increment`."""
        self.increment(-amount)

    def __reduce__(self) -> "tuple[type[int], tuple[int]]":
        return int, (int(self),)


def wrapped(value: int) -> int:
    """Return `value` as 64 bits hold it."""
    return (value + INT64_MAX + 1) % INT64_SPAN - INT64_MAX - 1
