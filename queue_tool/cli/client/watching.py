"""`queue-tool watch`: a batch until its end, drawn again and again at a terminal, or as plain lines."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TextIO

import click

from queue_tool.cli.client.ending import ClientCommand, ExitCode, leave, tell
from queue_tool.cli.client.options import as_json
from queue_tool.cli.client.progress import Printer, View, drawing, print_json
from queue_tool.cli.client.screen import Screen, visible
from queue_tool.cli.client.service import connect
from queue_tool.model.payloads.batches import Batch, BatchStatus

if TYPE_CHECKING:
    from queue_tool.client.blocking import Client

DRAWN, PRINTED = 1.0, 5.0
"""Seconds between two looks at a batch: for a drawing, and for plain lines."""


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
    show: Callable[[View], None] = print_json if as_json else Printer(Screen(file))
    view = View()
    with showing_the_way_back(batch), ExitStack() as stack:
        if console is not None:
            show = stack.enter_context(drawing(console))
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
