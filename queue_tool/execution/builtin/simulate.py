"""The task type `simulate`: work that is none, for trying out a system.

Chance is drawn from token and attempt: the same attempt of the same task goes the same way whoever runs it, and the
next attempt may go another one.
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
"""Seconds that it takes at least, where nothing is said."""

LONGEST = 10.0
"""Seconds that it takes at most, where nothing is said."""

FAILURE = 0.1
"""How likely it is that an attempt fails, where nothing is said."""

STEP = 1.0
"""Seconds, at most, between two words about how far it is."""


async def simulate(data: dict[str, Any] | None, context: Context) -> dict[str, float] | None:
    """Take a random time from `min` to `max` seconds, telling the progress, and fail with the chance `failure`."""
    shortest, longest = bounds(data)
    if shortest > longest:
        raise Abort(f"`min` is {shortest:g} and `max` is {longest:g}: `min` must not be more than `max`.")
    seconds = shortest + (longest - shortest) * drawn(context, "seconds")
    steps = max(1, math.ceil(seconds / STEP))
    for step in range(steps):
        await asyncio.sleep(seconds / steps)
        if context.canceled.is_set():
            return None
        context.progress((step + 1) / steps)
    failure = (data or {}).get("failure", FAILURE)
    if drawn(context, "failure") < failure:
        raise RuntimeError(f"Simulated failure: this attempt was to fail, as {failure:.0%} of them do.")
    return {"seconds": seconds}


def bounds(data: dict[str, Any] | None) -> tuple[float, float]:
    """Return the shortest and the longest time in seconds; a bound that is not said gives way to the one that is."""
    options = data or {}
    shortest = options.get("min", min(SHORTEST, options.get("max", SHORTEST)))
    longest = options.get("max", max(LONGEST, options.get("min", LONGEST)))
    return shortest, longest


def drawn(context: Context, purpose: str) -> float:
    """Return a number from 0 up to, but not including, 1: always the same for this attempt and purpose."""
    digest = hashlib.sha256(f"{context.token} {context.attempt} {purpose}".encode()).digest()
    return (int.from_bytes(digest[:8]) >> 11) / 2**53


def simulate_type() -> TaskType:
    """Return the task type."""
    document = json.loads(files(__package__).joinpath("simulate.json").read_text("utf-8"))
    return make_task_type("simulate", simulate, schema=document, timeout=lambda data: max(bounds(data)) + GRACE)
