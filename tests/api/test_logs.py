"""Logs: JSON lines, whoever writes them, and nothing from libraries that could hold a request."""

import json
import subprocess
import sys

SCRIPT = """
import logging, sys, structlog
from app.telemetry import logs
logs.configure(sys.argv[1])
structlog.get_logger().debug("ours")
structlog.get_logger().warning("ours")
for name in ("app.serving", "uvicorn.error", "httpx"):
    logging.getLogger(name).debug("theirs %s", name)
    logging.getLogger(name).warning("theirs %s", name)
try:
    key = "a-secret-key"
    raise ValueError("broken")
except ValueError:
    logging.getLogger("httpx").exception("failed")
    structlog.get_logger().exception("failed")
"""


def lines(level: str) -> list[dict[str, str]]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, level], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_libraries_write_warnings_only() -> None:
    of_debug = [line["event"] for line in lines("debug") if line["level"] == "debug"]
    assert of_debug == ["ours", "theirs app.serving"]


def test_every_line_says_what_when_and_how_bad() -> None:
    for line in lines("debug"):
        assert {"event", "timestamp", "level"} <= line.keys()


def test_less_than_the_level_is_not_written() -> None:
    assert {line["level"] for line in lines("warning")} == {"warning", "error"}
    assert {line["level"] for line in lines("error")} == {"error"}


def test_a_traceback_shows_no_variables() -> None:
    failed = [line for line in lines("error") if line["event"] == "failed"]
    assert len(failed) == 2
    for line in failed:
        assert "ValueError: broken" in line["exception"]
        assert "a-secret-key" not in line["exception"].replace('key = "a-secret-key"', "")
