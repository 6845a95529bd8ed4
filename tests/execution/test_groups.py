"""Abort, Retry and no_retry count also inside of exception groups, for example of an `asyncio.TaskGroup`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from queue_tool import Abort, Retry
from queue_tool.model.outcome import Failed
from queue_tool.model.states import Code
from tests.execution.conftest import Execute

pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")

ERRORS: dict[str, Callable[[], Exception]] = {
    "abort": lambda: Abort("nothing to fetch"),
    "retry": lambda: Retry("busy", after=7),
    "plain": lambda: ValueError("plain"),
}


async def in_a_task_group(data: str) -> None:
    async def fail() -> None:
        raise ERRORS[data]()

    async with asyncio.TaskGroup() as outer:
        outer.create_task(asyncio.sleep(60))
        async with asyncio.TaskGroup() as inner:
            inner.create_task(fail())


def in_a_group(data: str) -> None:
    raise ExceptionGroup("several", [ERRORS["plain"](), ERRORS[data]()])


def another_from_abort(data: str) -> None:
    try:
        raise ERRORS[data]()
    except Exception as error:
        raise ValueError("another") from error


@pytest.mark.parametrize("function", [in_a_task_group, in_a_group])
def test_an_exception_inside_of_a_group_decides(executed: Execute, function: Callable[[str], object]) -> None:
    aborted, retried, plain = (executed(function, name) for name in ERRORS)
    assert isinstance(aborted, Failed)
    assert isinstance(retried, Failed)
    assert isinstance(plain, Failed)
    assert (aborted.code, aborted.final, aborted.after) == (Code.ABORTED, True, None)
    assert "nothing to fetch" in aborted.error
    assert (retried.code, retried.final, retried.after) == (Code.ERROR, False, 7)
    assert "busy" in retried.error
    assert (plain.code, plain.final, plain.after) == (Code.ERROR, False, None)
    assert plain.error.startswith("ExceptionGroup: ")
    assert "ExceptionGroup" in aborted.traceback


def test_an_error_raised_from_an_abort_stays_that_error(executed: Execute) -> None:
    ended = executed(another_from_abort, "abort")
    assert isinstance(ended, Failed)
    assert (ended.code, ended.final, ended.error) == (Code.ERROR, False, "ValueError: another")
