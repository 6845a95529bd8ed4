"""The task types that come with the package."""

from __future__ import annotations

from queue_tool.execution.builtin.echo import ECHO
from queue_tool.execution.builtin.numbers import SUM_NUMBERS
from queue_tool.execution.builtin.simulate import simulate_type
from queue_tool.execution.builtin.sleep import sleep_type
from queue_tool.execution.builtin.texts import REVERSE_TEXT, UPPERCASE
from queue_tool.model.task_types import TaskType

__all__ = ["builtin_types", "sleep_type"]


# All of them are `async def`, so that thousands of them run at once. Some only compute and never wait, but threads
# would not help the loop there: their single pass in C holds Python's lock in any thread. It takes microseconds. For
# 64 MiB, the largest body of a request, it takes 0.1 to 0.3 s (sums of floats: 1 to 2 s), which is about as long as
# reading and writing that much JSON.
def builtin_types(max_valor: float) -> tuple[TaskType, ...]:
    """Return all built-in task types; `max_valor` is the longest sleep that is allowed, in seconds."""
    return (sleep_type(max_valor), simulate_type(), REVERSE_TEXT, UPPERCASE, SUM_NUMBERS, ECHO)
