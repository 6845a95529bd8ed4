"""The file of what a worker has begun: it outlives its writer, and where it cannot be used, nothing is known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from queue_tool.host import begun, processes
from queue_tool.model.ticket import ticket_id

TOKEN = "01a2171f18857a0bb04b6fac08924c5e"
LONGEST = ticket_id(TOKEN, 10**18 - 1)
THIS = (processes.machine(), os.getpid(), processes.own_pid_started())


def test_each_lane_notes_its_slots_and_others_read_what_is_not_over(tmp_path: Path) -> None:
    noted, files = begun.Begun(tmp_path, 5), begun.BegunFiles(tmp_path)
    loop, threads = noted.entries(2), noted.entries(3)
    assert files.read(*THIS) == frozenset()
    loop.note(1, LONGEST)
    threads.note(0, f"{TOKEN}-22")
    threads.note(2, f"{TOKEN}-3")
    threads.clear(2)
    assert files.read(*THIS) == frozenset({LONGEST, f"{TOKEN}-22"})
    threads.note(0, TOKEN)  # a shorter one leaves nothing of the longer one
    assert files.read(*THIS) == frozenset({LONGEST, TOKEN})
    noted.remove()
    noted.remove()
    loop.note(0, TOKEN)  # a function that stays may still be called
    assert files.read(*THIS) is None


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, bytes(range(256))], ids=["empty", "cut", "odd"])
def test_a_damaged_file_names_no_ticket_and_harms_nobody(tmp_path: Path, content: bytes) -> None:
    noted, files = begun.Begun(tmp_path, 3), begun.BegunFiles(tmp_path)
    (path,) = (tmp_path / begun.FOLDER).iterdir()
    path.write_bytes(content)
    found = files.read(*THIS)
    assert found is not None
    assert TOKEN not in found
    noted.remove()


def test_of_another_machine_or_process_nothing_is_known_but_its_file_is_removed(tmp_path: Path) -> None:
    begun.Begun(tmp_path, 1)
    files = begun.BegunFiles(tmp_path)
    machine, pid, started = THIS
    assert files.read("another", pid, started) is None
    assert files.read(machine, pid, "later") is None
    files.remove(machine, pid, "later")
    assert files.read(*THIS) == frozenset()
    files.remove(*THIS)
    assert files.read(*THIS) is None


def test_where_the_file_cannot_be_made_a_warning_says_what_follows(tmp_path: Path) -> None:
    (tmp_path / begun.FOLDER).write_text("")
    warnings: list[str] = []
    assert begun.create(tmp_path, 3, warnings.append) is None
    (warning,) = warnings
    assert "takes no task before a slot is free" in warning
