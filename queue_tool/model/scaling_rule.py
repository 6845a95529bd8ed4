"""The automatic rule: one worker more while tasks wait and all workers are busy, one fewer after a quiet minute."""

from __future__ import annotations

from dataclasses import dataclass, replace

from queue_tool.model.scale import Scale

OLD = 5.0
"""Seconds that the oldest task must have waited, and for which this must have lasted, before a worker is added."""

BUSY = 0.75
"""The busy share from which on a worker is added."""

CALM = 0.5
"""The highest busy share that the workers may have after one of them was removed. It is so far below `BUSY` that the
removed worker is not missed at once."""

EFFECT = 10.0
"""Seconds until the effect of a change shows: before that, no worker is added."""

QUIET_FOR = 60.0
"""Seconds without work for all workers before one of them is removed, and then before the next one is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What the rule sees of the system."""

    oldest: float  # seconds that the oldest queued task waits; 0 if none does. Paused queues do not count
    busy: float  # from 0 to 1: how busy the workers of the supervisor are


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """What the rule remembers from one look to the next. All times are monotonic, in seconds."""

    wanted: int | None = None  # at the last look; None: there was none
    changed: float = 0.0  # when it was changed last
    pressed_since: float | None = None  # since when too many tasks wait; None: not now
    quiet_since: float | None = None  # since when one worker fewer is enough; None: not now


def decide(trend: Trend, load: Load, scale: Scale, now: float) -> tuple[int, Trend]:
    """Return how many workers there should be, and what to remember for the next look.

    Args:
        trend: what the last look returned.
        load: what the system does now.
        scale: how many workers there are, and their bounds. Somebody else may have changed it.
        now: the time of this look.
    """
    if scale.wanted != trend.wanted:  # the first look, or a request has changed it
        trend = Trend(wanted=scale.wanted, changed=now)
    trend = replace(
        trend,
        pressed_since=_since(trend.pressed_since, now) if _is_pressed(load) else None,
        quiet_since=_since(trend.quiet_since, now) if _is_quiet(load, scale.wanted) else None,
    )
    wanted = scale.near(scale.wanted + _step(trend, now)).wanted
    return wanted, trend if wanted == scale.wanted else Trend(wanted=wanted, changed=now)


def _step(trend: Trend, now: float) -> int:
    if _lasts(trend.pressed_since, now, OLD) and now - trend.changed >= EFFECT:
        return 1
    return -1 if _lasts(trend.quiet_since, now, QUIET_FOR) else 0


def _is_pressed(load: Load) -> bool:
    return load.oldest >= OLD and load.busy >= BUSY


def _is_quiet(load: Load, workers: int) -> bool:
    """Return whether one worker fewer is enough. The last one is only removed if it does nothing."""
    if load.oldest >= OLD or workers == 0:
        return False
    return load.busy * workers <= CALM * (workers - 1)


def _since(before: float | None, now: float) -> float:
    return now if before is None else before


def _lasts(since: float | None, now: float, seconds: float) -> bool:
    return since is not None and now - since >= seconds
