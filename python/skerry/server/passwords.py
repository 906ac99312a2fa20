"""Hashing of passwords with argon2id, off the event loop and bounded in memory."""

import argon2
import trio

from skerry.server.limits import PASSWORD_HASHES_CONCURRENT_MAX


class PasswordHasher:
    """Hashes and verifies passwords in worker threads.

    Cancellation: a hash that has begun runs to its end before the cancellation is delivered, so
    the number of hashes in memory stays within the limit.
    """

    def __init__(self, hasher: argon2.PasswordHasher | None = None) -> None:
        """Make a hasher; `hasher` sets the cost, by default the library's recommendation."""
        self._hasher = argon2.PasswordHasher() if hasher is None else hasher
        self._limiter = trio.CapacityLimiter(PASSWORD_HASHES_CONCURRENT_MAX)
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash of `password`, with salt and parameters inside."""
        return await trio.to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Return whether `password` is the hashed one.

        With None the same work is done in vain, so that the time of an answer does not tell
        whether an account exists.
        """
        if password_hash is None:
            if self._decoy is None:
                self._decoy = await self.hash("no account has this password")
            await self._verify(password, self._decoy)
            return False
        return await self._verify(password, password_hash)

    async def _verify(self, password: str, password_hash: str) -> bool:
        return await trio.to_thread.run_sync(
            self._verify_blocking, password, password_hash, limiter=self._limiter
        )

    def _verify_blocking(self, password: str, password_hash: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except argon2.exceptions.VerifyMismatchError:
            return False
