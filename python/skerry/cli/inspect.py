"""``skerry inspect``: look into a realm file or a server's store without changing it.

Exit status: 0 when all was answered, 1 when ``--check`` found something, 2 when the file or a query
cannot be answered, with one line on standard error.
"""

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from skerry.cli.inspect_report import Printer
from skerry.cli.inspect_shell import Shell, no_entry, typed_lines
from skerry.cli.inspect_values import Json, to_json
from skerry.cli.inspection import Answer, Inspection
from skerry.errors import ConfigurationError, IllegalStateError, QueryError, SkerryError

EXIT_UNSOUND = 1
EXIT_NO_ANSWER = 2
LIMIT_DEFAULT = 50
WIDTH_DEFAULT = 40
# Wider than any table: only a terminal makes lines break.
_UNBROKEN = 100_000
_EVERYTHING = "newest"
ENCRYPTION_KEY_BYTES = 64
# Digits with blanks around them.
_KEY_FILE_BYTES_MAX = 1024


class _Version(click.ParamType[object]):
    """A version of the history; nothing stands for the newest entries."""

    name = "version"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        if isinstance(value, int) or value == _EVERYTHING:
            return value
        try:
            return int(str(value))
        except ValueError:
            self.fail(f"{value!r} is no version; write FILE before --history", param, ctx)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--query",
    "-q",
    "queries",
    multiple=True,
    metavar="CLASS[: RQL]",
    help="Print the objects that a query gives. May be repeated.",
)
@click.option(
    "--history",
    is_flag=False,
    flag_value=_EVERYTHING,
    type=_Version(),
    metavar="[VERSION]",
    help="List the newest entries of the history, or print the instructions of one.",
)
@click.option("--check", is_flag=True, help="Check that the file is sound. Reads all of it.")
@click.option(
    "--full",
    is_flag=True,
    help="Also count dangling links and the bytes of each table. Reads the whole file.",
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="File with the key of an encrypted FILE: 64 bytes, or as 128 hexadecimal digits.",
)
@click.option("--shell", is_flag=True, help="Ask for queries; .help says what else.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
@click.option(
    "--limit",
    default=LIMIT_DEFAULT,
    show_default=True,
    type=click.IntRange(0),
    help="Rows of a table at most.",
)
@click.option(
    "--width",
    default=WIDTH_DEFAULT,
    show_default=True,
    type=click.IntRange(4),
    help="Characters of a value at most; JSON has all of them.",
)
def inspect(
    file: Path,
    queries: tuple[str, ...],
    history: object,
    check: bool,
    full: bool,
    key_file: Path | None,
    shell: bool,
    as_json: bool,
    limit: int,
    width: int,
) -> None:
    """Look into FILE, a realm file or a server's store, without changing a byte of it.

    Without options: what it is, its classes and objects, history, subscriptions and log. The file
    may be in use.
    """
    if shell and as_json:
        raise click.UsageError("--shell prints tables only; leave out --json")
    try:
        with _interruptible():
            inspection = Inspection(file, None if key_file is None else _read_key(key_file))
            printer = Printer(_console(), limit, width, time.time_ns() // 1_000_000)
            asked = _Asked(inspection, queries, history, check=check, full=full, limit=limit)
            if as_json:
                found = asked.as_json()
                click.echo(json.dumps(found, ensure_ascii=False, indent=2))
            elif shell:
                Shell(inspection, printer, click.echo).run(typed_lines())
            else:
                asked.print(printer)
    except (OSError, SkerryError) as error:
        click.echo(f"skerry inspect: {_one_line(error)}", err=True)
        raise SystemExit(EXIT_NO_ANSWER) from error
    if asked.is_unsound:
        raise SystemExit(EXIT_UNSOUND)


def _read_key(path: Path) -> bytes:
    """Return the key in a file; never a part of it in an error."""
    with path.open("rb") as file:
        content = file.read(_KEY_FILE_BYTES_MAX + 1)
    if len(content) == ENCRYPTION_KEY_BYTES:
        return content
    digits = content.strip()
    if len(digits) == 2 * ENCRYPTION_KEY_BYTES:
        try:
            return bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            pass  # said below, as for every other content
    raise ConfigurationError(
        f"{path} is not the key of a file: {ENCRYPTION_KEY_BYTES} bytes, or "
        f"{2 * ENCRYPTION_KEY_BYTES} hexadecimal digits"
    )


class _Asked:
    """What the options ask for; nothing asks for the report."""

    def __init__(
        self,
        inspection: Inspection,
        queries: tuple[str, ...],
        history: object,
        *,
        check: bool,
        full: bool,
        limit: int,
    ) -> None:
        self._inspection = inspection
        self._queries = queries
        self._history = history
        self._check = check
        self._full = full
        self._limit = limit
        self.is_unsound = False

    @property
    def _wants_report(self) -> bool:
        return self._full or not (self._queries or self._check or self._history is not None)

    def print(self, printer: Printer) -> None:
        """Print tables."""
        inspection = self._inspection
        if self._wants_report:
            printer.report(inspection.report(full=self._full))
        for query in self._queries:
            printer.answer(inspection.query(query, self._limit))
        match self._history:
            case int(version):
                detail = inspection.entry(version, self._limit)
                if detail is None:
                    raise IllegalStateError(no_entry(version))
                printer.entry(detail)
            case str():
                printer.history(inspection.history(self._limit))
        if self._check:
            findings = inspection.check(max(self._limit, 1))
            self.is_unsound = bool(findings)
            printer.findings(findings)

    def as_json(self) -> dict[str, object]:
        """Return one member for each thing asked for."""
        inspection = self._inspection
        found: dict[str, object] = {}
        if self._wants_report:
            found["report"] = inspection.report(full=self._full)
        if self._queries:
            answers = [inspection.query(query, self._limit) for query in self._queries]
            found["queries"] = [_answer(answer) for answer in answers]
        match self._history:
            case int(version):
                detail = inspection.entry(version, self._limit)
                if detail is None:
                    raise IllegalStateError(no_entry(version))
                found["entry"] = detail
            case str():
                found["history"] = inspection.history(self._limit)
        if self._check:
            findings = inspection.check(max(self._limit, 1))
            self.is_unsound = bool(findings)
            found["findings"] = findings
        return found


def _answer(answer: Answer) -> Json:
    rows: list[Json] = [
        {name: to_json(value) for name, value in zip(answer.properties, row, strict=True)}
        for row in answer.rows
    ]
    return {
        "class_name": answer.class_name,
        "query": answer.rql,
        "total": answer.total,
        "rows": rows,
    }


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, QueryError) and error.position is not None:
        return f"query: {text}"
    return text


def _console() -> Console:
    """Return where tables go; only a terminal has a width that they have to keep to."""
    is_terminal = sys.stdout.isatty()
    return Console(
        width=None if is_terminal else _UNBROKEN,
        soft_wrap=False,
        highlight=False,
        markup=False,
        emoji=False,
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let ^C end the process at once, also within a long scan: nothing is being written."""
    try:
        before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    except ValueError:
        # Not the main thread; then it is not asked to end either.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
