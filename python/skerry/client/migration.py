"""`Migration`: from the objects of a file with another schema version to those of the present one.

Before the first look at the new objects, a migration function says what cannot be seen from the two
schemas: which classes and properties were renamed, which classes go, which objects get other keys.
Then the file is brought to the new schema, and the function sets what has to be set. Invariant: all
of it is one transaction; nobody sees any of it before the function has returned.
"""

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Final, TypeAlias

from skerry.errors import IllegalStateError, SchemaError
from skerry.types import Content, Scalar, to_scalar

if TYPE_CHECKING:
    from skerry import _core

# Between two reports of progress; some hundredths of a second.
ROWS_PER_STEP: Final = 4096

NewKeys: TypeAlias = Mapping[Scalar, Scalar] | Callable[[Mapping[str, Content]], object]
_Classes: TypeAlias = dict[str, tuple[str | None, tuple[str, ...]]]


def _by_name(described: list[tuple[str, str | None, list[str]]]) -> _Classes:
    return {name: (key, tuple(properties)) for name, key, properties in described}


def to_content(value: object) -> Content:
    """Return the stored form of a value, a list, a set or a mapping, at whatever depth.

    Raises:
        TypeError: No property holds such a value.
        ValueError: A value is out of the range of its type.
    """
    match value:
        case Mapping():
            return {str(key): to_content(field) for key, field in value.items()}
        case list() | tuple():
            return [to_content(element) for element in value]
        case set() | frozenset():
            return {to_scalar(element) for element in value}
        case _:
            return to_scalar(value)


class OldRealm:
    """The file as it was, for reading."""

    def __init__(self, snapshot: "_core.Snapshot") -> None:
        self._snapshot = snapshot
        self._classes = _by_name(snapshot.classes())

    @property
    def class_names(self) -> list[str]:
        """The classes that have objects, by name."""
        return [name for name, (key, _) in self._classes.items() if key is not None]

    def properties(self, class_name: str) -> tuple[str, ...]:
        """Return the names of a class's properties.

        Raises:
            SchemaError: The file has no such class.
        """
        return self._class(class_name)[1]

    def objects(self, class_name: str) -> Iterator[Mapping[str, Content]]:
        """Yield each object in order of insertion, as a mapping from property to value.

        Links are `skerry.types.Link`, those to absent objects None.

        Raises:
            SchemaError: The file has no such class, or it is an embedded one.
        """
        for _, held in self.items(class_name):
            yield held

    def find(self, class_name: str, key: object) -> Mapping[str, Content] | None:
        """Return the object of a primary key, or None.

        Raises:
            SchemaError: The file has no such class, or it is an embedded one.
            PropertyTypeError: The key is not of the type of the class's keys.
        """
        names = self._of_objects(class_name)
        row = self._snapshot.get(class_name, to_scalar(key))
        return None if row is None else dict(zip(names, row, strict=True))

    def close(self) -> None:
        """Let the file go. Internal."""
        self._snapshot.close()

    def items(self, class_name: str) -> Iterator[tuple[Scalar, Mapping[str, Content]]]:
        """Yield each object after its primary key; else as `objects`."""
        names = self._of_objects(class_name)
        for key in self._snapshot.matching_keys(class_name, "TRUEPREDICATE", []):
            row = self._snapshot.get(class_name, key)
            if row is not None:
                yield key, dict(zip(names, row, strict=True))

    def _of_objects(self, class_name: str) -> tuple[str, ...]:
        key, names = self._class(class_name)
        if key is None:
            raise SchemaError(f"{class_name} is an embedded class, without objects of its own")
        return names

    def _class(self, class_name: str) -> tuple[str | None, tuple[str, ...]]:
        try:
            return self._classes[class_name]
        except KeyError:
            raise SchemaError(f"the file had no class {class_name}") from None


