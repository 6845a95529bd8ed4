"""Waiting for ends: one thread for all who wait, told by the database itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pytest

from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Move
from queue_tool.runtime import Runtime
from queue_tool.services.submit import make_tokens
from queue_tool.services.wait import Wait
from queue_tool.store import Store
from tests.runs import claim_runs, settle_runs
from tests.support import eventually, now

LONG = 60.0
"""Seconds that no test here lasts: who waits so long is woken."""


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(80) as pool:
        yield pool


@pytest.fixture
def store(runtime: Runtime) -> Store:
    return runtime.store


@pytest.fixture
def wait(store: Store) -> Iterator[Wait]:
    made = Wait(store, limit=64)
    yield made
    made.release()


def sent(runtime: Runtime, count: int = 1) -> tuple[str, list[str]]:
    submission = runtime.submit([{"item": "a", "valor": 0}] * count, runtime.of_type("sleep"))
    assert submission.batch is not None
    return submission.batch, [element.token for element in submission.elements if hasattr(element, "token")]


def end(runtime: Runtime, tokens: list[str]) -> None:
    owner = runtime.owner.id()
    claim_runs(runtime.store, [(token, 1) for token in tokens], owner, now())
    outcomes = [Outcome(token=token, run=1, move=Move.FINISH, result="null") for token in tokens]
    settle_runs(runtime.store, outcomes, owner, now())


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "watcher"]


def test_the_end_of_a_task_wakes_who_waits_for_it_and_nobody_else(
    runtime: Runtime, wait: Wait, threads: ThreadPoolExecutor
) -> None:
    _, (first, second) = sent(runtime, 2)
    mine = threads.submit(wait.task, first, LONG)
    others = threads.submit(wait.task, second, LONG)
    eventually(watchers)
    end(runtime, [first])
    assert mine.result(LONG / 2) is True
    assert not others.done()
    end(runtime, [second])
    assert others.result(LONG / 2) is True


def test_the_end_of_its_last_task_ends_a_batch(runtime: Runtime, wait: Wait, threads: ThreadPoolExecutor) -> None:
    batch, (first, second) = sent(runtime, 2)
    waiting = threads.submit(wait.batch, batch, LONG)
    end(runtime, [first])
    waiting_for_first = threads.submit(wait.task, first, LONG)
    assert waiting_for_first.result(LONG / 2) is True  # so the watcher has looked since, and the batch goes on
    assert not waiting.done()
    end(runtime, [second])
    assert waiting.result(LONG / 2) is True


def test_an_end_before_the_wait_is_noticed_without_any_change_after_it(runtime: Runtime, wait: Wait) -> None:
    _, (token,) = sent(runtime)
    end(runtime, [token])
    assert wait.task(token, LONG) is True


def test_a_wait_ends_with_its_time(runtime: Runtime, wait: Wait) -> None:
    _, (token,) = sent(runtime)
    assert wait.task(token, 0.01) is True


def test_what_is_not_there_any_more_is_not_waited_for(wait: Wait) -> None:
    gone, also = make_tokens(2, now())
    assert wait.task(gone, LONG) is True
    assert wait.batch(also, LONG) is True


def test_one_too_many_does_not_wait(store: Store, runtime: Runtime, threads: ThreadPoolExecutor) -> None:
    wait = Wait(store, limit=2)
    _, (token,) = sent(runtime)
    # A look that comes before them takes a place itself, for a moment: they try again.
    waiting = [threads.submit(eventually, partial(wait.task, token, LONG)) for _ in range(2)]
    eventually(lambda: wait.task(token, 0.001) is False)
    end(runtime, [token])
    assert [each.result(LONG / 2) for each in waiting] == [True, True]
    assert wait.task(token, LONG) is True  # there is a place again
    eventually(lambda: not watchers())  # or else it may look into a database that is no more


def test_a_hundred_ends_in_any_order_wake_everyone_by_one_thread(
    runtime: Runtime, wait: Wait, threads: ThreadPoolExecutor
) -> None:
    _, tokens = sent(runtime, 64)
    waiting: list[Future[bool]] = [threads.submit(wait.task, token, LONG) for token in tokens]
    eventually(lambda: watchers() and not any(each.done() for each in waiting))
    for start in range(0, 64, 7):
        end(runtime, tokens[start : start + 7])
        assert len(watchers()) <= 1
    assert all(each.result(LONG / 2) for each in waiting)


def test_nobody_watches_where_nobody_waits(runtime: Runtime, wait: Wait) -> None:
    _, (token,) = sent(runtime)
    wait.task(token, 0.01)
    eventually(lambda: not watchers())
    end(runtime, [token])
    assert wait.task(token, LONG) is True  # and the next one is watched for again


def test_a_release_lets_everyone_go_and_nobody_in(runtime: Runtime, wait: Wait, threads: ThreadPoolExecutor) -> None:
    _, (token,) = sent(runtime)
    waiting = threads.submit(wait.task, token, LONG)
    eventually(watchers)
    wait.release()
    assert waiting.result(LONG / 2) is True
    assert wait.task(token, LONG) is False
