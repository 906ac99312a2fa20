"""The prompt of ``skerry inspect --shell``: a query a line, and commands that begin with a dot.

What is wrong with one line is said and the prompt comes back. Without a terminal on standard input
the lines are read without a prompt, so that they can come from a file.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from skerry.cli.inspect_report import Printer
from skerry.cli.inspection import ClassFacts, Inspection
from skerry.errors import SkerryError

HELP = """\
CLASS             the objects of a class
CLASS: RQL        those that a query gives, such as  Item: done == false SORT(name ASC)
.classes          the classes and how many objects they have
.schema [CLASS]   the properties
.info             the file, its log, cursors and who has it open
.history [N]      the newest entries of the history, or the instructions of version N
.check            whether the file is sound
.help             this
.quit             the end, as is the end of the input"""


@dataclass(frozen=True, slots=True)
class Shell:
    """Answers lines.

    Args:
        inspection: The file.
        printer: Where answers go.
        say: Where sentences go.
    """

    inspection: Inspection
    printer: Printer
    say: Callable[[str], None]

    def run(self, lines: Iterator[str]) -> None:
        """Answer each line until ``.quit`` or the last one."""
        for line in lines:
            stripped = line.strip()
            if stripped in (".quit", ".exit"):
                return
            if not stripped:
                continue
            try:
                self._answer(stripped)
            except SkerryError as error:
                self.say(str(error))

    def _answer(self, line: str) -> None:
        if not line.startswith("."):
            self.printer.answer(self.inspection.query(line, self.printer.limit))
            return
        command, _, argument = line.partition(" ")
        match command:
            case ".classes":
                self.printer.classes(self.inspection.report()["classes"])
            case ".schema":
                self._schema(argument.strip())
            case ".info":
                self.printer.facts(self.inspection.report())
            case ".history":
                self._history(argument.strip())
            case ".check":
                self.printer.findings(self.inspection.check(self.printer.limit))
            case ".help":
                self.say(HELP)
            case _:
                self.say(f"there is no command {command}; .help lists them")

    def _schema(self, name: str) -> None:
        classes = self.inspection.report()["classes"]
        wanted: list[ClassFacts] = [one for one in classes if name in ("", one["name"])]
        if name and not wanted:
            self.say(f"there is no class {name!r}; .classes lists them")
            return
        self.printer.schema(wanted)

    def _history(self, version: str) -> None:
        if not version:
            self.printer.history(self.inspection.history(self.printer.limit))
            return
        try:
            number = int(version)
        except ValueError:
            self.say(f"a version is a number, not {version!r}")
            return
        detail = self.inspection.entry(number, self.printer.limit)
        if detail is None:
            self.say(no_entry(number))
        else:
            self.printer.entry(detail)


def no_entry(version: int) -> str:
    """Say that the history has no entry of a version."""
    return f"the history has no entry {version}; it keeps those that merges and uploads still need"


def typed_lines() -> Iterator[str]:
    """Yield the lines of standard input, asked for with a prompt when it is a terminal."""
    if not sys.stdin.isatty():
        yield from sys.stdin
        return
    # For editing and recalling lines, where the system has it.
    try:
        import readline  # noqa: F401
    except ImportError:
        sys.stderr.write("skerry inspect: lines cannot be edited here, there is no readline\n")
    while True:
        try:
            yield input("skerry> ")
        except EOFError:
            return
