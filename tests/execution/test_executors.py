"""An executor with threads may get more runs than it has slots: the others wait, and can be stopped while they wait."""

from __future__ import annotations

import threading
from collections.abc import Callable

from queue_tool.host.clock import CLOCK
from queue_tool.model.outcome import NOTHING, Ended
from queue_tool.model.run import Run
from queue_tool.model.task import Claimed
from queue_tool.model.task_types import make_task_type
from queue_tool.worker.executor import CANCELED
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.thread_executor import ThreadExecutor
from tests.support import LIMIT, eventually


def run_of(number: int, function: Callable[[object], object]) -> Run:
    """Return a run of a task with this number."""
    task = Claimed(token=f"{number:032}", run=1, attempt=1, task_type="a", data="null", started_at=CLOCK.now())
    return Run(task=task, task_type=make_task_type("a", function))


def returned(inbox: Inbox, count: int) -> list[tuple[str, Ended]]:
    """Wait for so many ends; return them in their order."""
    found: list[tuple[str, Ended]] = []

    def has_all() -> bool:
        found.extend((ticket, ended) for ticket, ended, *_ in inbox.take_returned())
        return len(found) >= count

    eventually(has_all)
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
