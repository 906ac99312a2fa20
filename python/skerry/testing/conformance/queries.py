"""Queries with their recorded results: what they are read from, and how they are run.

One JSON object a line: ``id``, ``class``, ``query``, ``args`` and ``result``, which is either
``{"pks": [...]}``, the keys of the objects in the order in which they come, or
``{"error": {"kind": ...}}``. Other members are information. An argument is a value, an array of
values, or a region: ``{"$geoCircle": {"center": point, "radius": radians}}``,
``{"$geoBox": [point, point]}`` or ``{"$geoPolygon": [ring...]}``, rings being arrays of points and
points ``[longitude, latitude]``.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final, TypeAlias

from skerry._core import Snapshot
from skerry.errors import QueryError, QueryErrorKind, SkerryError
from skerry.geo import box_text, circle_text, polygon_text
from skerry.testing.conformance.classes import Classes
from skerry.testing.conformance.dataset import Dataset
from skerry.testing.conformance.extended_json import decode, encode
from skerry.testing.conformance.files import (
    CaseFileError,
    case_file_error,
    numbered_lines,
    one_line,
    parse,
    scratch_folder,
)
from skerry.testing.conformance.members import FormatError, Members, as_items, as_members, wrong
from skerry.types import Argument, Content

POINT_LENGTH: Final = 2


class Engine(Enum):
    """What a query is run by."""

    SQL = "sql"
    """As applications run it: what can be is left to SQLite."""
    EVALUATOR = "evaluator"
    """The evaluator alone, on every object."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of the objects that a query gives, in order."""

    keys: tuple[Content, ...]

    def __str__(self) -> str:
        return json.dumps([encode(key) for key in self.keys], ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """That a query is refused, and why; the text is for people."""

    kind: QueryErrorKind | None
    text: str = ""

    def __str__(self) -> str:
        kind = "an error of no kind" if self.kind is None else f"error: {self.kind.value}"
        return f"{kind} ({self.text})" if self.text else kind


Outcome: TypeAlias = Keys | Refusal


@dataclass(frozen=True, slots=True)
class Case:
    """A query, and what it was recorded to give."""

    name: str
    class_name: str
    text: str
    arguments: tuple[Argument, ...]
    expected: Outcome


@dataclass(frozen=True, slots=True)
class Failure:
    """A query that does not give what it was recorded to give."""

    case: Case
    found: Outcome

    def __str__(self) -> str:
        case = self.case
        shown = [_encode_argument(each) for each in case.arguments]
        arguments = f" with {json.dumps(shown, ensure_ascii=False)}" if shown else ""
        return (
            f"{case.name}: {case.class_name}: {case.text}{arguments}\n"
            f"    expected {case.expected}\n    found    {self.found}"
        )


def read_cases(path: Path, classes: Classes) -> list[Case]:
    """Return the queries of a file, in order.

    Raises:
        CaseFileError: It cannot be read, holds no queries, or one that is wrong.
    """
    cases = list(_cases(path, classes))
    if not cases:
        raise CaseFileError(path, None, "there is no query in it")
    return cases


def run_cases(dataset: Dataset, cases: Sequence[Case], engine: Engine) -> Iterator[Failure]:
    """Run queries on a new file of the dataset, and yield those that fail.

    Raises:
        CaseFileError: The dataset does not go into a file.
    """
    with scratch_folder() as folder:
        file = dataset.make_file(Path(folder) / "dataset.realm")
        snapshot = file.snapshot()
        try:
            for case in cases:
                found = _run(snapshot, dataset.classes, case, engine)
                if not _agree(found, case.expected):
                    yield Failure(case, found)
        finally:
            snapshot.close()
            file.close()


def _run(snapshot: Snapshot, classes: Classes, case: Case, engine: Engine) -> Outcome:
    call = snapshot.query if engine is Engine.SQL else snapshot.evaluate
    try:
        rows = call(case.class_name, case.text, case.arguments)
    except QueryError as error:
        return Refusal(error.kind, str(error))
    except SkerryError as error:
        return Refusal(None, one_line(error))
    position = classes.key_position(case.class_name)
    return Keys(tuple(row[position] for row in rows))


def _agree(found: Outcome, expected: Outcome) -> bool:
    match found, expected:
        case Keys(), Keys():
            return found == expected
        case Refusal(), Refusal():
            return found.kind is expected.kind
        case _:
            return False


def _cases(path: Path, classes: Classes) -> Iterator[Case]:
    for line, text in numbered_lines(path):
        try:
            yield _case(parse("query", text), classes)
        except (ValueError, RecursionError) as error:
            raise case_file_error(path, line, error) from error


def _case(members: Members, classes: Classes) -> Case:
    class_name = members.text("class")
    classes.key_position(class_name)
    return Case(
        members.text("id"),
        class_name,
        members.text("query"),
        tuple(_argument(item) for item in members.items("args")),
        _outcome(members.members("result")),
    )


def _outcome(members: Members) -> Outcome:
    if "error" not in members:
        return Keys(tuple(decode(item, "") for item in members.items("pks")))
    kind = members.members("error").text("kind")
    try:
        return Refusal(QueryErrorKind(kind))
    except ValueError:
        raise FormatError(f'query.result.error: "{kind}" is no kind of error') from None


def _argument(value: object) -> Argument:
    if isinstance(value, list):
        return [decode(item, "") for item in value]
    if not isinstance(value, dict):
        return decode(value, "")
    members = as_members("region", value)
    match next(iter(value), ""):
        case "$geoCircle":
            circle = members.members("$geoCircle")
            center = _point(circle.any("center"))
            return circle_text(center, _number(circle.any("radius")))
        case "$geoBox":
            first, second = (_point(item) for item in _items(members, "$geoBox", POINT_LENGTH))
            return box_text(first, second)
        case "$geoPolygon":
            rings = [as_items("ring", ring) for ring in members.items("$geoPolygon")]
            return polygon_text([[_point(item) for item in ring] for ring in rings])
        case _:
            return decode(value, "")


def _items(members: Members, name: str, length: int) -> list[object]:
    items = members.items(name)
    if len(items) != length:
        raise FormatError(f"{name}: {length} are expected, not {len(items)}")
    return items


def _point(value: object) -> tuple[float, float]:
    longitude, latitude = _items(Members("point", {"point": value}), "point", POINT_LENGTH)
    return _number(longitude), _number(latitude)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong("region", "a number", value)
    return float(value)


def _encode_argument(argument: Argument) -> object:
    match argument:
        case list() | tuple():
            return [encode(item) for item in argument]
        case _:
            return encode(argument)
