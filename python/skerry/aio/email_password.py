# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.
"""`EmailPasswordAuth`, as aio programs use it."""

from __future__ import annotations

from skerry.aio.base import AioFacade
from skerry.client.email_password import EmailPasswordAuth as TrioEmailPasswordAuth


class EmailPasswordAuth(AioFacade[TrioEmailPasswordAuth]):
    """Registering e-mail users; got from `App.email_password_auth`.

    Any asyncio loop may use it. The members are those of `skerry.EmailPasswordAuth`.
    """

    async def register_user(self, email: str, password: str) -> None:
        """Register an e-mail address; does not log in.

        Args:
            email: Case-sensitive.
            password: 6 to 128 characters.

        Raises:
            ValueError: One of them is empty; nothing was sent.
            UserAlreadyExistsError: The address is registered.
            BadRequestError: The server finds one of them malformed.
            ConnectionFailedError: The server cannot be reached.
        """
        here = self._here
        await self._run(lambda: here.register_user(email, password))
