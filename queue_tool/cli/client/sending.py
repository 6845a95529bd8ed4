"""Sending the elements of a source as one batch, and telling how to go on if that is interrupted."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Unpack

import click
import msgspec

from queue_tool.cli.client.ending import ExitCode, tell
from queue_tool.cli.client.lists import document
from queue_tool.cli.client.refusals import Refusals
from queue_tool.cli.client.screen import Screen
from queue_tool.cli.client.source import Source
from queue_tool.cli.client.watching import code_of, showing_the_way_back, watched
from queue_tool.cli.client.wrapping import Wrapping
from queue_tool.model.payloads.batches import Batch

if TYPE_CHECKING:
    from rich.status import Status

    from queue_tool.client.blocking import Client
    from queue_tool.client.sending import Options, Sent

RESUME = "--resume"


@dataclass(slots=True, kw_only=True)
class Sending:
    """Sends the elements of a source."""

    client: Client
    source: Source
    wrapping: Wrapping
    as_json: bool
    _sent: Sent | None = None
    _status: Status | None = None

    def __call__(self, wait: bool, **options: Unpack[Options]) -> ExitCode:
        """Send all elements, print what became of them, and return the exit code.

        Args:
            wait: whether to wait for the end of the batch.
            options: those of `Client.submit`.
        """
        batch = self._stored(**options)
        if not self.as_json:
            click.echo(batch.id)
        refused = self._refused(batch)
        if not self.as_json:
            click.echo(f"{batch.accepted:,} accepted, {batch.rejected:,} refused.", err=True)
            refused.show()
        if wait:
            batch = self._awaited(batch)
        if self.as_json:
            document(msgspec.to_builtins(batch) | {"refused": refused.in_json})
        return code_of(batch) if wait else ExitCode.FAILED if refused.count else ExitCode.DONE

    def _stored(self, **options: Unpack[Options]) -> Batch:
        """Send all elements and return the batch. If that is interrupted, tell how to continue."""
        chosen: Options = {**options, "task_type": self.wrapping.sent_type, "on_sent": self._remember}
        try:
            with self._progress():
                sent = self.client.submit(map(self.wrapping, self.source), **chosen)
        except BaseException:
            if self._sent is not None and not self._sent.is_complete:
                tell(f"The batch has {self._sent.total:,} elements. To add the rest: {self._again(self._sent.batch)}")
            raise
        return sent.progress()

    def _awaited(self, batch: Batch) -> Batch:
        """Wait for the end of a batch. Programs get only the end."""
        if not self.as_json:
            return watched(self.client, batch.id, file=sys.stderr)
        with showing_the_way_back(batch.id):
            return self.client.batch(batch.id).wait().progress()

    def _remember(self, sent: Sent) -> None:
        self._sent = sent
        if self._status is not None:
            self._status.update(f"{sent.total:,} elements are stored")

    @contextmanager
    def _progress(self) -> Iterator[None]:
        """Show at a terminal how much is stored."""
        console = Screen(sys.stderr).console
        if console is None:
            yield
            return
        with console.status("The elements are sent") as self._status:
            yield
        self._status = None

    def _again(self, batch: str) -> str:
        """Return the command that continues."""
        words = sys.argv[1:]
        return shlex.join(["queue-tool", *words, *([] if RESUME in words else [RESUME, batch])])

    def _refused(self, batch: Batch) -> Refusals:
        """Return the elements that the service refused."""
        refused = Refusals(source=self.source, wrapping=self.wrapping)
        if batch.rejected:
            for result in self.client.batch(batch.id).results(status=["rejected"]):
                if result.index is not None and result.error is not None:
                    refused.add(result.index, result.error.errors or ())
        return refused
