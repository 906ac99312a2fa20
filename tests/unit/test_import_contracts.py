"""The import contracts: planted imports are reported, and the one gap is closed."""

import ast
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT_IMPORTS = Path(sysconfig.get_path("scripts")) / "lint-imports"
PACKAGES = ["cli", "aio", "blocking", "portal", "client", "server", "transport", "model"]


@pytest.fixture
def tree(tmp_path):
    """A package of the same shape with nothing in it, under this repository's contracts."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "python" / "skerry"
    for name in PACKAGES:
        (package / name).mkdir(parents=True)
        (package / name / "__init__.py").touch()
    (package / "__init__.py").write_text("from skerry.client import App\n")
    (package / "errors.py").touch()
    (package / "model" / "__init__.py").write_text("from skerry._core import Value\n")
    return package


def lint(tree):
    environment = {**os.environ, "PYTHONPATH": str(tree.parent), "NO_COLOR": "1"}
    return subprocess.run(
        [LINT_IMPORTS, "--no-cache"],
        cwd=tree.parents[1],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_shape_itself_keeps_every_contract(tree):
    result = lint(tree)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


@pytest.mark.parametrize(
    ("where", "planted", "reported"),
    [
        ("model", "import socket", "skerry.model is not allowed to import socket"),
        ("model", "import trio", "skerry.model is not allowed to import trio"),
        (
            "client",
            "from skerry.server import Server",
            "skerry.client is not allowed to import skerry.server",
        ),
        (
            "server",
            "import skerry.client",
            "skerry.server is not allowed to import skerry.client",
        ),
        (
            "model",
            "from skerry.transport import Link",
            "skerry.model is not allowed to import skerry.transport",
        ),
        ("client", "import structlog", "skerry.client is not allowed to import structlog"),
    ],
)
def test_a_planted_import_is_reported(tree, where, planted, reported):
    (tree / where / "planted.py").write_text(planted + "\n")
    result = lint(tree)
    assert result.returncode == 1
    assert reported in result.stdout


def test_a_module_that_has_no_layer_is_reported(tree):
    (tree / "stray.py").touch()
    result = lint(tree)
    assert result.returncode == 1
    assert "- skerry.stray" in result.stdout


def imports_of_the_root(source):
    """What is imported from `skerry` itself, other than its compiled module."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "skerry":
            found += [alias.name for alias in node.names if alias.name != "_core"]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name == "skerry"]
    return found


def test_an_import_of_the_root_is_seen():
    assert imports_of_the_root("def f():\n    from skerry import App, _core\n") == ["App"]
    assert imports_of_the_root("import skerry\nimport skerry.errors") == ["skerry"]
    assert imports_of_the_root("from skerry.errors import SkerryError") == []


def test_nothing_inside_the_package_imports_from_its_root():
    modules = sorted((ROOT / "python" / "skerry").rglob("*.py"))
    assert modules
    found = {
        str(path.relative_to(ROOT)): names
        for path in modules
        if (names := imports_of_the_root(path.read_text()))
    }
    assert found == {}
