"""The demonstration as its user runs it: what it tells, and that nothing of it is left behind."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "examples" / "write_to_synced_realm.py"
DEADLINE_S = 90.0
CLIENT_TEXT = (
    "[Session][CompensatingWrite(231)] Client attempted a write that is disallowed by permissions, "
    "or modifies an object outside the current query, and the server undid the change."
)
SERVER_TEXT = (
    "Client attempted a write that is outside of permissions or query filters; "
    "it has been reverted (ProtocolErrorCode=231)"
)
DENIED = 'was denied by write filter in role "readOwnWriteOwn"'
OUTSIDE = "not allowed; object is outside of the current query view"


def start(folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-u", str(PROGRAM)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(folder)},
        start_new_session=True,
    )


def processes_of(folder: Path) -> list[int]:
    """Return the processes whose command line names a folder, as that of the server does."""
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended between being listed and being read
        if os.fsencode(folder) in command:
            found.append(int(file.parent.name))
    return found


def lines_before(process: subprocess.Popen[str], text: str) -> None:
    for line in process.stdout:
        if text in line:
            return
    pytest.fail(f"it never told {text!r}")


def rejection(key: str, told_to_client: str, told_to_log: str) -> list[str]:
    write = f'write to "{key}" in table "Item"'
    return [
        f"error handler: {CLIENT_TEXT}",
        f"error handler: Item: {write} {told_to_client}",
        f"server log: Error: {SERVER_TEXT}",
        f"server log: Details: Item: {write} {told_to_log}",
    ]


def section(story: str, number: int) -> list[str]:
    """Return the lines of one numbered part, without the spaces before them."""
    part = re.search(rf"^{number}\. .*?(?=\n\n)", story, re.DOTALL | re.MULTILINE)
    assert part is not None, f"part {number} is not told"
    return [line.strip() for line in part[0].splitlines()]


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    """Run the demonstration once, and see that it ends well and leaves nothing."""
    folder = tmp_path_factory.mktemp("demo")
    with start(folder) as process:
        try:
            out, err = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert (process.returncode, err) == (0, "")
    assert processes_of(folder) == []
    assert list(folder.iterdir()) == []
    return out


def test_an_allowed_write_reaches_the_second_device(story):
    assert section(story, 1)[-1] == "The laptop has it too: ['Put up the tent']"


def test_a_write_outside_the_subscription_is_undone_and_explained(story):
    expected = rejection("65b000000000000000000007", OUTSIDE, OUTSIDE)
    assert section(story, 2)[1:] == [*expected, "It is gone."]


def test_writes_with_a_foreign_owner_are_undone_and_explained(story):
    created = rejection("65b0000000000000000000f0", "not allowed", DENIED)
    assert section(story, 3)[1:] == [*created, "It is gone."]
    changed = rejection("65b000000000000000000003", "not allowed", DENIED)
    assert section(story, 4)[1:] == [*changed, "It is as it was: Put up the tent."]


def test_offline_writes_wait_and_are_uploaded(story):
    assert section(story, 5)[1:] == [
        "The laptop holds 4 items, the phone 1.",
        "It comes back and uploads them: the phone holds 4.",
    ]


def test_grouped_writes_cost_less_and_all_arrive(story):
    part = section(story, 6)
    full_bar = "[" + "#" * 40 + "] 100%"
    assert [line.split()[0] for line in part if line.endswith(full_bar)] == ["write", "upload"] * 2
    costs = [line for line in part if line.startswith(("One by one: ", "Grouped: "))]
    single, together = (
        [
            int(number.replace(",", ""))
            for number in re.search(r"([\d,]+) bytes in (\d+)", cost).groups()
        ]
        for cost in costs
    )
    assert together[0] < single[0] / 2, "bytes"
    assert together[1] <= single[1], "messages"
    assert part[-1] == "The laptop has all of them: it holds 1004 items."


def test_the_other_user_sees_nothing(story):
    assert section(story, 7)[-1].startswith("It holds 0 items, ")
    assert story.endswith("\nThe devices are closed and the server has stopped.\n")


def to_group(process: subprocess.Popen[str]) -> int:
    """Do what Ctrl-C in a terminal does: every process gets it, the server too."""
    os.killpg(process.pid, signal.SIGINT)
    return signal.SIGINT


def to_program(process: subprocess.Popen[str]) -> int:
    process.terminate()
    return signal.SIGTERM


@pytest.mark.parametrize("send", [to_group, to_program])
def test_a_signal_leaves_nothing_behind(tmp_path, send):
    with start(tmp_path) as process:
        try:
            lines_before(process, "1. The phone writes")
            assert processes_of(tmp_path) != [], "the server runs"
            number = send(process)
            _, err = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert (process.returncode, err) == (128 + number, "")
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing_behind(tmp_path):
    with start(tmp_path) as process:
        try:
            lines_before(process, "A server with an empty store")
            (server,) = processes_of(tmp_path)
            os.kill(server, signal.SIGKILL)
            _, err = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    assert process.returncode == 1
    assert "Error" in err.splitlines()[-1]
    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []
