"""The server of the demonstration: a process of its own on loopback, with its log in a file.

Invariant: when the block of `running_server` has ended, however it ended, the process is gone.
"""

import json
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

APP_ID = "items-demo"
CONFIG = Path(__file__).parents[1] / "config"
START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 20.0
READY_LINE_MAX_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Rejection:
    """A log entry about writes that the server has undone."""

    error: str
    details: dict[str, dict[str, str]]


@dataclass(frozen=True, slots=True)
class DemoServer:
    """A server that listens.

    Attributes:
        url: Of its HTTP API.
        log_file: One JSON object a line.
    """

    url: str
    log_file: Path

    def last_rejection(self) -> Rejection:
        """Return the newest entry about a compensating write.

        The server writes it before it sends the error, so whoever got the error finds it.

        Raises:
            RuntimeError: There is none.
        """
        lines = self.log_file.read_text(encoding="utf-8").splitlines()
        for line in reversed(lines):
            entry = json.loads(line)
            if entry["type"] == "SYNC_ERROR" and "details" in entry:
                return Rejection(entry["error"], entry["details"])
        raise RuntimeError(f"{self.log_file.name} tells of no compensating write")


@asynccontextmanager
async def running_server(folder: Path) -> AsyncIterator[DemoServer]:
    """Run ``skerry serve`` for the time of the block.

    Args:
        folder: For its store and its log.

    Raises:
        RuntimeError: It did not start; what it said is on standard error.
        trio.TooSlowError: It neither listened nor ended in time.
    """
    log_file = folder / "server.log"
    command = [
        *(str(Path(sysconfig.get_path("scripts")) / "skerry"), "serve"),
        *("--config", str(CONFIG), "--data", str(folder / "store")),
        *("--port", "0", "--log-file", str(log_file)),
    ]
    process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    try:
        with trio.fail_after(START_TIMEOUT_S):
            url = await _listening(process)
        yield DemoServer(url, log_file)
    finally:
        with trio.CancelScope(shield=True):
            await _stop(process)


async def _listening(process: trio.Process) -> str:
    """Return the address that a starting server prints."""
    output = process.stdout
    if output is None:
        raise RuntimeError("the server was started without a pipe")
    line = b""
    while not line.endswith(b"\n"):
        part = await output.receive_some(READY_LINE_MAX_BYTES)
        line += part
        if not part or len(line) > READY_LINE_MAX_BYTES:
            raise RuntimeError(f"the server did not start; it printed {line[:80]!r}")
    return str(json.loads(line)["http"])


async def _stop(process: trio.Process) -> None:
    """Ask the process to stop, make it stop if it does not, and wait for its end."""
    process.terminate()
    with trio.move_on_after(STOP_TIMEOUT_S):
        await process.wait()
    if process.returncode is None:
        process.kill()
        await process.wait()
    if process.stdout is not None:
        await process.stdout.aclose()
