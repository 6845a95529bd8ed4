"""An awaitable is awaited, whoever returns it: in each lane, with its deadline and its cancel."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from queue_tool.execution.call import execute
from queue_tool.model.context import Context
from queue_tool.model.outcome import Failed, Returned
from queue_tool.model.queues import Lane
from queue_tool.model.states import Code
from queue_tool.model.task_types import make_task_type
from tests.execution.conftest import LONG, Execute
from tests.execution.small_worker import TOKEN, SmallWorker
from tests.support import eventually

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


# -- functions ---------------------------------------------------------------------------------------------


async def later(data: object) -> object:
    await asyncio.sleep(0)
    return data


def returns_a_coroutine(data: object) -> object:
    return later(data)


async def forgets_to_await(data: object) -> object:
    return later(data)


@functools.wraps(later)
def wrapper(*args: object) -> object:
    return later(*args)


def returns_a_pools_future(data: object) -> object:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: data)


async def returns_a_future(data: object) -> object:
    return asyncio.ensure_future(later(data))


async def returns_a_group(data: object) -> object:
    async def first() -> object:
        return (await asyncio.gather(later(data), later(2)))[0]

    return first()


class Awaitable:
    def __init__(self, data: object) -> None:
        self.data = data

    def __await__(self) -> Generator[Any, Any, object]:
        yield from later(None).__await__()
        return self.data


def returns_an_awaitable(data: object) -> object:
    return Awaitable(data)


class Callables:
    async def __call__(self, data: object) -> object:
        return await later(data)

    @staticmethod
    async def static(data: object) -> object:
        return await later(data)


class Endless:
    def __await__(self) -> Generator[Any, Any, object]:
        yield from later(None).__await__()
        return Endless()


FUNCTIONS = {
    "async def": later,
    "a coroutine": returns_a_coroutine,
    "a forgotten await": forgets_to_await,
    "a wrapper": wrapper,
    "a lambda": lambda data: later([*data]),
    "a future of a pool": returns_a_pools_future,
    "a future": returns_a_future,
    "a group": returns_a_group,
    "an awaitable": returns_an_awaitable,
    "a class of awaitables": Awaitable,
    "an object": Callables(),
    "a static method": vars(Callables)["static"],
    "a partial": functools.partial(later),
}


def raises_later(data: object) -> object:
    async def raising() -> None:
        raise SystemExit(data)

    return raising()


def returns_endless(data: object) -> object:
    return Endless()


def test_what_a_function_returns_is_awaited(executed: Execute) -> None:
    found = {name: executed(function, [1, "ü"]) for name, function in FUNCTIONS.items()}
    assert found == dict.fromkeys(FUNCTIONS, Returned(result='[1,"ü"]'))


def test_an_error_of_an_awaitable_is_the_outcome(executed: Execute) -> None:
    ended = executed(raises_later, 3)
    assert isinstance(ended, Failed)
    assert (ended.code, ended.error) == (Code.ERROR, "SystemExit: 3")
    assert executed(later, 1) == Returned(result="1")


def test_an_awaitable_that_returns_itself_forever_is_no_result(executed: Execute) -> None:
    ended = executed(returns_endless, None)
    assert isinstance(ended, Failed)
    assert ended.code is Code.BAD_RESULT


def makes_a_task_of_asyncio(data: object) -> object:
    return asyncio.get_running_loop().create_task(asyncio.sleep(0))


def test_a_plain_function_has_no_running_loop(executed: Execute) -> None:
    ended = executed(makes_a_task_of_asyncio, None)
    assert isinstance(ended, Failed)
    assert ended.error == "RuntimeError: no running event loop"


# -- on the worker's loop ----------------------------------------------------------------------------------


def where(data: object) -> object:
    called = threading.current_thread().name

    async def awaited() -> object:
        return [called, threading.current_thread().name, os.getpid()]

    return awaited()


def test_a_plain_function_runs_in_a_thread_and_its_awaitable_on_the_loop_of_the_worker(worker: SmallWorker) -> None:
    worker.start(make_task_type("a", where))
    assert worker.ended() == Returned(result=json.dumps(["thread 1", "loop", os.getpid()], separators=(",", ":")))


def waits(seen: list[str], begun: threading.Event) -> Callable[[object], object]:
    """Return a plain function whose coroutine waits until it is canceled, and then cleans up."""

    async def waiting() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            seen.append("cleaned up")

    return lambda data: waiting()


def test_a_stopped_run_ends_when_its_awaitable_has_cleaned_up(worker: SmallWorker) -> None:
    seen: list[str] = []
    begun = threading.Event()
    worker.start(make_task_type("a", waits(seen, begun)))
    assert begun.wait(LONG)
    worker.stop(Lane.THREADS)
    ended = worker.ended()
    assert isinstance(ended, Failed)
    assert (ended.error, seen) == ("asyncio.exceptions.CancelledError", ["cleaned up"])


def test_an_awaitable_of_a_run_that_was_stopped_before_is_never_begun(worker: SmallWorker) -> None:
    seen: list[str] = []
    begun, called = threading.Event(), threading.Event()
    make = waits(seen, begun)

    def slow(data: object, context: Context) -> object:
        called.set()
        context.canceled.wait(LONG)
        return make(data)

    worker.start(make_task_type("a", slow))
    assert called.wait(LONG)
    worker.stop(Lane.THREADS)
    ended = worker.ended()
    assert isinstance(ended, Failed)
    assert (ended.error, seen, begun.is_set()) == ("asyncio.exceptions.CancelledError", [], False)


def test_at_its_deadline_an_awaitable_of_a_plain_function_is_canceled_in_a_stock_worker() -> None:
    seen: list[str] = []
    begun = threading.Event()
    context = Context(token=TOKEN, attempt=1, deadline=None)
    ended = execute(make_task_type("a", waits(seen, begun)), None, context, 0.3)
    assert isinstance(ended, Failed)
    assert ended.code is Code.TIMEOUT
    eventually(lambda: seen == ["cleaned up"])
    assert context.canceled.is_set()
