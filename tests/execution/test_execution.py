"""Execution: whatever a task's function does, the call returns an outcome, and in time."""

from __future__ import annotations

import asyncio
import math
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from queue_tool.execution.call import execute, execute_on_loop
from queue_tool.execution.failure_text import LONGEST_ERROR
from queue_tool.model.context import Context, Notes
from queue_tool.model.outcome import Ended, Failed, Returned
from queue_tool.model.states import Code
from queue_tool.model.task_types import make_task_type
from queue_tool.model.type_options import LONGEST_TIMEOUT

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
"""An isolated task forks while threads run; Python 3.12 and later warn of every such fork."""

SHORT = 0.05
LONG = 30.0
TOKEN = "019ab2f0c3d47e1aa3378b81ba69d255"


def new_context() -> Context:
    return Context(token=TOKEN, attempt=2, deadline=None)


def executed(
    function: Callable[..., Any],
    data: object = None,
    *,
    timeout: float | None = LONG,
    isolated: bool = False,
    context: Context | None = None,
) -> Ended:
    return execute(make_task_type("a", function, isolated=isolated), data, context or new_context(), timeout)


def failed(ended: Ended) -> Failed:
    assert isinstance(ended, Failed), ended
    return ended


lanes = pytest.mark.parametrize("isolated", [False, True], ids=["thread", "process"])


# -- a function returns ------------------------------------------------------------------------------------


def given_back(data: object) -> object:
    return data


async def given_back_later(data: object) -> object:
    await asyncio.to_thread(lambda: None)
    return data


@lanes
@pytest.mark.parametrize("function", [given_back, given_back_later])
@pytest.mark.parametrize(
    ("data", "result"),
    [(None, "null"), ({"a": [1, 2.5, "ü"]}, '{"a":[1,2.5,"ü"]}'), ((1, 2), "[1,2]"), ("x" * 200_000, None)],
    ids=["none", "object", "tuple", "large"],
)
def test_the_return_value_is_the_result(
    function: Callable[..., Any], data: object, result: str | None, isolated: bool
) -> None:
    assert executed(function, data, isolated=isolated) == Returned(result=result or f'"{data}"')


@lanes
def test_without_a_timeout_a_function_can_finish(isolated: bool) -> None:
    assert executed(given_back, 1, timeout=None, isolated=isolated) == Returned(result="1")
    assert executed(given_back_later, 1, timeout=None, isolated=isolated) == Returned(result="1")


def its_context(data: object, context: Context) -> object:
    return [data, context.token, context.attempt, context.canceled.is_set()]


async def its_context_later(data: object, context: Context) -> object:
    return its_context(data, context)


@lanes
@pytest.mark.parametrize("function", [its_context, its_context_later])
def test_a_function_that_takes_a_context_gets_it(function: Callable[..., Any], isolated: bool) -> None:
    assert executed(function, 5, isolated=isolated) == Returned(result=f'[5,"{TOKEN}",2,false]')


def where(data: object) -> object:
    return [os.getpid(), threading.current_thread().name]


def test_a_function_runs_in_a_thread_named_by_its_token() -> None:
    assert executed(where) == Returned(result=f'[{os.getpid()},"{TOKEN}"]')


def is_elsewhere(data: object) -> object:
    return os.getpid() != data


def test_an_isolated_function_runs_in_another_process_that_ends_with_it() -> None:
    assert executed(is_elsewhere, os.getpid(), isolated=True) == Returned(result="true")
    assert multiprocessing.active_children() == []


def test_progress_and_log_lines_of_a_plain_function_reach_its_context() -> None:
    def reporting(data: object, context: Context) -> None:
        context.progress(0.5, "half")
        context.log("a line")

    context = new_context()
    assert executed(reporting, context=context) == Returned(result="null")
    assert context.take_notes() == Notes(progress=0.5, note="half", lines=("a line",), logged=1)


# -- a function raises -------------------------------------------------------------------------------------


def raising(data: Any) -> None:
    raise data


