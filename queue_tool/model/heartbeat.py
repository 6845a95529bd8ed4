"""A heartbeat: what a worker process says of itself every few seconds, besides that it lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from queue_tool.model.metrics import Measure
from queue_tool.model.queues import Lane


class Slots(NamedTuple):
    """The slots of a lane of one worker."""

    slots: int  # how many functions may run at the same time
    busy: int  # slots that are taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """What a worker says."""

    at: datetime  # by its own clock
    measures: Sequence[Measure] = ()  # what it has counted since its last heartbeat, in their order
    finished: int = 0  # tasks that finished there since then
    failed: int = 0  # tasks that failed there since then
    lanes: Mapping[Lane, Slots] | None = None  # None: it has none yet, or it is no worker of ours
