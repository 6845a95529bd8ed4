"""Runs, claimed and settled as a worker does it, without a worker; and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from queue_tool.model.outcome import Attempt, Outcome
from queue_tool.model.task import Claimed
from queue_tool.store import Settled, Store


def claim_runs(store: Store, runs: Sequence[tuple[str, int]], owner: int, now: datetime) -> list[Claimed]:
    """Claim runs, each named by token and run, as a worker that has nothing to settle."""
    return store.runs.settle_and_claim((), runs, owner, now).claimed


def settle_runs(store: Store, outcomes: Sequence[Outcome], owner: int, now: datetime) -> Settled:
    """Settle runs as a worker that claims no others."""
    return store.runs.settle_and_claim(outcomes, (), owner, now).settled


def attempts_of(store: Store, token: str) -> tuple[Attempt, ...]:
    """Return the runs of a task that did not succeed, the first one first."""
    details = store.listing.details(token)
    assert details is not None
    return details.attempts
