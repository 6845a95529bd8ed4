"""Task types that are hard on their worker; data that is a path is a file that the test makes or waits for."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from queue_tool import Context, task

PAUSE = 0.02
"""Seconds between two looks at a file."""

HOURS = 3600.0
"""Seconds that no test waits for."""

pause = threading.Event().wait


_left: list[asyncio.Task[None]] = []


class Mine(BaseException):
    """An exception that is no Exception."""


# -- what waits --------------------------------------------------------------------------------------------


@task("hard.first-run-is-long")
async def first_run_is_long(data: object, context: Context) -> int:
    """Sleep for hours, unless another run did so before; return the run."""
    await asyncio.sleep(HOURS if context.run == 1 else 0)
    return context.run


@task("hard.first-run-is-long-in-a-thread")
def first_run_is_long_in_a_thread(data: object, context: Context) -> int:
    """Wait in the first run until nobody waits for the result, and come back with it all the same."""
    if context.run == 1:
        context.canceled.wait(HOURS)
    return context.run


@task("hard.until")
async def until(data: str, context: Context) -> int:
    """Wait for a file; return the run."""
    while not Path(data).exists():
        await asyncio.sleep(PAUSE)
    return context.run


@task("hard.says")
async def says(data: str, context: Context) -> None:
    """Wait for a file, say so, and wait for another one."""
    await until(data, context)
    context.progress(0.5, "halfway")
    context.log("it is there")
    await until(f"{data} end", context)


@task("hard.until-in-a-thread")
def until_in_a_thread(data: str) -> None:
    """Wait for a file."""
    while not Path(data).exists():
        pause(PAUSE)


@task("hard.deaf-in-a-thread", timeout=0.3)
def deaf_in_a_thread(data: str) -> str:
    """Wait for a file, whatever the deadline; say so in another one."""
    until_in_a_thread(data)
    Path(f"{data} seen").touch()
    return "late"


@task("hard.ends-its-worker")
async def ends_its_worker(data: object) -> None:
    """Ask the worker to end, and go on for a moment."""
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(0.2)


# -- what takes too long -----------------------------------------------------------------------------------


@task("hard.too-long", timeout=0.3)
async def too_long(data: object) -> None:
    """Sleep beyond the deadline."""
    await asyncio.sleep(HOURS)


@task("hard.deaf", timeout=0.3)
async def deaf(data: str) -> str:
    """Wait for a file, whoever cancels it; say so in another one."""
    while not Path(data).exists():
        try:
            await asyncio.sleep(PAUSE)
        except asyncio.CancelledError:
            continue
    Path(f"{data} seen").touch()
    return "late"


@task("hard.blocking", timeout=0.3)
async def blocking(data: object) -> str:
    """Let nobody else have the loop until long after the deadline."""
    pause(1)
    return "late"


@task("hard.blocking-for-hours", timeout=0.3)
async def blocking_for_hours(data: object) -> None:
    """Let nobody else have the loop ever again."""
    pause(HOURS)


# -- what raises, returns or does something else -----------------------------------------------------------


@task("hard.thread")
def in_a_thread(data: str) -> object:
    """Do what the data say, in a thread."""
    return do(data)


@task("hard.loop")
async def on_the_loop(data: str) -> object:
    """Do what the data say, on the loop."""
    if data == "leave something behind":
        left = [asyncio.create_task(_fail()), asyncio.create_task(asyncio.sleep(HOURS))]
        return len(left)
    if data == "leave an exit behind":
        asyncio.get_running_loop().call_later(0.05, lambda: _left.append(asyncio.create_task(_exit())))
        return 1
    return do(data)


@task("hard.unreadable", timeout=lambda data: data["absent"])
async def unreadable(data: object) -> None:
    """Never start: its timeout cannot be told from the data."""


@task("hard.killer")
def killer(data: object) -> None:
    """Take the whole process away, at once."""
    os._exit(7)


def do(what: str) -> object:
    """Do what the data of a task say."""
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
            threading.Thread(target=pause, args=[HOURS]).start()  # no daemon: Python itself would wait for it
            return "left"
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


def _raise() -> None:
    raise ValueError("in a thread of its own")


async def _exit() -> None:
    sys.exit(4)


async def _fail() -> None:
    raise ValueError("in the background")
