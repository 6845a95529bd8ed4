"""Tasks that were claimed ahead and have not begun: a worker that dies or ends, or is busy, loses none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from queue_tool.model.states import State
from tests.support import LIMIT
from tests.warm import Program
from tests.worker.faults.site import TASKS, Site

SLOTS = 4
MANY = 300
IN_A_THREAD = "hard.last-of-four"


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file that is there until the worker knows how fast the functions are. Then the functions wait for it again."""
    path = tmp_path / "gate"
    path.touch()
    return path


def held(site: Site, gate: Path, name: str, task_type: str = IN_A_THREAD) -> tuple[Program, list[str]]:
    """Start a worker that claims ahead, and send it tasks that wait for the gate.

    Args:
        site: the site.
        gate: the file.
        name: the signal that the fourth function sends to its worker.
        task_type: the type of the tasks.

    Returns:
        The worker and the tokens of the tasks.
    """
    settings = {"THREADS": str(SLOTS)} if task_type == IN_A_THREAD else {"ISOLATED": str(SLOTS), "TASKS": TASKS}
    worker = site.start(DRAIN="0", **settings)
    Path(f"{gate}.pid").write_text(str(worker.pid), "utf-8")
    known = site.send(task_type, [[str(gate), name]] * MANY)
    site.await_(lambda: site.tokens(State.FINISHED) == set(known))
    gate.unlink()
    return worker, site.send(task_type, [[str(gate), name]] * MANY)


def require_ends(site: Site, gate: Path, tokens: list[str]) -> None:
    """Open the gate, and require that another worker ends each of these tasks."""
    gate.touch()
    healthy = site.start(TASKS=TASKS)
    site.await_end()
    site.stop(healthy)
    assert {site.task(token).state for token in tokens} == {State.FINISHED}
    site.require_each_task_ended_once()
    site.require_clean_redis()


def counts(site: Site, tokens: list[str]) -> list[tuple[int, int, int, int]]:
    """Return run, attempt, losses and resignations of each task."""
    found = {token: rest for token, *rest in site.rows("SELECT token, run, attempt, losses, resignations FROM tasks")}
    return [(run, attempt, losses, resigned) for run, attempt, losses, resigned in map(found.__getitem__, tokens)]


@pytest.mark.parametrize("task_type", [IN_A_THREAD, pytest.param("hard.last-of-four-alone", marks=pytest.mark.sqlite)])
def test_a_worker_that_is_killed_loses_only_what_it_had_begun(site: Site, gate: Path, task_type: str) -> None:
    worker, tokens = held(site, gate, "SIGKILL", task_type)
    assert worker.wait(LIMIT) < 0, site.log
    running, begun = site.tokens(State.RUNNING), site.begun()
    assert len(running) > SLOTS
    assert begun == set(tokens[:SLOTS])
    site.sweep()
    assert counts(site, tokens[:SLOTS]) == [(2, 1, 1, 0)] * SLOTS
    waited = tokens[SLOTS:]
    assert counts(site, waited) == [(2 if token in running else 1, 1, 0, 0) for token in waited]
    require_ends(site, gate, tokens)


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_worker_that_ends_puts_what_has_not_begun_back_at_the_head_of_its_list(site: Site, gate: Path) -> None:
    worker, tokens = held(site, gate, "SIGTERM")
    assert worker.wait(LIMIT) == 0, site.log
    assert site.begun_files() == []
    runs = counts(site, tokens)
    assert runs[SLOTS] == (2, 1, 0, 0)
    assert [resigned for *_, resigned in runs] == [1] * SLOTS + [0] * (MANY - SLOTS)
    assert site.waiting() == [
        f"{token}-2" if run == 2 else token for token, (run, *_) in zip(tokens[SLOTS:], runs[SLOTS:], strict=True)
    ]
    require_ends(site, gate, tokens)


@pytest.mark.sqlite  # it reads the order of rows that one statement changed, which PostgreSQL does not promise
def test_what_does_not_begin_goes_back_to_the_head_of_its_list_while_its_worker_goes_on(site: Site, gate: Path) -> None:
    worker, tokens = held(site, gate, "SIGURG")  # it is ignored
    site.await_(lambda: site.tokens(State.RUNNING) == set(tokens[:SLOTS]) and len(site.waiting()) == MANY - SLOTS)
    assert [ticket.partition("-")[0] for ticket in site.waiting()] == tokens[SLOTS:]
    runs = counts(site, tokens)
    assert runs[SLOTS] == (2, 1, 0, 0)
    assert {run[1:] for run in runs} == {(1, 0, 0)}
    gate.touch()
    site.await_end()
    claims = [token for (token,) in site.rows("SELECT token FROM claims") if token in tokens[SLOTS:]]
    assert claims[-(MANY - SLOTS) :] == tokens[SLOTS:]
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()
    assert "task put back" not in site.whole_log
