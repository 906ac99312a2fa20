"""`FileOptions`: what is to happen to a realm file in its life, as a configuration says.

Checked when made. What the options mean is said at `Configuration`; who acts on them are
`skerry.client.local_file` and `Realm`.
"""

import math
import string
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from skerry.errors import ConfigurationError

if TYPE_CHECKING:
    from skerry.client.migration import Migration
    from skerry.client.transaction import Transaction

    MigrationFunction: TypeAlias = Callable[[Migration], None]
    InitialData: TypeAlias = Callable[[Transaction], None]

ProgressFunction: TypeAlias = Callable[[int, int], None]
CompactFunction: TypeAlias = Callable[[int, int], bool]

OPEN_TIMEOUT_S: Final = 10.0
OPEN_TIMEOUT_MAX_S: Final = 86_400.0
SCHEMA_VERSION_MAX: Final = 2**63 - 1
SHA256_DIGITS: Final = 64

_REASONS: Final = {
    "schema_version": "the classes of a synced realm only grow",
    "migration": "the classes of a synced realm only grow",
    "on_migration_progress": "the classes of a synced realm only grow",
    "delete_realm_if_migration_needed": "the classes of a synced realm only grow",
    "initial_data_file": "a copy would share the identity of its original with the server",
    "initial_data_file_sha256": "a copy would share the identity of its original with the server",
    "in_memory": "a synced realm keeps what is not uploaded yet",
    "read_only": "a synced realm takes in what others write",
    "open_timeout": "a synced realm is opened by its session",
    "directory": "the folder is that of the app",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOptions:
    """See `Configuration` for each.

    Raises:
        ConfigurationError: A number is out of its range, or two options exclude each other.
    """

    schema_version: int
    migration: "MigrationFunction | None"
    on_migration_progress: ProgressFunction | None
    deletes_if_migration_needed: bool
    compact_on_launch: CompactFunction | None
    initial_data: "InitialData | None"
    initial_data_file: Path | None
    initial_data_file_sha256: str | None
    in_memory: bool
    read_only: bool
    active_versions_max: int | None
    open_timeout_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.schema_version <= SCHEMA_VERSION_MAX:
            raise ConfigurationError(
                f"schema_version is 0 to {SCHEMA_VERSION_MAX}, not {self.schema_version}"
            )
        if self.active_versions_max is not None and self.active_versions_max < 1:
            raise ConfigurationError(
                f"max_number_of_active_versions is 1 or more, not {self.active_versions_max}"
            )
        if not 0 < self.open_timeout_s <= OPEN_TIMEOUT_MAX_S or math.isnan(self.open_timeout_s):
            raise ConfigurationError(
                f"open_timeout is more than 0 and at most {OPEN_TIMEOUT_MAX_S} s, "
                f"not {self.open_timeout_s}"
            )
        self._check_hash()
        for one, other in self._exclusions():
            raise ConfigurationError(f"{one} and {other} exclude each other")

    def _check_hash(self) -> None:
        digits = self.initial_data_file_sha256
        if digits is None:
            return
        if self.initial_data_file is None:
            raise ConfigurationError("initial_data_file_sha256 is given without initial_data_file")
        if len(digits) != SHA256_DIGITS or not set(digits) <= set(string.hexdigits):
            raise ConfigurationError(
                f"initial_data_file_sha256 is {SHA256_DIGITS} hexadecimal digits, not {digits!r}"
            )

    def _exclusions(self) -> Iterable[tuple[str, str]]:
        given = {
            "migration": self.migration is not None,
            "delete_realm_if_migration_needed": self.deletes_if_migration_needed,
            "compact_on_launch": self.compact_on_launch is not None,
            "initial_data": self.initial_data is not None,
            "initial_data_file": self.initial_data_file is not None,
            "in_memory": self.in_memory,
            "read_only": self.read_only,
        }
        pairs = [
            ("migration", "delete_realm_if_migration_needed"),
            ("in_memory", "initial_data_file"),
            ("in_memory", "compact_on_launch"),
            ("read_only", "in_memory"),
            ("read_only", "migration"),
            ("read_only", "delete_realm_if_migration_needed"),
            ("read_only", "compact_on_launch"),
            ("read_only", "initial_data"),
            ("read_only", "initial_data_file"),
        ]
        return ((one, other) for one, other in pairs if given[one] and given[other])


def refusal_of_local(names: Iterable[str]) -> str:
    """Return why a synced realm has no such option."""
    name = next(iter(names))
    reason = _REASONS.get(name)
    if reason is None:
        return f"SyncConfiguration has no option {name}"
    return f"{name} is for local realms: {reason}"
