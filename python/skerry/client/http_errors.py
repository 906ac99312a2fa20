"""From an HTTP answer to an exception: the mapping of client-api 1.12 and server 8.6.

Total: every status and every body has a class. A body that names an error decides; only without one
does the status.
"""

import json
from typing import Final

from skerry.errors import (
    AuthError,
    BadRequestError,
    ConnectionFailedError,
    InvalidCredentialsError,
    ServiceError,
    UserAlreadyConfirmedError,
    UserAlreadyExistsError,
    UserNotFoundError,
)

_NUMBERS: Final = {
    "InvalidSession": 4301,
    "UserAppDomainMismatch": 4302,
    "ReadSizeLimitExceeded": 4304,
    "FunctionExecutionError": 4313,
    "NoMatchingRuleFound": 4314,
    "AuthProviderNotFound": 4316,
    "ServiceNotFound": 4318,
    "FunctionNotFound": 4325,
    "APIKeyNotFound": 4334,
    "ExecutionTimeLimitExceeded": 4341,
    "UserAlreadyConfirmed": 4343,
    "UserNotFound": 4344,
    "UserDisabled": 4345,
    "AuthError": 4346,
    "BadRequest": 4347,
    "AccountNameInUse": 4348,
    "InvalidPassword": 4349,
    "SchemaValidationFailedWrite": 4350,
    "MaintenanceInProgress": 4352,
}
_UNKNOWN_NUMBER: Final = 4351

_CLASSES: Final[dict[int, type[ServiceError]]] = {
    4343: UserAlreadyConfirmedError,
    4344: UserNotFoundError,
    4345: AuthError,
    4346: AuthError,
    4347: BadRequestError,
    4348: UserAlreadyExistsError,
    4349: InvalidCredentialsError,
}


def service_error(status: int, content_type: str, body: bytes) -> ServiceError:
    """Return the exception for an answer that is not a success."""
    named = _named_error(content_type, body)
    if named is not None:
        text, error_code, log_url = named
        number = _NUMBERS.get(error_code, _UNKNOWN_NUMBER)
        name = error_code if error_code in _NUMBERS else "Unknown"
        message = error_message("Service", name, number, text, log_url)
        error_class = _CLASSES.get(number, ServiceError)
        return error_class(message, status=status, error_code=error_code, log_url=log_url)
    message = error_message("Http", "Unknown", status, f"the server answered with HTTP {status}")
    if 300 <= status < 400 or status in {408, 429} or status >= 500:
        return ConnectionFailedError(message, status=status)
    if status == 401:
        return InvalidCredentialsError(message, status=status)
    return ServiceError(message, status=status)


def connection_error(text: str) -> ConnectionFailedError:
    """Return the exception for a request that got no answer that can be read."""
    return ConnectionFailedError(error_message("Custom", "Unknown", 1000, text))


def error_message(
    category: str, name: str, number: int | None, text: str, log_url: str | None = None
) -> str:
    """Return a message in the layout of client-api 1.12."""
    code = name if number is None else f"{name}({number})"
    sentence = text if text.endswith((".", "!", "?")) else f"{text}."
    link = f" Server log entry: {log_url}" if log_url else ""
    return f"[{category}][{code}] {sentence}{link}"


def _named_error(content_type: str, body: bytes) -> tuple[str, str, str | None] | None:
    if not content_type.startswith("application/json"):
        return None
    try:
        value = json.loads(body)
    except ValueError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("error_code"), str):
        return None
    text, link = value.get("error"), value.get("link")
    return (
        text if isinstance(text, str) and text else value["error_code"],
        value["error_code"],
        link if isinstance(link, str) and link else None,
    )
