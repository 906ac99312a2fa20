"""Tokens: their claims, their lifetimes, and every reason not to accept one."""

import jwt
import pytest

from skerry.server.tokens import (
    TokenError,
    TokenKind,
    TokenProblem,
    Tokens,
    TokenSubject,
    load_signing_keys,
)
from tests.unit.server.fakes import APP_ID, START_MS, ManualClock, MemoryStore

SUBJECT = TokenSubject(
    user_id="u" * 24,
    session_id="5" * 24,
    device_id="d" * 24,
    identity_id="1" * 24,
    provider_type="local-userpass",
    is_anonymous=False,
)
ANONYMOUS = TokenSubject(
    user_id="u" * 24,
    session_id="5" * 24,
    device_id="d" * 24,
    identity_id="1" * 24,
    provider_type="anon-user",
    is_anonymous=True,
)


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def tokens(store, clock):
    keys = load_signing_keys(store, APP_ID, clock())
    return Tokens(keys, refresh_lifetime_s=3600, now_ms=clock)


def problem_of(tokens: Tokens, token: str, kind: TokenKind) -> TokenProblem:
    with pytest.raises(TokenError) as caught:
        tokens.verify(token, kind)
    assert token not in str(caught.value) or not token
    return caught.value.problem


def unverified(token: str) -> dict:
    return jwt.decode(token, options={"verify_signature": False})


def test_access_token_carries_the_documented_claims(tokens):
    claims = unverified(tokens.access_token(SUBJECT))
    assert claims == {
        "sub": SUBJECT.user_id,
        "iss": SUBJECT.session_id,
        "typ": "access",
        "iat": START_MS // 1000,
        "exp": START_MS // 1000 + 30 * 60,
        "baas_device_id": SUBJECT.device_id,
        "baas_domain_id": tokens.domain_id,
        "stitch_devId": SUBJECT.device_id,
        "stitch_domainId": tokens.domain_id,
    }


def test_refresh_token_names_session_and_identity(tokens):
    claims = unverified(tokens.refresh_token(SUBJECT))
    assert claims["typ"] == "refresh"
    assert claims["baas_id"] == SUBJECT.session_id
    assert claims["baas_identity"]["provider_type"] == "local-userpass"
    assert claims["exp"] - claims["iat"] == 3600


def test_anonymous_refresh_token_outlives_the_device(tokens, clock):
    token = tokens.refresh_token(ANONYMOUS)
    clock.advance_s(20 * 365 * 24 * 3600)
    assert tokens.verify(token, TokenKind.REFRESH).user_id == ANONYMOUS.user_id


def test_access_token_expires_after_thirty_minutes(tokens, clock):
    token = tokens.access_token(SUBJECT)
    clock.advance_s(30 * 60 - 1)
    assert tokens.verify(token, TokenKind.ACCESS).session_id == SUBJECT.session_id
    clock.advance_s(1)
    assert problem_of(tokens, token, TokenKind.ACCESS) is TokenProblem.EXPIRED


def test_kinds_are_not_interchangeable(tokens):
    access, refresh = tokens.access_token(SUBJECT), tokens.refresh_token(SUBJECT)
    assert problem_of(tokens, access, TokenKind.REFRESH) is TokenProblem.WRONG_TYPE
    assert problem_of(tokens, refresh, TokenKind.ACCESS) is TokenProblem.WRONG_TYPE


def test_key_is_made_once_per_store(store, clock, tokens):
    again = Tokens(load_signing_keys(store, APP_ID, clock()), refresh_lifetime_s=3600, now_ms=clock)
    assert again.verify(tokens.access_token(SUBJECT), TokenKind.ACCESS)


def test_token_of_another_server_has_a_foreign_signature(tokens, clock):
    keys = load_signing_keys(MemoryStore(), APP_ID, clock())
    foreign = Tokens(keys, refresh_lifetime_s=3600, now_ms=clock).access_token(SUBJECT)
    assert problem_of(tokens, foreign, TokenKind.ACCESS) is TokenProblem.FOREIGN_SIGNATURE


def test_token_of_another_app_in_the_same_store_is_refused(store, tokens, clock):
    keys = load_signing_keys(store, "another-app", clock())
    other = Tokens(keys, refresh_lifetime_s=3600, now_ms=clock).access_token(SUBJECT)
    assert problem_of(tokens, other, TokenKind.ACCESS) is TokenProblem.WRONG_APP


def test_unsigned_token_is_refused(tokens):
    claims = unverified(tokens.access_token(SUBJECT))
    forged = jwt.encode(claims, None, algorithm="none")
    assert problem_of(tokens, forged, TokenKind.ACCESS) is TokenProblem.FOREIGN_SIGNATURE


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "a" * 100_000, "..", "eyJ9.eyJ9.x"])
def test_anything_else_is_malformed(tokens, token):
    assert problem_of(tokens, token, TokenKind.ACCESS) is TokenProblem.MALFORMED


@pytest.mark.parametrize("claim", ["sub", "iss", "baas_device_id", "iat", "exp"])
def test_our_signature_on_missing_claims_is_malformed(store, tokens, claim):
    claims = unverified(tokens.access_token(SUBJECT))
    del claims[claim]
    key = store.meta_get("server", "token_signing_key")
    token = jwt.encode(claims, key, algorithm="HS256")
    assert problem_of(tokens, token, TokenKind.ACCESS) is TokenProblem.MALFORMED
