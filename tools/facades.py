"""Writes the facades of `skerry.blocking` and `skerry.aio` from the classes of the trio API.

``python -m tools.facades`` writes them, ``--check`` only says which differ. Signatures, annotations
and docstrings are taken from the source as it stands, so nothing is said twice by hand. How a
member is reached is `tools.facade_table`'s. What this does not do: opening, closing, writing and
waiting, which the packages have by hand.
"""

import argparse
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tools.facade_source import written_class
from tools.facade_table import SURFACES

ROOT = Path(__file__).parents[1]
FLAVOURS = ("blocking", "aio")
HEADER = "# Written by tools/facades.py from the trio API; change tools/facade_table.py instead.\n"


def generated(root: Path = ROOT) -> dict[str, str]:
    """Return what each generated file has to hold, by its path under the root.

    Raises:
        LookupError: A member of the table does not exist, or a name has no origin.
        subprocess.CalledProcessError: ruff does not take what was written.
    """
    texts = {}
    for flavour in FLAVOURS:
        package = f"python/skerry/{flavour}"
        for name, surface in SURFACES.items():
            text = written_class(root, flavour, name, surface)
            texts[f"{package}/{surface.target}.py"] = HEADER + text
        texts[f"{package}/table.py"] = HEADER + _table(flavour)
    return _formatted(root, texts)


def _table(flavour: str) -> str:
    imports = [
        f"from skerry.{flavour}.{surface.target} import {name}\n"
        f"from skerry.client.{surface.source} import {name} as Trio{name}\n"
        for name, surface in SURFACES.items()
    ]
    rows = "".join(f"    Trio{name}: {name},\n" for name in SURFACES)
    return (
        '"""The facade of each class of the trio API that has one."""\n\n'
        f"from typing import Final\n{''.join(imports)}\n"
        f"FACADES: Final[dict[type, type]] = {{\n{rows}}}\n"
    )


def _formatted(root: Path, texts: dict[str, str]) -> dict[str, str]:
    ruff = Path(sysconfig.get_path("scripts")) / "ruff"
    configuration = root / "pyproject.toml"
    with tempfile.TemporaryDirectory() as folder:
        paths = {key: Path(folder) / key for key in texts}
        for key, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(texts[key], encoding="utf-8")
        # In another folder ruff would not see that the package is this project's own.
        first_party = 'lint.isort.known-first-party = ["skerry"]'
        common: list[str | Path] = [
            "--quiet",
            "--no-cache",
            "--config",
            str(configuration),
            "--config",
            first_party,
        ]
        common.append(folder)
        # Removes imports that turned out to be unneeded, and sorts the rest.
        fix: list[str | Path] = [ruff, "check", "--fix", "--select", "I,F401", *common]
        subprocess.run(fix, check=True, cwd=folder)
        subprocess.run([ruff, "format", *common], check=True, cwd=folder)
        return {key: path.read_text(encoding="utf-8") for key, path in paths.items()}


def main(argv: list[str] | None = None) -> int:
    """Write or check; 0 when everything is as it has to be."""
    parser = argparse.ArgumentParser(prog="facades", description="Write the facades.")
    parser.add_argument("--check", action="store_true", help="write nothing, say what differs")
    options = parser.parse_args(argv)
    stale = []
    for key, text in generated().items():
        path = ROOT / key
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(key)
            if not options.check:
                path.write_text(text, encoding="utf-8")
    for key in stale:
        sys.stdout.write(f"{'differs' if options.check else 'written'}: {key}\n")
    return 1 if options.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
