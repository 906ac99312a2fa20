"""`Facade`: an object of the trio API as another way of waiting shows it.

A facade holds nothing but its target. What the target returns is wrapped in its turn, by the table
of classes in the `Bridge`, and one target has one facade, so that `is` means what it means in the
trio API.
"""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Generic, Self, TypeVar, cast
from weakref import WeakValueDictionary

from skerry.errors import IllegalStateError
from skerry.portal.held import Holdings
from skerry.portal.portal import Portal

_T = TypeVar("_T")


class Bridge:
    """What the facades over one portal share.

    Args:
        portal: Where calls are made.
        facades: From classes of the trio API to their facades.
        closed: Makes what a call raises when the portal is over.
        cancels_calls: As for `Holdings`.
    """

    def __init__(
        self,
        portal: Portal,
        facades: "Mapping[type, type[Facade[object]]]",
        closed: Callable[[], Exception],
        *,
        cancels_calls: bool = False,
    ) -> None:
        self.portal = portal
        self.closed = closed
        self.holdings = Holdings(portal, cancels_calls=cancels_calls)
        portal.last = self.holdings.close_all
        self._handlers: set[int] = set()
        self._facades = facades
        # By identity: a facade keeps its target, so no other object has the id meanwhile.
        self._lock = threading.RLock()
        self._known: WeakValueDictionary[int, Facade[object]] = WeakValueDictionary()

    def wrap(self, value: object, keeps: object = None) -> object:
        """Return the facade of an object that has one, of each element of a list, or the value.

        Args:
            value: What the trio API returned.
            keeps: What the facade keeps alive, as the object it was got from.
        """
        if isinstance(value, list):
            return [self.wrap(one, keeps) for one in value]
        facade = self._facades.get(type(value))
        if facade is None:
            return value
        with self._lock:
            known = self._known.get(id(value))
            if known is None:
                known = self._known[id(value)] = facade.over(self, value, keeps)
            return known

    def in_handler(self, call: Callable[[], None]) -> None:
        """Call an error handler on this thread, from which nothing may be closed meanwhile."""
        ident = threading.get_ident()
        self._handlers.add(ident)
        try:
            call()
        finally:
            self._handlers.discard(ident)

    def refuse_in_handler(self) -> None:
        """Refuse to close what waits for the end of the handler that asks for it.

        Raises:
            IllegalStateError: This thread runs an error handler.
        """
        if threading.get_ident() in self._handlers:
            raise IllegalStateError(
                "an error handler cannot close its realm or app, which wait for its end; let "
                "another thread do it"
            )

    def know(self, facade: "Facade[_T]") -> None:
        """Remember a facade that was made elsewhere, to be the one of its target."""
        self._known[id(facade.target)] = cast("Facade[object]", facade)


class Facade(Generic[_T]):
    """See the module. Equal to another facade when their targets are equal."""

    _bridge: Bridge
    _target: _T
    _keeps: object

    @classmethod
    def over(cls, bridge: Bridge, target: _T, keeps: object = None) -> Self:
        """Make a facade. Internal: `Bridge` has the one of a target."""
        made = cls.__new__(cls)
        made._bridge = bridge  # noqa: SLF001 - it is made here
        made._target = target  # noqa: SLF001 - likewise
        made._keeps = keeps  # noqa: SLF001 - likewise
        return made

    @property
    def bridge(self) -> Bridge:
        """What it shares with others. Internal."""
        return self._bridge

    @property
    def target(self) -> _T:
        """The object of the trio API, for its loop alone. Internal."""
        return self._target

    @property
    def _here(self) -> _T:
        """The target, unless this process has only inherited it."""
        self._bridge.portal.check_process()
        return self._target

    def _wrap(self, value: object) -> object:
        return self._bridge.wrap(value, self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Facade):
            return NotImplemented
        return type(other) is type(self) and bool(self._target == other.target)

    def __hash__(self) -> int:
        return hash(self._target)

    def __repr__(self) -> str:
        return f"{type(self).__module__}.{type(self).__qualname__} of {self._target!r}"


def unwrap(value: object) -> Any:  # noqa: ANN401 - of the class that the trio API takes
    """Return the target of a facade, of each element of a list or tuple, or the value itself."""
    if isinstance(value, Facade):
        return value._here  # noqa: SLF001 - as `Facade` says
    if isinstance(value, list | tuple):
        return type(value)(unwrap(one) for one in value)
    return value
