"""The effect of RQ's commands and of cancels on a running worker."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rq.command import (
    send_command,
    send_kill_horse_command,
    send_shutdown_command,
    send_stop_execution_command,
    send_stop_job_command,
)
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from queue_tool.model.queues import Lane
from queue_tool.model.states import State
from tests.support import LIMIT
from tests.worker.faults.site import is_alive
from tests.worker.tools.place import ALL, LANES, Place


def stop_job(place: Place, token: str) -> tuple[str, str]:
    """Stop a job as RQ's users do; return the task's expected `canceled_by` and `cancel_reason`."""
    send_stop_job_command(place.redis, token, serializer=JSONSerializer)
    return "rq", "stop-job"


def stop_execution(place: Place, token: str) -> tuple[str, str]:
    """Stop an execution as RQ's users do; return the same values."""
    (execution,) = place.job(token).get_executions()
    send_stop_execution_command(place.redis, token, execution.id)
    return "rq", "stop-execution"


def cancel(place: Place, token: str) -> tuple[str, str]:
    """Cancel a running task through the service; return the same values."""
    canceled = place.runtime.cancel([token], by="me", reason="no longer wanted")
    assert canceled.running == {token}
    return "me", "no longer wanted"


def is_stopped(lane: str, gate: Path) -> bool:
    """Return whether a function has noticed the cancel; an isolated one must have been killed."""
    if lane == Lane.ISOLATED:
        return not is_alive(int(Path(f"{gate} pid").read_text()))
    return Path(f"{gate} stopped").exists()


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize(
    "ask", [*(pytest.param(way, marks=pytest.mark.sqlite) for way in (stop_job, stop_execution)), cancel]
)
def test_a_running_task_is_stopped(running: Place, gate: Path, lane: str, ask: Any) -> None:
    token = running.waiter(lane, gate)
    running.await_shown(token)
    running.await_(lambda: running.task(token).progress == 0.5)  # its function has begun
    running.await_(lambda: lane != Lane.ISOLATED or Path(f"{gate} pid").exists())
    by, why = ask(running, token)
    running.await_state([token], State.CANCELED)
    running.await_(lambda: is_stopped(lane, gate))
    running.await_forgotten(token)
    before = running.task(token)
    assert (before.canceled_by, before.cancel_reason, before.result) == (by, why, None)
    assert before.finished_at is not None
    gate.touch()
    running.await_(lambda: lane != Lane.THREADS or Path(f"{gate} back").exists())
    (after,) = running.send(f"waits.{lane}", [str(gate)])
    running.await_state([after], State.FINISHED)  # the worker continues, and has received the late result by now
    assert running.task(token) == before
    running.require_each_task_ended_once()
    assert len(FailedJobRegistry(Lane(lane).list_of("default"), connection=running.redis)) == 0


STRANGE: dict[str, object] = {
    "a job that is not ours": {"command": "stop-job", "job_id": "theirs"},
    "an unknown ticket": {"command": "stop-job", "job_id": "0" * 32},
    "another run of a task": {"command": "stop-job", "job_id": "<token>-2"},
    "no id": {"command": "stop-job"},
    "an id that is null": {"command": "stop-job", "job_id": None},
    "an unknown execution": {"command": "stop-execution", "job_id": "0" * 32, "execution_id": "x"},
    "a horse": {"command": "kill-horse"},
    "a command of a later RQ": {"command": "dance"},
}


@pytest.mark.sqlite
@pytest.mark.parametrize("what", STRANGE)
def test_a_command_for_anything_else_changes_nothing(running: Place, gate: Path, what: str) -> None:
    token = running.waiter("loop", gate)
    running.await_shown(token)
    name = running.only_worker().name
    parameters: Any = json.loads(json.dumps(STRANGE[what]).replace("<token>", token))
    send_command(running.redis, name, **parameters)
    send_stop_job_command(running.redis, obedient := started(running, gate), serializer=JSONSerializer)
    running.await_state([obedient], State.CANCELED)  # it still listens, and has received the command before this one
    assert running.task(token).state is State.RUNNING
    gate.touch()
    running.await_state([token], State.FINISHED)


NO_COMMANDS = [
    b"",
    b"\xff\xfe",
    b"no JSON\nin two lines",
    b"5",
    b"null",
    b"[]",
    b'["command"]',
    b'"stop-job"',
    b"{}",
    b'{"command": null}',
    b'{"command": ["stop-job"]}',
    b'{"command": {"stop-job": 1}}',
    b'{"command": "stop-job", "job_id": [1]}',
    b'{"command": "stop-execution"}',
    b"[" * 100_000,
    b'{"command": "stop-job"' + b" " * 100_000,
]


