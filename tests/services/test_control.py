"""Control: canceled, reopened, paused; some by token, or all by a filter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queue_tool.errors import TaskNotFound
from queue_tool.model import events
from queue_tool.model.batch import Accepted, judge_of
from queue_tool.model.filter import Filter
from queue_tool.model.options import Options
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
    """Record an end; tell whether it counted."""
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


def test_whatever_has_not_ended_is_canceled_with_who_and_why(runtime: Runtime) -> None:
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


def test_what_has_ended_cannot_be_canceled_and_what_is_canceled_cannot_end(runtime: Runtime) -> None:
    (token,) = failed(runtime)
    assert runtime.cancel([token]).tickets == ()
    assert runtime.ask.task(token).state is State.FAILED


def test_a_filter_cancels_all_that_it_means_and_nothing_else(runtime: Runtime) -> None:
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


def test_a_failed_task_that_is_reopened_runs_again_and_its_end_stays_on_record(runtime: Runtime, news: News) -> None:
    (token,) = failed(runtime)
    assert batch_of(runtime, token).finished_at is not None
    (ticket,) = runtime.reopen([token])
    assert ticket.id == f"{token}-2"
    task = runtime.ask.task(token)
    assert (task.state, task.attempt, task.code, task.error, task.finished_at) == (State.QUEUED, 2, None, None, None)
    assert batch_of(runtime, token).finished_at is None
    (attempt,) = attempts_of(runtime.store, token)
    assert (attempt.attempt, attempt.run, attempt.code, attempt.error) == (1, 1, "error", "no")
    assert not settle(runtime, token)  # the old run's late outcome
    claim(runtime, token, run=2)
    assert settle(runtime, token, run=2)
    assert batch_of(runtime, token).counts[State.FINISHED] == 1
    assert batch_of(runtime, token).finished_at is not None
    assert news.of(events.TaskReopened) == [events.TaskReopened(token=token, run=2)]


def test_a_canceled_task_is_reopened_too_and_others_are_not(runtime: Runtime) -> None:
    (canceled,), (waiting,) = send(runtime), send(runtime)
    runtime.cancel([canceled], by="ana", reason="by mistake")
    assert [ticket.token for ticket in runtime.reopen([canceled, waiting, "f" * 32])] == [canceled]
    task = runtime.ask.task(canceled)
    assert (task.state, task.canceled_by, task.cancel_reason) == (State.QUEUED, None, None)
    (attempt,) = attempts_of(runtime.store, canceled)
    assert (attempt.code, attempt.error) == ("canceled", "by mistake")


def test_attempts_before_a_reopening_do_not_count(runtime: Runtime) -> None:
    (token,) = failed(runtime)
    runtime.reopen([token])
    (claimed,) = claim_runs(runtime.store, [(token, 2)], OWNER, now())
    assert (claimed.attempt, claimed.forgiven) == (2, 1)


DEAD = Filter(states=frozenset({State.FAILED}))

# -- dead letters ------------------------------------------------------------------------------------------


def test_dead_letters_are_listed_the_last_one_first_page_by_page(runtime: Runtime) -> None:
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


def test_old_dead_letters_are_removed_and_the_counts_go_on_to_sum(runtime: Runtime) -> None:
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


def test_from_a_paused_queue_nothing_can_be_started_until_it_goes_on(runtime: Runtime) -> None:
    (token,) = send(runtime)
    for _ in range(2):
        runtime.pause(Priority.NORMAL)
    assert runtime.store.queues.paused() == {Priority.NORMAL}
    assert claim_runs(runtime.store, [(token, 1)], OWNER, now()) == []
    assert runtime.ask.task(token).state is State.QUEUED
    runtime.pause.resume(Priority.NORMAL)
    assert runtime.store.queues.paused() == frozenset()
    claim(runtime, token)


def test_a_pause_of_one_queue_stops_no_other(runtime: Runtime) -> None:
    (token,) = send(runtime)
    runtime.pause(Priority.HIGH)
    claim(runtime, token)


def test_a_running_task_may_end_while_its_queue_is_paused(runtime: Runtime) -> None:
    (token,) = send(runtime)
    claim(runtime, token)
    runtime.pause(Priority.NORMAL)
    assert settle(runtime, token)
