"""The mean times of task types, by which a lane decides what is short."""

from __future__ import annotations

import math

WEIGHT = 0.1
"""How much the latest run of a type changes the mean of the type."""


class Means:
    """The mean time of each type's latest functions. Any thread may use it."""

    def __init__(self) -> None:
        """Start without knowledge."""
        self._means: dict[str, float] = {}  # seconds, by task type

    def ended(self, task_type: str, seconds: float) -> None:
        """Note how long the function of a run took."""
        mean = self._means.get(task_type)
        self._means[task_type] = seconds if mean is None else mean + WEIGHT * (seconds - mean)

    def of(self, task_type: str) -> float:
        """Return the mean of a type in seconds. It is infinite while no function of the type has ended."""
        return self._means.get(task_type, math.inf)
