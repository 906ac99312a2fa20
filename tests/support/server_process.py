"""`skerry serve` as a real process that can be killed and started again on its data and ports."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import trio

from skerry._core import SyncServer
from skerry.server.config import core_config_json, load_config
from tests.support.waiting import within

START_DEADLINE_S = 30.0
SKERRY = Path(sys.executable).with_name("skerry")


class ServerProcess:
    """One server with a folder of its own; at most one process at a time.

    Args:
        config: Configuration directory.
        folder: For data and log; kept over restarts.
    """

    def __init__(self, config: Path, folder: Path) -> None:
        self._config = config
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._ports: tuple[str, str] = ("0", "0")
        self.http_url = ""
        self.ws_url = ""

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def log_file(self) -> Path:
        return self._folder / "server.log"

    async def start(self) -> None:
        """Start it and return when it listens, on the same ports as before."""
        http_port, sync_port = self._ports
        command = [
            *(str(SKERRY), "serve", "--config", str(self._config)),
            *("--data", str(self._folder / "data"), "--log-file", str(self.log_file)),
            *("--host", "127.0.0.1", "--port", http_port, "--sync-port", sync_port),
        ]
        # Forking blocks for a moment only; everything that waits for the process is on a thread.
        self._process = subprocess.Popen(  # noqa: ASYNC220
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        with within("the server says that it listens", START_DEADLINE_S):
            line = await trio.to_thread.run_sync(self._read_line, abandon_on_cancel=True)
        if not line:
            _, errors = self._process.communicate(timeout=START_DEADLINE_S)
            raise AssertionError(f"the server did not start: {errors}")
        ready = json.loads(line)
        self.http_url, self.ws_url = ready["http"], ready["ws"]
        self._ports = (self.http_url.rpartition(":")[2], self.ws_url.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL: no goodbye and no flush. Returns when the process is gone."""
        self._end(signal.SIGKILL)

    def kill_if_running(self) -> None:
        """End it in whatever way when a test has failed."""
        if self._process is not None:
            self.kill()

    async def stop(self) -> None:
        """SIGTERM; the exit status is 0 and nothing is on standard error."""
        if self._process is None:
            return
        process = self._process
        status, errors = await trio.to_thread.run_sync(self._end, signal.SIGTERM)
        assert (status, errors) == (0, ""), f"server {process.pid} ended with {status}: {errors}"

    async def signing_key(self) -> bytes:
        """Stop it, read the key that its tokens are signed with, and start it again."""
        await self.stop()
        config = core_config_json(load_config(self._config))
        core = SyncServer.open(str(self._folder / "data"), config)
        key = core.meta_get("server", "token_signing_key")
        core.close()
        await self.start()
        assert key is not None
        return key

    def memory_peak_bytes(self) -> int:
        """Return the largest resident size since `forget_memory_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024

    def forget_memory_peak(self) -> None:
        """Let the peak begin anew at the present size."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def log_tail(self, lines: int = 40) -> str:
        """Return the end of the log."""
        if not self.log_file.exists():
            return ""
        return "\n".join(self.log_file.read_text().splitlines()[-lines:])

    def _running(self) -> "subprocess.Popen[str]":
        assert self._process is not None, "the server is not running"
        return self._process

    def _read_line(self) -> str:
        stdout = self._running().stdout
        assert stdout is not None
        return stdout.readline()

    def _end(self, number: signal.Signals) -> tuple[int, str]:
        process, self._process = self._running(), None
        os.kill(process.pid, number)
        try:
            _, errors = process.communicate(timeout=START_DEADLINE_S)
        finally:
            process.kill()
        return process.returncode, errors
