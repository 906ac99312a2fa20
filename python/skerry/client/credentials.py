"""`Credentials`: how a user logs in. Two providers for now: anonymous, and e-mail with password."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class AuthenticationProvider(Enum):
    """The providers, by their names in the HTTP API."""

    ANONYMOUS = "anon-user"
    EMAIL_PASSWORD = "local-userpass"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What `App.login` takes; made by the class methods.

    Attributes:
        provider: Whom it is for.
        payload: Fields of the login request; not shown by `repr`.
        reuse_existing: For anonymous ones, whether a user that is logged in already will do.
    """

    provider: AuthenticationProvider
    payload: Mapping[str, str] = field(repr=False)
    reuse_existing: bool = False

    @classmethod
    def anonymous(cls, *, reuse_existing: bool = True) -> "Credentials":
        """Log in without saying who one is.

        Args:
            reuse_existing: Whether to become the anonymous user that is logged in on this device,
                if there is one (client-api 1.3).
        """
        return cls(AuthenticationProvider.ANONYMOUS, {}, reuse_existing)

    @classmethod
    def email_password(cls, email: str, password: str) -> "Credentials":
        """Log in with a registered e-mail address; addresses are case-sensitive (server 8.3).

        Raises:
            ValueError: One of them is empty.
        """
        if not email or not password:
            raise ValueError("e-mail address and password may not be empty")
        return cls(AuthenticationProvider.EMAIL_PASSWORD, {"username": email, "password": password})
