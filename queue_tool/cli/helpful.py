"""Commands with an example in their help, and groups that know what a misspelled command may mean."""

from __future__ import annotations

from typing import Any

import click


class HelpfulCommand(click.Command):
    """A command with an example in its help."""

    def __init__(self, *args: Any, example: str = "", **options: Any) -> None:
        """Add the example to the help.

        Args:
            args: those of a command of Click.
            example: command lines, one on each line.
            options: those of a command of Click.
        """
        self.example = example.strip()
        if self.example:
            lines = "\n".join(f"  {line.strip()}" for line in self.example.splitlines())
            options["epilog"] = f"\b\nExample:\n{lines}"
        super().__init__(*args, **options)


class HelpfulGroup(click.Group):
    """A group of such commands."""

    command_class = HelpfulCommand

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """Return the command that the arguments name.

        Raises:
            click.UsageError: there is none. The sentence names those with a similar name.
        """
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            similar = get_close_matches(args[0], self.list_commands(ctx))
            if not similar:
                raise
            meant = " or ".join(f"`{name}`" for name in similar)
            raise click.UsageError(f"{error.message} Did you mean {meant}?", error.ctx) from None
