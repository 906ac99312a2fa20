"""`Lease`: what keeps an app or realm of a portal open until it is closed, or forgotten.

An object that nobody refers to any more closes itself, without anybody waiting for that, as a file
does; so does what is open when the interpreter ends. `skerry.blocking` and `skerry.aio` close it in
order, and wait.
"""

import weakref
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Generic, TypeVar

from skerry.portal.facade import Bridge
from skerry.portal.held import Held

_R = TypeVar("_R")


class Lease(Generic[_R]):
    """See the module.

    Args:
        bridge: Whose portal it is.
        make: Makes the context manager that is held open, on the portal's thread.
        owns_portal: Whether the portal ends with it, and what else is open there before it.
    """

    def __init__(
        self,
        bridge: Bridge,
        make: Callable[[], AbstractAsyncContextManager[_R]],
        *,
        owns_portal: bool,
    ) -> None:
        self.bridge = bridge
        self.owns_portal = owns_portal
        self._held = Held(bridge.portal, make)

    async def open(self) -> _R:
        """Enter the manager. A call for the portal's thread.

        Raises:
            BaseException: What entering raised.
        """
        return await self.bridge.holdings.open(self._held)

    async def close(self) -> None:
        """Leave the manager, or all. A call for the portal's thread.

        Raises:
            BaseException: What leaving raised.
        """
        if self.owns_portal:
            await self.bridge.holdings.close_all()
        else:
            await self._held.close()

    def close_with(self, facade: object) -> None:
        """Close it when nobody refers to its facade any more; waits for nothing."""
        portal = self.bridge.portal
        forget = portal.end if self.owns_portal else self._end_soon
        # At the end of the interpreter the portal closes everything itself.
        weakref.finalize(facade, forget).atexit = False

    def _end_soon(self) -> None:
        self.bridge.portal.post(self._held.end)
