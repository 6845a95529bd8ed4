"""Fixtures: the places where a task's function runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from queue_tool.execution.call import execute
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.queues import Lane
from queue_tool.model.task_types import make_task_type
from tests.execution.small_worker import TOKEN, SmallWorker

LONG = 30.0

Execute = Callable[[Callable[..., Any], object], Ended]


@pytest.fixture(scope="module")
def worker() -> Iterator[SmallWorker]:
    """A worker without its pump."""
    made = SmallWorker()
    yield made
    made.thread.close(LONG)


@pytest.fixture(params=["worker", "other lane", "stock", "isolated"])
def executed(request: pytest.FixtureRequest, worker: SmallWorker) -> Execute:
    """A function that runs a task: in our worker, in a lane that is not its own, in a stock worker, in a process.

    A task is in another lane if its function has changed since the task was sent. The inline broker calls functions as
    a stock worker does.
    """

    def run(function: Callable[..., Any], data: object) -> Ended:
        task_type = make_task_type("a", function, isolated=request.param == "isolated")
        if request.param == "worker":
            worker.start(task_type, data)
            return worker.ended()
        if request.param == "other lane":
            worker.start(task_type, data, lane=Lane.THREADS if task_type.lane is Lane.LOOP else Lane.LOOP)
            return worker.ended()
        return execute(task_type, data, Context(token=TOKEN, attempt=1, deadline=None), LONG)

    return run
