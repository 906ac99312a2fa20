"""What the README shows works: its commands exist, and its program runs as it is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from tests.support.server_process import ServerProcess

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DEADLINE_S = 60.0


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language; that of plain commands is empty."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
async def server(tmp_path):
    """Serve the configuration that the README names."""
    served = re.search(r"skerry serve --config (\S+)$", README, re.MULTILINE)
    assert served is not None
    process = ServerProcess(ROOT / served[1], tmp_path / "server")
    (tmp_path / "server").mkdir()
    try:
        await process.start()
        yield process
        await process.stop()
    finally:
        process.kill_if_running()


async def test_the_program_runs_as_printed(tmp_path, server):
    program, _ = blocks("python")
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    for expected in (1, 2):
        # The second run finds the user, the file and the item of the first.
        with trio.fail_after(DEADLINE_S):
            run = await trio.run_process(
                [sys.executable, str(path), server.http_url],
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env={**os.environ, "XDG_DATA_HOME": str(tmp_path / "device")},
            )
        assert (run.returncode, run.stderr.decode()) == (0, "")
        assert run.stdout.decode() == "a first item\n" * expected


def test_the_program_without_a_server_runs_as_printed(tmp_path):
    _, program = blocks("python")
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert (run.returncode, run.stderr, run.stdout) == (0, "", "Buy a tent\n")
    assert (tmp_path / "tasks.realm").exists()


def test_its_make_targets_exist():
    targets = re.findall(r"^make (\w+)", README, re.MULTILINE)
    assert targets[:2] == ["demo", "test"]
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_its_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
