"""Opening a local realm file as its configuration says, from nothing to the present schema.

Everything here blocks and runs on a worker thread. Invariant: a call that raises leaves the file as
it was, or no file where there was none; with one exception that the configuration asks for, a file
that is deleted because it needs a migration.
"""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from skerry.client.environment import Core
from skerry.client.migration import ROWS_PER_STEP, Migration
from skerry.client.realm_configuration import Configuration
from skerry.client.transaction import Transaction
from skerry.errors import (
    ConfigurationError,
    EncryptionKeyError,
    FileAccessError,
    IllegalStateError,
    MigrationNeededError,
    RealmInUseError,
    StoreError,
)
from skerry.model.objects import schema_of

if TYPE_CHECKING:
    from skerry import _core
    from skerry.types import Content

_LOG: Final = logging.getLogger("skerry.sync")
_HASH_CHUNK_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """An open local file.

    Attributes:
        file: The file.
        place: What holds a file in memory; None for one on the disk.
    """

    file: "_core.RealmFile"
    place: "_core.ScratchPlace | None"

    def close(self) -> None:
        """Close the file, and give up its place."""
        self.file.close()
        if self.place is not None:
            self.place.close()


def open_local(configuration: Configuration, core: Core, now_ms: Callable[[], int]) -> OpenedFile:
    """Open a local file, after all that its configuration asks for. Blocking."""
    options = configuration.options
    if options.in_memory:
        place = core.scratch_place(configuration.name)
        try:
            return OpenedFile(_Opening(configuration, core, now_ms, place.path).open(), place)
        except BaseException:
            place.close()
            raise
    opening = _Opening(configuration, core, now_ms, str(configuration.path))
    if options.read_only:
        return OpenedFile(opening.open_read_only(), None)
    make_folder(configuration.path)
    if options.initial_data_file is not None:
        _install(configuration, core, options.initial_data_file)
    compact_on_launch(configuration, core)
    return OpenedFile(opening.open(), None)


