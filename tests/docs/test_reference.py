"""The reference has every public name."""

import re
from pathlib import Path

import pytest

import skerry
import skerry.errors
import skerry.testing

DOCS = Path(__file__).parents[2] / "docs"
DIRECTIVE = re.compile(r"^\.\. auto(?:class|function|module|data)::\s+([\w.]+)$", re.MULTILINE)


@pytest.fixture(scope="module")
def documented():
    pages = sorted((DOCS / "reference").glob("*.md"))
    return [name for page in pages for name in DIRECTIVE.findall(page.read_text(encoding="utf-8"))]


def public_names():
    for module in (skerry, skerry.testing):
        for name in module.__all__:
            yield f"{module.__name__}.{name}"


def test_every_public_name_is_in_the_reference(documented):
    whole = [name for name in documented if name == "skerry.errors"]
    assert whole == ["skerry.errors"]
    errors = {f"skerry.{name}" for name in vars(skerry.errors)} | {"skerry.errors"}
    assert set(public_names()) - errors - set(documented) == set()


def test_no_name_is_there_twice(documented):
    assert sorted(set(documented)) == sorted(documented)


def test_what_is_not_public_is_what_public_calls_return(documented):
    others = set(documented) - set(public_names())
    assert {name for name in others if not name.startswith("skerry.client.")} == set()


def test_every_page_can_be_reached():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    pages = {page.stem for page in DOCS.glob("*.md")} - {"index"}
    assert pages - set(re.findall(r"^([\w-]+)$", index, re.MULTILINE)) == set()
    listed = (DOCS / "reference" / "index.md").read_text(encoding="utf-8")
    references = {page.stem for page in (DOCS / "reference").glob("*.md")} - {"index"}
    assert references - set(re.findall(r"^([\w-]+)$", listed, re.MULTILINE)) == set()
