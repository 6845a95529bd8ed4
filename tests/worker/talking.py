"""Task types that say something of themselves and go on until somebody stops them, one in each lane."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from queue_tool import task
from queue_tool.context import Context


@task("talking.loop")
async def on_the_loop(data: str, context: Context) -> None:
    """Talk, and wait for long."""
    talk(context)
    try:
        await asyncio.sleep(3600)
    finally:
        Path(data).write_text("stopped")


@task("talking.threads")
def in_a_thread(data: str, context: Context) -> None:
    """Talk, and wait for long."""
    talk(context)
    if context.canceled.wait(3600):
        Path(data).write_text("stopped")


@task("talking.isolated", isolated=True)
def alone(data: str, context: Context) -> None:
    """Talk, say who this is, and wait for long."""
    talk(context)
    Path(data).write_text(str(os.getpid()))
    context.canceled.wait(3600)


@task("talking.high", priority="high")
async def high(data: object) -> None:
    """Do nothing, at once."""


@task("talking.low", priority="low")
async def low(data: object) -> None:
    """Do nothing, when there is nothing else to do."""


def talk(context: Context) -> None:
    """Say how far it is."""
    context.progress(0.25, "a quarter")
    context.log("first")
    context.progress(0.5, "half")
    context.log("second")
