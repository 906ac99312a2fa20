"""Errors of the HTTP API: status, ``error_code`` and text, as clients know them (server 8.6)."""

from typing import Final

from starlette.responses import JSONResponse

from skerry.errors import SkerryError
from skerry.server.accounts import AccountProblem
from skerry.server.tokens import TokenProblem


class ApiError(SkerryError):
    """A request is refused; raised and answered inside the HTTP API only."""

    code = "SERVER-003"

    def __init__(self, status: int, error_code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code

    def __reduce__(self) -> tuple[type["ApiError"], tuple[int, str, str]]:
        return type(self), (self.status, self.error_code, self.message)

    def response(self) -> JSONResponse:
        """Return the answer in the documented shape; there is no page behind ``link``."""
        body = {"error": self.message, "error_code": self.error_code, "link": ""}
        return JSONResponse(body, status_code=self.status)


_ACCOUNT_PROBLEMS: Final = {
    AccountProblem.NAME_IN_USE: (409, "AccountNameInUse"),
    AccountProblem.INVALID_PASSWORD: (401, "InvalidPassword"),
    AccountProblem.BAD_EMAIL: (400, "BadRequest"),
    AccountProblem.BAD_NEW_PASSWORD: (400, "BadRequest"),
    AccountProblem.USER_DISABLED: (403, "UserDisabled"),
}


def account_error(problem: AccountProblem) -> ApiError:
    """Return the answer for a refused registration or login."""
    status, error_code = _ACCOUNT_PROBLEMS[problem]
    return ApiError(status, error_code, problem.value)


def token_error(problem: TokenProblem) -> ApiError:
    """Return the answer for a token that is not accepted.

    401 tells a client to refresh once and then to log out, 403 to log out at once.
    """
    if problem is TokenProblem.USER_DISABLED:
        return ApiError(403, "UserDisabled", problem.value)
    if problem is TokenProblem.WRONG_APP:
        return ApiError(401, "UserAppDomainMismatch", problem.value)
    return ApiError(401, "InvalidSession", problem.value)


def bad_request(message: str) -> ApiError:
    """Return the answer for a request whose body or parameters are wrong."""
    return ApiError(400, "BadRequest", message)


def provider_not_found(provider: str) -> ApiError:
    """Return the answer for a provider that is unknown or disabled."""
    return ApiError(404, "AuthProviderNotFound", f"authentication provider not found: {provider!r}")


def internal_error() -> ApiError:
    """Return the answer for a failure of ours: nothing about it leaves the log."""
    return ApiError(500, "InternalServerError", "internal server error")
