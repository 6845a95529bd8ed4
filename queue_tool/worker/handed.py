"""What a process of the isolated lane gets, and how it ends."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import NamedTuple

from queue_tool.model.context import Context
from queue_tool.model.outcome import Ended
from queue_tool.model.run import Run
from queue_tool.worker.patience import SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a process is used."""

    tasks: int = 1000  # after so many another one takes its place
    memory: int = 512 * 2**20  # bytes; beyond this another one takes its place
    patience: float = SECONDS  # seconds in which it must begin what it got


@dataclass(slots=True, eq=False)
class Handed:
    """A run that a process has, and whose end is not known."""

    run: Run
    context: Context  # receives the progress and the log lines
    entry: int  # where the process notes that it has begun the run
    number: int = 0  # in its process
    handed_at: float = field(default_factory=time.monotonic)


class Finished(NamedTuple):
    """A run that has ended."""

    handed: Handed
    ended: Ended
    times: tuple[float, float] | None = None  # when its function was called and has returned (monotonic), if known
