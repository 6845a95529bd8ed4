"""An executor with threads may get more runs than it has slots: the others wait, and can be stopped while they wait."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from datetime import timedelta

from queue_tool.host.clock import CLOCK
from queue_tool.model.context import ignore_news
from queue_tool.model.outcome import NOTHING, Ended
from queue_tool.model.run import Run
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import make_task_type
from queue_tool.worker.executor import CANCELED
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.thread_executor import InThread, ThreadExecutor
from tests.support import LIMIT, eventually


def run_of(number: int, function: Callable[[object], object], timeout: float | None = None) -> Run:
    """Return a run of a task with this number."""
    task = Claimed(token=f"{number:032}", run=1, attempt=1, task_type="a", data="null", started_at=CLOCK.now())
    return Run(task=task, task_type=make_task_type("a", function), timeout=timeout)


def returned(inbox: Inbox, count: int) -> list[tuple[str, Ended]]:
    """Wait for so many ends; return them in their order."""
    found: list[tuple[str, Ended]] = []
    until = CLOCK.monotonic() + LIMIT
    while len(found) < count and CLOCK.monotonic() < until:
        inbox.wait(LIMIT)
        inbox.reset()
        found.extend((ticket, ended) for ticket, ended, *_ in inbox.take_returned())
    assert len(found) >= count
    return found


def test_runs_beyond_the_slots_begin_in_their_order_and_a_stopped_one_never_begins() -> None:
    inbox, gate = Inbox(CLOCK), threading.Event()
    called: list[int] = []

    def function(number: int) -> Callable[[object], object]:
        def call(_: object) -> None:
            called.append(number)
            gate.wait(LIMIT)

        return call

    runs = [run_of(number, function(number)) for number in range(4)]
    first, second, stopped, last = (run.ticket for run in runs)
    executor = ThreadExecutor(1, "thread", inbox)
    executor.start(runs)
    eventually(lambda: called)
    assert executor.called_at(first) is not None
    assert [executor.called_at(ticket) for ticket in (second, stopped, last)] == [None] * 3
    executor.stop(stopped)
    assert returned(inbox, 1) == [(stopped, CANCELED)]  # while the first one still runs
    executor.stop(stopped)
    gate.set()
    assert returned(inbox, 3) == [(ticket, NOTHING) for ticket in (first, second, last)]
    assert called == [0, 1, 3]
    assert not inbox.has_returned


def test_no_quick_function_waits_for_a_thread_that_another_one_blocks() -> None:
    inbox, gate = Inbox(CLOCK), threading.Event()
    executor = ThreadExecutor(32, "thread", inbox)
    blocking = [run_of(number, lambda _: gate.wait(LIMIT) and None) for number in range(31)]
    quick = [run_of(number, lambda _: None) for number in range(100, 400)]
    executor.start(quick[:10] + blocking + quick[10:])  # so one thread after the other is blocked
    assert {ticket for ticket, _ in returned(inbox, len(quick))} == {run.ticket for run in quick}
    eventually(lambda: executor.busy_since(math.inf) == len(blocking))
    gate.set()
    assert sorted(returned(inbox, len(blocking))) == [(run.ticket, NOTHING) for run in blocking]


def test_a_run_begins_whenever_the_threads_go_to_rest_and_whatever_was_taken_back_before() -> None:
    inbox, rounds, size = Inbox(CLOCK), 300, 3
    executor = ThreadExecutor(2, "thread", inbox)
    runs = [run_of(number, lambda _: None) for number in range(rounds * size)]
    for first in range(0, len(runs), size):
        started = runs[first : first + size]
        executor.start(started)
        taken_back = executor.withdraw(started[-1].ticket)  # so there may be a wake-up too many
        returned(inbox, size - taken_back)
    assert not any(executor.waits(run.ticket) for run in runs)


def test_a_context_is_made_for_the_call_and_learns_of_a_cancel_that_came_before() -> None:
    found = InThread(run_of(1, lambda _: None, timeout=5))
    found.cancel()
    before = CLOCK.now()
    context = found.context(ignore_news)
    assert context.canceled.is_set()
    assert context.deadline is not None
    assert before + timedelta(seconds=5) <= context.deadline <= CLOCK.now() + timedelta(seconds=5)
    assert found.context(ignore_news) is context
