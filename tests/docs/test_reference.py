"""The reference has every public name."""

import importlib
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = DOCS / "reference"
# What applications import from.
FACES = ("skerry", "skerry.errors", "skerry.testing", "skerry.blocking", "skerry.aio")
DIRECTIVE = re.compile(r"^\.\. auto(class|function|module)::\s+([\w.]+)$", re.MULTILINE)


def directives(*kinds):
    for page in sorted(REFERENCE.glob("*.md")):
        for kind, name in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            if kind in kinds:
                yield name


def public_names():
    for face in FACES:
        module = importlib.import_module(face)
        for name in getattr(module, "__all__", ()):
            yield f"{face}.{name}", getattr(module, name)


def is_shown_with_a_module(name, value, modules):
    """Whether a page shows a whole module that has the name, or that the name is written in."""
    return name.rpartition(".")[0] in modules or getattr(value, "__module__", "") in modules


def test_every_public_name_is_in_the_reference():
    modules = set(directives("module"))
    alone = set(directives("class", "function"))
    missing = [
        name
        for name, value in public_names()
        if name not in alone | modules and not is_shown_with_a_module(name, value, modules)
    ]
    assert missing == []


def test_every_face_has_names_and_a_place():
    shown = set(directives("class", "function", "module"))
    for face in FACES:
        assert any(name == face or name.startswith(f"{face}.") for name in shown), face


def test_no_name_is_there_twice():
    names = list(directives("class", "function", "module"))
    assert sorted(set(names)) == sorted(names)


def test_what_is_not_public_is_what_public_calls_return():
    others = set(directives("class", "function")) - {name for name, _ in public_names()}
    assert {name for name in others if not name.startswith("skerry.client.")} == set()


@pytest.mark.parametrize("folder", [DOCS, REFERENCE])
def test_every_page_can_be_reached(folder):
    index = (folder / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([\w-]+)$", index, re.MULTILINE))
    assert {page.stem for page in folder.glob("*.md")} - {"index"} - listed == set()
