"""The page for who comes from Realm says nothing of Skerry that is not there."""

import ast
import builtins
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import skerry
import skerry.errors

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-realm.md"
DEADLINE_S = 60.0
# What the examples call by a small name, by the class that it is of.
RECEIVERS = {
    "realm": skerry.Realm,
    "txn": skerry.Transaction,
    "results": skerry.Results,
    "subscriptions": skerry.SubscriptionSet,
    "subs": skerry.MutableSubscriptionSet,
    "session": skerry.SyncSession,
    "migration": skerry.Migration,
    "user": skerry.User,
    "app": skerry.App,
}
# Classes of the examples, and those of other modules that annotations use.
OTHERS = {"Item", "Step", "Person", "Dog", "ClassVar"}
CALLABLES = {name: getattr(skerry, name) for name in skerry.__all__ if name != "errors"}


def pieces_of(text):
    """Yield the code on Skerry's side of each table row, without the escapes of tables."""
    for row in re.findall(r"^\|(?!---)(.*)\|$", text, re.MULTILINE):
        cells = re.split(r"(?<!\\)\|", row)
        for piece in re.findall(r"`([^`]+)`", cells[-1].replace("\\|", "|")):
            if not piece.startswith("skerry "):  # a command
                yield piece


def tree_of(piece):
    """Return a piece as a program, or None when it is part of one; blocks get a body."""
    head = piece.replace("...", "None")
    for source in (piece, head, f"{piece} pass", f"async def f():\n {piece} pass"):
        try:
            return ast.parse(source)
        except SyntaxError:
            continue
    try:
        return ast.parse(f"async def f():\n {piece}")
    except SyntaxError:
        return None


def is_there(owner, name):
    """Whether an object of a class has a member, be it one that only its constructor sets."""
    if hasattr(owner, name):
        return True
    return f"self.{name} =" in inspect.getsource(owner.__init__)


def faults_of(piece):
    """Return what a piece says that is not so."""
    tree = tree_of(piece)
    if tree is None:
        return [f"not Python: {piece}"]
    faults = []
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in RECEIVERS:
                if not is_there(RECEIVERS[name], attribute):
                    faults.append(f"{name} has no {attribute}")
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name in CALLABLES:
                if not hasattr(CALLABLES[name], attribute):
                    faults.append(f"{name} has no {attribute}")
            case ast.Call(func=ast.Name(id=name), keywords=keywords) if name in CALLABLES:
                taken = inspect.signature(CALLABLES[name]).parameters
                faults += [f"{name} takes no {k.arg}" for k in keywords if k.arg not in taken]
            case ast.Name(id=name) if name[0].isupper() and not is_known(name):
                faults.append(f"there is no {name}")
    return faults


def is_known(name):
    return (
        name in CALLABLES
        or name in OTHERS
        or hasattr(skerry.errors, name)
        or hasattr(builtins, name)
    )


def test_what_stands_on_the_side_of_skerry_is_there():
    pieces = list(pieces_of(PAGE.read_text(encoding="utf-8")))
    assert len(pieces) > 100
    assert {piece: faults for piece in pieces if (faults := faults_of(piece))} == {}


@pytest.mark.parametrize(
    "piece",
    [
        "realm.compact_realm(config)",
        "Configuration([Item], encryption=b'')",
        "async with realm.begin() as txn:",
        "Realm.remove(config)",
        "MigrationWantedError",
        "await user.delete()",
        "txn.add(item",
    ],
)
def test_what_is_not_there_is_found(piece):
    assert faults_of(piece)


def test_its_program_runs(tmp_path):
    (program,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "Buy a tent\n")


def test_both_sides_of_every_table_are_filled():
    rows = re.findall(r"^\|(?!---)(.*)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)] for row in rows]
    assert [row for row in cells if len(row) != 2 or not all(row)] == []
