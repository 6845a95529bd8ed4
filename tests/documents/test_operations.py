"""docs/operations.md: its unit is the one in `deploy/`, and its messages are those of the program."""

from __future__ import annotations

import re
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from queue_tool.model.settings import Settings
from tests.documents.blocks import ROOT, blocks

PAGE, UNIT = ROOT / "docs" / "operations.md", ROOT / "deploy" / "queue-tool.service"


def test_the_unit_on_the_page_is_the_one_to_install() -> None:
    (shown,) = [block.text for block in blocks(PAGE) if block.language == "ini"]
    assert shown == UNIT.read_text("utf-8")
    unit = RawConfigParser(strict=False)
    unit.read(UNIT)
    service = unit["Service"]
    assert service["KillMode"] == "mixed"
    assert int(service["TimeoutStopSec"]) > Settings().drain + 35
    assert service["ExecStart"].endswith("/queue-tool up")


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text("utf-8").replace("/opt/queue-tool/bin/queue-tool", "/bin/true")
    assert text.startswith("# queue-tool.service\n[Unit]\n")
    (tmp_path / "queue-tool.service").write_text(text)
    program = shutil.which("systemd-analyze")
    if program is not None:  # a machine without systemd has no use for the unit
        words = [program, "verify", str(tmp_path / "queue-tool.service")]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


MESSAGES = [
    message
    for row in re.findall(r"^\| (`[^|]+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    for message in re.findall(r"`([^`]+)`", row)
    if " " in message
]


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_on_the_page_is_one_of_the_program(message: str) -> None:
    sources = [path.read_text("utf-8") for path in (ROOT / "queue_tool").rglob("*.py")]
    assert any(message in source for source in sources)


def test_the_page_has_messages() -> None:
    assert len(MESSAGES) > 10
