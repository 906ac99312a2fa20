"""``skerry inspect`` on files that others have open, or that may not be written or read."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import skerry
from tests.unit.cli.inspected import Writer, found, hashes, make, run


def test_looking_while_another_process_writes_sees_one_version_at_a_time(tmp_path):
    path = tmp_path / "a.realm"
    make(path, 0).close()
    with Writer(path) as writer:
        before = writer.ask("commit")
        writer.begin("commit", 400)
        seen = []
        while not seen or seen[-1] < before + 400:
            report = found(path, "--full")["report"]
            seen.append(report["realm"]["version"])
            # The schema has one version, the subscriptions one, each object one more.
            [item] = [one for one in report["classes"] if one["name"] == "Item"]
            assert item["objects"] == seen[-1] - before + 1
            assert len(found(path, "--history", "--limit", 3)["history"]["entries"]) >= 2
            assert writer.process.poll() is None
        assert writer.end() == before + 400, "nobody was held up"
        assert seen == sorted(seen)
        assert found(path, "--check")["findings"] == []


def test_readers_that_pin_the_log_are_named(tmp_path):
    path = tmp_path / "a.realm"
    make(path, 1).close()
    with Writer(path) as writer:
        writer.ask("commit")
        pinned = writer.ask("pin")
        assert writer.ask("commit", 5) == pinned + 5
        before = hashes(tmp_path)
        log = found(path)["report"]["log"]
        assert log["size_bytes"] > 0
        index = log["index"]
        assert 0 < index["pinned_frames"] < index["frames"]
        frames = index["frames"] - index["pinned_frames"]
        reader = {"frames": frames, "version": pinned, "pids": [writer.process.pid]}
        assert index["readers"] == [reader]
        shown = run(path).stdout
        assert f"process {writer.process.pid} reads version {pinned}" in shown
        assert "beside others" in shown
        assert hashes(tmp_path) == before
        writer.ask("commit")
    assert found(path)["report"]["log"]["size_bytes"] is None


# Looks as somebody who may not write, also when the tests run as root.
READER = """
import os, sys
from skerry import _core
from skerry.cli import main
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)
main(["inspect", *sys.argv[1:]], prog_name="skerry")
"""


def run_as_reader(path, *arguments):
    return subprocess.run(
        [sys.executable, "-c", READER, str(path), *arguments],
        env={**os.environ, "PYTHONPATH": str(Path(skerry.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def closed_folder():
    """A folder that all may read and nobody write, and what gets put into it before."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def close(folder):
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    return hashes(folder)


def test_a_folder_that_cannot_be_written_is_no_obstacle_to_a_file_at_rest(closed_folder):
    make(closed_folder / "a.realm").close()
    before = close(closed_folder)
    done = run_as_reader(closed_folder / "a.realm", "--json", "--full")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["report"]["file"]["access"] == "at_rest"
    assert hashes(closed_folder) == before


def test_nor_is_it_to_one_with_a_log_and_its_index(closed_folder, tmp_path):
    path = closed_folder / "a.realm"
    file = make(tmp_path / "a.realm")
    for ending in ("", "-wal", "-shm"):
        Path(f"{path}{ending}").write_bytes(Path(f"{tmp_path / 'a.realm'}{ending}").read_bytes())
    file.close()
    before = close(closed_folder)
    done = run_as_reader(path, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)["report"]
    assert (report["file"]["access"], report["realm"]["version"]) == (
        "shared",
        file_version(tmp_path),
    )
    assert hashes(closed_folder) == before


def file_version(folder):
    return found(folder / "a.realm")["report"]["realm"]["version"]


@pytest.mark.parametrize(
    ("secret", "said"), [("", "you may not read it"), ("-wal", "its log cannot be read here")]
)
def test_what_may_not_be_read_is_said_with_a_remedy(closed_folder, tmp_path, secret, said):
    path = closed_folder / "a.realm"
    file = make(tmp_path / "a.realm")
    for ending in ("", "-wal"):
        Path(f"{path}{ending}").write_bytes(Path(f"{tmp_path / 'a.realm'}{ending}").read_bytes())
    file.close()
    close(closed_folder)
    Path(f"{path}{secret}").chmod(0)
    done = run_as_reader(path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert said in done.stderr
    assert "a.realm" in done.stderr
