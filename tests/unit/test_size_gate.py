"""The size gate finds what is planted, and nothing that only looks like it."""

import datetime as dt

import pytest

from tools import size_gate
from tools.rust_functions import blank_literals, rust_functions

TODAY = dt.date(2026, 6, 1)


def python_function(name: str, lines: int) -> str:
    return f"def {name}():\n" + "    x = 1\n" * (lines - 1)


def rust_function(name: str, lines: int) -> str:
    return f"fn {name}() {{\n" + "    work();\n" * (lines - 2) + "}\n"


def gate(root, *, verbose=False):
    return size_gate.main([str(root), "--verbose"] if verbose else [str(root)])


@pytest.mark.parametrize("name", ["big.rs", "big.py", "big.pyi"])
def test_a_file_over_the_budget_fails_and_is_named(tmp_path, capsys, name):
    comment = "// a line\n" if name.endswith(".rs") else "# a line\n"
    (tmp_path / name).write_text(comment * 801)
    assert gate(tmp_path) == 1
    assert f"{name}: 801 lines, the budget is 800" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["big.rs", "big.py", "big.pyi"])
def test_a_file_at_the_budget_passes(tmp_path, name):
    comment = "// a line\n" if name.endswith(".rs") else "# a line\n"
    (tmp_path / name).write_text(comment * 800)
    assert gate(tmp_path) == 0


@pytest.mark.parametrize(
    ("name", "make"), [("a.py", python_function), ("a.rs", rust_function)], ids=["python", "rust"]
)
def test_a_function_over_the_budget_fails_and_its_neighbour_passes(tmp_path, capsys, name, make):
    (tmp_path / name).write_text(make("fits", 70) + "\n" + make("long", 71))
    assert gate(tmp_path) == 1
    errors = capsys.readouterr().err
    assert errors == f"{name}::long:72: 71 lines, the budget is 70\n"


def test_methods_and_nested_functions_are_counted_too(tmp_path, capsys):
    body = "".join("    " + line + "\n" for line in python_function("method", 71).splitlines())
    (tmp_path / "a.py").write_text("class A:\n" + body)
    assert gate(tmp_path) == 1
    assert "a.py::method:2" in capsys.readouterr().err


def test_soft_budgets_are_notes_and_only_when_asked_for(tmp_path, capsys):
    (tmp_path / "a.py").write_text(python_function("longish", 41))
    assert gate(tmp_path) == 0
    assert "longish" not in capsys.readouterr().out
    assert gate(tmp_path, verbose=True) == 0
    assert "note: a.py::longish:1: 41 lines, the budget is 40" in capsys.readouterr().out


def test_build_output_and_hidden_folders_are_not_measured(tmp_path):
    for folder in ["target", ".venv", "deep/__pycache__"]:
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "a.py").write_text("x = 1\n" * 801)
    assert gate(tmp_path) == 0


def test_an_allowance_holds_until_its_date_and_no_longer():
    item = size_gate.Measure("a.rs::f", 3, 90, 40, 70)
    until_today = size_gate.Allowance("a.rs::f", TODAY, "a table")
    assert size_gate.failures([item], [until_today], TODAY) == []
    late = size_gate.failures([item], [until_today], TODAY + dt.timedelta(days=1))
    assert late == ["a.rs::f:3: 90 lines, the budget is 70; its leave ended on 2026-06-01"]


def test_an_allowance_that_is_not_needed_fails():
    item = size_gate.Measure("a.rs::f", 3, 70, 40, 70)
    stale = size_gate.failures([item], [size_gate.Allowance("a.rs::f", TODAY, "was long")], TODAY)
    assert stale == ["a.rs::f: is within its budget; take it off tools/size_allow.txt"]


def test_an_allowance_without_a_date_is_refused_with_its_line(tmp_path):
    path = tmp_path / "allow.txt"
    path.write_text("# a comment\n\n2027-01-01 a.rs a reason\nsoon b.rs another\n")
    with pytest.raises(ValueError, match=r"allow\.txt:4: expected"):
        size_gate.read_allowances(path)


TRICKY = r"""
// fn commented() { {
/* fn blocked() { /* nested { */ still } */
trait Store { fn declared(&self, key: [u8; 4]) -> u8; }
fn braces<'a>(text: &'a str) -> char {
    let open = '{'; let quote = '\''; let line = '\u{7b}';
    let raw = r#"fn in_string() { "{" "#;
    let plain = "a \" { quote"; let bytes = b"{{"; let byte = b'{';
    for r in [open, quote] { use_it(r); }
    open
}
const fn sized(x: [u8; 2]) -> [u8; 2] { x }
impl T {
    pub async fn outer() {
        fn inner() {
        }
    }
}
"""


def test_rust_braces_in_comments_and_literals_do_not_count():
    assert list(rust_functions(TRICKY)) == [
        ("braces", 5, 7),
        ("sized", 12, 1),
        ("outer", 14, 4),
        ("inner", 15, 2),
    ]


def test_blanking_keeps_every_line_where_it_was():
    blanked = blank_literals(TRICKY)
    assert len(blanked) == len(TRICKY)
    assert [len(line) for line in blanked.splitlines()] == [len(x) for x in TRICKY.splitlines()]
