"""Running one program to its end, and telling how it went.

Stamps decide only by their order, which is that of unsigned numbers. The server refuses those that
are negative or in the future, so each program's are replaced by past ones in the same order.
"""

from pathlib import Path
from typing import Final

from skerry.errors import SkerryError
from skerry.testing.conformance.files import one_line, scratch_folder
from skerry.testing.conformance.operations import NothingToDeleteError
from skerry.testing.conformance.peers import PeerError, Peers
from skerry.testing.conformance.programs import Download, Program, Step, Upload, Write
from skerry.testing.conformance.states import State, first_difference

STAMP_RANGE: Final = 2**64


def run(program: Program) -> str | None:
    """Run a program; return what failed, None when nothing did.

    A program with final states must end in them. One without exchanges what is left, all uploads
    and then all downloads; then every client must hold what the server holds.
    """
    with scratch_folder() as folder:
        try:
            with Peers(Path(folder), program.classes, program.clients) as peers:
                failure = _run_steps(program, peers)
                return failure if failure is not None else _compare(program, peers)
        except (PeerError, SkerryError) as error:
            return one_line(error)


def _run_steps(program: Program, peers: Peers) -> str | None:
    ranks = _ranks(program)
    steps: list[Step] = list(program.steps)
    if program.final is None:
        steps += [Upload(client) for client in _clients(program)]
        steps += [Download(client) for client in _clients(program)]
    for number, step in enumerate(steps):
        try:
            _take(step, peers, ranks)
        except (NothingToDeleteError, PeerError, SkerryError) as error:
            kind = type(step).__name__.lower()
            return f"step {number}, {kind} of client {step.client}: {one_line(error)}"
    return None


def _take(step: Step, peers: Peers, ranks: dict[int, int]) -> None:
    match step:
        case Write():
            peers.write(step.client, ranks[step.stamp], step.operations)
        case Upload():
            peers.upload(step.client)
        case Download():
            peers.download(step.client)


def _ranks(program: Program) -> dict[int, int]:
    stamps = {step.stamp for step in program.steps if isinstance(step, Write)}
    ordered = sorted(stamps, key=lambda stamp: stamp % STAMP_RANGE)
    return {stamp: rank for rank, stamp in enumerate(ordered)}


def _clients(program: Program) -> range:
    return range(1, program.clients + 1)


def _compare(program: Program, peers: Peers) -> str | None:
    found: list[tuple[str, State]] = [("server", peers.server_state())]
    found += [(f"client {k}", peers.client_state(k)) for k in _clients(program)]
    if program.final is None:
        expected = [found[0][1]] * len(found)
        source = " as on the server"
    else:
        expected = [program.final.server, *program.final.clients]
        source = ""
    for (name, state), wanted in zip(found, expected, strict=True):
        difference = first_difference(state, wanted, program.classes)
        if difference is not None:
            return f"{name}: {difference}{source}"
    return None
