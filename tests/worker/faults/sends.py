"""Task types that send tasks while they run, in each lane."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import queue_tool
from queue_tool import Context, task
from queue_tool.errors import QueueToolError
from queue_tool.model.sending import Sent
from tests.worker.faults.hard import HOURS, PAUSE, pause

CHILD = "sends.child"

LANES = ("loop", "thread", "returned", "alone", "alone-async")

ANSWERED: dict[str, Callable[[Context], Any]] = {
    "one": lambda context: context.submit(
        {"n": 1, "pair": (1, 2)}, task_type=CHILD, priority="low", parameters={"a": 1}
    ),
    "later": lambda context: context.submit(
        {"n": 2}, task_type=CHILD, delay=timedelta(days=1), expires_at=datetime(2099, 1, 1, tzinfo=UTC)
    ),
    "many": lambda context: context.submit_many([{"n": 3}, {"n": "x"}, {"n": 4}], task_type=CHILD, tags=["a"]),
    "none": lambda context: context.submit_many([{"n": "x"}], task_type=CHILD),
    "unique": lambda context: context.submit({"n": 5}, task_type=CHILD, unique_key=context.token, delay=HOURS),
    "unique again": lambda context: context.submit({"n": 6}, task_type=CHILD, unique_key=context.token),
    "key": lambda context: context.submit({"n": 7, "m": 0}, task_type=CHILD, key="a"),
    "key again": lambda context: context.submit({"m": 0, "n": 7}, task_type=CHILD, key="a"),
    "keys": lambda context: context.submit_many([{"n": 8}, {"n": 9}], task_type=CHILD, key="b"),
    "keys again": lambda context: context.submit_many([{"n": 8}, {"n": 9}], task_type=CHILD, key="b"),
}
"""Calls that return something."""

REFUSED: dict[str, tuple[Callable[[Context], Any], str]] = {
    "nan": (
        lambda context: context.submit({"n": float("nan")}, task_type=CHILD),
        "NotSent: The data is not JSON, so nothing was sent: Out of range float values are not JSON compliant.",
    ),
    "date": (
        lambda context: context.submit_many([{"n": 1}, {"n": date(2026, 1, 1)}], task_type=CHILD),
        "NotSent: The data of element 1 is not JSON, so nothing was sent: "
        "Object of type date is not JSON serializable.",
    ),
    "key that is no text": (
        lambda context: context.submit({"n": 1, 2: 3}, task_type=CHILD),
        "NotSent: The data is not JSON, so nothing was sent: keys of JSON objects are texts, and 2 is none.",
    ),
    "large integer": (
        lambda context: context.submit({"n": 2**70}, task_type=CHILD),
        "NotSent: The data is not JSON, so nothing was sent: Integer exceeds 64-bit range.",
    ),
    "option that is no JSON": (
        lambda context: context.submit({"n": 1}, task_type=CHILD, parameters={"a": {1}}),
        "NotSent: The options are not JSON, so nothing was sent: Object of type set is not JSON serializable.",
    ),
    "empty key": (
        lambda context: context.submit({"n": 1}, task_type=CHILD, key=""),
        "NotSent: The key must be a text of 1 to 255 characters, not ''.",
    ),
    "schema": (
        lambda context: context.submit({"n": "x"}, task_type=CHILD),
        "BadTask: The task of type 'sends.child' was refused, so nothing was sent: "
        "/data/n: \"x\" is not of type 'integer'.",
    ),
    "type": (
        lambda context: context.submit(1, task_type="no such type"),
        "BadTask: The task of type 'no such type' was refused, so nothing was sent: "
        "/task_type: There is no task type 'no such type'.",
    ),
    "option": (
        lambda context: context.submit({"n": 1}, task_type=CHILD, run_at=datetime(2099, 1, 1)),
        "BadTask: The task of type 'sends.child' was refused, so nothing was sent: "
        "/run_at: '2099-01-01T00:00:00' is not a time such as 2026-01-31T12:00:00Z.",
    ),
    "key for other data": (
        lambda context: context.submit({"n": 8}, task_type=CHILD, key="a"),
        "IdempotencyKeyReused: This task has used the key 'a' for other data in the last 24 hours: "
        "use a key for each sending, and the same data in each attempt.",
    ),
}
"""Calls that raise an error, and its text."""

CALLS = ANSWERED | {name: call for name, (call, _) in REFUSED.items()}


@task(CHILD, schema={"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}})
def child(data: dict[str, object], context: Context) -> object:
    """Return the data and the parameters."""
    return [data, context.parameters]


def shown(answer: object) -> object:
    """Return what a call returned as JSON."""
    if isinstance(answer, Sent):
        assert [element.index for element in answer.elements] == [*range(len(answer.elements))]
        reasons = [[element.index, [error.path for error in element.errors]] for element in answer.refused]
        return {"batch": answer.batch, "tokens": answer.tokens, "refused": reasons}
    return answer


def told(error: QueueToolError) -> str:
    """Return an error as a text."""
    return f"{type(error).__name__}: {error}"


def send(data: object, context: Context) -> dict[str, object]:
    """Make all calls; return what each has returned or raised."""
    answers: dict[str, object] = {}
    for name, call in CALLS.items():
        try:
            answers[name] = shown(call(context))
        except QueueToolError as error:
            answers[name] = told(error)
    return answers


async def send_async(data: object, context: Context) -> dict[str, object]:
    """Make all calls, and await each."""
    answers: dict[str, object] = {}
    for name, call in CALLS.items():
        try:
            answers[name] = shown(await call(context))
        except QueueToolError as error:
            answers[name] = told(error)
    return answers


def twice(data: object, context: Context) -> None:
    """Send with a key and without one, and fail."""
    context.submit({"n": 1, "by": "key"}, task_type=CHILD, key="a")
    context.submit_many([{"n": 1, "by": "keys"}] * 2, task_type=CHILD, key="b")
    context.submit({"n": 1, "by": "run"}, task_type=CHILD)
    raise ValueError("once more")


async def twice_async(data: object, context: Context) -> None:
    """Send with a key and without one, all at the same time, and fail."""
    await asyncio.gather(
        context.submit({"n": 1, "by": "key"}, task_type=CHILD, key="a"),
        context.submit_many([{"n": 1, "by": "keys"}] * 2, task_type=CHILD, key="b"),
        context.submit({"n": 1, "by": "run"}, task_type=CHILD),
    )
    raise ValueError("once more")


def gathered(path: str, context: Context) -> bool:
    """Note that this lane has sent; return whether all lanes have."""
    Path(f"{path}.{context.token}").touch()
    return len(list(Path(path).parent.glob(f"{Path(path).name}.*"))) == len(LANES)


def fatal(data: list[Any], context: Context) -> None:
    """Send with a key. In the first run, kill the worker when all lanes have sent."""
    path, pid = data
    context.submit({"n": 1, "by": "key"}, task_type=CHILD, key="a")
    while context.run == 1:
        if gathered(path, context):
            os.kill(pid, signal.SIGKILL)
        pause(PAUSE)


async def fatal_async(data: list[Any], context: Context) -> None:
    """Send with a key. In the first run, kill the worker when all lanes have sent."""
    path, pid = data
    await context.submit({"n": 1, "by": "key"}, task_type=CHILD, key="a")
    while context.run == 1:
        if gathered(path, context):
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(PAUSE)


FUNCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "sends": (send, send_async),
    "twice": (twice, twice_async),
    "fatal": (fatal, fatal_async),
}

for _name, (_plain, _async) in FUNCTIONS.items():
    task(f"{_name}.loop", max_attempts=2, backoff=[0])(_async)
    task(f"{_name}.thread", max_attempts=2, backoff=[0])(_plain)
    task(f"{_name}.returned", max_attempts=2, backoff=[0])(
        lambda data, context, function=_async: function(data, context)
    )
    task(f"{_name}.alone", max_attempts=2, backoff=[0], isolated=True)(_plain)
    task(f"{_name}.alone-async", max_attempts=2, backoff=[0], isolated=True)(_async)


@task("sends.opened")
def send_by_a_runtime_of_its_own(data: int) -> str:
    """Open a runtime in this thread, and send with it."""
    with queue_tool.open() as system:
        element = system.submit.single({"n": data}, system.of_type(CHILD))
    return str(getattr(element, "token", element))


@task("sends.descriptors")
def descriptors(data: object) -> dict[str, int]:
    """Return how many files of each name this process has open. Pipes and sockets have numbers as their names."""
    names = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one of this very directory
            names.append(descriptor.readlink().name.partition(":")[0])
    return dict(Counter(names))


@task("sends.exhausts")
def exhaust(data: object) -> int:
    """Open files until this process cannot open another one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, most))
    with contextlib.suppress(OSError):
        while True:
            kept.append(os.open(os.devnull, os.O_RDONLY))
    return len(kept)


kept: list[int] = []


@task("sends.by-a-fork", isolated=True)
def send_by_a_fork(data: str, context: Context) -> str:
    """Send in a process that this one has forked, as `multiprocessing` does; return what that raises."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            context.submit({"n": 1}, task_type=CHILD)
        except QueueToolError as error:
            os.write(writing, told(error).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        return answer.read()


@task("sends.interrupted", isolated=True)
def interrupted(data: str, context: Context) -> list[str]:
    """Interrupt a sending while its answer is awaited, by a signal; then send once more."""

    def interrupt(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    ended = "sent"
    try:
        context.submit_many([{"n": number} for number in range(2000)], task_type=CHILD, delay=HOURS, key="a")
        pause(HOURS)
    except TimeoutError:
        ended = "interrupted"
    return [ended, context.submit({"n": 1}, task_type=CHILD)]
