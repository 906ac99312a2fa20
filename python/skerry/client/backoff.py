"""Pauses between attempts: 1 s, doubled up to 300 s, less a random part of up to 25 %.

(sync-engine 4.11, client-api 1.13.) Knows no clock; the caller sleeps.
"""

import random
from typing import Final

FIRST_DELAY_S: Final = 1.0
DELAY_S_MAX: Final = 300.0
JITTER: Final = 0.25


class Backoff:
    """The pauses of one connection.

    Args:
        chance: Source of the random part.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._next_s = FIRST_DELAY_S

    def next_delay_s(self) -> float:
        """Return how long to wait before the next attempt, and grow."""
        delay_s = self._next_s
        self._next_s = min(self._next_s * 2, DELAY_S_MAX)
        return delay_s * (1.0 - JITTER * self._chance.random())

    def reset(self) -> None:
        """Begin again with the first pause; something has succeeded."""
        self._next_s = FIRST_DELAY_S
