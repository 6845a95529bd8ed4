"""A function that blocks the event loop: it is named, its worker is replaced, and nobody else pays for it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from queue_tool.model.states import State
from tests.support import eventually, now
from tests.worker.faults.site import Site

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough


def losses(site: Site) -> dict[str, tuple[int, int]]:
    """Return run and losses of each task."""
    return {token: (run, lost) for token, run, lost in site.rows("SELECT token, run, losses FROM tasks")}


def stuck_events(site: Site) -> list[Any]:
    lines = [json.loads(line) for line in site.whole_log.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == "event loop stuck"]


@pytest.mark.parametrize("task_type", ["hard.spins", "hard.spins-in-a-subtask"])
def test_what_blocks_the_loop_is_named_and_counts_a_loss_and_the_others_run_elsewhere(
    site: Site, tmp_path: Path, task_type: str
) -> None:
    gate, file = tmp_path / "gate", tmp_path / "file"
    worker = site.start(STUCK_AFTER="0.5", LOG_FORMAT="json")
    (waiting,) = site.send("hard.until", [str(file)])
    (in_a_thread,) = site.send("hard.until-in-a-thread", [str(file)])
    site.await_(lambda: site.count(State.RUNNING) == 2)
    (spinning,) = site.send(task_type, [str(gate)])
    site.await_(lambda: site.count(State.RUNNING) == 3)
    behind = site.sleepers(3)
    site.await_(lambda: site.rows("SELECT 1 FROM workers WHERE trouble IS NOT NULL"))
    file.touch()  # what runs in a thread may end during the drain
    assert worker.wait(60) == 0, site.log
    (event,) = stuck_events(site)
    assert (event["token"], event["task_type"]) == (spinning, task_type)
    assert "in spin\n" in event["stack"]
    assert event["seconds"] >= 0.5
    assert site.task(in_a_thread).state is State.FINISHED
    assert losses(site) == {
        spinning: (2, 1),
        waiting: (2, 0),
        in_a_thread: (1, 0),
        **{token: (2 if site.rows(f"SELECT 1 FROM claims WHERE token = '{token}'") else 1, 0) for token in behind},
    }
    assert site.rows("SELECT token FROM tasks WHERE resignations > 0") == [(waiting,)]  # the others were not called
    (attempt,) = site.runtime.ask.details(spinning).attempts
    assert (attempt.code, "in spin\n" in attempt.traceback) == ("worker_lost", True)
    gate.touch()
    next_one = site.start()
    site.await_end()
    site.stop(next_one)
    assert {site.task(token).state for token in losses(site)} == {State.FINISHED}
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_a_deadline_counts_from_the_call_and_not_from_the_claim(site: Site, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    worker = site.start(STUCK_AFTER="0", THREADS="1")
    site.send("hard.spins", [str(gate)])
    site.await_(lambda: site.count(State.RUNNING) == 1)
    behind, in_a_thread = site.send("hard.hasty", [None])[0], site.send("hard.hasty-in-a-thread", [None])[0]
    site.await_(lambda: site.task(behind).state is State.RUNNING and site.task(in_a_thread).state is State.FINISHED)
    claimed = site.task(behind).started_at
    assert claimed is not None
    eventually(lambda: now() > claimed + timedelta(seconds=1))  # its timeout is 0.3 seconds
    (switching,) = site.send("hard.switches", [None])
    (renaming,) = site.send("hard.renames", [behind])
    gate.touch()
    site.await_end()
    site.stop(worker)
    assert site.task(renaming).result == f'"{behind}"'
    assert float(site.task(switching).result or 1) < 0.001  # else functions that compute hold up the other threads
    assert [site.task(token).result for token in (behind, in_a_thread)] == ["true", "true"]
    site.require_each_task_ended_once()
    site.require_clean_redis()
