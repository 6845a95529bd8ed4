"""Run, on a real store: the test calls what a stock RQ worker would call."""

from __future__ import annotations

import signal
import sqlite3
import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from queue_tool.model import events
from queue_tool.model.context import Context
from queue_tool.model.new_task import Accepted
from queue_tool.model.states import Code, State
from queue_tool.model.task import Status
from queue_tool.model.task_types import make_task_type
from queue_tool.runtime import Runtime
from tests.conftest import News

on_sqlite = pytest.mark.parametrize("storage", ["sqlite"], indirect=True)


def send(runtime: Runtime, function: Any, data: object = None, **options: Any) -> str:
    """Submit one task of a type made from this function; no worker runs to take it."""
    runtime.types.add(make_task_type(function.__name__.strip("_"), function, **options))
    (element,) = runtime.submit([data], runtime.of_type(function.__name__.strip("_"))).elements
    assert isinstance(element, Accepted)
    return element.token


def run(runtime: Runtime, token: str, number: int = 1) -> Status:
    runtime.runner([(token, number)], runtime.owner.id())
    return runtime.ask.task(token)


def double(data: int) -> int:
    return 2 * data


async def slow(data: object, context: Context) -> str:
    return context.token


def explode(data: object) -> None:
    raise ValueError("no good")


begun = threading.Event()


def never(data: object, context: Context) -> None:
    begun.set()
    context.canceled.wait(30)


def strange(data: object) -> object:
    return {1, 2}


def test_a_result_is_stored(runtime: Runtime, news: News) -> None:
    token = send(runtime, double, 21)
    ended = run(runtime, token)
    assert (ended.state, ended.result, ended.code) == (State.FINISHED, "42", None)
    assert ended.started_at is not None
    assert [event.token for event in news.of(events.TaskStarted)] == [token]
    assert [event.status for event in news.of(events.TaskEnded)] == [State.FINISHED]
    assert len(news.of(events.BatchFinished)) == 1


def test_a_coroutine_gets_its_context(runtime: Runtime) -> None:
    token = send(runtime, slow)
    assert run(runtime, token).result == f'"{token}"'


@pytest.mark.parametrize(
    ("function", "options", "code", "words"),
    [
        (explode, {}, Code.ERROR, "ValueError: no good"),
        (never, {"timeout": 0.05}, Code.TIMEOUT, "longer than 0.05 seconds"),
        (strange, {}, Code.BAD_RESULT, "not JSON"),
        (double, {"timeout": lambda data: data["absent"]}, Code.ERROR, "timeout"),
    ],
)
def test_a_failure_has_a_code_and_a_sentence(
    runtime: Runtime, function: Any, options: dict[str, Any], code: Code, words: str
) -> None:
    ended = run(runtime, send(runtime, function, {}, **options))
    assert (ended.state, ended.code) == (State.FAILED, code)
    assert words in (ended.error or "")


def test_an_unknown_task_type_is_a_failure(runtime: Runtime, make_runtime: Any, valkey_server: str) -> None:
    token = send(runtime, double, 1)
    assert run(make_runtime(REDIS_URL=valkey_server), token).code is Code.UNKNOWN_TASK_TYPE


def test_a_duplicate_ticket_runs_once(runtime: Runtime, news: News) -> None:
    token = send(runtime, double, 1)
    first = run(runtime, token)
    assert run(runtime, token) == first
    assert len(news.of(events.TaskStarted)) == 1
    assert news.of(events.TicketDropped) == [events.TicketDropped(token=token, run=1)]


def test_an_interruption_puts_the_task_back(runtime: Runtime) -> None:
    token = send(runtime, never)

    def interrupt(signum: int, frame: object) -> None:
        if begun.is_set():  # on a busy machine, the run may not have begun when the first signal arrives
            raise SystemExit

    begun.clear()
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    try:
        with pytest.raises(SystemExit):
            run(runtime, token)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    again = runtime.ask.task(token)
    assert (again.state, again.attempt, again.started_at) == (State.QUEUED, 1, None)
    (name,) = runtime.store.tickets.lists_unpushed()
    (ticket,) = runtime.store.tickets.unpushed(name, 10)
    assert ticket.id == f"{token}-2"


def test_the_outcome_of_a_task_that_was_taken_back_is_not_recorded(runtime: Runtime, news: News) -> None:
    owner = runtime.owner.id()

    def taken_back(data: object) -> str:
        runtime.store.runs.take_back([owner], datetime.now(UTC))
        return "late"

    token = send(runtime, taken_back)
    after = run(runtime, token)
    assert (after.state, after.result) == (State.QUEUED, None)
    assert news.of(events.TaskEnded) == []


@on_sqlite
def test_an_outcome_is_recorded_after_the_database_is_unlocked(hasty: Runtime, news: News) -> None:
    other = sqlite3.connect(hasty.store.database.path, isolation_level=None, check_same_thread=False)

    def lock(data: object) -> str:
        other.execute("BEGIN IMMEDIATE")
        return "kept"

    def unlock(_: object) -> None:
        other.execute("ROLLBACK")

    hasty.telemetry.listen({events.OutcomeDelayed: unlock})
    ended = run(hasty, send(hasty, lock))
    assert (ended.state, ended.result) == (State.FINISHED, '"kept"')
    assert len(news.of(events.OutcomeDelayed)) == 1
    other.close()


@on_sqlite
def test_unreadable_data_is_a_failure(runtime: Runtime) -> None:
    token = send(runtime, double, 1)
    with sqlite3.connect(runtime.store.database.path) as connection:
        connection.execute("UPDATE tasks SET data = '{'")
    connection.close()
    assert run(runtime, token).code is Code.ERROR