@pytest.mark.sqlite
def test_messages_that_are_no_commands_are_logged_and_ignored_and_the_worker_hears_the_next_one(
    running: Place, gate: Path
) -> None:
    token = running.waiter("loop", gate)
    running.await_shown(token)
    before = len(running.whole_log.splitlines())
    for message in NO_COMMANDS:
        running.redis.publish(f"rq:pubsub:{running.only_worker().name}", message)
    send_stop_job_command(running.redis, token, serializer=JSONSerializer)
    running.await_state([token], State.CANCELED)
    lines = running.whole_log.splitlines()[before:]
    ignored = [line for line in lines if "a message to this worker was ignored" in line]
    assert len(ignored) == len(NO_COMMANDS) - 2  # the two others are commands about nothing
    assert "Traceback" not in "".join(lines)
    assert max(map(len, ignored)) < 1000


def started(place: Place, gate: Path) -> str:
    """Send a task that waits, and return its token when RQ shows it as started."""
    token = place.waiter("loop", gate)
    place.await_shown(token)
    return token


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_stop_command_does_not_stop_a_queued_task(running: Place, gate: Path) -> None:
    first, second = (running.waiter("isolated", gate) for _ in range(2))  # there is one slot
    running.await_shown(first)
    send_command(running.redis, running.only_worker().name, "stop-job", job_id=second)
    send_stop_job_command(running.redis, obedient := started(running, gate), serializer=JSONSerializer)
    running.await_state([obedient], State.CANCELED)
    running.await_state([second], State.QUEUED)  # it may have been claimed ahead, and then goes back
    gate.touch()
    running.await_state([first, second], State.FINISHED)


@pytest.fixture
def suspended(running: Place) -> Iterator[Place]:
    """The same site with suspended workers: nothing new starts until the test resumes them."""
    running.rq("suspend")
    yield running
    running.rq("resume")


def calls(place: Place) -> int:
    """Return how often our workers called a script in Redis."""
    client: Any = place.redis
    return int(client.info("commandstats").get("cmdstat_evalsha", {"calls": 0})["calls"])


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_while_workers_are_suspended_nothing_new_starts_and_running_tasks_continue(
    suspended: Place, gate: Path
) -> None:
    suspended.rq("resume")
    (running,) = suspended.sleepers(1, valor=1.5)
    suspended.await_state([running], State.RUNNING)
    suspended.rq("suspend")
    before, began = calls(suspended), time.monotonic()
    waiting = [suspended.waiter(lane, gate) for lane in LANES]
    gate.touch()
    suspended.await_state([running], State.FINISHED)
    called, seconds = calls(suspended) - before, time.monotonic() - began
    assert {suspended.task(token).state for token in waiting} == {State.QUEUED}
    assert suspended.queue().job_ids == waiting[:1]
    # About one call a second for each of three lists, and one that shows a ticket. On a busy machine it takes longer.
    assert called < 10 + 4 * seconds
    suspended.rq("resume")
    suspended.await_state(waiting, State.FINISHED)
    suspended.await_forgotten(running, *waiting)


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_cancel_while_the_process_of_its_task_starts_does_not_block_the_next_task(place: Place, gate: Path) -> None:
    worker = place.start(TASKS=ALL, ISOLATED="1")
    token = place.waiter("isolated", gate)
    place.await_shown(token)
    cancel(place, token)  # showing the task is much faster than starting the first process
    after = place.waiter("isolated", Path(f"{gate} after"))
    place.await_state([after], State.RUNNING)
    assert not Path(f"{gate} pid").exists() or is_stopped("isolated", gate)
    Path(f"{gate} after").touch()
    place.await_state([after], State.FINISHED)
    place.await_forgotten(token, after)
    place.stop(worker)
    place.require_each_task_ended_once()


# -- commands that end a worker ----------------------------------------------------------------------------


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_the_command_to_shut_down_ends_a_worker_after_its_tasks(place: Place, gate: Path) -> None:
    worker = place.start(TASKS=ALL)
    tokens = [place.waiter(lane, gate) for lane in LANES]
    obedient = started(place, gate)
    place.await_shown(*tokens)
    name = place.only_worker().name
    send_kill_horse_command(place.redis, name)
    send_shutdown_command(place.redis, name)
    send_stop_job_command(place.redis, obedient, serializer=JSONSerializer)
    place.await_state([obedient], State.CANCELED)  # so it has received the shutdown command before it too
    assert place.tokens(State.RUNNING) == set(tokens)
    gate.touch()
    assert worker.wait(LIMIT) == 0, place.log
    assert place.tokens(State.FINISHED) == set(tokens)
    assert place.rqs_workers() == []
    place.await_forgotten(*tokens)


def test_results_timeouts_and_cancels_at_the_same_moment_end_each_task_once(place: Place) -> None:
    worker = place.start()
    place.await_(place.rqs_workers)
    tokens = place.send("races", [0.25 + number / 6000 for number in range(600)])
    place.await_(lambda: place.tokens(State.FINISHED) & set(tokens))  # from now on they end one after the other
    canceled: set[str] = set()
    for start in range(0, len(tokens), 20):
        canceled |= {ticket.token for ticket in place.runtime.cancel(tokens[start : start + 20]).tickets}
    place.await_(lambda: not place.open())
    assert place.tokens(State.CANCELED) == canceled
    place.require_each_task_ended_once()
    place.await_forgotten(*tokens)
    place.stop(worker)
