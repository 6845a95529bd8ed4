"""What a run has set is freed when it ends, and not when Python's collector finds it."""

from __future__ import annotations

import contextvars
import gc
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from queue_tool.host import output
from queue_tool.model.outcome import NOTHING
from queue_tool.model.task_types import make_task_type
from tests.execution.small_worker import SmallWorker
from tests.support import eventually

large: contextvars.ContextVar[Any] = contextvars.ContextVar("large")
kept: list[weakref.ref[Any]] = []


class Large:
    """What takes much memory."""


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    """The state in which only counts of references free anything, and in which output is captured as in a worker."""
    gc.disable()
    output.capture()
    yield
    output.release()
    gc.enable()


def in_a_thread(data: object) -> None:
    """Set something large, and print a line without an end."""
    mine = Large()
    large.set(mine)
    kept.append(weakref.ref(mine))
    print("unended", end="")  # noqa: T201 - as users' functions do


async def on_the_loop(data: object) -> None:
    """Do it in a coroutine."""
    in_a_thread(data)


@pytest.mark.parametrize("function", [in_a_thread, on_the_loop])
def test_a_run_that_has_ended_is_freed_at_once(worker: SmallWorker, function: Callable[..., Any]) -> None:
    kept.clear()
    worker.start(make_task_type("large", function))
    assert worker.ended() == NOTHING
    eventually(lambda: kept[0]() is None)
