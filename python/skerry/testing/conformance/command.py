"""The command line: ``merge FILE... [--peers-only]`` and ``rql DATASET FILE... [--engine ENGINE]``.

Standard output names each program that fails, with the first thing that is not as it should be, or
each query, with what it should give and what it gives. It ends with how many passed and failed.
Exit status: 0 when none failed, 1 when some did, 2 for a file that cannot be read, with
``FILE:LINE: REASON`` on standard error.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from skerry.testing.conformance.dataset import read_dataset
from skerry.testing.conformance.files import CaseFileError
from skerry.testing.conformance.programs import read_programs
from skerry.testing.conformance.queries import Engine, read_cases, run_cases
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
        if options.command == "merge":
            return _merge(options.files, options.peers_only)
        return _rql(options.dataset, options.files, Engine(options.engine))
    except CaseFileError as error:
        print(error, file=sys.stderr)
        return EXIT_BAD_FILE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skerry.testing.conformance",
        description="Run recorded programs and queries through Skerry and compare how they end.",
    )
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    merge = commands.add_parser("merge", help="concurrent writes of several clients")
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one program a line")
    merge.add_argument(
        "--peers-only",
        action="store_true",
        help="ignore recorded states; after exchanging what is left, all peers must agree",
    )
    rql = commands.add_parser("rql", help="queries on a dataset")
    rql.add_argument("dataset", type=Path, metavar="DATASET", help="classes and objects")
    rql.add_argument("files", nargs="+", type=Path, metavar="FILE", help="one query a line")
    rql.add_argument(
        "--engine",
        choices=[each.value for each in Engine],
        default=Engine.SQL.value,
        help="sql: as applications run them (default); evaluator: without SQL, on every object",
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
    return _conclude(len(programs), failed)


def _rql(path: Path, files: Sequence[Path], engine: Engine) -> int:
    dataset = read_dataset(path)
    cases = [each for file in files for each in read_cases(file, dataset.classes)]
    failed = 0
    for failure in run_cases(dataset, cases, engine):
        failed += 1
        print(failure, flush=True)
    return _conclude(len(cases), failed)


def _conclude(total: int, failed: int) -> int:
    print(f"{total - failed} passed, {failed} failed")
    return EXIT_FAILED if failed else EXIT_PASSED
