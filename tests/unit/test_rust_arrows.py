"""The arrows between the Rust crates: a planted shortcut is found, the allowed ones are not."""

import pytest

from tools import rust_arrows


def dependency(name, kind=None):
    return {"name": name, "kind": kind}


def workspace(**extra):
    """Every crate with every arrow that it may have, and what ``extra`` plants."""
    packages = []
    for name, targets in rust_arrows.ARROWS.items():
        dependencies = [dependency(target) for target in sorted(targets)]
        dependencies += extra.get(name.removeprefix("skerry-"), [])
        packages.append({"name": name, "dependencies": dependencies})
    return {"packages": packages}


def test_the_arrows_themselves_are_allowed():
    assert list(rust_arrows.violations(workspace())) == []


@pytest.mark.parametrize(
    ("crate", "target"),
    [
        ("model", "skerry-query"),
        ("merge", "skerry-store"),
        ("query", "skerry-merge"),
        ("store", "skerry-sync"),
        ("store", "skerry-merge"),
        ("sync", "skerry-py"),
        ("sync", "skerry-testkit"),
        ("py", "skerry-testkit"),
        ("testkit", "skerry-py"),
    ],
)
def test_a_planted_shortcut_is_found(crate, target):
    found = list(rust_arrows.violations(workspace(**{crate: [dependency(target)]})))
    assert found == [f"skerry-{crate} depends on {target}: the arrows do not allow it"]


@pytest.mark.parametrize("kind", [None, "dev", "build"])
@pytest.mark.parametrize("target", ["pyo3", "pyo3-build-config"])
def test_pyo3_outside_the_binding_is_found_whatever_its_kind(kind, target):
    found = list(rust_arrows.violations(workspace(store=[dependency(target, kind)])))
    assert found == [f"skerry-store depends on {target}: only skerry-py knows Python"]


def test_the_binding_may_name_pyo3_and_tests_may_use_the_testkit():
    planted = workspace(py=[dependency("pyo3")], merge=[dependency("skerry-testkit", "dev")])
    assert list(rust_arrows.violations(planted)) == []


def test_a_crate_without_a_row_and_a_row_without_a_crate_are_found():
    metadata = workspace()
    metadata["packages"][0] = {"name": "skerry-extra", "dependencies": []}
    found = list(rust_arrows.violations(metadata))
    assert any(sentence.startswith("skerry-model is not in the workspace") for sentence in found)
    assert any(sentence.startswith("skerry-extra has no row") for sentence in found)


def test_a_shortcut_planted_in_a_real_workspace_is_read_from_cargo(tmp_path):
    names = ["skerry-model", "skerry-query"]
    members = ", ".join(f'"{name}"' for name in names)
    (tmp_path / "Cargo.toml").write_text(f'[workspace]\nresolver = "3"\nmembers = [{members}]\n')
    for name, target in zip(
        names, ["", 'skerry-model = { path = "../skerry-model" }'], strict=True
    ):
        (tmp_path / name / "src").mkdir(parents=True)
        (tmp_path / name / "src" / "lib.rs").touch()
        head = f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2024"\n'
        (tmp_path / name / "Cargo.toml").write_text(f"{head}[dependencies]\n{target}\n")
    planted = tmp_path / "skerry-query" / "Cargo.toml"
    clean = list(rust_arrows.violations(rust_arrows.workspace_metadata(tmp_path)))
    assert not any("depends on" in sentence for sentence in clean)
    planted.write_text(
        planted.read_text().replace("[dependencies]", '[dependencies]\npyo3 = "0.30"')
    )
    found = list(rust_arrows.violations(rust_arrows.workspace_metadata(tmp_path)))
    assert "skerry-query depends on pyo3: only skerry-py knows Python" in found
