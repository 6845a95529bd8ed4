"""The progress of a batch, as it is printed or drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from queue_tool.cli.client.lists import lines_of_json
from queue_tool.cli.client.pace import Pace, duration
from queue_tool.cli.client.screen import Screen, visible
from queue_tool.model.payloads.batches import Batch, BatchStatus
from queue_tool.model.states import State

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from queue_tool.client.blocking import Client

SHOWN = 3
"""Failures that are shown: the latest."""

WIDEST = 60
"""Characters of the bar."""

WIDE = 80
"""Characters of a terminal in which a failure needs only one line."""


@dataclass(slots=True)
class View:
    """What is shown of a batch."""

    pace: Pace = field(default_factory=Pace)
    failures: list[tuple[str, str]] = field(default_factory=list)  # tokens with their errors: the latest ones
    _batch: Batch | None = None

    @property
    def batch(self) -> Batch:
        """Return the last state."""
        if self._batch is None:
            raise LookupError
        return self._batch

    def take(self, batch: Batch, client: Client) -> None:
        """Take over a state, and the failures that are new in it."""
        if batch.counts.failed and (self._batch is None or batch.counts.failed != self._batch.counts.failed):
            found = client.list_tasks(batch=batch.id, status=frozenset({State.FAILED}), limit=SHOWN)
            self.failures = [
                (task.token, visible(f"{task.error.code}: {task.error.message}")) for task in found.items if task.error
            ]
        self._batch = batch
        self.pace.look(time.monotonic(), batch.total - batch.open)

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Return the states with the counts that are not zero."""
        counts = self.batch.counts
        return [(name, count) for name in counts.__struct_fields__ if (count := getattr(counts, name))]

    @property
    def share(self) -> str:
        """Return how much is done, in percent; an open batch has no whole yet."""
        return f"{self.batch.progress:.0%}"

    @property
    def done(self) -> str:
        """Return how many elements have ended, in words."""
        done = self.batch.total - self.batch.open
        more = "" if self.batch.sealed else ", more may come"
        return f"{done:,} of {self.batch.total:,} done{more}"

    @property
    def speed(self) -> str:
        """Return the rate and the time left, in words; empty at the end, and while they are not known."""
        rate, left = self.pace.rate, self.pace.left(self.batch.open)
        if self.batch.status is BatchStatus.FINISHED or not rate:
            return ""
        words = f"{rate:,.1f} per second"
        return words if left is None or not self.batch.sealed else f"{words}, {duration(left)} left"


def print_json(view: View) -> None:
    """Print a batch as a line of JSON."""
    lines_of_json([view.batch])


class Printer:
    """Prints a line for each state that differs from the one before, and the failures at the end."""

    def __init__(self, screen: Screen) -> None:
        """Print to this screen."""
        self._screen = screen
        self._last = ""

    def __call__(self, view: View) -> None:
        """Print a state."""
        line = "  ".join([view.share, view.done, *(f"{name} {count:,}" for name, count in view.counts)])
        if line != self._last:
            self._screen.line("  ".join(filter(None, [line, view.speed])))
        self._last = line
        if view.batch.status is BatchStatus.FINISHED:
            for token, error in view.failures:
                self._screen.line(f"failed: {token} {error}")


@contextmanager
def drawing(console: Console) -> Iterator[Callable[[View], None]]:
    """Draw a batch at a terminal, each time in the place of the drawing before."""
    from rich.live import Live

    with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:
        yield lambda view: live.update(drawn(view, console.width), refresh=True)


def drawn(view: View, width: int) -> RenderableType:
    """Return the drawing of a batch."""
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    from queue_tool.cli.client.tables import STYLES

    batch = view.batch
    bar = Table.grid(padding=(0, 1, 0, 0))
    length = min(WIDEST, width - len(" 100%") - 1)
    bar.add_row(
        ProgressBar(total=max(1, batch.total), completed=batch.total - batch.open, width=length), Text(view.share)
    )
    counts = Text("  ").join(Text(f"{name} {count:,}", STYLES.get(name, "")) for name, count in view.counts)
    texts = [Text(visible(batch.name or ""), "bold"), Text(batch.id), Text(view.done), counts, Text(view.speed)]
    failures = [Text(line, "red", no_wrap=True, overflow="ellipsis") for line in _lines(view.failures, width)]
    name, number, *rest = texts
    parts: list[RenderableType] = [name, number, bar, *rest, *failures]
    return Group(*(part for part in parts if not isinstance(part, Text) or part.plain))


def _lines(failures: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Return the lines about failures: in a narrow terminal, an error stands below its token."""
    between = " " if width >= WIDE else "\n  "
    return [line for token, error in failures for line in f"{token}{between}{error}".split("\n")]
