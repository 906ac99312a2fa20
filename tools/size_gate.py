"""The size gate: files of at most 800 lines, functions of at most 70.

What is larger holds two things and is split by noun. The hard budgets fail the build; the soft ones
(400 and 40) are shown with ``--verbose`` only. Comments, docstrings and tests count: they are read
too. A Python function reaches from its ``def`` to its last line, a Rust function from its ``fn`` to
its closing brace.

What must be larger for a while stands in ``tools/size_allow.txt``, one entry a line::

    2027-01-31 rust/skerry-x/src/y.rs the generated table, to be split by family
    2027-01-31 rust/skerry-x/src/y.rs::name why, and what will end it

An entry past its date fails, and so does one that is no longer needed. What this does not do: judge
complexity, or read macros as the functions that they make.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import datetime as dt
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tools.rust_functions import rust_functions

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FILE_LINES_MAX = 800
FILE_LINES_SOFT = 400
FUNCTION_LINES_MAX = 70
FUNCTION_LINES_SOFT = 40

SUFFIXES = frozenset({".rs", ".py", ".pyi"})
SKIPPED_FOLDERS = frozenset({"target", "dist", "__pycache__", "node_modules"})
ALLOW_FILE = "tools/size_allow.txt"


@dataclasses.dataclass(frozen=True, slots=True)
class Measure:
    """The size of one file or function.

    ``key`` is what an allow-list entry names: the path, or ``path::function``.
    """

    key: str
    line: int
    lines: int
    soft: int
    hard: int

    def describe(self, limit: int) -> str:
        """One line for a reader, with the place and the budget that was passed."""
        place = self.key if self.line == 1 and "::" not in self.key else f"{self.key}:{self.line}"
        return f"{place}: {self.lines} lines, the budget is {limit}"


@dataclasses.dataclass(frozen=True, slots=True)
class Allowance:
    """One entry of the allow-list: ``key`` may exceed its budget until ``until`` inclusive."""

    key: str
    until: dt.date
    reason: str


def source_files(root: Path) -> Iterator[Path]:
    """Yield the source files under ``root`` in a stable order, without caches and build output."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in SKIPPED_FOLDERS and not n.startswith("."))
        for name in sorted(files):
            if Path(name).suffix in SUFFIXES:
                yield Path(folder) / name


def python_functions(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield (name, first line, lines) of every function in Python source, nested ones too.

    Raises:
        SyntaxError: ``text`` is not Python.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno if node.end_lineno is not None else node.lineno
            yield node.name, node.lineno, last - node.lineno + 1


def measure(path: Path, root: Path) -> Iterator[Measure]:
    """Yield the measure of a file, then those of its functions."""
    text = path.read_text(encoding="utf-8")
    key = path.relative_to(root).as_posix()
    yield Measure(key, 1, len(text.splitlines()), FILE_LINES_SOFT, FILE_LINES_MAX)
    functions = rust_functions(text) if path.suffix == ".rs" else python_functions(text)
    for name, line, lines in functions:
        yield Measure(f"{key}::{name}", line, lines, FUNCTION_LINES_SOFT, FUNCTION_LINES_MAX)


def read_allowances(path: Path) -> list[Allowance]:
    """Read the allow-list; an absent file is an empty list.

    Raises:
        ValueError: an entry lacks its date, its key or its reason; the message names the line.
    """
    if not path.exists():
        return []
    entries = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        words = line.split(maxsplit=2)
        if not words or line.lstrip().startswith("#"):
            continue
        try:
            date, key, reason = words
            entries.append(Allowance(key, dt.date.fromisoformat(date), reason))
        except ValueError as error:
            message = f"{path}:{number}: expected `YYYY-MM-DD KEY REASON`, found {line!r}"
            raise ValueError(message) from error
    return entries


def failures(
    measures: Sequence[Measure], allowances: Sequence[Allowance], today: dt.date
) -> list[str]:
    """Return one sentence for each budget passed without leave and each stale entry."""
    allowed = {entry.key: entry for entry in allowances}
    found = []
    needed = set()
    for item in measures:
        if item.lines <= item.hard:
            continue
        entry = allowed.get(item.key)
        if entry is None:
            found.append(item.describe(item.hard))
        else:
            needed.add(item.key)
            if entry.until < today:
                found.append(f"{item.describe(item.hard)}; its leave ended on {entry.until}")
    stale = [entry.key for entry in allowances if entry.key not in needed]
    return found + [f"{key}: is within its budget; take it off {ALLOW_FILE}" for key in stale]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the gate over a tree; 0 if everything is within its budget, 1 if not."""
    parser = argparse.ArgumentParser(prog="size_gate", description="Check sizes of source files.")
    parser.add_argument("root", nargs="?", type=Path, default=Path())
    parser.add_argument("--verbose", action="store_true", help="also show soft budgets passed")
    options = parser.parse_args(argv)
    root: Path = options.root
    measures = [item for path in source_files(root) for item in measure(path, root)]
    today = dt.datetime.now(tz=dt.UTC).date()
    found = failures(measures, read_allowances(root / ALLOW_FILE), today)
    if options.verbose:
        for item in measures:
            if item.soft < item.lines <= item.hard:
                sys.stdout.write(f"note: {item.describe(item.soft)}\n")
    for sentence in found:
        sys.stderr.write(f"{sentence}\n")
    files = sum("::" not in item.key for item in measures)
    verdict = f"{len(found)} over their budget" if found else "all within their budgets"
    sys.stdout.write(f"size gate: {files} files, {len(measures) - files} functions, {verdict}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
