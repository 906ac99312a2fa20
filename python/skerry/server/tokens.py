"""Access and refresh tokens: signed JWTs with the claims and lifetimes of server 8.4.

A token proves only what was true when it was issued. Whether its session has been revoked or its
user disabled is the accounts' to say (`skerry.server.accounts`). The clock is injected.
"""

import secrets
from dataclasses import dataclass
from enum import Enum
from typing import Final

import jwt

from skerry.errors import SkerryError
from skerry.server.engine import Clock, MetadataStore
from skerry.server.limits import (
    ACCESS_TOKEN_LIFETIME_S,
    ANONYMOUS_REFRESH_TOKEN_LIFETIME_S,
    TOKEN_MAX_CHARS,
)
from skerry.server.object_ids import new_object_id

_ALGORITHM: Final = "HS256"
_NAMESPACE: Final = "server"
_KEY_BYTES: Final = 32


class TokenKind(Enum):
    """The ``typ`` claim."""

    ACCESS = "access"
    REFRESH = "refresh"


class TokenProblem(Enum):
    """Why a token is not accepted; the value is the text for the client."""

    MALFORMED = "invalid token"
    FOREIGN_SIGNATURE = "signature is invalid"
    EXPIRED = "token expired"
    WRONG_TYPE = "token is of the wrong type"
    WRONG_APP = "token belongs to another app"
    REVOKED = "session has been revoked"
    USER_DISABLED = "user disabled"
    USER_NOT_FOUND = "user not found"


class TokenError(SkerryError):
    """A token is not accepted, for the reason in `problem`.

    The client's to mend: with a refresh for an expired access token, by logging in otherwise.
    The token itself is never part of the text.
    """

    code = "SERVER-001"

    def __init__(self, problem: TokenProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem

    def __reduce__(self) -> tuple[type["TokenError"], tuple[TokenProblem]]:
        return type(self), (self.problem,)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSubject:
    """Whom a token is issued to."""

    user_id: str
    session_id: str
    device_id: str
    identity_id: str
    provider_type: str
    is_anonymous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a verified token says."""

    user_id: str
    session_id: str
    device_id: str
    issued_s: int
    expires_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKeys:
    """What is generated once per store: the key, and the id of the app's domain."""

    key: bytes
    domain_id: str


def load_signing_keys(store: MetadataStore, app_id: str, now_ms: int) -> SigningKeys:
    """Return the store's signing key and domain id, generating each once. Blocking.

    Concurrent callers, also in other processes, get the same: the first insert wins.
    """
    return SigningKeys(
        key=_get_or_insert(store, "token_signing_key", secrets.token_bytes(_KEY_BYTES)),
        domain_id=_get_or_insert(
            store, f"domain_id:{app_id}", new_object_id(now_ms).encode()
        ).decode(),
    )


def _get_or_insert(store: MetadataStore, key: str, fresh: bytes) -> bytes:
    store.meta_insert(_NAMESPACE, key, fresh)
    value = store.meta_get(_NAMESPACE, key)
    if value is None:
        raise RuntimeError(f"the store lost {key!r} right after it was inserted")
    return value


class Tokens:
    """Issues and verifies the tokens of one app. Stateless and safe to use from any thread."""

    def __init__(self, keys: SigningKeys, *, refresh_lifetime_s: int, now_ms: Clock) -> None:
        self._keys = keys
        self._refresh_lifetime_s = refresh_lifetime_s
        self._now_ms = now_ms

    @property
    def domain_id(self) -> str:
        """The id that binds tokens to this app."""
        return self._keys.domain_id

    def refresh_lifetime_s(self, *, anonymous: bool) -> int:
        """Return how long a refresh token lives."""
        return ANONYMOUS_REFRESH_TOKEN_LIFETIME_S if anonymous else self._refresh_lifetime_s

    def access_token(self, subject: TokenSubject) -> str:
        """Return a new access token, good for 30 minutes."""
        claims = self._common(subject, TokenKind.ACCESS, ACCESS_TOKEN_LIFETIME_S)
        return self._sign({**claims, "iss": subject.session_id})

    def refresh_token(self, subject: TokenSubject) -> str:
        """Return a new refresh token."""
        lifetime_s = self.refresh_lifetime_s(anonymous=subject.is_anonymous)
        claims = self._common(subject, TokenKind.REFRESH, lifetime_s)
        identity = {
            "id": subject.identity_id,
            "provider_type": subject.provider_type,
            "provider_id": subject.provider_type,
        }
        return self._sign(
            {
                **claims,
                "baas_id": subject.session_id,
                "baas_data": None,
                "baas_identity": identity,
                "stitch_id": subject.session_id,
                "stitch_data": None,
                "stitch_ident": identity,
            }
        )

    def verify(self, token: str, kind: TokenKind) -> Claims:
        """Return what `token` says, if it is ours, of this kind and still good.

        Raises:
            TokenError: MALFORMED, FOREIGN_SIGNATURE, EXPIRED, WRONG_TYPE or WRONG_APP. The
                signature is checked first: a forged token learns nothing else.
        """
        claims = self._decode(token)
        session_claim = "iss" if kind is TokenKind.ACCESS else "baas_id"
        if claims.get("typ") != kind.value:
            raise TokenError(TokenProblem.WRONG_TYPE)
        if claims.get("baas_domain_id") != self.domain_id:
            raise TokenError(TokenProblem.WRONG_APP)
        found = Claims(
            user_id=_text(claims, "sub"),
            session_id=_text(claims, session_claim),
            device_id=_text(claims, "baas_device_id"),
            issued_s=_whole(claims, "iat"),
            expires_s=_whole(claims, "exp"),
        )
        if found.expires_s * 1000 <= self._now_ms():
            raise TokenError(TokenProblem.EXPIRED)
        return found

    def _common(self, subject: TokenSubject, kind: TokenKind, lifetime_s: int) -> dict[str, object]:
        issued_s = self._now_ms() // 1000
        return {
            "sub": subject.user_id,
            "typ": kind.value,
            "iat": issued_s,
            "exp": issued_s + lifetime_s,
            "baas_device_id": subject.device_id,
            "baas_domain_id": self.domain_id,
            "stitch_devId": subject.device_id,
            "stitch_domainId": self.domain_id,
        }

    def _sign(self, claims: dict[str, object]) -> str:
        return jwt.encode(claims, self._keys.key, algorithm=_ALGORITHM)

    def _decode(self, token: str) -> dict[str, object]:
        if len(token) > TOKEN_MAX_CHARS:
            raise TokenError(TokenProblem.MALFORMED)
        try:
            # Times are checked by our own clock; the issuer claim holds a session, not an issuer.
            claims: dict[str, object] = jwt.decode(
                token,
                self._keys.key,
                algorithms=[_ALGORITHM],
                options={
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                    "verify_iss": False,
                    "verify_aud": False,
                },
            )
        except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError) as error:
            raise TokenError(TokenProblem.FOREIGN_SIGNATURE) from error
        except (jwt.PyJWTError, ValueError, RecursionError) as error:
            raise TokenError(TokenProblem.MALFORMED) from error
        return claims


def _text(claims: dict[str, object], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        raise TokenError(TokenProblem.MALFORMED)
    return value


def _whole(claims: dict[str, object], name: str) -> int:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TokenError(TokenProblem.MALFORMED)
    return value
