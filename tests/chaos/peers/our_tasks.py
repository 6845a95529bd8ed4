"""This project's task types for the comparison: the same work as the peers', recorded in the same kind of file."""

from __future__ import annotations

import asyncio
from typing import Any

from queue_tool import task
from queue_tool.model.context import Context
from tests.chaos.peers.apps.work import do, note

BACKOFF = [1, 2, 4]


@task("chaos.sleep", timeout=60)
async def sleep(data: Any, context: Context) -> None:
    """Wait on the event loop."""
    note(data, "begin", context.token)
    await asyncio.sleep(data["seconds"])
    note(data, "end", context.token)


@task("chaos.thread", timeout=60)
def thread(data: Any, context: Context) -> Any:
    """Wait in a thread."""
    return do("chaos.thread", data, context.token, context.attempt, last=False)


@task("chaos.isolated", isolated=True, timeout=60)
def isolated(data: Any, context: Context) -> Any:
    """Wait in a process of its own."""
    return do("chaos.isolated", data, context.token, context.attempt, last=False)


@task("chaos.flaky", max_attempts=4, backoff=BACKOFF, timeout=60)
def flaky(data: Any, context: Context) -> Any:
    """Succeed at the third attempt."""
    return do("chaos.flaky", data, context.token, context.attempt, last=False)


@task("chaos.failing", max_attempts=4, backoff=BACKOFF, timeout=60)
def failing(data: Any, context: Context) -> Any:
    """Fail in each attempt."""
    return do("chaos.failing", data, context.token, context.attempt, last=context.attempt == len(BACKOFF) + 1)
