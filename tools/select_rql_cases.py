"""Select the recorded RQL cases whose language and data lie within the scalar part.

Usage: ``python -m tools.select_rql_cases CASES DATASET OUT_CASES OUT_DATASET``

A case is taken whole and unchanged, or not at all. Taken are the cases whose text uses no
quantifier, index, @-operation, sub-query, full-text or geospatial search, arithmetic, key-path
argument or path through a link, and names no property that is a collection, mixed, a 32-bit float
or embedded. The dataset is cut down to the remaining properties of the classes that such cases and
their links need.

What this does not do: judge results. It runs once, when the recorded cases change.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

STRING = re.compile(r"'[^']*'|\"[^\"]*\"")
DATE = re.compile(r"\d@\d")
OUT_OF_SCOPE = re.compile(
    r"""@[a-z] | \b(?:any|ANY|some|SOME|all|ALL|none|NONE)\b\s+[\w{$] | \[(?!c\]) | (?i:subquery)
      | \b(?i:text)\s+(?!(?i:contains))[\w'"$-] | (?i:geo) | \$K
      | [\w)'"}]\s+[-+*/]\s+[\w('"{$] | \d[*/]\d
      | [A-Za-z_]\s*\.\s*[A-Za-z_]""",
    re.VERBOSE,
)


def lookup(value: Json, key: str) -> Json:
    """The member of a JSON object that must be one."""
    if not isinstance(value, dict):
        raise TypeError(f"expected an object with {key!r}, found {value!r}")
    return value[key]


def text_of(value: Json, key: str) -> str:
    """The member that must be text."""
    member = lookup(value, key)
    if not isinstance(member, str):
        raise TypeError(f"{key!r} is not text: {member!r}")
    return member


def list_of(value: Json, key: str) -> list[Json]:
    """The member that must be a list."""
    member = lookup(value, key)
    if not isinstance(member, list):
        raise TypeError(f"{key!r} is not a list: {member!r}")
    return member


def is_scalar(prop: Json, embedded: frozenset[str]) -> bool:
    """Whether a property is within the scalar part of the model."""
    if lookup(prop, "collection") is not None or text_of(prop, "type") in {"mixed", "float"}:
        return False
    return lookup(prop, "target") not in embedded


def in_scope(case: Json, hidden: Mapping[str, frozenset[str]]) -> bool:
    """Whether the scalar language decides the case. Unlexable text is: it is a syntax error."""
    bare = STRING.sub('""', text_of(case, "query"))
    if OUT_OF_SCOPE.search(DATE.sub("", bare)):
        return False
    words = set(re.findall(r"[\w$-]+", bare))
    arguments = json.dumps(lookup(case, "args"))
    return not words & hidden[text_of(case, "class")] and '"$geo' not in arguments


def needed_classes(schema: Iterable[Json], used: Iterable[str]) -> frozenset[str]:
    """The used classes and all that links lead to from them."""
    targets = {
        text_of(cls, "name"): {
            target
            for prop in list_of(cls, "properties")
            if isinstance(target := lookup(prop, "target"), str)
        }
        for cls in schema
    }
    needed: set[str] = set()
    waiting = list(used)
    while waiting:
        name = waiting.pop()
        if name in targets and name not in needed:
            needed.add(name)
            waiting.extend(sorted(targets[name]))
    return frozenset(needed)


def trim(dataset: Json, used: Iterable[str]) -> tuple[Json, dict[str, frozenset[str]]]:
    """The scalar part of the dataset, and by class the names of the properties left out."""
    classes = list_of(dataset, "schema")
    embedded = frozenset(text_of(c, "name") for c in classes if lookup(c, "embedded"))
    schema: list[Json] = []
    hidden: dict[str, frozenset[str]] = {}
    for cls in classes:
        properties = list_of(cls, "properties")
        kept = [prop for prop in properties if is_scalar(prop, embedded)]
        names = {text_of(prop, "name") for prop in kept}
        hidden[text_of(cls, "name")] = frozenset(
            name for prop in properties if (name := text_of(prop, "name")) not in names
        )
        if isinstance(cls, dict) and not cls["embedded"]:
            schema.append({**cls, "properties": kept})
    needed = needed_classes(schema, used)
    objects: dict[str, Json] = {}
    for name in sorted(needed):
        objects[name] = [
            {key: value for key, value in row.items() if key not in hidden[name]}
            for row in list_of(lookup(dataset, "objects"), name)
            if isinstance(row, dict)
        ]
    wanted: list[Json] = [cls for cls in schema if text_of(cls, "name") in needed]
    return {"format": lookup(dataset, "format"), "schema": wanted, "objects": objects}, hidden


def main(arguments: Sequence[str]) -> int:
    """Reads the two inputs and writes the two outputs."""
    cases_path, dataset_path, out_cases, out_dataset = (Path(a) for a in arguments)
    dataset: Json = json.loads(dataset_path.read_text(encoding="utf-8"))
    lines = cases_path.read_text(encoding="utf-8").splitlines()
    cases: list[tuple[str, Json]] = [(line, json.loads(line)) for line in lines]
    trimmed, hidden = trim(dataset, sorted({text_of(case, "class") for _, case in cases}))
    chosen = [line for line, case in cases if in_scope(case, hidden)]
    out_cases.write_text("".join(f"{line}\n" for line in chosen), encoding="utf-8")
    text = json.dumps(trimmed, ensure_ascii=False, indent=None, separators=(",", ":"))
    out_dataset.write_text(text.replace('},{"_id"', '},\n{"_id"') + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(chosen)} of {len(cases)} cases\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
