"""`queue-tool cancel` and `queue-tool retry`: by token, by batch, or by filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from queue_tool.cli.client.asking import require_yes, without_asking
from queue_tool.cli.client.checking import all_of
from queue_tool.cli.client.ending import ClientCommand
from queue_tool.cli.client.lists import answer
from queue_tool.cli.client.options import Function, as_json, filtered, in_body
from queue_tool.cli.client.service import connect
from queue_tool.model.payloads.tasks import Changed

if TYPE_CHECKING:
    from queue_tool.client.blocking import Client

MOST = 10_000
"""Tokens of one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a command does with the tasks that its arguments select: `cancel` or `retry`."""

    verb: str
    more: Mapping[str, str | None] = field(default_factory=dict)  # who cancels, and why
    tokens: Sequence[str] | None  # None: filters select tasks
    filters: Mapping[str, Any]
    everything: bool  # an empty filter selects all tasks

    @property
    def batch(self) -> str | None:
        """Return the batch, if all of it is selected."""
        return self.filters.get("batch") if self.filters.keys() == {"batch"} else None

    def require_one_way(self) -> None:
        """Refuse a command line that selects nothing, or in two ways.

        Raises:
            click.UsageError: it does.
        """
        if (self.tokens is not None) + bool(self.filters) + self.everything != 1:
            raise click.UsageError(
                f"Say in one way what to {self.verb}: with tokens, with filters such as --batch, or with --all."
            )

    def matched(self, client: Client) -> int:
        """Return how many tasks are selected, and change none."""
        if self.batch is not None:
            counts = client.get_batch(self.batch).counts
            if self.verb == "cancel":
                return counts.scheduled + counts.queued + counts.running
            return counts.failed + counts.canceled
        return sum(changed.matched for changed in self._requests(client, dry_run=True))

    def __call__(self, client: Client) -> Changed:
        """Change the tasks."""
        if self.batch is not None:
            of_batch: Changed = getattr(client, f"{self.verb}_batch")(self.batch, **self.more)
            return of_batch
        answers = list(self._requests(client, **self.more))
        return Changed(matched=sum(each.matched for each in answers), changed=sum(each.changed for each in answers))

    def _requests(self, client: Client, **more: Any) -> Iterator[Changed]:
        """Send a request for each ten thousand tokens, or one with the filter."""
        send = getattr(client, f"{self.verb}_tasks")
        if self.tokens is None:
            yield send(filter=in_body(self.filters), all=self.everything, **more)
        left = iter(self.tokens or ())
        while some := list(islice(left, MOST)):
            yield send(tokens=some, **more)


def _selects(function: Function) -> Function:
    """Add the arguments and options that select tasks."""
    options: list[Callable[[Function], Function]] = [
        click.argument("tokens", metavar="[TOKEN]...", nargs=-1),
        filtered(),
        click.option("--all", "everything", is_flag=True, help="All tasks."),
        click.option("--dry-run", is_flag=True, help="Only count the tasks, and change none."),
        without_asking,
        as_json,
    ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command(
    cls=ClientCommand,
    example="""
    queue-tool cancel 01a2171f18857a0bb04b6fac08924c5e
    queue-tool cancel --batch 01a2171f18857a0bb04b6fac08924c5e --yes
    queue-tool cancel --type thumbnail --status queued --dry-run
    """,
)
@_selects
@click.option("--by", help="Who cancels. The default is the name of the API key.")
@click.option("--reason", help="Why.")
def cancel(tokens: tuple[str, ...], by: str | None, reason: str | None, **given: Any) -> None:
    """Cancel tasks by token, batch or filter.

    Only tasks that have not ended are canceled. `-` reads tokens from the standard input. --batch alone cancels the
    whole batch, which takes no more elements then. Filters need the role admin. The command asks before it changes
    more than one task.
    """
    _change(tokens, verb="cancel", more={"by": by, "reason": reason}, **given)


@click.command(
    cls=ClientCommand,
    example="""
    queue-tool retry 01a2171f18857a0bb04b6fac08924c5e
    queue-tool retry --status failed --code timeout --created-after 1d --dry-run
    """,
)
@_selects
def retry(tokens: tuple[str, ...], **given: Any) -> None:
    """Retry tasks by token, batch or filter.

    Only tasks that failed or were canceled are retried: they get all their attempts again. `-` reads tokens from the
    standard input. Filters need the role admin. The command asks before it changes more than one task.
    """
    _change(tokens, verb="retry", **given)


def _change(
    tokens: tuple[str, ...],
    *,
    verb: str,
    filters: dict[str, Any],
    everything: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    more: Mapping[str, str | None] | None = None,
) -> None:
    named = list(all_of(tokens)) if tokens else None
    change = Change(verb=verb, more=more or {}, tokens=named, filters=filters, everything=everything)
    change.require_one_way()
    with connect() as client:
        if named is not None and len(named) == 1 and not dry_run:
            status = getattr(client, f"{verb}_task")(named[0], **change.more)
            answer(status, f"The task is {status.status}.", as_json=as_json)
            return
        matched = change.matched(client) if dry_run or not yes else 0
        if dry_run:
            done = Changed(matched=matched, changed=0)
            answer(done, f"{matched:,} tasks match. Nothing was changed.", as_json=as_json)
            return
        require_yes(f"{verb.capitalize()} {matched:,} tasks?", yes=yes or matched <= 1)
        done = change(client)
    answer(done, f"{done.changed:,} of {done.matched:,} tasks changed.", as_json=as_json)