def make_folder(path: Path) -> None:
    """Make the folder of a file.

    Raises:
        FileAccessError: The operating system refuses.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileAccessError(f"the folder of {path} cannot be made: {error}") from error


def compact_on_launch(configuration: Configuration, core: Core) -> None:
    """Compact the file if its configuration wants it, and nobody has it open."""
    decide = configuration.options.compact_on_launch
    if decide is None:
        return
    path = str(configuration.path)
    key = configuration.encryption_key
    size = core.file_size(path, encryption_key=key)
    if size is not None and decide(*size):
        core.compact_file(path, encryption_key=key)


def delete_unwanted(configuration: Configuration, core: Core) -> None:
    """Remove a synced file that could not be opened as asked for, with what belongs to it.

    What cannot be removed is left and logged: another process may have the file open by now, and
    the caller has an error of its own to raise (client-api 1.8, step 7).
    """
    try:
        core.delete_file(str(configuration.path), encryption_key=configuration.encryption_key)
    except RealmInUseError:
        _LOG.info("%s is left, because somebody has it open", configuration.path)
    except StoreError as error:
        _LOG.warning("%s was made for nothing and is left: %s", configuration.path, error)


def check_deletable(configuration: Configuration) -> str:
    """Return the path of a realm that has a file of its own.

    Raises:
        ConfigurationError: It lives in memory, or is for reading only.
    """
    if configuration.options.in_memory:
        raise ConfigurationError(f"{configuration.name} lives in memory and has no file of its own")
    if configuration.options.read_only:
        raise ConfigurationError(f"{configuration.name} is for reading only")
    return str(configuration.path)


def _install(configuration: Configuration, core: Core, source: Path) -> None:
    wanted = configuration.options.initial_data_file_sha256

    def check(draft: str) -> None:
        if wanted is not None:
            with Path(draft).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != wanted.lower():
                raise ConfigurationError(f"the SHA-256 of {source} is {found}, not {wanted}")
        try:
            core.file_size(draft, encryption_key=configuration.encryption_key)
        except EncryptionKeyError as error:
            raise EncryptionKeyError(f"of {source} this is a copy: {error}") from error

    core.install_file(str(source), str(configuration.path), check)


class _Opening:
    """One way from a path to an open file."""

    def __init__(
        self, configuration: Configuration, core: Core, now_ms: Callable[[], int], path: str
    ) -> None:
        self._configuration = configuration
        self._options = configuration.options
        self._core = core
        self._now_ms = now_ms
        self._path = path

    def open_read_only(self) -> "_core.RealmFile":
        return self._core.open_read_only(
            self._path,
            self._configuration.schema.to_json(),
            schema_version=self._options.schema_version,
            query_cache_bytes=self._configuration.query_cache_bytes,
            encryption_key=self._configuration.encryption_key,
        )

    def open(self) -> "_core.RealmFile":
        file, change = self._open()
        if change is None:
            return _ready(file)
        if change.kind != "migration":
            return self._extend(change)
        if not self._options.deletes_if_migration_needed:
            return self._migrate(change)
        change.close()
        return self._begin_anew()

    def _open(self) -> "tuple[_core.RealmFile | None, _core.SchemaChange | None]":
        try:
            return self._open_versioned()
        except MigrationNeededError:
            if not self._options.deletes_if_migration_needed:
                raise
        self._core.delete_file(self._path, encryption_key=self._configuration.encryption_key)
        return self._open_versioned()

    def _open_versioned(self) -> "tuple[_core.RealmFile | None, _core.SchemaChange | None]":
        return self._core.open_versioned(
            self._path,
            self._configuration.schema.to_json(),
            schema_version=self._options.schema_version,
            timeout_ms=max(1, int(self._options.open_timeout_s * 1000)),
            synchronous=self._configuration.synchronous,
            query_cache_bytes=self._configuration.query_cache_bytes,
            encryption_key=self._configuration.encryption_key,
        )

    def _begin_anew(self) -> "_core.RealmFile":
        self._core.delete_file(self._path, encryption_key=self._configuration.encryption_key)
        file, change = self._open_versioned()
        return _ready(file) if change is None else self._extend(change)

    def _extend(self, change: "_core.SchemaChange") -> "_core.RealmFile":
        """Give the file what it lacks: everything, or some classes, properties and indexes."""
        is_new = change.kind == "new"
        try:
            change.apply(classes=[], properties=[], dropped=[], keys=[], fills_nulls=False)
            while change.step(ROWS_PER_STEP):
                """Nothing is converted; this only keeps to the order of calls."""
            file, core, moves = change.finish()
            try:
                self._fill_defaults(core, moves)
                self._run_initial_data(core, is_new=is_new)
                core.commit(self._now_ms())
            except BaseException:
                core.rollback()
                file.close()
                raise
        except BaseException:
            change.close()
            if is_new:
                self._delete_unfinished()
            raise
        return file

    def _run_initial_data(self, core: "_core.WriteTransaction", *, is_new: bool) -> None:
        initial_data = self._options.initial_data
        if initial_data is None or not is_new:
            return
        transaction = Transaction(self._configuration.schema, core)
        is_done = False
        try:
            initial_data(transaction)
            is_done = True
        finally:
            # What the block keeps of it may be read when it has come into the file.
            transaction.finish(is_committed=is_done)

    def _delete_unfinished(self) -> None:
        """Remove the file of an opening that has failed, which holds nothing yet."""
        try:
            self._core.delete_file(self._path, encryption_key=self._configuration.encryption_key)
        except RealmInUseError:
            # Another process opens it at the same time, and will fill it.
            return

    def _migrate(self, change: "_core.SchemaChange") -> "_core.RealmFile":
        snapshot = change.before()
        if snapshot is None:
            change.close()
            raise IllegalStateError("the old file of a migration was taken before")
        migration = Migration(
            change,
            snapshot,
            report=self._options.on_migration_progress or _report_to_nobody,
            fills_nulls=self._options.migration is not None,
            fill_defaults=self._fill_defaults,
        )
        try:
            if self._options.migration is not None:
                self._options.migration(migration)
            file, core = migration.finish()
            core.commit(self._now_ms())
        except BaseException:
            migration.give_up()
            raise
        return file

    def _fill_defaults(self, core: "_core.WriteTransaction", moves: "_core.SchemaMoves") -> None:
        """Give old objects the defaults of properties that they did not have."""
        models = {schema_of(model).name: model for model in self._configuration.schema}
        for class_name, name in moves.added:
            model = models.get(class_name)
            if model is None:
                continue
            prop = next(prop for prop in schema_of(model) if prop.stored_name == name)
            default = prop.default
            if prop.is_link or not default.is_given:
                continue
            if default.factory is None:
                core.fill(class_name, name, cast("Content", prop.store(default.make())))
            else:
                for key in core.keys(class_name):
                    core.put(class_name, key, name, cast("Content", prop.store(default.make())))


def _ready(file: "_core.RealmFile | None") -> "_core.RealmFile":
    if file is None:
        raise IllegalStateError("the file was not opened and is not to be changed")
    return file


def _report_to_nobody(done: int, total: int) -> None:
    """Nobody wants to know."""
