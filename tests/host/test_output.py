"""The output of tasks: lines of the log, whatever a function does to the streams; the log survives users' handlers."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import contextlib, logging, os, sys
from queue_tool.execution.current_task import CurrentTask
from queue_tool.host import logs, output
from queue_tool.model import events

logs.configure("worker", "warning", "json")
output.capture()
output.capture()

with CurrentTask("a" * 32, "mine"):
    sys.stdout.reconfigure(encoding="ascii")
    print("10 %\\r20 %\\r\\n\\n\\u00e9\\ud800")
    print("x" * 65_537)
    print("y" * 65_536, end="")
    print("piece", end="", flush=True)
    sys.stdout.close()
    sys.stderr.buffer.write(memoryview(b"\\xff\\n"))
    with contextlib.suppress(TypeError):
        sys.stdout.write(b"bytes")
    print(sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.writable(), sys.stdout.fileno(), end="")
print("outside")

mine = logging.getLogger("mine")
mine.info("below the level")
mine.addHandler(logging.StreamHandler(sys.__stderr__))
mine.warning("late handler")
mine.handlers.clear()
mine.setLevel("DEBUG")
mine.debug("below the level too")
logging.basicConfig(format="theirs %(message)s", stream=sys.__stderr__, force=True)
mine.warning("once")
logs.listen(events.Warned(reason="ours"))
logs.reclaim()
mine.warning("ours again")
os.close(2)
print("lost")
mine.error("lost too")
"""


def test_the_log_has_each_line_once() -> None:
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert ran.stdout == ""
    *lines, late, theirs, warned, again = ran.stderr.splitlines()
    found = [json.loads(line) for line in lines]
    assert [line["event"] for line in found] == [
        "10 %",
        "20 %",
        "é\\ud800",
        "x" * 65_536,
        "x",
        "y" * 65_536,
        "piece",
        "\\xff",
        "False utf-8 True 1",
        "outside",
    ]
    assert [line.get("token") for line in found] == [*["a" * 32] * 9, None]
    assert [line["logger"] for line in found] == [*["stdout"] * 7, "stderr", "stdout", "stdout"]
    assert (late, theirs) == ("late handler", "theirs once")
    assert (json.loads(warned)["reason"], json.loads(again)["event"]) == ("ours", "ours again")
