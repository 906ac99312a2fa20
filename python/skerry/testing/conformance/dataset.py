"""A dataset: classes and their objects, as queries were recorded on them, and a realm file of it.

One JSON object: ``schema``, the classes, and ``objects``, by class an array of objects in the order
of insertion. Objects have a member for each property; links are the keys of their targets, embedded
objects and collections stand inline, and in a mixed an array is a list and an object a dictionary,
unless it stands for a value.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from skerry._core import RealmFile, WriteTransaction
from skerry.errors import SkerryError
from skerry.testing.conformance.classes import LINK, MIXED, Class, Classes, Collection, Property
from skerry.testing.conformance.extended_json import decode, is_tagged
from skerry.testing.conformance.files import (
    CaseFileError,
    case_file_error,
    one_line,
    parse,
    read_text,
)
from skerry.testing.conformance.members import Members, as_items, as_members
from skerry.types import Link, Scalar

NOW_MS: Final = 1_750_000_000_000
LOCK_TIMEOUT_MS: Final = 1_000

Path_: TypeAlias = "tuple[str | int, ...]"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Classes, and their objects in the order of insertion, not yet looked into."""

    path: Path
    classes: Classes
    objects: tuple[tuple[Class, Members], ...]

    def make_file(self, path: Path) -> RealmFile:
        """Return a new realm file with all objects.

        Raises:
            CaseFileError: An object does not have the form that its class asks for, or the file
                refuses it.
        """
        try:
            file = RealmFile.open(
                str(path), self.classes.to_json(), synced=False, synchronous="normal"
            )
            self._fill(file)
        except SkerryError as error:
            raise CaseFileError(self.path, None, one_line(error)) from error
        except ValueError as error:
            raise case_file_error(self.path, None, error) from error
        return file

    def _fill(self, file: RealmFile) -> None:
        transaction = file.begin_write(LOCK_TIMEOUT_MS)
        try:
            keys = [_create(transaction, of, members) for of, members in self.objects]
            # What may link is written when all that it may link to is there.
            for (of_class, members), key in zip(self.objects, keys, strict=True):
                writer = _Writer(transaction, self.classes, of_class.name, key)
                writer.write(of_class, (), members, [p for p in of_class.properties if _links(p)])
            transaction.commit(NOW_MS)
        finally:
            transaction.rollback()


def read_dataset(path: Path) -> Dataset:
    """Return the dataset of a file.

    Raises:
        CaseFileError: It cannot be read, or holds none.
    """
    text = read_text(path)
    try:
        members = parse("dataset", text)
        classes = Classes.read(members.items("schema"))
        objects = tuple(_objects(members.members("objects"), classes))
    except (ValueError, RecursionError) as error:
        raise case_file_error(path, None, error) from error
    return Dataset(path, classes, objects)


def _objects(members: Members, classes: Classes) -> Iterator[tuple[Class, Members]]:
    for name in members.values:
        for i, item in enumerate(members.items(name)):
            yield classes[name], as_members(f"{name}[{i}]", item)


def _links(prop: Property) -> bool:
    """Whether the property may hold links, or is written piece by piece for another reason."""
    return prop.kind in (LINK, MIXED) or prop.collection is not Collection.SINGLE


def _create(transaction: WriteTransaction, of_class: Class, members: Members) -> Scalar:
    key = decode(members.any(of_class.primary_key or ""), "")
    values = [
        (prop.name, decode(members.any(prop.name), prop.kind))
        for prop in of_class.properties
        if prop.name != of_class.primary_key and not _links(prop)
    ]
    transaction.create(of_class.name, key, values, (), "error")
    return key


class _Writer:
    """Writes what one object holds, at every depth; everything is empty before."""

    def __init__(
        self, transaction: WriteTransaction, classes: Classes, class_name: str, key: Scalar
    ) -> None:
        self._transaction = transaction
        self._classes = classes
        self._object = (class_name, key)

    def write(
        self, of_class: Class, path: Path_, members: Members, properties: Sequence[Property]
    ) -> None:
        """Write properties of the object, or of the embedded object at `path`."""
        for prop in properties:
            self._property(prop, (*path, prop.name), members.any(prop.name))

    def _property(self, prop: Property, path: Path_, value: object) -> None:
        match prop.collection:
            case Collection.SINGLE:
                self._single(prop, path, value)
            case Collection.LIST:
                self._list(prop, path, as_items(prop.name, value))
            case Collection.SET:
                for item in as_items(prop.name, value):
                    self._transaction.set_insert(*self._object, path, self._scalar(prop, item))
            case Collection.DICTIONARY:
                self._dictionary(prop, path, as_members(prop.name, value))

    def _single(self, prop: Property, path: Path_, value: object) -> None:
        """Put a value into a place that is there and can be set."""
        kind = self._container(prop, value)
        if kind == "embedded":
            self._transaction.set_embedded(*self._object, path)
        elif kind is not None:
            self._transaction.set_collection(*self._object, path, kind)
        else:
            self._transaction.set(*self._object, path, self._scalar(prop, value))
        self._inside(prop, path, value)

    def _list(self, prop: Property, path: Path_, items: Sequence[object]) -> None:
        for i, item in enumerate(items):
            kind = self._container(prop, item)
            if kind == "embedded":
                self._transaction.list_insert_embedded(*self._object, path, i)
            elif kind is not None:
                self._transaction.list_insert_collection(*self._object, path, i, kind)
            else:
                self._transaction.list_insert(*self._object, path, i, self._scalar(prop, item))
            self._inside(prop, (*path, i), item)

    def _dictionary(self, prop: Property, path: Path_, members: Members) -> None:
        for name, item in members.values.items():
            place = (*path, name)
            kind = self._container(prop, item)
            if kind == "embedded":
                self._transaction.set_embedded(*self._object, place)
            elif kind is not None:
                self._transaction.set_collection(*self._object, place, kind)
            else:
                scalar = self._scalar(prop, item)
                self._transaction.dictionary_set(*self._object, path, name, scalar)
            self._inside(prop, place, item)

    def _inside(self, prop: Property, path: Path_, value: object) -> None:
        """Write what is in the container that has just been made, if one has."""
        embedded = self._classes.embedded(prop)
        match self._container(prop, value):
            case "embedded" if embedded is not None:
                members = as_members(prop.name, value)
                self.write(embedded, path, members, embedded.properties)
            case "list":
                self._list(prop, path, as_items(prop.name, value))
            case "dictionary":
                self._dictionary(prop, path, as_members(prop.name, value))

    def _container(self, prop: Property, value: object) -> str | None:
        """What is to be made before a value is written, or None when it is a scalar."""
        if self._classes.embedded(prop) is not None:
            return None if value is None else "embedded"
        if prop.kind != MIXED:
            return None
        if isinstance(value, list):
            return "list"
        return "dictionary" if isinstance(value, dict) and not is_tagged(value) else None

    def _scalar(self, prop: Property, value: object) -> Scalar:
        scalar = decode(value, prop.kind)
        return scalar if prop.target is None or scalar is None else Link(prop.target, scalar)
