# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`SubscriptionSet`, as blocking programs use it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, cast

from skerry.blocking.base import BlockingFacade
from skerry.client.subscriptions import SubscriptionSet as TrioSubscriptionSet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.client.subscriptions import (
        QuerySource,
        Subscription,
        SubscriptionSetState,
        UpdateBlock,
    )
    from skerry.query import Query


class SubscriptionSet(BlockingFacade[TrioSubscriptionSet]):
    """One version of a realm's subscriptions; got from `Realm.subscriptions`.

    Any thread may use it. The members are those of `skerry.SubscriptionSet`.
    """

    @property
    def version(self) -> int:
        """The pinned version; 0 is the empty set of a new file."""
        return self._here.version

    @property
    def state(self) -> SubscriptionSetState:
        """State of the pinned version when it was last looked at."""
        return self._here.state

    @property
    def error_message(self) -> str | None:
        """The server's text while the state is ERROR."""
        return self._here.error_message

    def __len__(self) -> int:
        return len(self._here)

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._here)

    def find_by_name(self, name: str) -> Subscription | None:
        """Return the subscription of exactly that name, or None."""
        return self._here.find_by_name(name)

    def find_by_query(self, query: Query | QuerySource) -> Subscription | None:
        """Return the first subscription of the same class and canonical query, or None."""
        return self._here.find_by_query(query)

    def update(self, block: UpdateBlock) -> SubscriptionSet:
        """Change the subscriptions, and pin this object to the new set, then PENDING.

        A new version is committed even when nothing changed. It returns without waiting for the
        server, also offline.

        Args:
            block: Changes the set it is given, which is a copy of the latest one. It may be called
                again when someone else commits meanwhile, so it should do nothing else. What it
                raises is passed on, and nothing is committed.

        Raises:
            IllegalStateError: The realm is closed.
        """
        here = self._here
        return cast("SubscriptionSet", self._wrap(self._run(lambda: here.update(block))))

    def refresh(self) -> SubscriptionSet:
        """Look again at the state of the pinned version; it does not move to a newer one.

        Raises:
            IllegalStateError: The realm is closed.
        """
        here = self._here
        return cast("SubscriptionSet", self._wrap(self._run(lambda: here.refresh())))

    def wait_for_synchronization(self, timeout: float = math.inf) -> bool:
        """Wait until the pinned set is complete: its data are downloaded and integrated.

        A set that a newer one has superseded counts as complete when a newer one is (1.14 a).

        Args:
            timeout: Seconds > 0.

        Returns:
            True; False after the timeout.

        Raises:
            ValueError: `timeout` is not more than 0.
            IllegalStateError: The realm is or gets closed.
            BadFlexibleSyncQueryError: The server refused the set; `error_message` says why.
            SyncError: The session became inactive during the wait.
        """
        here = self._here
        return self._run(lambda: here.wait_for_synchronization(timeout))
