"""Claim and settle runs as a worker does, without a worker; read how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from queue_tool.model.outcome import Attempt, Outcome
from queue_tool.model.task import Claimed
from queue_tool.store import Settled, Store


def claim_runs(store: Store, runs: Sequence[tuple[str, int]], owner: int, now: datetime) -> list[Claimed]:
    """Claim runs, as a worker without outcomes to settle does.

    Args:
        store: the store.
        runs: pairs of token and run number.
        owner: the id of the worker that claims.
        now: the current time.
    """
    return store.runs.settle_and_claim((), runs, owner, now).claimed


def settle_runs(store: Store, outcomes: Sequence[Outcome], owner: int, now: datetime) -> Settled:
    """Settle runs, as a worker that claims no other runs does."""
    return store.runs.settle_and_claim(outcomes, (), owner, now).settled


def attempts_of(store: Store, token: str) -> tuple[Attempt, ...]:
    """Return the unsuccessful attempts of a task, the earliest first."""
    details = store.listing.details(token)
    assert details is not None
    return details.attempts
