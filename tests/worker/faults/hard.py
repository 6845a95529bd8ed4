"""Task types that misbehave: they take too long, ignore cancels, raise, or end their process.

Where the data is a path, it names a file that the test creates or waits for.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from queue_tool import Context, task
from queue_tool.model.states import MOST_LOSSES

PAUSE = 0.02
"""Seconds between two checks for a file."""

HOURS = 3600.0
"""Seconds: longer than any test waits."""

pause = threading.Event().wait


_left: list[asyncio.Task[None]] = []


class Mine(BaseException):
    """An exception that does not derive from Exception."""


# -- functions that wait -----------------------------------------------------------------------------------


@task("hard.first-run-is-long")
async def first_run_is_long(data: object, context: Context) -> int:
    """Sleep for hours in the first run; return the run."""
    await asyncio.sleep(HOURS if context.run == 1 else 0)
    return context.run


@task("hard.first-run-is-long-in-a-thread")
def first_run_is_long_in_a_thread(data: object, context: Context) -> int:
    """In the first run, wait until it is canceled, and return a result all the same; return the run."""
    if context.run == 1:
        context.canceled.wait(HOURS)
    return context.run


_waiting: list[str] = []  # the tokens of the tasks that `until` has begun in this process


@task("hard.until")
async def until(data: str, context: Context) -> int:
    """Wait for a file; return the run."""
    _waiting.append(context.token)
    while not Path(data).exists():
        await asyncio.sleep(PAUSE)
    return context.run


@task("hard.reports")
async def reports(data: str, context: Context) -> None:
    """Wait for a file, report progress and a log line, and wait for another file."""
    await until(data, context)
    context.progress(0.5, "halfway")
    context.log("it is there")
    await until(f"{data} end", context)


@task("hard.until-in-a-thread")
def until_in_a_thread(data: str) -> None:
    """Wait for a file."""
    while not Path(data).exists():
        pause(PAUSE)


_begun = itertools.count(1)


@task("hard.last-of-four")
def last_of_four(data: list[str]) -> str:
    """Return at once if there is a file, else wait for it. The fourth that waits sends a signal to its worker.

    Args:
        data: the file, and the name of the signal.
    """
    path, name = data
    if not Path(path).exists() and next(_begun) == 4:
        os.kill(os.getpid(), signal.Signals[name])
    until_in_a_thread(path)
    return name


@task("hard.deaf-in-a-thread", timeout=0.3)
def deaf_in_a_thread(data: str) -> str:
    """Wait for a file beyond the deadline; then create a second file."""
    until_in_a_thread(data)
    Path(f"{data} seen").touch()
    return "late"


@task("hard.obeys-in-a-thread", timeout=0.3)
def obeys_in_a_thread(data: object, context: Context) -> None:
    """Wait beyond the deadline, and return a moment after it was told to."""
    context.canceled.wait(HOURS)
    pause(0.3)


@task("hard.ends-its-worker")
async def ends_its_worker(data: object) -> None:
    """Send SIGTERM to the worker, and run for another 0.2 seconds."""
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.2)


@task("hard.stops-its-worker")
async def stops_its_worker(data: str) -> None:
    """Send SIGTERM to the worker, or let a process do it that stays there, and sleep for hours."""
    _stop(data)
    await asyncio.sleep(HOURS)


@task("hard.stops-its-worker-in-a-thread")
def stops_its_worker_in_a_thread(data: str, context: Context) -> None:
    """Send SIGTERM to the worker, or let a process do it that stays there, and wait until the end."""
    _stop(data)
    context.canceled.wait(HOURS)


def _stop(data: str) -> None:
    if data == "a child":
        reading, writing = os.pipe()
        subprocess.Popen(["sh", "-c", f"sh -c 'read line; kill {os.getpid()}; sleep 10'"], stdin=reading)
        os.write(writing, b"now\n")  # later: a signal to a thread that just starts a process has no known sender
    else:
        os.kill(os.getpid(), signal.SIGTERM)


# -- functions that take too long --------------------------------------------------------------------------


@task("hard.too-long", timeout=0.3)
async def too_long(data: object) -> None:
    """Sleep beyond the deadline."""
    await asyncio.sleep(HOURS)


@task("hard.deaf", timeout=0.3)
async def deaf(data: str) -> str:
    """Wait for a file and ignore every cancel; then create a second file."""
    while not Path(data).exists():
        try:
            await asyncio.sleep(PAUSE)
        except asyncio.CancelledError:
            continue
    Path(f"{data} seen").touch()
    return "late"


@task("hard.blocking", timeout=0.3)
async def blocking(data: object) -> str:
    """Block the event loop until long after the deadline."""
    pause(1)
    return "late"


@task("hard.blocking-for-hours", timeout=0.3)
async def blocking_for_hours(data: object) -> None:
    """Block the event loop for hours."""
    pause(HOURS)


@task("hard.spins")
async def spins(data: str) -> str:
    """Compute without `await` until there is a file."""
    return spin(data)


@task("hard.spins-in-a-subtask")
async def spins_in_a_subtask(data: str) -> str:
    """Compute without `await` until there is a file, in another task of asyncio."""

    async def inner() -> str:
        return spin(data)

    async with asyncio.TaskGroup() as group:
        found = group.create_task(inner())
    return found.result()


@task("hard.renames")
async def renames(data: object) -> str:
    """Give its task of asyncio the name of another one."""
    current = asyncio.current_task()
    assert current is not None
    current.set_name(str(data))
    return current.get_name()


@task("hard.switches")
def switches(data: object) -> float:
    """Return the seconds after which a thread that computes lets another one go on."""
    return sys.getswitchinterval()


def spin(data: str) -> str:
    """Compute until there is a file."""
    while not Path(data).exists():
        pass
    return "free"


@task("hard.hasty", timeout=0.3)
async def hasty(data: object, context: Context) -> bool:
    """Return whether the deadline is still to come."""
    return context.deadline is not None and context.deadline > datetime.now(UTC)


@task("hard.hasty-in-a-thread", timeout=0.3)
def hasty_in_a_thread(data: object, context: Context) -> bool:
    """Return whether the deadline is still to come."""
    return context.deadline is not None and context.deadline > datetime.now(UTC)


# -- functions that raise, exit, fork, or return what is not JSON ------------------------------------------


@task("hard.thread")
def in_a_thread(data: str) -> object:
    """Do what the data names, in a thread."""
    return do(data)


@task("hard.loop")
async def on_the_loop(data: str) -> object:
    """Do what the data names, on the event loop."""
    if data == "leave something behind":
        left = [asyncio.create_task(_fail()), asyncio.create_task(asyncio.sleep(HOURS))]
        return len(left)
    if data == "leave an exit behind":
        asyncio.get_running_loop().call_later(0.05, lambda: _left.append(asyncio.create_task(_exit())))
        return 1
    return do(data)


@task("hard.unreadable", timeout=lambda data: data["absent"])
async def unreadable(data: object) -> None:
    """Never start: the function that computes its timeout from the data raises."""


@task("hard.killer")
def killer(data: int, context: Context) -> None:
    """End the whole process when `until` has begun for so many tasks in it; in the fourth run, end it at once."""
    while context.run < MOST_LOSSES and len(_waiting) < data:
        pause(PAUSE)
    os._exit(7)


def do(what: str) -> object:
    """Do what the data of a task names; return any other text unchanged."""
    match what:
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "mine":
            raise Mine("a word")
        case "a set":
            return {1, 2}
        case "a thread":
            thread = threading.Thread(target=_raise)
            thread.start()
            thread.join()
            return "joined"
        case "a thread that stays":
            threading.Thread(target=pause, args=[HOURS]).start()  # not a daemon thread, so Python waits for it at exit
            return "left"
        case "a late exception":
            threading.Thread(target=_inject_into, args=[threading.get_ident()], daemon=True).start()
            return "returned"
        case "a fork":
            return _fork(comes_back=False)
        case "a fork that comes back":
            return _fork(comes_back=True)
        case _:
            return what


def _fork(*, comes_back: bool) -> Any:
    child = os.fork()
    if child == 0 and not comes_back:
        os._exit(0)
    if child:
        return {"child": child}
    return "it came back"


def _inject_into(thread: int) -> None:
    """Raise an exception in a thread of the worker as soon as its function has returned and it waits for the next."""
    while sys._current_frames()[thread].f_code.co_name != "_rest":
        pause(0.001)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(Mine))


def _raise() -> None:
    raise ValueError("in a thread of its own")


async def _exit() -> None:
    sys.exit(4)


async def _fail() -> None:
    raise ValueError("in the background")
