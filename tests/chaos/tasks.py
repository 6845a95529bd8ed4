"""The task types of the load: each type always ends in the same state, however often its runs are lost."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from queue_tool import task
from queue_tool.model.context import Context


@task("chaos.sleep", timeout=60)
async def sleep(seconds: float) -> float:
    """Wait on the event loop."""
    await asyncio.sleep(seconds)
    return seconds


@task("chaos.thread", timeout=60)
def thread(seconds: float) -> float:
    """Wait in a thread."""
    time.sleep(seconds)
    return seconds


@task("chaos.isolated", isolated=True, timeout=60)
def isolated(seconds: float) -> float:
    """Wait in a process of its own."""
    time.sleep(seconds)
    return seconds


@task("chaos.flaky", max_attempts=3, backoff=[0.2, 0.4], timeout=60)
async def flaky(data: Any, context: Context) -> int:
    """Succeed at the third attempt."""
    await asyncio.sleep(0.02)
    if context.attempt < 3:
        raise ValueError(f"attempt {context.attempt} fails")
    return context.attempt


@task("chaos.failing", max_attempts=2, backoff=[0.2], timeout=60)
def failing(data: Any) -> None:
    """Fail in each attempt."""
    raise ValueError("as it should")
