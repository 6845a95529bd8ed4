"""The group of all commands: its errors are one sentence, and its help has the commands of the client apart."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from queue_tool.cli.client import COMMANDS
from queue_tool.cli.helpful import HelpfulGroup
from queue_tool.errors import QueueToolError
from queue_tool.host import descriptors

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C ended, as shells have it."""


class Commands(HelpfulGroup):
    """A group of commands. A command that fails prints one sentence and exits with code 1.

    The commands of the client are imported when they are used, because all other processes need none of them.
    """

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command in this process."""
        descriptors.open_standard()
        return super().main(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command. An error becomes a sentence."""
        try:
            return super().invoke(ctx)
        except QueueToolError as error:
            click.echo(f"queue-tool: {error.for_operator}", err=True)
            ctx.exit(1)
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(INTERRUPTED)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, those of the client last."""
        return [*super().list_commands(ctx), *COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command."""
        return client_command(cmd_name) if cmd_name in COMMANDS else super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write both lists of commands, and what their exit codes mean."""
        own = [name for name in self.list_commands(ctx) if name not in COMMANDS]
        sections = {"Run and operate the service": own, "Ask the service": list(COMMANDS)}
        longest = max(len(name) for name in self.list_commands(ctx))
        for title, names in sections.items():
            commands = {name: self.get_command(ctx, name) for name in names}
            room = formatter.width - 6 - longest
            rows = [(name.ljust(longest), each.get_short_help_str(room)) for name, each in commands.items() if each]
            with formatter.section(title):
                formatter.write_dl(rows)
        from queue_tool.cli.client.ending import MEANINGS

        with formatter.section("Exit codes of the commands that ask the service"):
            formatter.write_dl([(str(code.value), meaning) for code, meaning in MEANINGS.items()])


def client_command(name: str) -> click.Command:
    """Return a command of the client."""
    found: click.Command = getattr(import_module(f"queue_tool.cli.client.{COMMANDS[name]}"), name)
    return found