class NewObject(MutableMapping[str, Content]):
    """An object under the new schema: a mapping from property to value; setting one writes it.

    What is read of a list, set or dictionary is a copy; set the property to change it.
    """

    __slots__ = ("_core", "_names", "class_name", "primary_key")

    def __init__(
        self,
        core: "_core.WriteTransaction",
        class_name: str,
        primary_key: Scalar,
        names: tuple[str, ...],
    ) -> None:
        """Internal: got from a `Migration`."""
        self._core = core
        self._names = names
        self.class_name = class_name
        self.primary_key = primary_key

    def __getitem__(self, name: str) -> Content:
        """Return what a property holds.

        Raises:
            KeyError: The class has no such property.
            IllegalStateError: The object is deleted.
        """
        if name not in self._names:
            raise KeyError(name)
        row = self._core.get(self.class_name, self.primary_key)
        if row is None:
            raise IllegalStateError(f"{self!r} is deleted")
        return row[self._names.index(name)]

    def __setitem__(self, name: str, value: object) -> None:
        """Write a property.

        Args:
            name: Of the property.
            value: A scalar, a list, a set, or a mapping for a dictionary or an embedded object.

        Raises:
            NoSuchObjectError: The class has no such property, or the object is deleted.
            PropertyTypeError: The property does not hold such a value.
            IllegalStateError: The property is the primary key; see `Migration.rekey`.
        """
        self._core.put(self.class_name, self.primary_key, name, to_content(value))

    def __delitem__(self, name: str) -> None:
        """Refuse: every object has every property of its class."""
        raise TypeError(f"property {name} of {self!r} cannot be removed; set it")

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same object, not whether it holds the same."""
        if not isinstance(other, NewObject):
            return NotImplemented
        return (self.class_name, self.primary_key) == (other.class_name, other.primary_key)

    def __hash__(self) -> int:
        return hash((self.class_name, self.primary_key))

    def __repr__(self) -> str:
        return f"<{self.class_name} {self.primary_key!r}>"


class Migration:
    """What a migration function gets. It is for the thread of that call, and for its time only.

    Attributes:
        old_version: Schema version of the file.
        new_version: Schema version of the configuration.
        old: The file as it was, for reading.
    """

    def __init__(
        self,
        change: "_core.SchemaChange",
        snapshot: "_core.Snapshot",
        *,
        report: Callable[[int, int], None],
        fills_nulls: bool,
        fill_defaults: "Callable[[_core.WriteTransaction, _core.SchemaMoves], None]",
    ) -> None:
        """Internal: made when a file is opened."""
        self.old_version = change.old_version
        self.new_version = change.new_version
        self.old = OldRealm(snapshot)
        self._change = change
        self._report = report
        self._fills_nulls = fills_nulls
        self._fill_defaults = fill_defaults
        self._class_names: dict[str, str] = {}
        self._property_names: list[tuple[str, str, str]] = []
        self._dropped: list[str] = []
        self._new_keys: dict[str, NewKeys] = {}
        self._applied: _Applied | None = None

    # --- Before the new objects are looked at ---------------------------------------------------

    def rename_class(self, old: str, new: str) -> None:
        """Say that a class of the file is what a class of the schema is now; links follow.

        Raises:
            IllegalStateError: The new objects were looked at before.
            MigrationError: Later, when they are: the file or the schema lacks the class.
        """
        self._require_planning("rename_class")
        self._class_names[old] = new

    def rename_property(self, class_name: str, old: str, new: str) -> None:
        """Say that a property of the file is what a property of the schema is now.

        Args:
            class_name: The class, embedded or not, by its new name.
            old: Name in the file.
            new: Name in the schema. Values of another type are kept as if it had one name.

        Raises:
            IllegalStateError: The new objects were looked at before.
            MigrationError: Later, when they are: the file or the schema lacks the property.
        """
        self._require_planning("rename_property")
        self._property_names.append((class_name, old, new))

    def delete_class(self, name: str) -> None:
        """Delete a class of the file that the schema does not have, with all its objects.

        Classes that the schema does not have are kept otherwise.

        Raises:
            IllegalStateError: The new objects were looked at before.
            MigrationError: Later, when they are: the file lacks the class, the schema has it, or
                another class that stays links to it.
        """
        self._require_planning("delete_class")
        self._dropped.append(name)

    def rekey(self, class_name: str, new_keys: NewKeys) -> None:
        """Give the objects of a class other primary keys; links follow.

        Args:
            class_name: The class, by its new name.
            new_keys: A mapping from each old key, or a function from each old object, to the key.

        Raises:
            IllegalStateError: The new objects were looked at before.
            MigrationError: Later, when they are: an object gets no key, one of another type, or one
                that another object gets too.
        """
        self._require_planning("rekey")
        self._new_keys[class_name] = new_keys

    # --- The new objects ------------------------------------------------------------------------

    def enumerate(
        self, class_name: str
    ) -> Iterator[tuple[Mapping[str, Content], NewObject | None]]:
        """Yield each object that the file had, as it was and as it is now.

        Args:
            class_name: A class of the schema, by its new name; or one of the file that is gone.

        Yields:
            The old object, and the new one, which is None when the class or the object is deleted.

        Raises:
            MigrationError: The file cannot be brought to the schema.
            SchemaError: Neither the file nor the schema has such a class, or it is embedded.
        """
        applied = self._new_objects()
        origin = applied.origins.get(class_name)
        if origin is None and class_name in applied.classes:
            # New: the file had no objects of it.
            return
        for old_key, held in self.old.items(origin or class_name):
            found = None
            if origin is not None:
                found = self.find(class_name, applied.moves.key_of(class_name, old_key))
            yield held, found

    def objects(self, class_name: str) -> Iterator[NewObject]:
        """Yield each object under the new schema, those that were created included.

        Raises:
            MigrationError: The file cannot be brought to the schema.
            SchemaError: There is no such class, or it is embedded.
        """
        applied = self._new_objects()
        names = applied.names(class_name)
        for key in applied.core.keys(class_name):
            yield NewObject(applied.core, class_name, key, names)

    def find(self, class_name: str, key: object) -> NewObject | None:
        """Return the object of a primary key under the new schema, or None.

        Raises:
            MigrationError: The file cannot be brought to the schema.
            SchemaError: There is no such class, or it is embedded.
            PropertyTypeError: The key is not of the type of the class's keys.
        """
        applied = self._new_objects()
        names, stored = applied.names(class_name), to_scalar(key)
        if applied.core.get(class_name, stored) is None:
            return None
        return NewObject(applied.core, class_name, stored, names)

    def create(self, class_name: str, values: Mapping[str, object]) -> NewObject:
        """Create an object; properties that are not given have the zero of their type, or null.

        Args:
            class_name: The class.
            values: By property, the primary key among them; as `NewObject` takes them.

        Raises:
            PrimaryKeyExistsError: There is an object of that key.
            PropertyTypeError: A property does not hold such a value.
            SchemaError: There is no such class, or the key is not given.
            MigrationError: The file cannot be brought to the schema.
        """
        applied = self._new_objects()
        names, key_name = applied.names(class_name), applied.classes[class_name][0]
        if key_name is None or key_name not in values:
            raise SchemaError(f"a new {class_name} needs its primary key, {key_name}")
        key = to_scalar(values[key_name])
        applied.core.create(class_name, key, [], [], "error")
        made = NewObject(applied.core, class_name, key, names)
        for name, value in values.items():
            if name != key_name:
                made[name] = value
        return made

    def delete(self, class_name: str, key: object) -> bool:
        """Delete an object; links to it become None. Return whether there was one.

        Raises:
            SchemaError: There is no such class, or it is embedded.
            MigrationError: The file cannot be brought to the schema.
        """
        applied = self._new_objects()
        applied.names(class_name)
        return applied.core.delete(class_name, to_scalar(key))

    def report(self, done: int, total: int) -> None:
        """Tell `on_migration_progress` how far the function is, in whatever it counts."""
        self._report(done, total)

    # --- Inside ---------------------------------------------------------------------------------

    def finish(self) -> "tuple[_core.RealmFile, _core.WriteTransaction]":
        """Return the file and the transaction to commit. Internal."""
        applied = self._new_objects()
        self.old.close()
        return applied.file, applied.core

    def give_up(self) -> None:
        """Change nothing. Internal."""
        self.old.close()
        self._change.close()
        if self._applied is not None:
            self._applied.core.rollback()
            self._applied.file.close()

    def _require_planning(self, name: str) -> None:
        if self._applied is not None:
            raise IllegalStateError(
                f"{name} comes before the first look at the new objects, which the file was "
                "converted for"
            )

    def _new_objects(self) -> "_Applied":
        if self._applied is None:
            self._change.apply(
                classes=list(self._class_names.items()),
                properties=self._property_names,
                dropped=self._dropped,
                keys=[(name, self._keys(name, keys)) for name, keys in self._new_keys.items()],
                fills_nulls=self._fills_nulls,
            )
            while self._change.step(ROWS_PER_STEP):
                self._report(*self._change.progress())
            self._report(*self._change.progress())
            file, core, moves = self._change.finish()
            self._applied = _Applied(file, core, moves, self.old.class_names)
            self._fill_defaults(core, moves)
        return self._applied

    def _keys(self, class_name: str, keys: NewKeys) -> list[tuple[Scalar, Scalar]]:
        if isinstance(keys, Mapping):
            return [(to_scalar(old), to_scalar(new)) for old, new in keys.items()]
        olds = [old for old, new in self._class_names.items() if new == class_name]
        old_name = olds[0] if olds else class_name
        return [(key, to_scalar(keys(held))) for key, held in self.old.items(old_name)]


class _Applied:
    """A file that has the new schema, in the transaction."""

    def __init__(
        self,
        file: "_core.RealmFile",
        core: "_core.WriteTransaction",
        moves: "_core.SchemaMoves",
        old_names: list[str],
    ) -> None:
        self.file = file
        self.core = core
        self.moves = moves
        self.classes = _by_name(core.classes())
        successors = ((moves.successor(name), name) for name in old_names)
        self.origins = {new: old for new, old in successors if new is not None}

    def names(self, class_name: str) -> tuple[str, ...]:
        key, names = self.classes.get(class_name, (None, ()))
        if key is None:
            raise SchemaError(f"there is no class {class_name} that has objects")
        return names
