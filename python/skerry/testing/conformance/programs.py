"""Programs: a schema, steps of several clients, and how they were recorded to end.

One JSON object a line: ``name``, ``schema``, ``clients``, ``steps`` and ``final``. Other members
are information. A program without ``final`` ends well when all its peers agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from skerry.testing.conformance.classes import Classes
from skerry.testing.conformance.files import (
    CaseFileError,
    case_file_error,
    numbered_lines,
    parse,
)
from skerry.testing.conformance.members import FormatError, Members, as_integer, as_members
from skerry.testing.conformance.operations import Operation, read_operation
from skerry.testing.conformance.states import State, read_state

CLIENTS_MAX = 100


@dataclass(frozen=True, slots=True)
class Write:
    """One transaction of a client, counted from 1, with the stamp that its changeset gets."""

    client: int
    stamp: int
    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Upload:
    """The server integrates every outstanding changeset of a client."""

    client: int


@dataclass(frozen=True, slots=True)
class Download:
    """A client integrates every outstanding changeset of the server."""

    client: int


Step: TypeAlias = Write | Upload | Download


@dataclass(frozen=True, slots=True)
class Final:
    """The states in which all end."""

    server: State
    clients: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """A program, and the line it stands in."""

    path: Path
    line: int
    name: str
    classes: Classes
    clients: int
    steps: tuple[Step, ...]
    final: Final | None


def read_programs(path: Path, *, with_final: bool) -> list[Program]:
    """Return the programs of a file, in order.

    Args:
        path: The file.
        with_final: Whether each must have final states; else they are not looked at.

    Raises:
        CaseFileError: It cannot be read, holds no programs, or one that is wrong.
    """
    programs = list(_programs(path, with_final))
    if not programs:
        raise CaseFileError(path, None, "there is no program in it")
    return programs


def _programs(path: Path, with_final: bool) -> Iterator[Program]:
    for line, text in numbered_lines(path):
        try:
            yield _program(path, line, parse("program", text), with_final)
        except (ValueError, RecursionError) as error:
            raise case_file_error(path, line, error) from error


def _program(path: Path, line: int, members: Members, with_final: bool) -> Program:
    name, clients = members.text("name"), members.integer("clients")
    if not 1 <= clients <= CLIENTS_MAX:
        raise FormatError(f"program.clients: 1 to {CLIENTS_MAX} are possible, not {clients}")
    classes = Classes.read(members.items("schema"))
    steps = [
        _step(as_members(f"steps[{i}]", item), classes, clients)
        for i, item in enumerate(members.items("steps"))
    ]
    final = None
    if with_final:
        if "final" not in members:
            raise FormatError(
                f'program "{name}" has no member "final"; it can only be run with --peers-only'
            )
        final = _final(members.members("final"), classes, clients)
    return Program(path, line, name, classes, clients, tuple(steps), final)


def _step(members: Members, classes: Classes, clients: int) -> Step:
    member = next((each for each in ("upload", "download") if each in members), "client")
    client = members.integer(member)
    if not 1 <= client <= clients:
        raise FormatError(f"{members.where}: there is no client {client}")
    if member == "upload":
        return Upload(client)
    if member == "download":
        return Download(client)
    operations = [
        read_operation(as_members(f"{members.where}.write[{i}]", item), classes)
        for i, item in enumerate(members.items("write"))
    ]
    return Write(client, as_integer("at", members.integer("at")), tuple(operations))


def _final(members: Members, classes: Classes, clients: int) -> Final:
    states = members.items("clients")
    if len(states) != clients:
        raise FormatError(f"final.clients: there are {len(states)} states of {clients} clients")
    return Final(
        read_state(members.members("server"), classes),
        tuple(read_state(as_members("final.clients", state), classes) for state in states),
    )
