"""Scale: how many workers a supervisor runs, and the bounds of this number."""

from __future__ import annotations

from dataclasses import dataclass, replace

from queue_tool.errors import OutOfBounds

MOST_WORKERS = 1000
"""The highest maximum: worker processes of one supervisor."""

USUAL_MAXIMUM = 8
"""The maximum of a supervisor for which no other one was set, on a machine with few processors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How many workers a supervisor runs."""

    minimum: int
    maximum: int
    wanted: int
    automatic: bool  # the automatic rule changes `wanted`

    def more(self, count: int) -> Scale:
        """Return the scale with more workers.

        Raises:
            OutOfBounds: they would be more than the maximum.
        """
        return self._with(self.wanted + count)

    def fewer(self, count: int) -> Scale:
        """Return the scale with fewer workers.

        Raises:
            OutOfBounds: they would be fewer than the minimum.
        """
        return self._with(self.wanted - count)

    def changed(
        self,
        *,
        minimum: int | None = None,
        maximum: int | None = None,
        wanted: int | None = None,
        automatic: bool | None = None,
    ) -> Scale:
        """Return the scale with other values; None keeps a value. New bounds move `wanted` if it is not given.

        Raises:
            OutOfBounds: the minimum would be above the maximum, or `wanted` is not between them.
        """
        made = Scale(
            minimum=self.minimum if minimum is None else minimum,
            maximum=self.maximum if maximum is None else maximum,
            wanted=self.wanted,
            automatic=self.automatic if automatic is None else automatic,
        )
        if made.minimum > made.maximum:
            raise OutOfBounds(f"The minimum {made.minimum} would be above the maximum {made.maximum}.")
        return made.near(self.wanted) if wanted is None else made._with(wanted)

    def near(self, wanted: int) -> Scale:
        """Return the scale with this number of workers, or with the nearest one between its bounds."""
        return replace(self, wanted=max(self.minimum, min(wanted, self.maximum)))

    def _with(self, wanted: int) -> Scale:
        if wanted > self.maximum:
            raise OutOfBounds(f"{wanted} workers would be more than the maximum of {self.maximum}.")
        if wanted < self.minimum:
            raise OutOfBounds(f"{max(wanted, 0)} workers would be fewer than the minimum of {self.minimum}.")
        return replace(self, wanted=wanted)


def first_scale(workers: int, max_workers: int | None, processors: int) -> Scale:
    """Return the scale that the settings say. Only with a `max_workers` it is automatic.

    Args:
        workers: the workers at the start.
        max_workers: up to how many the automatic rule may add; None: there is no automatic rule.
        processors: those that this machine has.
    """
    if max_workers is None:
        usual = min(max(USUAL_MAXIMUM, 2 * processors, workers), MOST_WORKERS)
        return Scale(minimum=min(1, workers), maximum=usual, wanted=workers, automatic=False)
    return Scale(minimum=workers, maximum=max_workers, wanted=workers, automatic=True)
