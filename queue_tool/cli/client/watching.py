"""`queue-tool watch`: a batch until its end, drawn again and again at a terminal, or as plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

import click

from queue_tool.cli.client.ending import ClientCommand, ExitCode, leave, tell
from queue_tool.cli.client.lists import lines_of_json
from queue_tool.cli.client.options import as_json
from queue_tool.cli.client.pace import Pace, duration
from queue_tool.cli.client.screen import STYLES, Screen, visible
from queue_tool.cli.client.service import connect
from queue_tool.model.payloads.batches import Batch, BatchStatus
from queue_tool.model.states import State

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from queue_tool.client.blocking import Client

DRAWN, PRINTED = 1.0, 5.0
"""Seconds between two looks at a batch: for a drawing, and for plain lines."""

SHOWN = 3
"""Failures that are shown: the latest."""

WIDEST = 60
"""Characters of the bar."""


@click.command(cls=ClientCommand, example="queue-tool watch 01a2171f18857a0bb04b6fac08924c5e")
@click.argument("batch")
@as_json
def watch(batch: str, as_json: bool) -> None:
    """Show the progress of a batch until its end.

    BATCH is the id that `queue-tool submit` prints. Ctrl-C ends the command, and the batch goes on. The exit code is 1
    if a task failed or was canceled, or if an element was refused. With --json, each change of the batch is a line.
    """
    with connect() as client:
        leave(code_of(watched(client, batch, as_json=as_json)))


def code_of(batch: Batch) -> ExitCode:
    """Return the exit code for an ended batch."""
    counts = batch.counts
    return ExitCode.FAILED if counts.failed or counts.canceled or counts.rejected else ExitCode.DONE


def watched(client: Client, batch: str, *, as_json: bool = False, file: TextIO | None = None) -> Batch:
    """Show a batch until its end, and return it.

    Args:
        client: asks the service.
        batch: the id.
        as_json: whether to print JSON Lines.
        file: where to show it; by default on the standard output.
    """
    console = None if as_json else Screen(file).console
    show: Callable[[View], None] = _print_json if as_json else _Printer(Screen(file))
    view = View()
    with showing_the_way_back(batch), ExitStack() as drawing:
        if console is not None:
            show = drawing.enter_context(_drawing(console))
        for state in states(client, batch, PRINTED if console is None else DRAWN):
            view.take(state, client)
            show(view)
    return view.batch


@contextmanager
def showing_the_way_back(batch: str) -> Iterator[None]:
    """If Ctrl-C ends the block, say that the batch goes on, and how to watch it again."""
    try:
        yield
    except KeyboardInterrupt:
        tell(f"The batch goes on. To come back: queue-tool watch {visible(batch)}")
        raise


def states(client: Client, batch: str, every: float) -> Iterator[Batch]:
    """Iterate over the states of a batch, the last of which is its end.

    Args:
        client: asks the service.
        batch: the id.
        every: seconds between two of them.
    """
    found = client.get_batch(batch)
    yield found
    while found.status is not BatchStatus.FINISHED:
        began = time.monotonic()
        found = client.get_batch(batch, wait=every)
        yield found
        if found.status is not BatchStatus.FINISHED:  # the service answers at once if too many requests wait
            time.sleep(max(0.0, every - (time.monotonic() - began)))


@dataclass(slots=True)
class View:
    """What is shown of a batch."""

    pace: Pace = field(default_factory=Pace)
    failures: list[str] = field(default_factory=list)
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
                visible(f"{task.token} {task.error.code}: {task.error.message}") for task in found.items if task.error
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


def _print_json(view: View) -> None:
    lines_of_json([view.batch])


class _Printer:
    """Prints a line for each state that differs from the one before, and the failures at the end."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._last = ""

    def __call__(self, view: View) -> None:
        line = "  ".join([view.share, view.done, *(f"{name} {count:,}" for name, count in view.counts)])
        if line != self._last:
            self._screen.line("  ".join(filter(None, [line, view.speed])))
        self._last = line
        if view.batch.status is BatchStatus.FINISHED:
            for failure in view.failures:
                self._screen.line(f"failed: {failure}")


@contextmanager
def _drawing(console: Console) -> Iterator[Callable[[View], None]]:
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

    batch = view.batch
    bar = Table.grid(padding=(0, 1, 0, 0))
    completed = batch.total - batch.open
    bar.add_row(
        ProgressBar(total=max(1, batch.total), completed=completed, width=min(WIDEST, width - 6)), Text(view.share)
    )
    counts = Text("  ").join(Text(f"{name} {count:,}", STYLES.get(name, "")) for name, count in view.counts)
    parts: list[RenderableType] = [
        Text(visible(batch.name or ""), "bold"),
        Text(batch.id),
        bar,
        Text(view.done),
        counts,
    ]
    parts += [Text(view.speed)] if view.speed else []
    parts += [Text(failure, "red", no_wrap=True, overflow="ellipsis") for failure in view.failures]
    return Group(*(part for part in parts if not isinstance(part, Text) or part.plain))