async def raising_later(data: Any) -> None:
    raise data


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@lanes
@pytest.mark.parametrize("function", [raising, raising_later])
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("a reason"), "ValueError: a reason"),
        (KeyError("valor"), "KeyError: 'valor'"),
        (TimeoutError("its own"), "TimeoutError: its own"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (asyncio.CancelledError(), "asyncio.exceptions.CancelledError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_any_exception_of_a_function_is_its_outcome(
    function: Callable[..., Any], error: BaseException, words: str, isolated: bool
) -> None:
    ended = failed(executed(function, error, isolated=isolated))
    assert (ended.code, ended.error) == (Code.ERROR, words)
    assert ended.traceback.startswith("Traceback (most recent call last):")
    assert function.__name__ in ended.traceback


def leaving(data: Any) -> None:
    sys.exit("enough")


async def leaving_later(data: Any) -> None:
    sys.exit("enough")


@lanes
@pytest.mark.parametrize("function", [leaving, leaving_later])
def test_a_function_cannot_end_its_worker(function: Callable[..., Any], isolated: bool) -> None:
    ended = failed(executed(function, isolated=isolated))
    assert (ended.code, ended.error) == (Code.ERROR, "SystemExit: enough")


def test_an_error_that_cannot_be_printed_is_an_outcome_too() -> None:
    ended = failed(executed(raising, Unprintable()))
    assert ended.code is Code.ERROR
    assert "Unprintable" in ended.error


def test_a_long_error_is_shortened() -> None:
    ended = failed(executed(raising, ValueError("x" * 10_000)))
    assert len(ended.error) == LONGEST_ERROR
    assert ended.error.startswith("ValueError: xxx")
    assert ended.error.endswith("x…")


def test_a_function_that_cannot_handle_its_data_fails() -> None:
    def needs_a_number(data: Any) -> object:
        return data + 1

    ended = failed(executed(needs_a_number, "1"))
    assert ended.code is Code.ERROR
    assert ended.error.startswith("TypeError: ")


# -- the result is not JSON --------------------------------------------------------------------------------

NOT_JSON = {
    "nan": lambda data: math.nan,
    "infinity": lambda data: [math.inf],
    "set": lambda data: {1},
    "bytes": lambda data: b"a",
    "surrogate": lambda data: {"a": "\ud800"},
    "object": lambda data: object(),
    "key": lambda data: {(1, 2): 3},
    "coroutine function": lambda data: given_back_later,
}


@lanes
@pytest.mark.parametrize("name", NOT_JSON)
def test_a_result_that_is_not_json_has_its_own_error_code(name: str, isolated: bool) -> None:
    ended = failed(executed(NOT_JSON[name], isolated=isolated))
    assert ended.code is Code.BAD_RESULT
    assert ended.error.startswith("The result is not JSON: ")


def test_a_coroutines_result_that_is_not_json_has_its_own_error_code() -> None:
    assert failed(executed(given_back_later, {1})).code is Code.BAD_RESULT


def test_a_long_error_about_a_result_is_shortened() -> None:
    class Strange:
        pass

    Strange.__name__ = "S" * 5000
    ended = failed(executed(lambda data: Strange()))
    assert (ended.code, len(ended.error)) == (Code.BAD_RESULT, LONGEST_ERROR)


# -- a function takes too long -----------------------------------------------------------------------------

TIMED_OUT = Failed(code=Code.TIMEOUT, error="The task took longer than 0.05 seconds.")


def patient(data: Any, context: Context) -> None:
    context.canceled.wait(LONG)


async def waiting(data: Any) -> None:
    await asyncio.Event().wait()


async def blocking(data: Any, context: Context) -> None:
    context.canceled.wait(LONG)  # blocks the loop, which a coroutine should not do


@pytest.mark.parametrize("function", [patient, waiting, blocking])
def test_a_run_ends_at_its_deadline_also_if_the_function_blocks(function: Callable[..., Any]) -> None:
    assert executed(function, timeout=SHORT) == TIMED_OUT


def test_at_the_deadline_the_context_of_a_function_is_canceled() -> None:
    noticed = threading.Event()

    def watching(data: Any, context: Context) -> None:
        if context.canceled.wait(LONG):
            noticed.set()

    context = new_context()
    assert executed(watching, timeout=SHORT, context=context) == TIMED_OUT
    assert context.canceled.is_set()
    assert noticed.wait(LONG)


def test_at_the_deadline_a_coroutine_is_canceled() -> None:
    canceled = threading.Event()

    async def cleaning_up(data: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            canceled.set()

    assert executed(cleaning_up, timeout=SHORT) == TIMED_OUT
    assert canceled.wait(LONG)


def test_a_function_that_ends_in_time_is_not_canceled() -> None:
    context = new_context()
    assert executed(given_back, context=context) == Returned(result="null")
    assert not context.canceled.is_set()


def test_a_late_result_is_ignored() -> None:
    context, late = new_context(), threading.Event()

    def late_result(data: Any, context: Context) -> str:
        context.canceled.wait(LONG)
        late.set()
        return "late"

    ended = executed(late_result, timeout=SHORT, context=context)
    assert late.wait(LONG)
    assert ended == TIMED_OUT


@pytest.mark.parametrize("function", [patient, waiting, blocking])
def test_an_isolated_function_is_killed_at_its_deadline(function: Callable[..., Any]) -> None:
    assert executed(function, timeout=SHORT, isolated=True) == TIMED_OUT
    assert multiprocessing.active_children() == []


# -- the process of an isolated function dies --------------------------------------------------------------


def exiting(data: int) -> None:
    os._exit(data)


def killing_itself(data: int) -> None:
    os.kill(os.getpid(), data)
    threading.Event().wait(LONG)


@pytest.mark.parametrize("timeout", [LONG, None])
@pytest.mark.parametrize(("function", "data", "code"), [(exiting, 0, 0), (exiting, 7, 7), (killing_itself, 9, -9)])
def test_a_process_that_dies_is_a_loss_with_its_exit_code(
    function: Callable[..., Any], data: int, code: int, timeout: float | None
) -> None:
    ended = failed(executed(function, data, isolated=True, timeout=timeout))
    assert (ended.code, ended.error) == (Code.WORKER_LOST, f"The task's own process ended with code {code}.")
    assert multiprocessing.active_children() == []


def test_many_runs_at_once_do_not_mix_their_results() -> None:
    ended: dict[int, Ended] = {}

    def run_once(number: int) -> None:
        ended[number] = executed(given_back_later if number % 2 else given_back, number)

    threads = [threading.Thread(target=run_once, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == {number: Returned(result=str(number)) for number in range(20)}


# -- past bugs ---------------------------------------------------------------------------------------------


def an_unwritable_error(data: object) -> None:
    raise ValueError("bad \udcff \0 name")


@lanes
def test_characters_that_no_database_stores_are_escaped_in_an_error(isolated: bool) -> None:
    ended = failed(executed(an_unwritable_error, isolated=isolated))
    assert ended.error == r"ValueError: bad \udcff \x00 name"
    assert ended.traceback.encode()


async def too_late(data: object) -> str:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        return "late"
    return "never"


async def too_late_and_raising(data: object) -> None:
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        raise ValueError("late") from None


@pytest.mark.parametrize("function", [too_late, too_late_and_raising])
def test_a_run_ends_at_its_deadline_also_if_the_coroutine_catches_the_cancellation(
    function: Callable[..., Any],
) -> None:
    for _ in range(40):
        context = new_context()
        assert failed(executed(function, timeout=0.005, context=context)).code is Code.TIMEOUT
        assert context.canceled.wait(LONG)


class Unwritable(dict[str, int]):
    def items(self) -> Any:
        raise RuntimeError("no items")


def an_unwritable_result(data: object) -> object:
    return Unwritable(a=1)


class Silent(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


class Unspeakable(dict[str, int]):
    def items(self) -> Any:
        raise Silent


def an_unspeakable_result(data: object) -> object:
    return Unspeakable(a=1)


def a_number_beyond_double(data: object) -> object:
    return 10**400


@lanes
@pytest.mark.parametrize("function", [an_unwritable_result, an_unspeakable_result, a_number_beyond_double])
def test_a_result_that_cannot_be_written_or_read_again_is_refused(function: Callable[..., Any], isolated: bool) -> None:
    assert failed(executed(function, isolated=isolated)).code is Code.BAD_RESULT


@lanes
def test_the_longest_timeout_can_be_used(isolated: bool) -> None:
    assert executed(given_back, 1, timeout=LONGEST_TIMEOUT, isolated=isolated) == Returned(result="1")


async def exits(data: object) -> None:
    raise SystemExit(data)


def test_on_the_loop_any_exception_is_the_outcome() -> None:
    ended = asyncio.run(execute_on_loop(make_task_type("exits", exits), 3, lambda: None))
    assert isinstance(ended, Failed)
    assert ended.error == "SystemExit: 3"


def test_a_plain_function_in_the_loop_lane_does_not_block_the_loop() -> None:
    ended = asyncio.run(execute_on_loop(make_task_type("where", where), None, lambda: None))
    assert isinstance(ended, Returned)
    assert "MainThread" not in ended.result
