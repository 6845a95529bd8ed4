"""Functions as users write them, for the soak: each kind of work in every lane."""

# ruff: noqa: T201 - these functions print, as users' functions do
from __future__ import annotations

import asyncio
import contextvars
import logging
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from queue_tool import Abort, Context, task

MINUTE = 60.0

HERE = Path.cwd()

log = logging.getLogger("mine")
seen: contextvars.ContextVar[bytes] = contextvars.ContextVar("seen", default=b"")


def prints(context: Context) -> None:
    """Print, and leave a line without its end."""
    print(f"printed {context.token}\nunended", end="")


def logs(context: Context) -> None:
    """Log to the worker's log and to the task."""
    log.info("logged")
    context.log("a line")
    context.progress(0.5, "half")


def raises(context: Context) -> None:
    """Raise an error that has a cause and holds much."""
    much = "x" * 10_000
    try:
        raise ValueError(much)
    except ValueError as error:
        raise RuntimeError(much) from error


def aborts(context: Context) -> None:
    """Raise `Abort` inside of a group."""
    raise ExceptionGroup("several", [Abort("no"), ValueError("other")])


def moves(context: Context) -> None:
    """Leave the worker's directory."""
    os.chdir(HERE.parent)


def sets(context: Context) -> None:
    """Set a context variable to something large."""
    seen.set(bytes(100_000))


def returns_a_coroutine(context: Context) -> object:
    """Return a coroutine."""
    return asyncio.sleep(0, "awaited")


def returns_no_json(context: Context) -> object:
    """Return what is no JSON."""
    return {1, 2}


SHARES: dict[Callable[[Context], object], int] = {
    prints: 40,
    logs: 40,
    raises: 36,
    aborts: 10,
    moves: 10,
    sets: 40,
    returns_a_coroutine: 10,
    returns_no_json: 10,
}
"""How many of 200 tasks do each of this."""

COMMANDS, LATE = 3, 1
"""How many of 200 tasks run a command, and how many reach their deadline."""

WORK = {work.__name__: work for work in SHARES}


async def on_the_loop(data: str, context: Context) -> object:
    """Do what the data says on the event loop."""
    if data != "command":
        return WORK[data](context)
    process = await asyncio.create_subprocess_exec("true")
    return await process.wait()


def in_a_thread(data: str, context: Context) -> object:
    """Do what the data says."""
    return subprocess.run(["true"], check=True).returncode if data == "command" else WORK[data](context)


async def late_on_the_loop(data: str, context: Context) -> None:
    """Sleep beyond the deadline."""
    await asyncio.sleep(MINUTE)


def late_in_a_thread(data: str, context: Context) -> None:
    """Wait beyond the deadline, until it is canceled."""
    context.canceled.wait(MINUTE)


task("soak.loop", max_attempts=1)(on_the_loop)
task("soak.threads", max_attempts=1)(in_a_thread)
task("soak.isolated", max_attempts=1, isolated=True)(in_a_thread)
task("late.loop", max_attempts=1, timeout=0.2)(late_on_the_loop)
task("late.threads", max_attempts=1, timeout=0.2)(late_in_a_thread)
task("late.isolated", max_attempts=1, timeout=0.5, isolated=True)(late_in_a_thread)
