"""Sending the elements of a source as one batch, and telling how to go on if that is interrupted."""

from __future__ import annotations

import secrets
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
from queue_tool.errors import AnswerLost, CommitUnknown
from queue_tool.model.payloads.batches import Batch

if TYPE_CHECKING:
    from rich.status import Status

    from queue_tool.client.blocking import Client
    from queue_tool.client.sending import Options, Sent

RESUME, KEY = "--resume", "--idempotency-key"


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
        key = options.get("idempotency_key") or secrets.token_hex(16)
        told: Options = {"idempotency_key": key, "task_type": self.wrapping.sent_type, "on_sent": self._remember}
        chosen: Options = {**options, **told}
        try:
            with self._progress():
                sent = self.client.submit(map(self.wrapping, self.source), **chosen)
        except BaseException as error:
            self._tell_how_to_continue(error, key, resumes=options.get("resume") is not None)
            raise
        return sent.progress()

    def _tell_how_to_continue(self, error: BaseException, key: str, *, resumes: bool) -> None:
        """Tell which command does the rest, if some elements are stored, or if nobody knows whether they are."""
        if self._sent is not None and not self._sent.is_complete:
            again = _again(RESUME, self._sent.batch)
            tell(f"The batch has {self._sent.total:,} elements. To add the rest: {again}")
        elif not resumes and isinstance(error, KeyboardInterrupt | AnswerLost | CommitUnknown):
            tell(f"The batch may be stored or not. To make sure, without a second one: {_again(KEY, key)}")

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

    def _refused(self, batch: Batch) -> Refusals:
        """Return the elements that the service refused."""
        refused = Refusals(source=self.source, wrapping=self.wrapping)
        if batch.rejected:
            for result in self.client.batch(batch.id).results(status=["rejected"]):
                if result.index is not None and result.error is not None:
                    refused.add(result.index, result.error.errors or ())
        return refused


def _again(option: str, value: str) -> str:
    """Return the command of this process, with an option more."""
    words = sys.argv[1:]
    has_it = any(word.partition("=")[0] == option for word in words)
    return shlex.join(["queue-tool", *words, *([] if has_it else [option, value])])
