"""Users, their identities, sessions and devices (server 8.3 to 8.5).

Served are anonymous users and e-mail with password. A refresh token is good exactly as long as its
session record exists; an access token lives out its 30 minutes over HTTP, but opens a sync
connection only while its session exists, since those end with the session (server 8.4).

Every call of the store is made in a worker thread, reads too: they may have to wait for a batch of
the engine, and the event loop must not.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeVar

import msgspec
import trio

from skerry.errors import SkerryError
from skerry.server import account_records as records
from skerry.server.account_records import (
    DeviceRecord,
    Identity,
    IdentityRecord,
    SessionRecord,
    UserRecord,
)
from skerry.server.config_auth import ANONYMOUS, LOCAL_USERPASS
from skerry.server.engine import Clock, MetadataStore
from skerry.server.limits import EMAIL_MAX_CHARS, PASSWORD_MAX_CHARS, PASSWORD_MIN_CHARS
from skerry.server.object_ids import new_object_id
from skerry.server.passwords import PasswordHasher
from skerry.server.tokens import (
    Claims,
    TokenError,
    TokenKind,
    TokenProblem,
    Tokens,
    TokenSubject,
)

_STORE_THREADS_MAX: Final = 8

Record = TypeVar("Record", bound=msgspec.Struct)
Result = TypeVar("Result")


class AccountProblem(Enum):
    """Why an account call is refused; the value is the text for the client (server 8.6)."""

    NAME_IN_USE = "name already in use"
    INVALID_PASSWORD = "invalid username/password"
    BAD_EMAIL = f"email must have 1 to {EMAIL_MAX_CHARS} characters"
    BAD_NEW_PASSWORD = (
        f"password must be between {PASSWORD_MIN_CHARS} and {PASSWORD_MAX_CHARS} characters"
    )
    USER_DISABLED = "user disabled"


class AccountError(SkerryError):
    """A registration or login is refused, for the reason in `problem`."""

    code = "SERVER-002"

    def __init__(self, problem: AccountProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem

    def __reduce__(self) -> tuple[type["AccountError"], tuple[AccountProblem]]:
        return type(self), (self.problem,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """The answer to a login."""

    access_token: str
    refresh_token: str
    user_id: str
    device_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """What a device said about itself: the id it was given before, if any, and free texts."""

    device_id: str | None = None
    description: tuple[tuple[str, str], ...] = ()


class Accounts:
    """The accounts of one app.

    Concurrency: any number of tasks may call; uniqueness rests on the store's atomic insert.
    """

    def __init__(
        self,
        store: MetadataStore,
        tokens: Tokens,
        *,
        now_ms: Clock,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._store = store
        self._tokens = tokens
        self._now_ms = now_ms
        self._hasher = PasswordHasher() if hasher is None else hasher
        self._limiter = trio.CapacityLimiter(_STORE_THREADS_MAX)

    @property
    def domain_id(self) -> str:
        """The id of the app's domain, part of profiles and tokens."""
        return self._tokens.domain_id

    async def register(self, email: str, password: str) -> None:
        """Claim an e-mail address, confirmed at once. Addresses are case-sensitive (server 8.3).

        Raises:
            AccountError: BAD_EMAIL, BAD_NEW_PASSWORD or NAME_IN_USE.
        """
        if not 1 <= len(email) <= EMAIL_MAX_CHARS:
            raise AccountError(AccountProblem.BAD_EMAIL)
        if not PASSWORD_MIN_CHARS <= len(password) <= PASSWORD_MAX_CHARS:
            raise AccountError(AccountProblem.BAD_NEW_PASSWORD)
        key = _identity_key(email)
        # Asked before hashing, which is dear; what decides is the insert below.
        if await self._run(lambda: self._store.meta_get(records.IDENTITIES, key)) is not None:
            raise AccountError(AccountProblem.NAME_IN_USE)
        password_hash = await self._hasher.hash(password)
        now_ms = self._now_ms()
        identity = IdentityRecord(
            id=new_object_id(now_ms),
            user_id=new_object_id(now_ms),
            email=email,
            password_hash=password_hash,
            created_ms=now_ms,
        )
        value = records.encode(identity)
        if not await self._run(lambda: self._store.meta_insert(records.IDENTITIES, key, value)):
            raise AccountError(AccountProblem.NAME_IN_USE)

    async def log_in_anonymous(self, device: Device) -> Login:
        """Create an anonymous user and log it in."""
        now_ms = self._now_ms()
        identity = Identity(id=new_object_id(now_ms), provider_type=ANONYMOUS)
        user = UserRecord(id=new_object_id(now_ms), identities=[identity], created_ms=now_ms)
        return await self._run(lambda: self._log_in(user, identity, device))

    async def log_in_userpass(self, email: str, password: str, device: Device) -> Login:
        """Log in with e-mail and password, creating the user at the first login.

        Raises:
            AccountError: INVALID_PASSWORD, also for an unknown address; or USER_DISABLED.
        """
        if len(email) > EMAIL_MAX_CHARS or len(password) > PASSWORD_MAX_CHARS:
            raise AccountError(AccountProblem.INVALID_PASSWORD)
        key = _identity_key(email)
        record = await self._run(lambda: self._read(records.IDENTITIES, key, IdentityRecord))
        password_hash = None if record is None else record.password_hash
        if not await self._hasher.verify(password, password_hash) or record is None:
            raise AccountError(AccountProblem.INVALID_PASSWORD)
        identity = Identity(id=record.id, provider_type=LOCAL_USERPASS)
        user = UserRecord(
            id=record.user_id,
            data={"email": record.email},
            identities=[identity],
            created_ms=self._now_ms(),
        )
        return await self._run(lambda: self._log_in(user, identity, device))

    async def refresh(self, refresh_token: str) -> str:
        """Return a new access token for a session.

        Raises:
            TokenError: If the token is not accepted, its session revoked or its user disabled.
        """
        claims = self._tokens.verify(refresh_token, TokenKind.REFRESH)
        _, session = await self._run(lambda: self._user_in_session(claims))
        return self._tokens.access_token(_subject(session))

    async def log_out(self, refresh_token: str) -> Claims:
        """End the session of a refresh token; return whose it was.

        Raises:
            TokenError: As for `refresh`, except that a disabled user may log out.
        """
        claims = self._tokens.verify(refresh_token, TokenKind.REFRESH)
        await self._run(lambda: self._session_of(claims))
        await self._run(lambda: self._store.meta_delete(records.SESSIONS, claims.session_id))
        return claims

    async def authenticate(self, access_token: str) -> UserRecord:
        """Return the user of an access token, for an HTTP call.

        Raises:
            TokenError: If the token is not accepted, or its user disabled or gone.
        """
        claims = self._tokens.verify(access_token, TokenKind.ACCESS)
        return await self._run(lambda: self._enabled_user(claims.user_id))

    async def authenticate_sync(self, access_token: str) -> tuple[UserRecord, Claims]:
        """Return the user and claims of an access token, for a sync connection.

        Raises:
            TokenError: As `authenticate`, and REVOKED when the session has ended.
        """
        claims = self._tokens.verify(access_token, TokenKind.ACCESS)
        user, _ = await self._run(lambda: self._user_in_session(claims))
        return user, claims

    async def set_disabled(self, user_id: str, *, disabled: bool) -> None:
        """Disable or enable a user. Connections are the caller's to drop.

        Raises:
            TokenError: USER_NOT_FOUND.
        """
        await self._run(lambda: self._set_disabled(user_id, disabled))

    async def revoke_sessions(self, user_id: str) -> int:
        """End every session of a user; return how many there were."""
        return await self._run(lambda: self._delete_sessions(lambda s: s.user_id == user_id))

    async def remove_expired_sessions(self) -> int:
        """Remove the records of sessions whose refresh token has expired; return how many."""
        now_ms = self._now_ms()
        return await self._run(lambda: self._delete_sessions(lambda s: s.expires_ms <= now_ms))

    # --- below: called in worker threads ------------------------------------------------------

    def _set_disabled(self, user_id: str, disabled: bool) -> None:
        user = msgspec.structs.replace(self._user(user_id), is_disabled=disabled)
        self._store.meta_put(records.USERS, user_id, records.encode(user))

    def _log_in(self, fresh: UserRecord, identity: Identity, device: Device) -> Login:
        self._store.meta_insert(records.USERS, fresh.id, records.encode(fresh))
        user = self._user(fresh.id)
        if user.is_disabled:
            raise AccountError(AccountProblem.USER_DISABLED)
        now_ms = self._now_ms()
        device_id = self._save_device(user.id, device, now_ms)
        anonymous = identity.provider_type == ANONYMOUS
        session = SessionRecord(
            id=new_object_id(now_ms),
            user_id=user.id,
            device_id=device_id,
            identity_id=identity.id,
            provider_type=identity.provider_type,
            created_ms=now_ms,
            expires_ms=now_ms + 1000 * self._tokens.refresh_lifetime_s(anonymous=anonymous),
        )
        self._store.meta_put(records.SESSIONS, session.id, records.encode(session))
        subject = _subject(session)
        return Login(
            access_token=self._tokens.access_token(subject),
            refresh_token=self._tokens.refresh_token(subject),
            user_id=user.id,
            device_id=device_id,
        )

    def _save_device(self, user_id: str, device: Device, now_ms: int) -> str:
        """Store the device and return its id: the one it brought if that is this user's."""
        known = None
        if device.device_id is not None:
            known = self._read(records.DEVICES, device.device_id, DeviceRecord)
        if known is not None and known.user_id != user_id:
            known = None
        record = DeviceRecord(
            id=new_object_id(now_ms) if known is None else known.id,
            user_id=user_id,
            description=dict(device.description),
            created_ms=now_ms if known is None else known.created_ms,
            seen_ms=now_ms,
        )
        self._store.meta_put(records.DEVICES, record.id, records.encode(record))
        return record.id

    def _delete_sessions(self, matches: Callable[[SessionRecord], bool]) -> int:
        count = 0
        for key, value in self._store.meta_scan(records.SESSIONS):
            if matches(msgspec.json.decode(value, type=SessionRecord)):
                count += self._store.meta_delete(records.SESSIONS, key)
        return count

    def _user_in_session(self, claims: Claims) -> tuple[UserRecord, SessionRecord]:
        """Return the user and session of claims; a disabled user is told so first."""
        return self._enabled_user(claims.user_id), self._session_of(claims)

    def _session_of(self, claims: Claims) -> SessionRecord:
        session = self._read(records.SESSIONS, claims.session_id, SessionRecord)
        if session is None or session.user_id != claims.user_id:
            raise TokenError(TokenProblem.REVOKED)
        return session

    def _enabled_user(self, user_id: str) -> UserRecord:
        user = self._user(user_id)
        if user.is_disabled:
            raise TokenError(TokenProblem.USER_DISABLED)
        return user

    def _user(self, user_id: str) -> UserRecord:
        user = self._read(records.USERS, user_id, UserRecord)
        if user is None:
            raise TokenError(TokenProblem.USER_NOT_FOUND)
        return user

    def _read(self, namespace: str, key: str, kind: type[Record]) -> Record | None:
        value = self._store.meta_get(namespace, key)
        return None if value is None else msgspec.json.decode(value, type=kind)

    async def _run(self, call: Callable[[], Result]) -> Result:
        return await trio.to_thread.run_sync(call, limiter=self._limiter)


def _identity_key(email: str) -> str:
    return f"{LOCAL_USERPASS}:{email}"


def _subject(session: SessionRecord) -> TokenSubject:
    return TokenSubject(
        user_id=session.user_id,
        session_id=session.id,
        device_id=session.device_id,
        identity_id=session.identity_id,
        provider_type=session.provider_type,
        is_anonymous=session.provider_type == ANONYMOUS,
    )
