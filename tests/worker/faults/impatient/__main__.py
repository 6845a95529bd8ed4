"""A worker that waits for seconds only before it kills a process of the isolated lane that gives no sign of life.

Start it with `python -m tests.worker.faults.impatient`.
"""

from __future__ import annotations

from typing import Any

from queue_tool.worker.process import work
from queue_tool.worker.worker import Worker

PATIENCE = 4.0
"""Seconds."""


class Impatient(Worker):
    """The worker."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Prepare."""
        super().__init__(*args, **kwargs)
        self.patience = PATIENCE


if __name__ == "__main__":
    work(Impatient)
