"""`EmailPasswordAuth`: registering e-mail users (client-api 1.4)."""

from skerry.client.http import HttpService


class EmailPasswordAuth:
    """Got from `App.email_password_auth`."""

    __slots__ = ("_http",)

    def __init__(self, http: HttpService) -> None:
        """Internal: use `App.email_password_auth`."""
        self._http = http

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
        if not email or not password:
            raise ValueError("e-mail address and password may not be empty")
        await self._http.register_user(email, password)
