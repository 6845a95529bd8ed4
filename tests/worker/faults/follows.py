"""Task types of each lane that read the results of what they continue."""

from __future__ import annotations

from typing import Any

from queue_tool import Context, task

LANES = ("loop", "thread", "alone", "alone-async")


def read(data: object, context: Context) -> list[Any]:
    """Return the batch that this task continues, and its results."""
    return [context.parent_batch, [[each.index, each.status, each.result] for each in context.results()]]


async def read_async(data: object, context: Context) -> list[Any]:
    """Return the batch that this task continues, and its results."""
    return [context.parent_batch, [[each.index, each.status, each.result] async for each in context.results()]]


task("follows.loop")(read_async)
task("follows.thread")(read)
task("follows.alone", isolated=True)(read)
task("follows.alone-async", isolated=True)(read_async)
