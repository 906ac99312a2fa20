"""`Pulse`: waking every task that waits for "something changed".

A waiter looks at the state, and waits only if it is not what it wants; since nothing else runs in
between, no change is missed. It carries no value and keeps no history.
"""

import trio


class Pulse:
    """A wake-up that can be given any number of times."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = trio.Event()

    def give(self) -> None:
        """Wake every task that waits now."""
        event, self._event = self._event, trio.Event()
        event.set()

    async def wait(self) -> None:
        """Wait for the next `give`."""
        await self._event.wait()
