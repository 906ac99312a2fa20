"""Strict reading of JSON and TOML documents, with the path of every key.

A `Node` is a value together with where it was found, so that each refusal can name file, key and
reason. Nothing is defaulted silently: a key that no caller asked for is refused when the mapping
that holds it is opened.
"""

import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from skerry.server.errors import ConfigurationError
from skerry.server.limits import CONFIG_FILE_MAX_BYTES, CONFIG_NESTING_MAX_LEVELS

_TYPE_NAMES: Final[dict[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def describe(value: object) -> str:
    """Return the JSON name of a value's type, for messages."""
    return _TYPE_NAMES.get(type(value), type(value).__name__)


def unsupported(feature: str) -> str:
    """Return the reason for refusing something documented which Skerry cannot do yet."""
    return f"{feature} is not supported yet"


@dataclass(frozen=True, slots=True)
class Node:
    """A value of a configuration file and its place."""

    file: str
    path: str
    value: object

    def refuse(self, reason: str) -> NoReturn:
        """Raise the `ConfigurationError` for this place."""
        raise ConfigurationError(self.file, self.path or ConfigurationError.WHOLE_FILE, reason)

    def child(self, key: str) -> "Node":
        """Return the member `key` of a mapping that is known to hold it."""
        return Node(self.file, f"{self.path}.{key}" if self.path else key, self.as_object()[key])

    def as_object(self) -> dict[str, object]:
        """Return the value as a mapping, whatever its keys."""
        if not isinstance(self.value, dict):
            self.refuse(f"must be an object, not {describe(self.value)}")
        return self.value

    def closed_object(self, *allowed: str, required: tuple[str, ...] = ()) -> "Mapping":
        """Return the value as a mapping that may hold only `allowed` and must hold `required`."""
        known = (*allowed, *required)
        for key in self.as_object():
            if key not in known:
                self.child(key).refuse(f"unknown key; known here: {', '.join(sorted(known))}")
        for key in required:
            if key not in self.as_object():
                place = f"{self.path}.{key}" if self.path else key
                raise ConfigurationError(self.file, place, "required key is missing")
        return Mapping(self)

    def members(self) -> Iterator[tuple[str, "Node"]]:
        """Yield the members of a mapping with free keys."""
        for key in self.as_object():
            yield key, self.child(key)

    def items(self) -> Iterator["Node"]:
        """Yield the elements of an array."""
        if not isinstance(self.value, list):
            self.refuse(f"must be an array, not {describe(self.value)}")
        for index, item in enumerate(self.value):
            yield Node(self.file, f"{self.path}[{index}]", item)

    def string(self) -> str:
        """Return the value as a string."""
        if not isinstance(self.value, str):
            self.refuse(f"must be a string, not {describe(self.value)}")
        return self.value

    def boolean(self) -> bool:
        """Return the value as a boolean."""
        if not isinstance(self.value, bool):
            self.refuse(f"must be true or false, not {describe(self.value)}")
        return self.value

    def integer(self, minimum: int, maximum: int) -> int:
        """Return the value as a whole number within bounds, both included."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            self.refuse(f"must be a whole number, not {describe(self.value)}")
        if not minimum <= self.value <= maximum:
            self.refuse(f"must be between {minimum} and {maximum}, not {self.value}")
        return self.value

    def one_of(self, *choices: str) -> str:
        """Return the value as one of the given strings."""
        text = self.string()
        if text not in choices:
            self.refuse(f"must be one of {', '.join(map(repr, choices))}, not {text!r}")
        return text

    def strings(self) -> tuple[str, ...]:
        """Return the value as an array of different strings."""
        found: list[str] = []
        for item in self.items():
            text = item.string()
            if text in found:
                item.refuse(f"{text!r} is listed twice")
            found.append(text)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping whose keys have been checked; members are read with their defaults."""

    node: Node

    def get(self, key: str) -> Node | None:
        """Return the member `key`, or None when it is absent."""
        return self.node.child(key) if key in self.node.as_object() else None

    def __getitem__(self, key: str) -> Node:
        return self.node.child(key)

    def string(self, key: str, default: str = "") -> str:
        """Return a string member, or its default."""
        found = self.get(key)
        return default if found is None else found.string()

    def boolean(self, key: str, *, default: bool) -> bool:
        """Return a boolean member, or its default."""
        found = self.get(key)
        return default if found is None else found.boolean()

    def strings(self, key: str) -> tuple[str, ...]:
        """Return an array of strings, or none."""
        found = self.get(key)
        return () if found is None else found.strings()

    def refuse_unless_empty(self, key: str, feature: str) -> None:
        """Refuse a member that asks for something Skerry cannot do yet."""
        found = self.get(key)
        if found is not None and found.value not in ("", False, None, [], {}):
            found.refuse(unsupported(feature))


def read_json(root: Path, file: str) -> Node:
    """Read a JSON file below `root`.

    Raises:
        ConfigurationError: If it cannot be read, is too large or nested too deeply, or is not JSON.
    """
    return _read(root, file, _decode_json)


def read_toml(root: Path, file: str) -> Node:
    """Read a TOML file below `root`; raises like `read_json`."""
    return _read(root, file, _decode_toml)


def _read(root: Path, file: str, decode: Callable[[bytes], object]) -> Node:
    path = root / file
    whole = Node(file, "", None)
    try:
        if path.stat().st_size > CONFIG_FILE_MAX_BYTES:
            whole.refuse(f"is larger than {CONFIG_FILE_MAX_BYTES} bytes")
        value = decode(path.read_bytes())
    except OSError as error:
        whole.refuse(f"cannot be read: {error.strerror}")
    except (msgspec.DecodeError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        whole.refuse(f"cannot be parsed: {error}")
    except RecursionError:
        whole.refuse(f"is nested more than {CONFIG_NESTING_MAX_LEVELS} levels deep")
    if _depth_exceeds(value, CONFIG_NESTING_MAX_LEVELS):
        whole.refuse(f"is nested more than {CONFIG_NESTING_MAX_LEVELS} levels deep")
    return Node(file, "", value)


def _decode_json(data: bytes) -> object:
    value: object = msgspec.json.decode(data)
    return value


def _decode_toml(data: bytes) -> object:
    return tomllib.loads(data.decode("utf-8"))


def _depth_exceeds(value: object, levels: int) -> bool:
    if isinstance(value, dict):
        members: list[object] = list(value.values())
    elif isinstance(value, list):
        members = value
    else:
        return False
    return levels == 0 or any(_depth_exceeds(member, levels - 1) for member in members)
