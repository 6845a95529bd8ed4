"""The task type `echo`: its result is its data."""

from __future__ import annotations

from queue_tool.model.task_types import make_task_type


async def echo(data: object) -> object:
    """Return the data unchanged."""
    return data


ECHO = make_task_type("echo", echo)
