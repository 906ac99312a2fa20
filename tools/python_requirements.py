"""Prints what ``pyproject.toml`` asks pip for: the dependencies and every extra, one a line.

The Makefile installs these before the package itself, so that the linters run while the Rust part
does not compile yet. The package's own name in an extra (``skerry[server]``) is left out: what that
extra asks for is listed here anyway.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path


def requirements(pyproject: str) -> list[str]:
    """Return the requirement strings of a ``pyproject.toml``, sorted and without repetition."""
    project = tomllib.loads(pyproject)["project"]
    wanted = set(project.get("dependencies", []))
    for extra in project.get("optional-dependencies", {}).values():
        wanted.update(extra)
    return sorted(line for line in wanted if not line.startswith(f"{project['name']}["))


if __name__ == "__main__":
    text = Path("pyproject.toml").read_text(encoding="utf-8")
    sys.stdout.write("\n".join(requirements(text)) + "\n")
