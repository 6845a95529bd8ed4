"""The task type `simulate`: simulated work, for trying out a system.

The random numbers come from the token and the attempt. So an attempt of a task behaves the same on every worker, and
the next attempt may behave differently.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
from importlib.resources import files
from typing import Any

from queue_tool.execution.builtin.sleep import GRACE
from queue_tool.model.context import Context
from queue_tool.model.retry import Abort
from queue_tool.model.task_types import TaskType, make_task_type

SHORTEST = 5.0
"""The default of `min`, in seconds."""

LONGEST = 10.0
"""The default of `max`, in seconds."""

FAILURE = 0.1
"""The default of `failure`: the probability that an attempt fails."""

STEP = 1.0
"""The maximum number of seconds between two progress reports."""


async def simulate(data: dict[str, Any] | None, context: Context) -> dict[str, float] | None:
    """Take a random time from `min` to `max` seconds, report progress, log, and fail with the probability `failure`."""
    shortest, longest = bounds(data)
    if shortest > longest:
        raise Abort(f"`min` is {shortest:g} and `max` is {longest:g}: `min` must not be more than `max`.")
    seconds = shortest + (longest - shortest) * random_number(context, "seconds")
    context.log(f"Started: this run takes {seconds:.2f} seconds.")
    steps = max(1, math.ceil(seconds / STEP))
    for step in range(steps):
        await asyncio.sleep(seconds / steps)
        if context.canceled.is_set():
            return None
        context.progress((step + 1) / steps)
    failure = (data or {}).get("failure", FAILURE)
    if random_number(context, "failure") < failure:
        context.log("Fails on purpose.")
        raise RuntimeError(f"Simulated failure: {failure:.0%} of the attempts fail on purpose.")
    context.log("Ended.")
    return {"seconds": seconds}


def bounds(data: dict[str, Any] | None) -> tuple[float, float]:
    """Return the shortest and the longest time, in seconds.

    A missing bound gets its default, or the value of the other bound if the default would contradict it.
    """
    options = data or {}
    shortest = options.get("min", min(SHORTEST, options.get("max", SHORTEST)))
    longest = options.get("max", max(LONGEST, options.get("min", LONGEST)))
    return shortest, longest


def random_number(context: Context, purpose: str) -> float:
    """Return a number from 0 up to, but not including, 1. It is always the same for this attempt and purpose."""
    digest = hashlib.sha256(f"{context.token} {context.attempt} {purpose}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def simulate_type() -> TaskType:
    """Return the task type."""
    document = json.loads(files(__package__).joinpath("simulate.json").read_text("utf-8"))
    return make_task_type("simulate", simulate, schema=document, timeout=lambda data: max(bounds(data)) + GRACE)
