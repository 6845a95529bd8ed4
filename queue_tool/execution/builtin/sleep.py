"""The task type `sleep`: an item that takes `valor` seconds."""

from __future__ import annotations

import asyncio
import json
from importlib.resources import files
from typing import Any

from queue_tool.model.task_types import TaskType, make_task_type

GRACE = 60
"""Seconds that a sleep may take beyond its `valor` before it times out."""


async def sleep(data: dict[str, Any]) -> None:
    """Wait for `valor` seconds."""
    if data["valor"]:
        await asyncio.sleep(data["valor"])


def sleep_type(max_valor: float) -> TaskType:
    """Return the task type; `max_valor` is the longest sleep that is allowed, in seconds."""
    document = json.loads(files(__package__).joinpath("sleep.json").read_text("utf-8"))
    document["properties"]["valor"]["maximum"] = max_valor
    return make_task_type("sleep", sleep, schema=document, timeout=lambda data: float(data["valor"]) + GRACE)
