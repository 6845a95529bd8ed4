"""Own scale: a supervisor reads how many workers it should run, and applies the automatic rule."""

from __future__ import annotations

from collections.abc import Callable, Collection

from queue_tool.errors import StoreAway
from queue_tool.model import events
from queue_tool.model.clock import Clock
from queue_tool.model.scale import Scale
from queue_tool.model.scaling_rule import Load, Trend, decide
from queue_tool.model.telemetry import Telemetry
from queue_tool.services.scaling import is_alive
from queue_tool.store import Process, Store

BEAT_EVERY = 10.0
"""Seconds between two notes that the supervisor lives, if nothing changes."""

RULE_EVERY = 5.0
"""Seconds between two looks of the automatic rule, as between two heartbeats of a worker."""


class OwnScale:
    """The scale of the supervisor in this process. One thread at a time uses it."""

    def __init__(
        self,
        *,
        store: Store,
        telemetry: Telemetry,
        clock: Clock,
        lives_here: Callable[[Process], bool | None],
        load: Callable[[Collection[int]], Load],
        process: Process,
        first: Scale,
        settings: str,
    ) -> None:
        """Prepare.

        Args:
            store: where the scale is.
            telemetry: receives the events.
            clock: the time.
            lives_here: returns whether a process of this machine is alive; None for a process of another machine.
            load: returns the load of the workers with these pids.
            process: this process.
            first: the scale that the settings say.
            settings: these settings, as a text. While they stay the same, the stored scale counts.
        """
        self._store = store
        self._telemetry = telemetry
        self._clock = clock
        self._lives_here = lives_here
        self._load = load
        self._process = process
        self._first = first
        self._settings = settings
        self._trend = Trend()
        self._is_entered = self._is_refused = self._has_left = False
        self._reported: tuple[int, int] | None = None
        self._next_beat = self._next_rule = 0.0  # monotonic

    def enter(self) -> int:
        """Register this supervisor. Return how many workers it should run.

        If the database is away, or another supervisor of this host lives, `look` tries again.
        """
        try:
            found = self._enter()
        except StoreAway:
            found = None
        return self._first.wanted if found is None else found

    def look(self, pids: Collection[int], draining: int) -> int | None:
        """Return how many workers this supervisor should run; None: as many as before.

        Args:
            pids: the workers that run.
            draining: how many others were asked to end and still run.

        Raises:
            StoreAway: the database is busy or away; the next look continues.
        """
        if self._has_left:
            return None
        if not self._is_entered:
            return self._enter() if self._clock.monotonic() >= self._next_beat else None
        scale = self._store.supervisors.scale_of(self._process)
        if scale is None:  # this process did not run for so long that another one has taken its place
            self._is_entered = False
            return None
        wanted = self._by_rule(scale, pids) if scale.automatic else scale.wanted
        self._report((len(pids), draining))
        return wanted

    def leave(self) -> None:
        """Say that this supervisor has ended. Its scale is kept.

        Raises:
            StoreAway: the database is busy or away; others find out that this process is gone.
        """
        self._has_left = True
        if self._is_entered:
            self._store.supervisors.leave(self._process)

    def _enter(self) -> int | None:
        now = self._clock.now()
        self._next_beat = self._clock.monotonic() + BEAT_EVERY
        found = self._store.supervisors.enter(
            self._process, self._first, self._settings, now, lambda other: is_alive(other, self._lives_here)
        )
        if found is None:
            self._warn()
            return None
        self._is_entered, self._reported = True, None
        if found != self._first:
            self._telemetry.emit(events.WorkersKept(wanted=found.wanted, instead_of=self._first.wanted))
        return found.wanted

    def _warn(self) -> None:
        if not self._is_refused:
            self._is_refused = True
            reason = (
                f"another supervisor runs on the host {self._process.host} with this database, or did until a moment "
                "ago: requests cannot change the number of workers of this one before the other one has ended"
            )
            self._telemetry.emit(events.Warned(reason=reason))

    def _report(self, now: tuple[int, int]) -> None:
        if now != self._reported or self._clock.monotonic() >= self._next_beat:
            self._store.supervisors.report(self._process, *now, self._clock.now())
            self._reported, self._next_beat = now, self._clock.monotonic() + BEAT_EVERY

    def _by_rule(self, scale: Scale, pids: Collection[int]) -> int:
        """Apply the automatic rule; return how many workers are wanted then."""
        if self._clock.monotonic() < self._next_rule:
            return scale.wanted
        self._next_rule = self._clock.monotonic() + RULE_EVERY
        load = self._load(pids)
        wanted, self._trend = decide(self._trend, load, scale, self._clock.monotonic())
        if wanted == scale.wanted or not self._store.supervisors.decide(self._process, scale, wanted):
            return scale.wanted  # a request may have changed it meanwhile: the next look sees it
        self._telemetry.emit(
            events.WorkersScaled(
                host=self._process.host,
                wanted=wanted,
                before=scale.wanted,
                oldest=load.oldest,
                busy=round(load.busy, 2),
            )
        )
        return wanted
