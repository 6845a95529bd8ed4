"""Logs: the form of a line, and which lines are written; each test logs in a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys

PROGRAM = """
import logging, sys
from queue_tool.host import current_request, logs
from queue_tool.model import events
from queue_tool.model.telemetry import Telemetry
logs.configure("web", sys.argv[1], sys.argv[2])
emit = Telemetry(logs.listen).emit
emit(events.Requested(method="GET", path="/a b", status=200, ms=1.23456, request_id="r-0"))
emit(events.Warned(reason="two\\nlines"))
logging.getLogger("sqlalchemy.engine").info("chatter")
logging.getLogger("werkzeug").error('127.0.0.1 - - [22/Nov/2026 20:45:47] "GET / HTTP/1.1" 200 -')
try:
    raise ValueError("no")
except ValueError:
    with current_request.handling("r-1"):
        logging.getLogger("queue_tool.web").exception("it broke")
"""


def lines(level: str, style: str) -> list[str]:
    ran = subprocess.run([sys.executable, "-c", PROGRAM, level, style], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    return ran.stderr.splitlines()


def test_a_text_line_has_time_level_process_event_and_fields() -> None:
    request, warning, broke, *trace = lines("info", "text")
    time, _, rest = request.partition(" ")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert re.fullmatch(
        r"info    web\[\d+\] request method=GET path='/a b' status=200 ms=1\.235 request_id=r-0", rest
    ), rest
    assert warning.endswith(r"warning reason='two\nlines'")
    assert broke.endswith("it broke request_id=r-1")
    assert trace[-1] == "ValueError: no"


def test_a_json_line_is_one_object() -> None:
    request, warning, broke = (json.loads(line) for line in lines("info", "json"))
    assert (request["event"], request["status"], request["process"]) == ("request", 200, "web")
    assert warning["level"] == "warning"
    assert [line.get("request_id") for line in (request, warning, broke)] == ["r-0", None, "r-1"]
    assert "ValueError: no" in broke["traceback"]


def test_the_level_comes_from_the_setting() -> None:
    assert [json.loads(line)["event"] for line in lines("warning", "json")] == ["warning", "it broke"]
    assert [json.loads(line)["event"] for line in lines("error", "json")] == ["it broke"]
