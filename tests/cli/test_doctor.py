"""`queue-tool doctor` on real systems; tests/services has what it finds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from queue_tool.cli import doctor
from queue_tool.services.doctor.finding import Finding, Level, worst
from tests.support import PROGRAM, System, free_port, run_command

AROUND = {"disk", "open files"}
"""Checks that depend on the machine of the test."""


def test_a_running_system_is_well(lasting_system: System) -> None:
    done = run_command("doctor", "--json", cwd=lasting_system.directory, PORT=str(lasting_system.port))
    report = json.loads(done.stdout)
    unwell = [each for each in report["findings"] if each["level"] != "ok" and each["check"] not in AROUND]
    assert unwell == []
    assert done.returncode == [level.value for level in Level].index(report["level"])
    found = {each["check"]: each["found"] for each in report["findings"]}
    assert found["Redis"].startswith("Valkey ")
    assert found["tickets"] == "Redis carries the tickets of this database"
    assert "worker (1)" in found["processes"]
    assert f":{lasting_system.port}, where a server listens, every user" in found["access"]


def test_a_new_directory_stays_empty_and_each_finding_is_one_line(tmp_path: Path) -> None:
    url = "http://user:hunter2@example.org"
    done = run_command("doctor", cwd=tmp_path, program=PROGRAM, PORT="many", DATABSE_URL="x", REDIS_URL=url)
    assert (done.returncode, done.stderr, list(tmp_path.iterdir())) == (2, "", [])
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines if line.split()[1] == "settings"] == ["wrong", "wrong", "warning"]
    assert all(line.endswith(".") and line.split()[0] in list(Level) for line in lines)
    assert any(line.startswith("warning  database") and "queue-tool db upgrade" in line for line in lines)
    assert "hunter2" not in done.stdout


def test_an_env_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"QUEUE_TOOL_DATA_DIR=caf\xe9")
    (tmp_path / "talking.py").write_text("print('no JSON')")
    done = run_command("doctor", "--json", cwd=tmp_path, PORT=str(free_port()), TASKS="talking")
    assert (done.returncode, done.stderr) == (2, "no JSON\n")
    assert ".env of the current directory must be UTF-8 text" in json.loads(done.stdout)["findings"][0]["found"]


@pytest.mark.parametrize("width", [40, 120])
def test_at_a_terminal_each_sentence_is_wrapped(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    finding = Finding(check="disk", level=Level.WARNING, found="10 MiB are free [here]" * 5, remedy="make room")
    assert worst(doctor._in_colours([finding])) is Level.WARNING
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["warning", "disk"]
    assert all(len(line) <= width for line in lines)
    assert "make room." in " ".join(lines)
