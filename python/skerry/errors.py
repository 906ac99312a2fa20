"""The exceptions of Skerry: one tree under `SkerryError` (style 3.6, client-api 1.12).

Classes live here and are raised from the Rust binding by name, so that attributes, docstrings and
pickling are in one readable file. Every constructor takes the message first; data are optional
keywords kept as attributes. Each docstring says whose fault it was, whether the data are safe, and
whether trying again helps. The module does not decide *which* error a condition is: the Rust
mapping and `skerry.client.sync_errors` do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar


class SkerryError(Exception):
    """Root of everything Skerry raises.

    Attributes:
        code: Stable code of the condition; never changes between releases.
        is_fatal: Whether the operation or session cannot go on by itself.
        is_retryable: Whether trying again unchanged may succeed.
    """

    code: ClassVar[str] = "SKERRY-000"
    is_fatal: bool = True
    is_retryable: bool = False

    def __init__(self, message: str = "") -> None:
        super().__init__(message)

    @property
    def message(self) -> str:
        """The text of the error, also what `str` gives."""
        return str(self.args[0]) if self.args else ""


# --- Mistakes in the application -----------------------------------------------------------------


class ConfigurationError(SkerryError, ValueError):
    """A configuration value is out of range or contradicts another.

    The application's to mend; nothing was opened or changed; retrying unchanged fails again.

    Attributes:
        path: Place in the server's configuration, such as ``collections[0].roles``; None when the
            fault has no place.
        reason: The fault without its place; None likewise.
    """

    code = "CONF-001"
    path: str | None = None
    reason: str | None = None


class SchemaError(SkerryError):
    """A model class cannot be stored, or does not fit the file.

    The application's to mend; the file is untouched. Raised where the class is defined when the
    fault can be seen there, otherwise when a realm is opened with it.
    """

    code = "SCHEMA-001"


class MigrationNeededError(SchemaError):
    """The file has another schema, or a greater schema version, than the configuration.

    The program's to mend: raise `schema_version`, and give a `migration` if values are to be
    carried over; a greater version is of a newer program, which then has to be used. The file is
    unchanged.
    """

    code = "SCHEMA-002"


class MigrationError(SchemaError):
    """A migration is not possible as it stands; the message names class, property and key.

    The program's to mend, in its schema or its `migration`. The file is unchanged.
    """

    code = "SCHEMA-003"


class QueryErrorKind(Enum):
    """What is wrong with a query."""

    SYNTAX = "syntax"
    """The text is not in the language."""
    INVALID_PROPERTY = "invalid property"
    """There is no such class or property."""
    TYPE_MISMATCH = "type mismatch"
    """The operands do not compare, or the operator is not one of their type."""
    BAD_ARGUMENT = "bad argument"
    """An argument or constant is missing, or not of the form that its place takes."""
    UNSUPPORTED = "unsupported"
    """The text is in the language and its meaning is not defined."""


class QueryError(SkerryError):
    """A query text cannot be understood or does not fit the class.

    The application's to mend; data are untouched.

    Attributes:
        position: Offset in the query text, in characters, at which the fault was seen, or None.
        kind: What is wrong with it, or None where that is not known.
    """

    code = "QUERY-001"

    def __init__(
        self,
        message: str = "",
        position: int | None = None,
        kind: QueryErrorKind | str | None = None,
    ) -> None:
        super().__init__(message)
        self.position = position
        self.kind = None if kind is None else QueryErrorKind(kind)


class NoResultError(SkerryError, LookupError):
    """`Results.one` found no object.

    The application's to handle; data are untouched. Asking again later may find one.
    """

    code = "QUERY-002"


class MultipleResultsError(SkerryError, LookupError):
    """`Results.one` or `one_or_none` found several objects where one was expected.

    The application's to mend, by a narrower query or `first`; data are untouched.
    """

    code = "QUERY-003"


class IllegalStateError(SkerryError):
    """The call is not allowed in the present state of the object it was made on.

    The application's to mend, such as a use after closing; data are safe.
    """

    code = "STATE-001"


class PropertyTypeError(SkerryError, TypeError):
    """A value does not have the type of the property it was given for.

    The application's to mend; the transaction is still usable and the property unchanged.
    """

    code = "DATA-001"


class NoSuchObjectError(SkerryError, LookupError):
    """The object, class or property addressed does not exist at this version.

    It may have been deleted, also by another device. Data are safe; look again.
    """

    code = "DATA-002"


class PrimaryKeyExistsError(SkerryError):
    """An object with this primary key exists already.

    The application's to decide: choose another key, or add with an update policy. Nothing was
    written by the refused call; the transaction is still usable.
    """

    code = "DATA-003"


class NoSubscriptionForWriteError(SkerryError):
    """An object was created in a class that the latest subscription set does not name.

    The application's to mend by subscribing first (client-api 1.13). Nothing was written by the
    refused call.
    """

    code = "DATA-004"


class StaleSubscriptionSetError(SkerryError):
    """The subscription set was changed by someone else in the meantime.

    Nobody's fault; nothing was written. `SubscriptionSet.update` reads again and repeats its block,
    so applications do not see it.
    """

    code = "SUBS-001"
    is_fatal = False
    is_retryable = True


# --- The realm file ------------------------------------------------------------------------------


class StoreError(SkerryError):
    """The realm file could not be read or written.

    The machine's fault as a rule. What was committed before stays committed.
    """

    code = "STORE-001"


class CorruptedError(StoreError):
    """The file is not a realm file, or its content contradicts itself.

    Nobody's to mend by retrying. Keep the file for examination; what the server acknowledged can
    be downloaded into a new one.
    """

    code = "STORE-002"


class VersionUnsupportedError(StoreError):
    """The file was written by a newer format than this release reads.

    The data are safe and untouched; upgrade the library.
    """

    code = "STORE-003"


class ClosedRealmError(StoreError):
    """The realm was closed before or during the call.

    The application's to mend; everything committed is safe.
    """

    code = "STORE-004"


class LockTimeoutError(StoreError):
    """Another writer held the file for longer than the given time.

    Nobody's fault; nothing was written. May be retried.
    """

    code = "STORE-005"
    is_fatal = False
    is_retryable = True


class DiskFullError(StoreError):
    """The device has no room for the change.

    The transaction is rolled back and everything before it is safe. Retry after making room.
    """

    code = "STORE-006"


class FileAccessError(StoreError):
    """The operating system does not let this process make, read, write or remove the file.

    The environment's to mend: permissions, a read-only file system, a folder that is missing. A
    file that can only be read is opened with ``read_only=True``. Nothing was changed.
    """

    code = "STORE-007"


class EncryptionKeyError(StoreError):
    """The file is encrypted with another key, or it is encrypted and no key was given.

    Or a key was given for a file that is not encrypted. The application's to mend: open it with its
    key. A damaged file is told apart: it raises `CorruptedError`. Nothing was changed.
    """

    code = "STORE-010"


class RealmInUseError(StoreError):
    """The file is open in this or another process, and what was asked for needs it closed.

    Objects with links that were read of it, and results that are not loaded, keep it open, too.
    Close it there, wait for its session to end, and repeat. Nothing was changed.
    """

    code = "STORE-008"
    is_retryable = True


class TooManyVersionsError(StoreError):
    """More versions of the file are in use than `max_number_of_active_versions` allows.

    The program's to mend: close frozen realms and let results and objects of old versions go.
    Nothing was written.
    """

    code = "STORE-009"
    is_retryable = True


# --- The link to the server ----------------------------------------------------------------------


class LinkError(SkerryError):
    """The websocket to the server failed or ended.

    Nobody's fault; no data are lost: what was not acknowledged is sent again. Skerry retries by
    itself.

    Attributes:
        close_code: Websocket close code, or the private code of sync-engine 4.12.
        reason: Text the other end gave, possibly empty.
    """

    code = "LINK-001"
    is_fatal = False
    is_retryable = True

    def __init__(self, message: str = "", *, close_code: int = 1006, reason: str = "") -> None:
        super().__init__(message)
        self.close_code = close_code
        self.reason = reason


class ConnectFailedError(LinkError):
    """The websocket could not be established.

    See `LinkError`; `close_code` holds the private code of sync-engine 4.12.
    """

    code = "LINK-002"


class LinkClosedError(LinkError):
    """An established websocket has ended, by either side or by the network. See `LinkError`."""

    code = "LINK-003"


# --- Sync ----------------------------------------------------------------------------------------


class SyncError(SkerryError):
    """Something went wrong in a sync session; the parent of all that the error handler receives.

    Local data are safe and stay writable. When `is_fatal`, the session is INACTIVE and stays so
    until `SyncSession.resume`.

    Attributes:
        category: First bracket of the message: ``Connection``, ``Session``, ``Websocket``,
            ``Service`` or ``Sync``; None when unknown.
        name: Name of the protocol error, such as ``BadQuery``; None when unknown.
        number: Its number (client-api 3); None when it has none.
        log_url: Where the server's log has more, or None.
    """

    code = "SYNC-001"

    def __init__(
        self,
        message: str = "",
        *,
        is_fatal: bool | None = None,
        is_retryable: bool | None = None,
        category: str | None = None,
        name: str | None = None,
        number: int | None = None,
        log_url: str | None = None,
    ) -> None:
        super().__init__(message)
        if is_fatal is not None:
            self.is_fatal = is_fatal
        if is_retryable is not None:
            self.is_retryable = is_retryable
        self.category = category
        self.name = name
        self.number = number
        self.log_url = log_url


class ProtocolError(SyncError):
    """One end did what the protocol does not allow.

    A defect of Skerry or of what lies between; please report it. Local data are safe.
    """

    code = "SYNC-002"


@dataclass(frozen=True, slots=True)
class CompensatingWriteInfo:
    """One object whose change the server undid.

    Attributes:
        object_type: Class of the object.
        primary_key: Its key: int, str, `ObjectId` or `uuid.UUID`.
        reason: The server's explanation, fit for a log.
    """

    object_type: str
    primary_key: object
    reason: str


class CompensatingWriteError(SyncError):
    """The server undid writes that were not allowed (client-api 1.13, design 8).

    The application's or the rules' fault. Delivered after the device holds the server's state
    again; later local edits of the same objects, made before the revert arrived, are undone with
    it. The session goes on. Repeating the same write meets the same refusal.

    Attributes:
        writes: One entry per object, in the order the server gave.
    """

    code = "SYNC-003"
    is_fatal = False

    TEXT: ClassVar[str] = (
        "[Session][CompensatingWrite(231)] Client attempted a write that is disallowed by "
        "permissions, or modifies an object outside the current query, and the server undid the "
        "change."
    )

    def __init__(
        self,
        message: str = TEXT,
        *,
        writes: Sequence[CompensatingWriteInfo] = (),
        log_url: str | None = None,
    ) -> None:
        super().__init__(
            message,
            category="Session",
            name="CompensatingWrite",
            number=231,
            log_url=log_url,
        )
        self.writes = list(writes)


class ClientResetRequiredError(SyncError):
    """The server no longer knows this file's history, so the file cannot go on syncing.

    Nobody's fault as a rule (a restored backup, an app that was recreated). Unsent changes are
    still in the file, which stays readable; open another file to sync again.
    """

    code = "SYNC-004"


class PermissionDeniedError(SyncError):
    """The user may not sync at all, or not this.

    For the server's rules to mend. Local data are safe.
    """

    code = "SYNC-005"


class WrongSyncTypeError(SyncError):
    """The server's app does not use flexible sync (code 1043).

    The operator's to mend. Local data are safe.
    """

    code = "SYNC-006"


class BadFlexibleSyncQueryError(SyncError):
    """The server refused a subscription set.

    The application's to mend by committing a corrected set; until then the last complete set stays
    in force and keeps syncing.
    """

    code = "SYNC-007"
    is_fatal = False


class AuthExpiredError(SyncError):
    """The user's login is no longer accepted: expired, revoked or disabled.

    The user has been logged out on this device; realm files are kept, with what was not uploaded.
    Log in again and open the realm again.
    """

    code = "SYNC-008"


class SyncConnectFailedError(SyncError):
    """The server could not be reached: name, address, TLS or handshake.

    The network's fault as a rule. Not fatal: Skerry keeps trying with growing pauses.
    """

    code = "SYNC-009"
    is_fatal = False
    is_retryable = True


class SessionInactiveError(SyncError):
    """The session became inactive, or its realm was closed, while the call was waiting for it.

    Local data are safe. The cause was given to the error handler; `resume` revives the session.
    """

    code = "SYNC-010"


class DownloadingRealmTimeoutError(SkerryError, TimeoutError):
    """The initial data did not arrive in the time given to `wait_for_initial_remote_data`.

    The network's fault as a rule. The realm is closed again; opening it again may succeed.
    """

    code = "OPEN-001"
    is_retryable = True


# --- The app's HTTP service ----------------------------------------------------------------------


class AppError(SkerryError):
    """An App Services call failed; realm files are not concerned."""

    code = "APP-001"


class ServiceError(AppError):
    """The server answered with an error.

    Attributes:
        status: HTTP status, or None when there was no answer.
        error_code: The server's name of the error, such as ``InvalidPassword``, or None.
        log_url: Where the server's log has more, or None.
    """

    code = "APP-002"

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        error_code: str | None = None,
        log_url: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error_code = error_code
        self.log_url = log_url


class AuthError(ServiceError):
    """The server refuses this login: disabled user or provider, or a failed provider.

    Retrying unchanged fails again.
    """

    code = "APP-003"


class InvalidCredentialsError(AuthError):
    """Wrong e-mail address, password, key or token. The user's to mend."""

    code = "APP-004"


class UserAlreadyExistsError(AuthError):
    """The e-mail address is registered already. Log in instead."""

    code = "APP-005"


class UserAlreadyConfirmedError(AuthError):
    """The e-mail address was confirmed before. Log in instead."""

    code = "APP-006"


class UserNotFoundError(AuthError):
    """The server knows no such user."""

    code = "APP-007"


class BadRequestError(ServiceError):
    """The server finds the input malformed, such as a password shorter than 6 characters."""

    code = "APP-008"


class ConnectionFailedError(ServiceError):
    """The server was not reached, or was not able to answer (408, 429, 5xx, no JSON).

    The network's or server's fault. You cannot know whether the request took effect; retrying a
    login or a refresh is safe.
    """

    code = "APP-009"
    is_fatal = False
    is_retryable = True
