"""``skerry serve`` as a real process, around the fake engine."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

import skerry
from tests.unit.server.fakes import APP_ID, write_config

ROOT = Path(__file__).parents[3]

# The engine is replaced after everything has been imported, where the server looks it up.
PROGRAM = """
import sys, types
import skerry, skerry.cli
from tests.unit.server.fakes import FakeCore

class SyncServer(FakeCore):
    @classmethod
    def open(cls, path, config_json):
        from skerry.errors import ConfigurationError, StoreError
        if "breakMe" in config_json:
            raise StoreError("the file is damaged")
        if "refuseMe" in config_json:
            error = ConfigurationError("refused")
            error.path, error.reason = "collections[0].roles[0].name", "is refused"
            raise error
        return cls()

skerry._core = types.SimpleNamespace(SyncServer=SyncServer)
skerry.cli.main(sys.argv[1:], prog_name="skerry")
"""


def start(*arguments: str) -> subprocess.Popen[str]:
    paths = [str(ROOT), str(Path(skerry.__file__).parents[1])]
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_until_it_is_told_to_stop(tmp_path, number):
    config = write_config(tmp_path / "config", toml="")
    log = tmp_path / "server.log"
    arguments = ("--config", str(config), "--data", str(tmp_path / "data"), "--port", "0")
    with start("serve", *arguments, "--log-file", str(log)) as process:
        ready = json.loads(process.stdout.readline())
        assert ready["event"] == "listening"
        assert ready["ws"].startswith("ws://127.0.0.1:")
        url = f"{ready['http']}/api/client/v2.0/app/{APP_ID}"
        location = httpx2.get(f"{url}/location", trust_env=False).json()
        assert location["ws_hostname"] == ready["ws"]
        httpx2.post(f"{url}/auth/providers/anon-user/login", json={}, trust_env=False)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
    assert [json.loads(line)["type"] for line in log.read_text().splitlines()] == ["AUTH"]


def test_bad_configuration_exits_2_and_says_where(tmp_path):
    config = write_config(tmp_path, {"root_config.json": {"app_id": "x", "oops": 1}})
    with start("serve", "--config", str(config)) as process:
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert err.startswith("root_config.json: oops: unknown key")
    assert len(err.splitlines()) == 1


def test_refusal_of_the_engine_exits_2_with_the_file(tmp_path):
    config = write_config(tmp_path / "config", {"root_config.json": {"app_id": "refuseMe"}})
    arguments = ("--config", str(config), "--data", str(tmp_path / "data"), "--port", "0")
    with start("serve", *arguments) as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert err == "data_sources/main/todo/Item/rules.json: roles[0].name: is refused\n"


def test_store_that_cannot_be_opened_exits_1_in_one_line(tmp_path):
    config = write_config(tmp_path / "config", {"root_config.json": {"app_id": "breakMe"}})
    arguments = ("--config", str(config), "--data", str(tmp_path / "data"), "--port", "0")
    with start("serve", *arguments) as process:
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (1, "skerry serve: the file is damaged\n")


def test_address_in_use_exits_1_in_one_line(tmp_path):
    config = write_config(tmp_path / "config", toml="")
    arguments = ("--config", str(config), "--data", str(tmp_path / "data"))
    with start("serve", *arguments, "--port", "0") as first:
        port = json.loads(first.stdout.readline())["http"].rpartition(":")[2]
        with start("serve", *arguments, "--port", port, "--sync-port", "0") as second:
            _, err = second.communicate(timeout=30)
        first.terminate()
        first.communicate(timeout=30)
    assert second.returncode == 1
    assert "in use" in err
    assert len(err.splitlines()) == 1
