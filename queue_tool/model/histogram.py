"""Histograms: an estimate of the values that were observed, from how many were in each bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

from queue_tool.model.metrics import INFINITY, SUM

NEARLY_ALL = 0.9
"""If a bucket has this share of all observations, they are taken to be equal: many tasks take the same time each."""


def number_in(buckets: Mapping[str, float]) -> int:
    """Return the number of observations."""
    return int(sum(count for bucket, count in buckets.items() if bucket != SUM))


def quantile(bounds: Sequence[float], buckets: Mapping[str, float], share: float) -> float | None:
    """Return about the value that a share of all observations does not exceed; None without observations.

    Values are taken to be spread evenly over their bucket, as Prometheus does it in `histogram_quantile`.

    Args:
        bounds: the upper bounds of the buckets, without infinity.
        buckets: how many observations are in each bucket, and their sum.
        share: from 0 to 1.
    """
    counts = [buckets.get(name, 0.0) for name in (*(f"{bound:g}" for bound in bounds), INFINITY)]
    number = sum(counts)
    if not number:
        return None
    upto = [*accumulate(counts)]
    place = next(place for place, count in enumerate(upto) if count and count >= share * number)
    lower, upper = (0.0, *bounds)[place], (*bounds, bounds[-1])[place]
    if counts[place] >= NEARLY_ALL * number:
        mean = buckets.get(SUM, 0.0) / number
        return max(lower, mean if place == len(bounds) else min(mean, upper))
    before = upto[place] - counts[place]
    return lower + (upper - lower) * (share * number - before) / counts[place]
