"""Typed access to what was read from JSON: the first thing that is not as it should be is named."""

from collections.abc import Mapping
from dataclasses import dataclass

JSON_TYPES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number with a fraction",
    type(None): "null",
}


class FormatError(ValueError):
    """What was read is no program; the message says what is wrong and where in the program."""


def wrong(where: str, expected: str, found: object) -> FormatError:
    """Return the error for a value of another type than expected."""
    return FormatError(f"{where}: {expected} is expected, not {JSON_TYPES[type(found)]}")


def as_members(where: str, value: object) -> "Members":
    """Return the members of an object.

    Raises:
        FormatError: It is none.
    """
    if not isinstance(value, dict):
        raise wrong(where, "an object", value)
    return Members(where, value)


def as_items(where: str, value: object) -> list[object]:
    """Return the elements of an array.

    Raises:
        FormatError: It is none.
    """
    if not isinstance(value, list):
        raise wrong(where, "an array", value)
    return value


def as_integer(where: str, value: object) -> int:
    """Return a whole number.

    Raises:
        FormatError: It is none.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise wrong(where, "a whole number", value)
    return value


@dataclass(frozen=True, slots=True)
class Members:
    """The members of one JSON object; `where` names it in errors."""

    where: str
    values: Mapping[str, object]

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def any(self, name: str) -> object:
        """Return a member.

        Raises:
            FormatError: It is missing.
        """
        if name not in self.values:
            raise FormatError(f'{self.where}: "{name}" is missing')
        return self.values[name]

    def text(self, name: str) -> str:
        """Return a member that is a text; raises as `any` does, also for another type."""
        value = self.any(name)
        if not isinstance(value, str):
            raise wrong(self._place(name), "a text", value)
        return value

    def optional_text(self, name: str) -> str | None:
        """Return a member that is a text, None when it is null or missing.

        Raises:
            FormatError: It is of another type.
        """
        return None if self.values.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """Return a member that is a whole number; raises as `any` does, also for another type."""
        return as_integer(self._place(name), self.any(name))

    def flag(self, name: str) -> bool:
        """Return a member that is true or false, false when it is missing.

        Raises:
            FormatError: It is neither.
        """
        value = self.values.get(name, False)
        if not isinstance(value, bool):
            raise wrong(self._place(name), "true or false", value)
        return value

    def items(self, name: str) -> list[object]:
        """Return a member that is an array; raises as `any` does, also for another type."""
        return as_items(self._place(name), self.any(name))

    def members(self, name: str) -> "Members":
        """Return a member that is an object; raises as `any` does, also for another type."""
        return as_members(self._place(name), self.any(name))

    def _place(self, name: str) -> str:
        return f"{self.where}.{name}"
