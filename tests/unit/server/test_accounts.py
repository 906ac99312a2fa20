"""Accounts: registering, logging in, refreshing, logging out, disabling."""

import pytest
import trio

from skerry.server.accounts import AccountError, AccountProblem, Accounts, Device, Login
from skerry.server.tokens import TokenError, TokenProblem, Tokens, load_signing_keys
from tests.unit.server.fakes import APP_ID, ManualClock, MemoryStore, cheap_hasher

EMAIL, PASSWORD = "a@example.com", "correct horse"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def accounts(store, clock):
    keys = load_signing_keys(store, APP_ID, clock())
    tokens = Tokens(keys, refresh_lifetime_s=3600, now_ms=clock)
    return Accounts(store, tokens, now_ms=clock, hasher=cheap_hasher())


async def registered(accounts: Accounts) -> Login:
    await accounts.register(EMAIL, PASSWORD)
    return await accounts.log_in_userpass(EMAIL, PASSWORD, Device())


async def test_registered_user_logs_in_and_is_known_by_email(accounts):
    login = await registered(accounts)
    user = await accounts.authenticate(login.access_token)
    assert (user.id, user.data) == (login.user_id, {"email": EMAIL})
    assert [identity.provider_type for identity in user.identities] == ["local-userpass"]
    assert len(login.user_id) == len(login.device_id) == 24


async def test_second_login_is_the_same_user_in_a_session_of_its_own(accounts):
    first = await registered(accounts)
    second = await accounts.log_in_userpass(EMAIL, PASSWORD, Device())
    assert first.user_id == second.user_id
    await accounts.log_out(first.refresh_token)
    assert await accounts.refresh(second.refresh_token)


async def test_password_is_stored_only_as_argon2_hash(accounts, store):
    await registered(accounts)
    stored = b"".join(store.values.values())
    assert PASSWORD.encode() not in stored
    assert b"$argon2id$" in stored


async def test_name_in_use_is_refused_also_when_two_register_at_once(accounts):
    problems = []

    async def register():
        try:
            await accounts.register(EMAIL, PASSWORD)
        except AccountError as error:
            problems.append(error.problem)

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(register)
    assert problems == [AccountProblem.NAME_IN_USE] * 2


@pytest.mark.parametrize(
    ("email", "password", "problem"),
    [
        ("", PASSWORD, AccountProblem.BAD_EMAIL),
        ("x" * 321, PASSWORD, AccountProblem.BAD_EMAIL),
        (EMAIL, "12345", AccountProblem.BAD_NEW_PASSWORD),
        (EMAIL, "x" * 129, AccountProblem.BAD_NEW_PASSWORD),
    ],
)
async def test_registration_bounds(accounts, email, password, problem):
    with pytest.raises(AccountError) as caught:
        await accounts.register(email, password)
    assert caught.value.problem is problem


@pytest.mark.parametrize(
    ("email", "password"),
    [
        (EMAIL, "wrong horse"),
        ("A@example.com", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("", PASSWORD),
        (EMAIL, "x" * 10_000),
    ],
)
async def test_wrong_credentials_are_all_answered_alike(accounts, email, password):
    await accounts.register(EMAIL, PASSWORD)
    with pytest.raises(AccountError) as caught:
        await accounts.log_in_userpass(email, password, Device())
    assert caught.value.problem is AccountProblem.INVALID_PASSWORD


async def test_anonymous_logins_are_different_users(accounts):
    first = await accounts.log_in_anonymous(Device())
    second = await accounts.log_in_anonymous(Device())
    assert first.user_id != second.user_id


async def test_device_keeps_its_id_but_cannot_take_another_users(accounts):
    first = await registered(accounts)
    device = Device(device_id=first.device_id, description=(("platform", "linux"),))
    again = await accounts.log_in_userpass(EMAIL, PASSWORD, device)
    stranger = await accounts.log_in_anonymous(device)
    assert again.device_id == first.device_id
    assert stranger.device_id != first.device_id


async def test_logout_revokes_the_refresh_token_and_sync_but_not_http(accounts):
    login = await registered(accounts)
    await accounts.log_out(login.refresh_token)
    for call in (accounts.refresh, accounts.log_out):
        with pytest.raises(TokenError) as caught:
            await call(login.refresh_token)
        assert caught.value.problem is TokenProblem.REVOKED
    assert (await accounts.authenticate(login.access_token)).id == login.user_id
    with pytest.raises(TokenError) as caught:
        await accounts.authenticate_sync(login.access_token)
    assert caught.value.problem is TokenProblem.REVOKED


async def test_disabled_user_can_do_nothing_until_enabled(accounts):
    login = await registered(accounts)
    await accounts.set_disabled(login.user_id, disabled=True)
    with pytest.raises(AccountError) as refused:
        await accounts.log_in_userpass(EMAIL, PASSWORD, Device())
    assert refused.value.problem is AccountProblem.USER_DISABLED
    with pytest.raises(TokenError) as caught:
        await accounts.refresh(login.refresh_token)
    assert caught.value.problem is TokenProblem.USER_DISABLED
    for call in (accounts.authenticate, accounts.authenticate_sync):
        with pytest.raises(TokenError) as caught:
            await call(login.access_token)
        assert caught.value.problem is TokenProblem.USER_DISABLED
    await accounts.set_disabled(login.user_id, disabled=False)
    assert (await accounts.authenticate_sync(login.access_token))[0].id == login.user_id


async def test_revoking_all_sessions_leaves_other_users_alone(accounts):
    login = await registered(accounts)
    other = await accounts.log_in_anonymous(Device())
    await accounts.log_in_userpass(EMAIL, PASSWORD, Device())
    assert await accounts.revoke_sessions(login.user_id) == 2
    with pytest.raises(TokenError):
        await accounts.refresh(login.refresh_token)
    assert await accounts.refresh(other.refresh_token)


async def test_expired_sessions_are_swept(accounts, clock):
    await registered(accounts)
    anonymous = await accounts.log_in_anonymous(Device())
    assert await accounts.remove_expired_sessions() == 0
    clock.advance_s(3601)
    assert await accounts.remove_expired_sessions() == 1
    assert await accounts.refresh(anonymous.refresh_token)
