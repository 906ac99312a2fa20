"""pyproject.toml declares what the package imports: no less, so that a wheel works, and no more."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

from tools.python_requirements import requirements

ROOT = Path(__file__).parents[2]
SERVER_SIDE = {"server", "cli"}
# Named for the types of what is returned, and imported only when the application asks for it.
IF_ASKED_FOR = {"pandas", "polars", "pyarrow"}


def distribution(requirement):
    """`pyjwt[crypto]>=2` asks for `pyjwt`."""
    name = re.match(r"[\w.-]+", requirement).group()
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(source):
    """The top-level modules that a source imports, those under `if TYPE_CHECKING` too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module.partition(".")[0])
    return found


@pytest.fixture(scope="module")
def distributions_imported():
    """The distributions that the package imports: (by a device, by the server and its commands)."""
    known = importlib.metadata.packages_distributions()
    sides = (set(), set())
    for path in (ROOT / "python" / "skerry").rglob("*.py"):
        place = path.relative_to(ROOT / "python" / "skerry").parts[0]
        third_party = imported(path.read_text()) - set(sys.stdlib_module_names) - {"skerry"}
        for module in third_party:
            names = known.get(module, [module])
            sides[place in SERVER_SIDE].update(distribution(name) for name in names)
    return sides


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_a_device_declares_what_it_imports_and_nothing_else(project, distributions_imported):
    device, _ = distributions_imported
    assert {distribution(line) for line in project["dependencies"]} == device - IF_ASKED_FOR
    declared = {distribution(line) for line in project["optional-dependencies"]["dev"]}
    assert declared >= IF_ASKED_FOR


def test_the_server_extra_declares_what_only_the_server_imports(project, distributions_imported):
    device, server = distributions_imported
    declared = {distribution(line) for line in project["optional-dependencies"]["server"]}
    assert declared == server - device


def test_imports_are_read_wherever_they_stand():
    source = "import a.b\ndef f():\n    from c.d import e\nfrom . import g\n"
    assert imported(source) == {"a", "c"}


def test_the_makefile_is_told_every_requirement_once_and_not_the_package_itself():
    text = """
[project]
name = "skerry"
dependencies = ["trio>=1", "b"]
[project.optional-dependencies]
server = ["c", "b"]
all = ["skerry[server]"]
"""
    assert requirements(text) == ["b", "c", "trio>=1"]
