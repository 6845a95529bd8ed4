"""Waiting for the end of tasks and batches: one thread polls the database for all waiting callers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
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
"""Seconds that no test here lasts: a wait this long ends early or the test fails."""


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


def test_the_end_of_a_task_wakes_only_the_callers_that_wait_for_it(
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


def test_the_end_of_the_last_task_ends_the_wait_for_a_batch(
    runtime: Runtime, wait: Wait, threads: ThreadPoolExecutor
) -> None:
    batch, (first, second) = sent(runtime, 2)
    waiting = threads.submit(wait.batch, batch, LONG)
    end(runtime, [first])
    waiting_for_first = threads.submit(wait.task, first, LONG)
    assert waiting_for_first.result(LONG / 2) is True  # so the watcher has polled since, and the batch is still open
    assert not waiting.done()
    end(runtime, [second])
    assert waiting.result(LONG / 2) is True


def test_a_task_that_has_already_ended_is_noticed_without_a_further_change(runtime: Runtime, wait: Wait) -> None:
    _, (token,) = sent(runtime)
    end(runtime, [token])
    assert wait.task(token, LONG) is True


def test_a_wait_ends_at_its_timeout(runtime: Runtime, wait: Wait) -> None:
    _, (token,) = sent(runtime)
    assert wait.task(token, 0.01) is True


def test_a_wait_for_a_missing_task_or_batch_ends_at_once(wait: Wait) -> None:
    gone, also = make_tokens(2, now())
    assert wait.task(gone, LONG) is True
    assert wait.batch(also, LONG) is True


def test_a_wait_beyond_the_limit_is_refused(store: Store, runtime: Runtime, threads: ThreadPoolExecutor) -> None:
    wait = Wait(store, limit=2)
    _, (token,) = sent(runtime)
    # The poll below takes a place for a moment, so these waits may be refused at first and must retry.
    waiting = [threads.submit(eventually, partial(wait.task, token, LONG)) for _ in range(2)]
    eventually(lambda: wait.task(token, 0.001) is False)
    end(runtime, [token])
    assert [future.result(LONG / 2) for future in waiting] == [True, True]
    assert wait.task(token, LONG) is True  # a place is free again
    eventually(lambda: not watchers())  # a watcher must not read the database after the test has removed it


def test_one_thread_wakes_all_waiting_callers_in_any_order(
    runtime: Runtime, wait: Wait, threads: ThreadPoolExecutor
) -> None:
    _, tokens = sent(runtime, 64)
    waiting: list[Future[bool]] = [threads.submit(wait.task, token, LONG) for token in tokens]
    eventually(lambda: watchers() and not any(future.done() for future in waiting))
    for start in range(0, 64, 7):
        end(runtime, tokens[start : start + 7])
        assert len(watchers()) <= 1
    assert all(future.result(LONG / 2) for future in waiting)


def test_the_watcher_stops_when_no_caller_waits(runtime: Runtime, wait: Wait) -> None:
    _, (token,) = sent(runtime)
    wait.task(token, 0.01)
    eventually(lambda: not watchers())
    end(runtime, [token])
    assert wait.task(token, LONG) is True  # the next wait starts a new watcher


@contextmanager
def no_room_for_threads() -> Iterator[None]:
    """Let this process start no thread meanwhile: the stack of one would be larger than any memory."""
    before = threading.stack_size(1 << 46)
    try:
        yield
    finally:
        threading.stack_size(before)


def test_where_no_watcher_can_start_the_answer_comes_at_once_and_no_place_is_lost(
    runtime: Runtime, store: Store
) -> None:
    wait = Wait(store, limit=2)
    batch, (token,) = sent(runtime)
    with no_room_for_threads():
        assert [wait.task(token, LONG) for _ in range(5)] == [False] * 5
        assert wait.batch(batch, LONG) is False
    end(runtime, [token])
    assert wait.task(token, LONG) is True
    wait.release()
    eventually(lambda: not watchers())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_watcher_that_ends_by_a_fault_lets_everyone_go_and_the_next_wait_starts_another(
    runtime: Runtime, wait: Wait, threads: ThreadPoolExecutor
) -> None:
    _, (token,) = sent(runtime)
    waiting = threads.submit(wait.task, token, LONG)
    eventually(watchers)
    at_fault = threads.submit(wait.task, "\ud800", LONG)  # no database can be asked for that
    assert at_fault.result(LONG / 2) is True
    assert waiting.result(LONG / 2) is True
    eventually(lambda: not watchers())
    end(runtime, [token])
    assert wait.task(token, LONG) is True


def test_a_release_ends_all_waits_and_refuses_new_ones(
    runtime: Runtime, wait: Wait, threads: ThreadPoolExecutor
) -> None:
    _, (token,) = sent(runtime)
    waiting = threads.submit(wait.task, token, LONG)
    eventually(watchers)
    wait.release()
    assert waiting.result(LONG / 2) is True
    assert wait.task(token, LONG) is False


def test_one_task_has_an_eighth_of_the_waits_a_batch_may_have_all(
    runtime: Runtime, store: Store, threads: ThreadPoolExecutor
) -> None:
    batch, (first, second) = sent(runtime, 2)
    wait = Wait(store, limit=16)

    def stay(ask: Callable[[str, float], bool], name: str) -> bool:
        """Wait, and try again as long as the look below has the last place."""
        while not ask(name, LONG):
            pass
        return True

    held = [threads.submit(stay, wait.task, first) for _ in range(2)]
    eventually(lambda: not wait.task(first, 0))
    held += [threads.submit(stay, wait.task, second) for _ in range(2)]
    held += [threads.submit(stay, wait.batch, batch) for _ in range(12)]
    eventually(lambda: not wait.batch(batch, 0))
    wait.release()
    assert [each.result(LONG / 2) for each in held] == [True] * 16


def test_a_caller_that_leaves_gives_its_place_to_another(
    runtime: Runtime, store: Store, threads: ThreadPoolExecutor
) -> None:
    _, (token,) = sent(runtime)
    wait = Wait(store, limit=1)
    leave: list[Callable[[], None]] = []
    waiting = threads.submit(wait.task, token, LONG, leave.append)
    (go,) = eventually(lambda: leave)
    assert not wait.task(token, 0)
    go()
    assert waiting.result(LONG / 2) is True
    assert wait.task(token, LONG, lambda left: left())  # it had left before it could wait
    wait.release()
