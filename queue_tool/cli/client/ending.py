"""How a command of the client ends: its exit code, and one sentence if something went wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any, NoReturn

import click

from queue_tool.cli.client.screen import visible
from queue_tool.cli.helpful import HelpfulCommand, HelpfulGroup
from queue_tool.errors import (
    AnswerLost,
    BadSetting,
    BadTask,
    Forbidden,
    NotFound,
    NotSent,
    QueueToolError,
    ServiceAway,
    StoreAway,
    TaskNotFound,
    TaskRemoved,
    Unauthorized,
    UnexpectedAnswer,
)


class ExitCode(IntEnum):
    """What the exit code of a command says."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    AWAY = 3
    NOT_FOUND = 4
    INTERRUPTED = 130


MEANINGS = {
    ExitCode.DONE: "The command did what it was told, and nothing in it failed.",
    ExitCode.FAILED: "A task failed or was canceled, an element was refused, the service refused the request, "
    "or a file or pipe cannot be used.",
    ExitCode.USAGE: "The command line or a setting is wrong. Nothing was sent.",
    ExitCode.AWAY: "The service cannot be reached, or it does not accept the API key.",
    ExitCode.NOT_FOUND: "The service does not know the task, batch, schedule, webhook or queue.",
    ExitCode.INTERRUPTED: "Ctrl-C ended the command. What was sent goes on.",
}

_CODES: Sequence[tuple[tuple[type[QueueToolError], ...], ExitCode]] = (
    ((ServiceAway, AnswerLost, UnexpectedAnswer, StoreAway, Unauthorized, Forbidden), ExitCode.AWAY),
    ((NotFound, TaskRemoved), ExitCode.NOT_FOUND),
    ((BadSetting, NotSent), ExitCode.USAGE),
)


_HINTS: Mapping[type[QueueToolError], str] = {
    ServiceAway: "Start it with `queue-tool up`, or set QUEUE_TOOL_URL.",
    Unauthorized: "The commands send what `keys create --keep` has kept on this machine, or what QUEUE_TOOL_KEY holds.",
    TaskNotFound: "No task has this token, or its time of retention is over.",
}
"""What a person at the command line does about an error."""


def code_of(error: QueueToolError) -> ExitCode:
    """Return the exit code for an error."""
    if type(error) is NotFound:  # the service has no such path, so this is not the service that was meant
        return ExitCode.AWAY
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), ExitCode.FAILED)


def sentence_of(error: QueueToolError) -> str:
    """Return the sentence of an error; if the service sent it, with its code and the id of the request."""
    sentence = visible(error.sentence)
    hint = next((hint for kind, hint in _HINTS.items() if isinstance(error, kind)), "")
    if type(error) is NotFound:  # the service has no such path
        hint = "Check QUEUE_TOOL_URL."
    sentence = f"{sentence.rstrip('.')}. {hint}" if hint else sentence
    if error.request_id is not None:
        sentence = f"{sentence} [{error.code}, request {visible(error.request_id)}]"
    reasons = error.errors or () if isinstance(error, BadTask) else ()
    lines = [f"{visible(reason['path'])}: {visible(reason['message'])}" for reason in reasons]
    return "\n".join([sentence, *(f"  {line}" for line in lines if line not in sentence)])


def tell(sentence: str) -> None:
    """Print a sentence for people, apart from the output."""
    click.echo(f"queue-tool: {sentence}", err=True)


def leave(code: ExitCode) -> NoReturn:
    """End the command with this exit code."""
    click.get_current_context().exit(code)


class ClientCommand(HelpfulCommand):
    """A command of the client."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. An error becomes a sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except QueueToolError as error:
            tell(sentence_of(error))
            ctx.exit(code_of(error))
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            raise  # the reader has enough: Click ends the command quietly
        except OSError as error:
            tell(f"A file or pipe cannot be used: {error.strerror or error}.")
            ctx.exit(ExitCode.FAILED)


class ClientGroup(HelpfulGroup):
    """A group of commands of the client. Without the name of a command it lists."""

    command_class = ClientCommand

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments. Options without a command belong to `list`."""
        is_list = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        if is_list and not ctx.resilient_parsing:  # a shell that completes a command still offers the others
            args = ["list", *args]
        return super().parse_args(ctx, args)
