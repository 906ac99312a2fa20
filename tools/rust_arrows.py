"""Checks that the Rust crates depend on one another only along the arrows of ARCHITECTURE.md.

Cargo refuses cycles but not shortcuts. This reads ``cargo metadata`` and compares every dependency
inside the workspace with a table that has a row for each crate. Two more rules: only ``skerry-py``
names pyo3, so every other crate builds and tests without Python; and the testkit is used from tests
and benchmarks, never from what is shipped. A crate without a row fails: place it first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PURE = frozenset(
    {"skerry-model", "skerry-merge", "skerry-query", "skerry-store", "skerry-sync"},
)
VAULT = "skerry-vault"
TESTKIT = "skerry-testkit"
PYTHON = "skerry-py"
BENCHES = "skerry-benches"

ARROWS: Mapping[str, frozenset[str]] = {
    "skerry-model": frozenset(),
    "skerry-merge": frozenset({"skerry-model"}),
    "skerry-query": frozenset({"skerry-model"}),
    VAULT: frozenset(),
    "skerry-store": frozenset({"skerry-query", "skerry-model", VAULT}),
    "skerry-sync": PURE - {"skerry-sync"},
    TESTKIT: PURE,
    PYTHON: PURE,
    BENCHES: PURE | {TESTKIT},
}


def violations(metadata: Mapping[str, Any]) -> Iterator[str]:
    """Yield one sentence for each dependency that is against the arrows.

    Args:
        metadata: What ``cargo metadata --no-deps`` prints: the workspace's packages.
    """
    members = {package["name"] for package in metadata["packages"]}
    for missing in sorted(ARROWS.keys() - members):
        yield f"{missing} is not in the workspace: mend the table or the workspace"
    for package in sorted(metadata["packages"], key=lambda package: str(package["name"])):
        name = package["name"]
        if name not in ARROWS:
            yield f"{name} has no row in the table of arrows: place it there first"
            continue
        for dependency in package["dependencies"]:
            yield from _judge(name, dependency, members)


def _judge(name: str, dependency: Mapping[str, Any], members: set[str]) -> Iterator[str]:
    target = dependency["name"]
    if (target == "pyo3" or target.startswith("pyo3-")) and name != PYTHON:
        yield f"{name} depends on {target}: only {PYTHON} knows Python"
    if target not in members or target in ARROWS[name]:
        return
    # A crate's integration tests may use the testkit, which depends on the crate: cargo allows it.
    if target == TESTKIT and dependency["kind"] == "dev" and name in PURE:
        return
    yield f"{name} depends on {target}: the arrows do not allow it"


def workspace_metadata(root: Path) -> dict[str, Any]:
    """Return cargo's description of the workspace at ``root``, without touching the network.

    Raises:
        subprocess.CalledProcessError: cargo cannot read the workspace; its words are on stderr.
    """
    command = ["cargo", "metadata", "--no-deps", "--offline", "--format-version", "1"]
    result = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE)
    metadata: dict[str, Any] = json.loads(result.stdout)
    return metadata


def main() -> int:
    """Check the workspace of the working directory; 0 if it keeps the arrows, 1 if not."""
    found = list(violations(workspace_metadata(Path())))
    for sentence in found:
        sys.stderr.write(f"{sentence}\n")
    verdict = f"{len(found)} against them" if found else "kept"
    sys.stdout.write(f"rust arrows: {len(ARROWS)} crates, {verdict}\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
