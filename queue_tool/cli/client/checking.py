"""`queue-tool check`: the states of any number of tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from queue_tool.cli.client.ending import ClientCommand, ExitCode, leave
from queue_tool.cli.client.lists import lines_of_json
from queue_tool.cli.client.options import as_json
from queue_tool.cli.client.screen import Screen
from queue_tool.cli.client.service import connect
from queue_tool.cli.client.source import STDIN
from queue_tool.errors import TaskNotFound
from queue_tool.model.payloads.tasks import CheckedToken
from queue_tool.model.states import State

if TYPE_CHECKING:
    from queue_tool.client.blocking import Client

UNKNOWN = "unknown"
BAD = frozenset({State.FAILED.value, State.CANCELED.value})


@click.command(
    cls=ClientCommand,
    example="""
    queue-tool check 01a2171f18857a0bb04b6fac08924c5e
    queue-tool check - < tokens.txt
    """,
)
@click.argument("tokens", metavar="TOKEN...", nargs=-1, required=True)
@as_json
def check(tokens: tuple[str, ...], as_json: bool) -> None:
    """Print the state of tasks, in the order of the tokens.

    `-` reads tokens from the standard input, with spaces or line ends between them. The exit code is 1 if a task failed
    or was canceled, and 4 if a token is unknown. One token needs no API key.
    """
    seen: set[str] = set()
    with connect() as client:
        is_alone = len(tokens) == 1 and tokens[0] != STDIN
        found = _alone(client, tokens[0]) if is_alone else client.check(all_of(tokens))
        noted = _noting(found, seen)
        if as_json:
            lines_of_json(noted)
        else:
            Screen().table(["token", "status"], ([each.hash, each.status] for each in noted))
    leave(ExitCode.FAILED if seen & BAD else ExitCode.NOT_FOUND if UNKNOWN in seen else ExitCode.DONE)


def all_of(tokens: Iterable[str]) -> Iterator[str]:
    """Iterate over tokens; those of the standard input come in the place of `-`."""
    for token in tokens:
        if token != STDIN:
            yield token
            continue
        for line in sys.stdin:
            yield from line.split()


def _alone(client: Client, token: str) -> Iterator[CheckedToken]:
    """Ask for one task, which needs no API key: its token is enough."""
    try:
        found = client.check_task(token)
    except TaskNotFound as error:
        yield CheckedToken(hash=token, message=error.sentence, status=UNKNOWN)
    else:
        yield CheckedToken(hash=token, message=found.message, status=found.status)


def _noting(checked: Iterable[CheckedToken], seen: set[str]) -> Iterator[CheckedToken]:
    """Iterate over states, and note which ones there are."""
    for each in checked:
        seen.add(each.status)
        yield each
