"""Files of recorded cases, one JSON object a line, and the folder in which they are run."""

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from skerry.testing.conformance.members import Members, as_members

# Nobody needs the files afterwards; a disk would spend most of the time on making them durable.
MEMORY_FOLDER: Final = "/dev/shm"


class CaseFileError(Exception):
    """A file of cases cannot be read: whose fault it is stands in the message, with its line."""

    def __init__(self, path: Path, line: int | None, reason: str) -> None:
        self.path = path
        self.line = line
        self.reason = reason
        place = str(path) if line is None else f"{path}:{line}"
        super().__init__(f"{place}: {reason}")


def read_text(path: Path) -> str:
    """Return what is in a file.

    Raises:
        CaseFileError: It cannot be read, or is no text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CaseFileError(path, None, error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise CaseFileError(path, None, f"it is not UTF-8: {error.reason}") from error


def numbered_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers, which begin with 1.

    Raises:
        CaseFileError: As `read_text` does.
    """
    for line, text in enumerate(read_text(path).split("\n"), start=1):
        if text.strip():
            yield line, text


def parse(what: str, text: str) -> Members:
    """Return the members of the JSON object that a text is.

    Raises:
        ValueError: It is none.
        RecursionError: It is nested too deeply.
    """
    return as_members(what, json.loads(text))


def case_file_error(path: Path, line: int | None, error: Exception) -> CaseFileError:
    """Return the error for a line that is no case."""
    return CaseFileError(path, line, " ".join(str(error).split()))


def scratch_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a new folder for the files of a run: where TMPDIR says, else in memory if possible."""
    is_free = "TMPDIR" not in os.environ and os.access(MEMORY_FOLDER, os.W_OK | os.X_OK)
    return tempfile.TemporaryDirectory(
        prefix="skerry-conformance-", dir=MEMORY_FOLDER if is_free else None
    )


def one_line(error: Exception) -> str:
    """Return the class of an error and its message."""
    return " ".join(f"{type(error).__name__}: {error}".split())
