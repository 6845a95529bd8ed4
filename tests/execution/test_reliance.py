"""What a task may rely on in each lane: process, thread, context variables, globals, random numbers, pools."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import json
import multiprocessing
import os
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from queue_tool.execution.call import execute
from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended, Returned
from queue_tool.model.queues import Lane
from queue_tool.model.task_types import make_task_type
from tests.execution.conftest import LONG, Execute
from tests.execution.small_worker import TOKEN, SmallWorker

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

seen: contextvars.ContextVar[str] = contextvars.ContextVar("seen", default="nothing")
local = threading.local()
calls: list[int] = []
numbers = random.Random()
reseeded = random.Random()
os.register_at_fork(after_in_child=reseeded.seed)
pool = ThreadPoolExecutor(1)  # it has no thread before its first use


def value(ended: Ended) -> Any:
    assert isinstance(ended, Returned), ended
    return json.loads(ended.result)


def isolated(function: Callable[[object], object]) -> Any:
    context = Context(token=TOKEN, attempt=1, deadline=None)
    return value(execute(make_task_type("a", function, isolated=True), None, context, LONG))


# -- context variables -------------------------------------------------------------------------------------


def left_by_others(data: object) -> object:
    found = [seen.get(), decimal.getcontext().prec]
    seen.set("an earlier task")
    decimal.getcontext().prec = 3
    return found


async def left_by_others_later(data: object) -> object:
    return left_by_others(data)


def set_before(data: object) -> object:
    """Set variables in a plain function; its coroutine, and the threads and tasks of that, must see them."""
    seen.set("the function")

    async def inner() -> object:
        return await asyncio.gather(asyncio.to_thread(seen.get), asyncio.create_task(_seen()))

    return inner()


async def _seen() -> str:
    return seen.get()


@pytest.mark.parametrize("function", [left_by_others, left_by_others_later])
def test_each_task_starts_with_the_defaults_of_all_context_variables(
    executed: Execute, function: Callable[[object], object]
) -> None:
    seen.set("the caller")
    decimal.getcontext().prec = 9
    for _ in range(2):
        assert value(executed(function, None)) == ["nothing", 28]
    assert (seen.get(), decimal.getcontext().prec) == ("the caller", 9)


def test_a_change_of_the_default_context_of_decimal_counts_for_each_task(executed: Execute) -> None:
    before = decimal.DefaultContext.prec
    decimal.DefaultContext.prec = 11
    try:
        assert value(executed(left_by_others, None)) == ["nothing", 11]
    finally:
        decimal.DefaultContext.prec = before


def test_what_a_task_starts_or_returns_sees_its_context_variables(executed: Execute) -> None:
    assert value(executed(set_before, None)) == ["the function"] * 2


# -- processes, threads, globals ---------------------------------------------------------------------------


def place(data: object) -> object:
    return [os.getpid(), threading.current_thread().name]


async def place_later(data: object) -> object:
    return place(data)


def left_in_thread_and_module(data: object) -> object:
    found = [getattr(local, "left", None), len(calls)]
    local.left = "an earlier task"
    calls.append(1)
    return found


async def left_in_thread_and_module_later(data: object) -> object:
    return left_in_thread_and_module(data)


def test_plain_and_async_tasks_share_the_process_and_an_isolated_one_has_its_own(worker: SmallWorker) -> None:
    found = {}
    for function in (place, place_later):
        worker.start(make_task_type("a", function))
        found[function.__name__] = value(worker.ended())
    assert found == {"place": [os.getpid(), "thread 1"], "place_later": [os.getpid(), "loop"]}
    (pid, thread), (other, _) = isolated(place), isolated(place)
    assert len({os.getpid(), pid, other}) == 3
    assert thread == threading.main_thread().name
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("function", [left_in_thread_and_module, left_in_thread_and_module_later])
def test_threads_and_modules_keep_what_a_task_left_but_an_isolated_task_leaves_nothing(
    worker: SmallWorker, function: Callable[[object], object]
) -> None:
    calls.clear()
    lane = make_task_type("a", function).lane
    assert lane in (Lane.THREADS, Lane.LOOP)
    for before in ([None, 0], ["an earlier task", 1]):
        worker.start(make_task_type("a", function))
        assert value(worker.ended()) == before
    for _ in range(2):
        assert isolated(function) == [None, 2]
    assert len(calls) == 2


# -- random numbers and pools ------------------------------------------------------------------------------


def drawn(data: object) -> object:
    return [random.random(), numbers.random(), reseeded.random(), int.from_bytes(os.urandom(6), "big")]


def test_random_numbers_of_isolated_tasks_differ_but_for_a_generator_that_was_made_at_import() -> None:
    random.seed(1)
    columns = zip(*(isolated(drawn) for _ in range(3)), strict=True)
    assert [len(set(column)) for column in columns] == [3, 1, 3, 3]


def test_random_numbers_of_tasks_in_one_process_never_repeat(worker: SmallWorker) -> None:
    rows = []
    for _ in range(3):
        worker.start(make_task_type("a", drawn))
        rows.append(value(worker.ended()))
    assert [len(set(column)) for column in zip(*rows, strict=True)] == [3, 3, 3, 3]


def by_token(data: object, context: Context) -> object:
    return random.Random(context.token).random()


def test_a_generator_made_from_the_token_repeats_in_the_next_attempt(worker: SmallWorker) -> None:
    for _ in range(2):
        worker.start(make_task_type("a", by_token))
        assert value(worker.ended()) == random.Random(TOKEN).random()


def in_a_pool(data: object) -> object:
    return pool.submit(lambda: 5).result(LONG)


def test_a_pool_of_threads_made_at_import_works_in_a_process_if_it_was_not_used_before() -> None:
    assert [isolated(in_a_pool) for _ in range(2)] == [5, 5]
