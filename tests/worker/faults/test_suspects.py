"""Suspects: tasks that lost two processes run together in a fresh one, and alone after the third loss."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from queue_tool.model.states import MOST_TOGETHER, Code, State
from tests.support import LIMIT
from tests.worker.faults import suspects
from tests.worker.faults.site import Site, is_alive

MODULE = suspects.__name__

REFUSED = "4 processes died while they ran this task. The task's own process ended with code 7."


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """A file for which the functions wait."""
    (tmp_path / "gates").mkdir()
    return tmp_path / "gates" / "gate"


def accuse(site: Site, losses: int = 2) -> None:
    """Let all tasks have lost so many processes, and push the tickets of their next runs."""
    with site.database() as database:
        database.execute(
            f"UPDATE tasks SET losses = {losses}, lane = 'isolated', run = 2, pushed_at = NULL WHERE run = 1"
        )
    site.redis.delete(*site.keys("rq:queue:*"), *site.keys("rq:job:*"))
    site.sweep()


def begun(gate: Path, run: int = 2) -> dict[str, int]:
    """Return the tokens of the tasks whose functions were called in a run: the pid of each."""
    found = [path for path in gate.parent.glob(f"{gate.name}.*") if path.read_text("utf-8") == str(run)]
    return {token: int(pid) for token, pid in (path.name.split(".")[1:] for path in found)}


def losses(site: Site) -> dict[str, int]:
    """Return the losses of each task."""
    return dict(site.rows("SELECT token, losses FROM tasks"))


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_suspects_share_a_process_and_do_not_wait_for_each_other(site: Site, gate: Path) -> None:
    own = site.send("suspect.thread", [str(gate)] * 7) + site.send("suspect.loop", [str(gate)] * 7)
    (hurried,), (canceled,) = site.send("suspect.hurried", [str(gate)]), site.send("suspect.thread", [str(gate)])
    late = site.send("suspect.isolated", [str(gate)] * 2)
    accuse(site)
    worker = site.start(TASKS=MODULE, ISOLATED="1")
    site.await_(lambda: len(begun(gate)) == MOST_TOGETHER)
    assert set(begun(gate)) == {*own, hurried, canceled}
    (pid,) = set(begun(gate).values())
    site.runtime.cancel([canceled], by="", reason="")
    site.await_(lambda: site.task(hurried).state.ended)
    assert site.task(hurried).code is Code.TIMEOUT
    gate.touch()
    site.await_end()
    found = {token: json.loads(site.task(token).result or "0") for token in (*own, *late)}
    assert {found[token] for token in own} == {pid}
    assert len({found[token] for token in late} - {pid}) == len(late)  # what is isolated shares no process
    assert set(losses(site).values()) == {2}
    site.await_(lambda: not is_alive(pid))
    lines = [line for line in site.whole_log.splitlines() if "a suspect was here" in line]
    assert {token for token in own[:7] if any(token in line for line in lines)} == set(own[:7])
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


def test_the_suspect_that_kills_its_process_ends_alone_and_the_others_finish(site: Site, gate: Path) -> None:
    innocent = site.send("suspect.thread", [str(gate)] * 2) + site.send("suspect.loop", [str(gate)])
    (killer,) = site.send("suspect.kills", [str(gate)])
    accuse(site)
    worker = site.start(TASKS=MODULE, ISOLATED="4")
    site.await_(lambda: len(begun(gate)) == len(innocent) + 1)
    (shared,) = set(begun(gate).values())
    Path(f"{gate}-of-the-killer").touch()
    site.await_(lambda: site.sweep() or len(begun(gate, 3)) == len(innocent) + 1)
    alone = begun(gate, 3)
    assert len({*alone.values(), shared}) == len(alone) + 1
    site.await_end_of([killer])
    assert (site.task(killer).state, site.task(killer).code) == (State.FAILED, Code.WORKER_LOST)
    assert site.task(killer).error == REFUSED
    gate.touch()
    site.await_end()
    assert {json.loads(site.task(token).result or "0") for token in innocent} == {alone[token] for token in innocent}
    assert losses(site) == {killer: 4, **dict.fromkeys(innocent, 3)}
    site.stop(worker)
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite
def test_a_killed_worker_charges_the_suspects_that_had_begun_together(site: Site, gate: Path) -> None:
    sent = site.send("suspect.thread", [str(gate)] * (MOST_TOGETHER + 2))
    accuse(site)
    worker = site.start(TASKS=MODULE, ISOLATED="1")
    site.await_(lambda: len(begun(gate)) == MOST_TOGETHER)
    assert site.begun() == set(begun(gate))
    (shared,) = set(begun(gate).values())
    worker.kill()
    assert worker.wait(LIMIT) == -signal.SIGKILL
    site.await_(lambda: not is_alive(shared))
    site.sweep()
    assert losses(site) == {token: 3 if token in begun(gate) else 2 for token in sent}
    gate.touch()
    healthy = site.start(TASKS=MODULE)
    site.await_end()
    site.stop(healthy)
    assert {site.task(token).state for token in sent} == {State.FINISHED}
    site.require_each_task_ended_once()
    site.require_clean_redis()


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_suspect_that_blocks_the_event_loop_ends_its_process_once(site: Site, gate: Path) -> None:
    (other,), (blocking,) = site.send("suspect.loop", [str(gate)]), site.send("suspect.blocks", [str(gate)])
    accuse(site)
    worker = site.start(TASKS=MODULE, STUCK_AFTER="0.5")
    site.await_(lambda: site.sweep() or len(begun(gate, 3)) == 2)
    gate.touch()
    site.await_end()
    assert losses(site) == {other: 3, blocking: 3}
    site.stop(worker)
    site.require_each_task_ended_once()


STEPS = [
    ("after the start of a shared process", 1),
    ("after a join", 2),
    ("before a shared run", 3),
    ("after a shared run", 1),
]


@pytest.mark.sqlite
@pytest.mark.parametrize(("step", "turn"), STEPS)
def test_a_worker_that_is_killed_at_any_step_of_a_shared_process_loses_nothing(
    site: Site, gate: Path, step: str, turn: int
) -> None:
    gate.touch()
    sent = site.send("suspect.thread", [str(gate)] * 3) + site.send("suspect.loop", [str(gate)] * 3)
    accuse(site)
    killed = site.start("-m", "tests.worker.faults.doomed", step, str(turn), TASKS=MODULE, ISOLATED="2")
    assert killed.wait(LIMIT) == -signal.SIGKILL, site.log
    called, running = site.begun(), site.tokens(State.RUNNING)
    site.sweep()
    assert losses(site) == {token: 3 if token in called & running else 2 for token in sent}
    healthy = site.start(TASKS=MODULE)
    site.await_end()
    site.stop(healthy)
    assert {site.task(token).state for token in sent} == {State.FINISHED}
    site.require_each_task_ended_once()
    site.require_clean_redis()
