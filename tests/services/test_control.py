"""Control: cancel, reopen and pause, by tokens or by a filter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queue_tool.errors import TaskNotFound
from queue_tool.model import events
from queue_tool.model.batch import judge_of
from queue_tool.model.filter import Filter
from queue_tool.model.new_task import Accepted, Options
from queue_tool.model.outcome import Outcome
from queue_tool.model.queues import Priority
from queue_tool.model.states import Code, Move, State
from queue_tool.model.task import Timing
from queue_tool.model.task_types import make_task_type
from queue_tool.runtime import Runtime
from tests.conftest import News
from tests.runs import attempts_of, claim_runs, settle_runs

GOOD = {"item": "a", "valor": 0}
OWNER = 1


def send(runtime: Runtime, count: int = 1, **timing: datetime) -> list[str]:
    elements = runtime.submit([GOOD] * count, runtime.of_type("sleep", Options(timing=Timing(**timing)))).elements
    return [element.token for element in elements if isinstance(element, Accepted)]


def now() -> datetime:
    return datetime.now(UTC)


def claim(runtime: Runtime, *tokens: str, run: int = 1) -> None:
    assert len(claim_runs(runtime.store, [(token, run) for token in tokens], OWNER, now())) == len(tokens)


def settle(runtime: Runtime, token: str, move: Move = Move.FINISH, run: int = 1, **details: Any) -> bool:
    """Settle a task; return whether the outcome was recorded."""
    outcome = Outcome(token=token, run=run, move=move, started_at=now(), **details)
    return token in settle_runs(runtime.store, [outcome], OWNER, now()).tokens


def failed(runtime: Runtime, count: int = 1) -> list[str]:
    tokens = send(runtime, count)
    claim(runtime, *tokens)
    for token in tokens:
        assert settle(runtime, token, Move.FAIL, code=Code.ERROR, error="no")
    return tokens


def batch_of(runtime: Runtime, token: str) -> Any:
    return runtime.ask.batch(runtime.ask.task(token).batch or "")


# -- cancel ------------------------------------------------------------------------------------------------


def test_an_open_task_is_canceled_with_user_and_reason(runtime: Runtime) -> None:
    (queued,), (running,), (scheduled,) = send(runtime), send(runtime), send(runtime, due_at=now() + timedelta(days=1))
    claim(runtime, running)
    canceled = runtime.cancel([queued, running, scheduled, "f" * 32], by="ana", reason="not needed")
    assert {ticket.token for ticket in canceled.tickets} == {queued, running, scheduled}
    assert canceled.running == {running}
    assert len(canceled.finished) == 3
    for token in (queued, running, scheduled):
        task = runtime.ask.task(token)
        assert (task.state, task.canceled_by, task.cancel_reason) == (State.CANCELED, "ana", "not needed")
    assert not settle(runtime, running)
    assert claim_runs(runtime.store, [(queued, 1)], OWNER, now()) == []


def test_an_ended_task_cannot_be_canceled(runtime: Runtime) -> None:
    (token,) = failed(runtime)
    assert runtime.cancel([token]).tickets == ()
    assert runtime.ask.task(token).state is State.FAILED


def test_a_filter_cancels_exactly_the_tasks_that_match(runtime: Runtime) -> None:
    urgent = make_task_type("urgent", lambda data: data, priority="high")
    (other,) = runtime.submit([1], judge_of(urgent)).elements
    ended, mine, others = failed(runtime), send(runtime, 1200), send(runtime, 3)
    claim(runtime, mine[0])
    changed = runtime.cancel.matching(Filter(batch=runtime.ask.task(mine[0]).batch), by="ana")
    assert (changed.matched, changed.changed) == (1200, 1200)
    assert set(runtime.store.tasks.states(mine).values()) == {State.CANCELED}
    assert set(runtime.store.tasks.states(others).values()) == {State.QUEUED}
    assert runtime.cancel.matching(Filter(priority=Priority.HIGH, task_type="urgent")).changed == 1
    assert isinstance(other, Accepted)
    assert runtime.ask.task(other.token).state is State.CANCELED
    assert runtime.cancel.matching(Filter(created_before=now() - timedelta(hours=1))).matched == 0
    assert runtime.cancel.matching(Filter(states=frozenset({State.FAILED}))).matched == 0
    assert runtime.cancel.matching(Filter(created_after=now() - timedelta(hours=1))).changed == 3
    assert runtime.ask.task(ended[0]).state is State.FAILED


# -- reopen ------------------------------------------------------------------------------------------------


def test_a_reopened_task_runs_again_and_its_failed_attempt_stays_on_record(runtime: Runtime, news: News) -> None:
    (token,) = failed(runtime)
    assert batch_of(runtime, token).finished_at is not None
    (ticket,) = runtime.reopen([token])
    assert ticket.id == f"{token}-2"
    task = runtime.ask.task(token)
    assert (task.state, task.attempt, task.code, task.error, task.finished_at) == (State.QUEUED, 2, None, None, None)
    assert batch_of(runtime, token).finished_at is None
    (attempt,) = attempts_of(runtime.store, token)
    assert (attempt.attempt, attempt.run, attempt.code, attempt.error) == (1, 1, "error", "no")
    assert not settle(runtime, token)  # a late outcome of the old run
    claim(runtime, token, run=2)
    assert settle(runtime, token, run=2)
    assert batch_of(runtime, token).counts[State.FINISHED] == 1
    assert batch_of(runtime, token).finished_at is not None
    assert news.of(events.TaskReopened) == [events.TaskReopened(token=token, run=2)]


def test_a_canceled_task_can_be_reopened_but_an_open_one_cannot(runtime: Runtime) -> None:
    (canceled,), (waiting,) = send(runtime), send(runtime)
    runtime.cancel([canceled], by="ana", reason="by mistake")
    assert [ticket.token for ticket in runtime.reopen([canceled, waiting, "f" * 32])] == [canceled]
    task = runtime.ask.task(canceled)
    assert (task.state, task.canceled_by, task.cancel_reason) == (State.QUEUED, None, None)
    (attempt,) = attempts_of(runtime.store, canceled)
    assert (attempt.code, attempt.error) == ("canceled", "by mistake")


def test_attempts_before_a_reopen_do_not_count_against_the_limit(runtime: Runtime) -> None:
    (token,) = failed(runtime)
    runtime.reopen([token])
    (claimed,) = claim_runs(runtime.store, [(token, 2)], OWNER, now())
    assert (claimed.attempt, claimed.forgiven) == (2, 1)


DEAD = Filter(states=frozenset({State.FAILED}))

# -- dead letters ------------------------------------------------------------------------------------------


def test_dead_letters_are_listed_in_pages_with_the_newest_first(runtime: Runtime) -> None:
    send(runtime)
    tokens = failed(runtime, 5)
    page = runtime.list(DEAD, 2)
    assert [task.token for task in page.items] == tokens[:2:-1]
    assert page.items[0].error == "no"
    rest = runtime.list(DEAD, 3, page.next)
    assert [task.token for task in rest.items] == tokens[2::-1]
    assert rest.next is None


def test_dead_letters_are_retried_by_a_filter(runtime: Runtime) -> None:
    tokens = failed(runtime, 3)
    changed = runtime.reopen.matching(Filter(states=frozenset({State.FAILED}), code=Code.ERROR))
    assert (changed.matched, changed.changed) == (3, 3)
    assert set(runtime.store.tasks.states(tokens).values()) == {State.QUEUED}
    assert runtime.list(DEAD).total == 0


def test_old_dead_letters_are_removed_and_the_counts_still_add_up(runtime: Runtime) -> None:
    (token,) = failed(runtime)
    batch = runtime.submit([GOOD] * 2, runtime.of_type("sleep"))
    mixed = [element.token for element in batch.elements if isinstance(element, Accepted)]
    claim(runtime, *mixed)
    settle(runtime, mixed[0], Move.FAIL, code=Code.ERROR)
    settle(runtime, mixed[1])
    assert runtime.dead_letters.purge(timedelta(hours=1)) == 0
    assert runtime.dead_letters.purge(timedelta(0)) == 2
    for gone in (token, mixed[0]):
        with pytest.raises(TaskNotFound):
            runtime.ask.task(gone)
    left = runtime.ask.batch(batch.batch or "")
    assert (left.total, left.counts[State.FINISHED], left.counts[State.FAILED]) == (1, 1, 0)


# -- pause -------------------------------------------------------------------------------------------------


def test_tasks_of_a_paused_queue_cannot_start_until_it_is_resumed(runtime: Runtime) -> None:
    (token,) = send(runtime)
    for _ in range(2):
        runtime.pause(Priority.NORMAL)
    assert runtime.store.queues.paused() == {Priority.NORMAL}
    assert claim_runs(runtime.store, [(token, 1)], OWNER, now()) == []
    assert runtime.ask.task(token).state is State.QUEUED
    runtime.pause.resume(Priority.NORMAL)
    assert runtime.store.queues.paused() == frozenset()
    claim(runtime, token)


def test_a_pause_of_one_queue_does_not_stop_another(runtime: Runtime) -> None:
    (token,) = send(runtime)
    runtime.pause(Priority.HIGH)
    claim(runtime, token)


def test_a_running_task_may_end_while_its_queue_is_paused(runtime: Runtime) -> None:
    (token,) = send(runtime)
    claim(runtime, token)
    runtime.pause(Priority.NORMAL)
    assert settle(runtime, token)
