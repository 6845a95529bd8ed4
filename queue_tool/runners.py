"""The runner of a system: runs tasks with the times and limits of the settings."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from queue_tool.model.clock import Clock
from queue_tool.model.context import Context
from queue_tool.model.parent_results import WantedPage
from queue_tool.model.sending import Sending
from queue_tool.model.settings import INLINE, Settings
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.services.run import Runner
from queue_tool.store import Store

STORE_PAUSE = 0.5
"""Seconds before the next try if an outcome could not be recorded."""


def make_runner(
    settings: Settings,
    store: Store,
    types: TaskTypes,
    telemetry: Telemetry,
    clock: Clock,
    *,
    send: Callable[[Context, Sending | WantedPage], Any],
    follow: Callable[[Sequence[Ticket]], None],
    retries: bool = False,
) -> Runner:
    """Return what runs tasks, with the times and limits of the settings.

    If `retries` is true, tasks that fail are retried even without Redis: the caller runs them when they are due.
    """
    return Runner(
        store=store,
        types=types,
        telemetry=telemetry,
        clock=clock,
        timeout=settings.timeout,
        max_attempts=settings.max_attempts,
        chance=random.random,
        send=send,
        follow=follow,
        retries=retries or settings.redis_url != INLINE,
        pause=lambda: time.sleep(STORE_PAUSE),
    )
