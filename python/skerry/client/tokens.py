"""Reading access tokens: expiry and custom data. Signatures are the server's to check.

A token that cannot be read counts as expired and empty, so that a refresh replaces it.
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Final

REFRESH_MARGIN_MS: Final = 5_000
TOKEN_LENGTH_MAX: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What the middle part of a token says.

    Attributes:
        expires_ms: Unix time in ms; 0 when unreadable.
        user_data: Custom user data, a snapshot of the time of issue; None when absent.
    """

    expires_ms: int = 0
    user_data: dict[str, object] | None = field(default=None, repr=False)

    def needs_refresh(self, now_ms: int) -> bool:
        """Whether the token is expired, or will be within 5 s (sync-engine 7)."""
        return now_ms + REFRESH_MARGIN_MS >= self.expires_ms


def read_claims(token: str) -> TokenClaims:
    """Return the claims of a token; of an unreadable one, the claims of an expired one."""
    parts = token.split(".")
    if len(parts) != 3 or len(token) > TOKEN_LENGTH_MAX:
        return TokenClaims()
    try:
        body = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return TokenClaims()
    if not isinstance(body, dict):
        return TokenClaims()
    expires = body.get("exp")
    user_data = body.get("user_data")
    return TokenClaims(
        int(expires * 1000) if isinstance(expires, int | float) and 0 < expires < 1e12 else 0,
        user_data if isinstance(user_data, dict) else None,
    )
