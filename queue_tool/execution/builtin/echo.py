"""The task type `echo`: what was sent is the result."""

from __future__ import annotations

from queue_tool.model.task_types import make_task_type


async def echo(data: object) -> object:
    """Return the data as it is."""
    return data


ECHO = make_task_type("echo", echo)
