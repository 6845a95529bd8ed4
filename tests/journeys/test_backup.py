"""A backup of a system under load, everything killed, the backup restored: what it knew is done, the rest unknown."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import System, eventually, http, items, run_command, tokens

TASKS, MANY = 2_000, 20_000
"""Tasks before the backup, and after it: here, and in `tests/soak`."""

BATCH = 100


def sent(system: System, count: int) -> list[str]:
    """Send tasks; return their tokens."""
    return [token for _ in range(count // BATCH) for token in tokens(system.post(items(BATCH)))]


def statuses(system: System, wanted: list[str]) -> set[str]:
    """Return every status that one of the tokens has."""
    pages = [wanted[first : first + 1000] for first in range(0, len(wanted), 1000)]
    answers = [http("POST", system.url("/check"), {"tokens": page}).json["results"] for page in pages]
    return {each["status"] for answer in answers for each in answer}


def known(backup: Path) -> set[str]:
    """Return the tokens that a backup holds."""
    with closing(sqlite3.connect(backup)) as connection:
        return {token for (token,) in connection.execute("SELECT token FROM tasks")}


@pytest.mark.sqlite
def test_what_a_backup_knew_is_done_after_the_restore(system: System) -> None:
    back_up_kill_and_restore(system, TASKS)


def back_up_kill_and_restore(system: System, count: int) -> None:
    """Send tasks, back up under load, send as many again, kill everything, restore, and look at every token."""
    backup, during = system.directory / "copy.db", list[str]()
    first = sent(system, count)
    slow = tokens(system.post(items(3, 3600)))
    for token in slow:
        system.await_status(token, "running")
    load = threading.Thread(target=lambda: during.extend(sent(system, count // 4)))
    load.start()
    done = run_command("db", "backup", "copy.db", cwd=system.directory)
    load.join()
    assert done.returncode == 0, done.stderr
    later = sent(system, count)
    system.kill_all()

    kept = known(backup)
    assert kept <= {*first, *slow, *during}
    assert kept >= {*first, *slow}
    restored = run_command("db", "restore", "copy.db", cwd=system.directory)
    assert "3 tasks were running" in restored.stdout, restored.stderr
    system.start()
    fast = [token for token in (*first, *during) if token in kept]
    eventually(lambda: statuses(system, fast) == {"finished"})
    lost = [token for token in (*during, *later) if token not in kept]
    assert statuses(system, lost) == {"unknown"}
    assert "Job not found" in system.check(lost[-1]).values()
    for token in slow:
        system.await_status(token, "running")
    with closing(sqlite3.connect(system.directory / "instance" / "queue_tool.db")) as connection:
        assert connection.execute("SELECT count(*), sum(losses), max(attempt) FROM tasks").fetchone() == (
            len(kept),
            0,
            1,
        )
    assert len({*tokens(system.post(items(BATCH)))} - {*first, *slow, *during, *later}) == BATCH
