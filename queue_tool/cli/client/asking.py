"""Asking a person before a command changes many things."""

from __future__ import annotations

import sys

import click

from queue_tool.cli.client.ending import ExitCode, leave, tell

without_asking = click.option("--yes", "-y", is_flag=True, help="Do not ask.")


def require_yes(question: str, *, yes: bool) -> None:
    """Ask a question, and end the command if the answer is no.

    Args:
        question: what to ask.
        yes: whether the answer is known to be yes.

    Raises:
        click.UsageError: nobody is there to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody is there to ask: add --yes if you want that.")
    if not click.confirm(question, err=True):
        tell("Nothing was changed.")
        leave(ExitCode.FAILED)
