"""Ends of a batch: when its tasks ended. Of a large batch, an even sample is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queue_tool.model.states import State


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchEnds:
    """When tasks of a batch ended."""

    looked_at: int  # tasks that were read, ended or not; each one stands for the same number of tasks
    ends: Sequence[tuple[State, float]]  # the state of each ended one, and its Unix time in seconds
