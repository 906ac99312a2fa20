"""The command line: ``merge FILE... [--peers-only]``.

Standard output names each program that fails, with the first thing that is not as it should be, and
ends with how many passed and failed. Exit status: 0 when none failed, 1 when some did, 2 for a file
that cannot be read, with ``FILE:LINE: REASON`` on standard error.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from skerry.testing.conformance.programs import ProgramFileError, read_programs
from skerry.testing.conformance.run import run

EXIT_PASSED: Final = 0
EXIT_FAILED: Final = 1
EXIT_BAD_FILE: Final = 2


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments say and return the exit status.

    Raises:
        SystemExit: The arguments are wrong, or ask for help.
    """
    options = _parser().parse_args(arguments)
    try:
        return _merge(options.files, options.peers_only)
    except ProgramFileError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_FILE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skerry.testing.conformance",
        description="Run recorded programs through Skerry and compare how they end.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    merge = commands.add_parser("merge", help="concurrent writes of several clients")
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one program a line")
    merge.add_argument(
        "--peers-only",
        action="store_true",
        help="ignore recorded states; after exchanging what is left, all peers must agree",
    )
    return parser


def _merge(files: Sequence[Path], peers_only: bool) -> int:
    # Read before the first is run: a bad file is no outcome.
    programs = [each for file in files for each in read_programs(file, with_final=not peers_only)]
    failed = 0
    for program in programs:
        failure = run(program)
        if failure is not None:
            failed += 1
            print(f"{program.name}: {failure}", flush=True)
    print(f"{len(programs) - failed} passed, {failed} failed")
    return EXIT_FAILED if failed else EXIT_PASSED
