"""The log: one JSON object a line, complete, bounded in what it tells."""

import io
import json
import logging

from skerry.server.config_native import LogConfig, LogLevel
from skerry.server.log import ServerLog, timestamp
from tests.unit.server.fakes import APP_ID, START_MS, CapturedLog


def test_entry_carries_the_common_members():
    log = CapturedLog()
    log.log.entry("AUTH", status="OK", user_id=None)
    (entry,) = log.entries()
    assert len(entry.pop("_id")) == 24
    assert entry == {
        "type": "AUTH",
        "level": "info",
        "app_id": APP_ID,
        "started": "2023-11-14T22:13:20.000Z",
        "completed": "2023-11-14T22:13:20.000Z",
        "status": "OK",
    }


def test_secrets_are_left_out_whatever_they_are_called_with():
    log = CapturedLog()
    log.log.entry("AUTH", password="p", Access_Token="t", refresh_token="r", baas_at="b")
    log.log.engine_entries(['{"type":"SYNC_OTHER","token":"t"}'], {})
    assert not {"password", "Access_Token", "refresh_token", "baas_at", "token"} & {
        name for entry in log.entries() for name in entry
    }


def test_members_named_like_the_loggers_own_do_no_harm():
    log = CapturedLog()
    text = '{"event":"e","type":"SYNC_ERROR","exc_info":true,"level":"error","exception":1}'
    log.log.engine_entries([text], {})
    (entry,) = log.entries("SYNC_ERROR")
    assert (entry["event"], entry["level"]) == ("e", "error")


def test_engine_text_that_is_not_an_object_is_an_error_of_ours():
    log = CapturedLog()
    log.log.engine_entries(["nonsense", "[]", '{"type":"SYNC_OTHER"}'], {})
    assert [entry["level"] for entry in log.entries("SYNC_OTHER")] == ["error", "error", "info"]


def test_engine_does_not_repeat_entries_about_connections():
    log = CapturedLog()
    log.log.engine_entries(['{"type":"SYNC_CONNECTION_END","connection":1}'], {1: {"co_id": "c"}})
    assert log.entries() == []


def test_levels_below_the_configured_one_are_not_written():
    stream = io.StringIO()
    log = ServerLog(stream, app_id=APP_ID, now_ms=lambda: START_MS, level=LogLevel.WARNING)
    log.entry("AUTH")
    log.entry("SERVER", level=LogLevel.ERROR)
    assert [json.loads(line)["type"] for line in stream.getvalue().splitlines()] == ["SERVER"]


def test_file_is_appended_to(tmp_path):
    target = tmp_path / "server.log"
    for _ in range(2):
        config = LogConfig(target=str(target))
        with ServerLog.open(config, app_id=APP_ID, now_ms=lambda: START_MS) as log:
            log.entry("SERVER", error="line\nbreak")
    lines = target.read_text().splitlines()
    assert [json.loads(line)["error"] for line in lines] == ["line\nbreak"] * 2


def test_library_warnings_become_entries_with_their_traceback():
    log = CapturedLog()
    logger = log.log.standard_logger("library")
    logger.info("not this")
    logger.warning("careful: %s", "x")
    try:
        raise ValueError("why")
    except ValueError:
        logger.exception("failed")
    warning, error = log.entries("SERVER")
    assert (warning["level"], warning["error"], warning["source"]) == (
        "warning",
        "careful: x",
        "library",
    )
    assert "ValueError: why" in error["exception"]
    assert "library" not in logging.root.manager.loggerDict


def test_timestamp_is_utc_with_milliseconds():
    assert timestamp(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"
