"""Selects the merge conformance programs that need scalars and links only.

Usage: ``python -m tools.select_merge_cases CASES SELECTED``. Reads the programs in CASES (JSON
lines) and writes to SELECTED, unchanged and in order, those that use no operation on collections or
embedded objects, and whose schema has none. Prints how many there are of how many.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TypeAlias

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

SCALAR_OPERATIONS = frozenset({"create", "delete", "set", "set_link", "add_int"})


def _objects(value: Json) -> list[dict[str, Json]]:
    """The JSON objects in a list; nothing when it is not a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def is_scalar(program: dict[str, Json]) -> bool:
    """Whether the program stays within scalar and link properties."""
    classes = _objects(program["schema"])
    properties = [p for c in classes for p in _objects(c["properties"])]
    if any(c.get("embedded") for c in classes) or any(p.get("collection") for p in properties):
        return False
    operations = [op for step in _objects(program["steps"]) for op in _objects(step.get("write"))]
    return all(op["op"] in SCALAR_OPERATIONS and not _is_inside(op) for op in operations)


def _is_inside(operation: dict[str, Json]) -> bool:
    """Whether the operation's place is inside a property."""
    path = operation.get("path")
    return isinstance(path, list) and len(path) > 1


def main(arguments: list[str]) -> int:
    """Selects from the first path to the second; returns the exit status."""
    if len(arguments) != 2:
        sys.stderr.write("usage: python -m tools.select_merge_cases CASES SELECTED\n")
        return 2
    cases, selected = map(Path, arguments)
    lines = cases.read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = [line for line in lines if is_scalar(json.loads(line))]
    selected.parent.mkdir(parents=True, exist_ok=True)
    selected.write_text("".join(chosen), encoding="utf-8")
    sys.stdout.write(f"{len(chosen)} of {len(lines)} programs\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
