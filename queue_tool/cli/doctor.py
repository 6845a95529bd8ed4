"""`queue-tool doctor`: says what is wrong with a system, and what to do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from queue_tool.cli.helpful import HelpfulCommand
from queue_tool.errors import BadSetting

if TYPE_CHECKING:
    from queue_tool.model.task_types import TaskTypes
    from queue_tool.services.doctor.finding import Finding

COLOURS = {"ok": "green", "warning": "yellow", "wrong": "red"}
"""The colour of each level at a terminal."""

LEVEL, CHECK = 8, 16
"""The widths of the first two columns."""

NARROW = 70
"""A terminal with fewer columns has no room for three."""


@click.command(cls=HelpfulCommand, example="queue-tool doctor --json")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def doctor(as_json: bool) -> None:
    """Say what is wrong with the system.

    It looks at the whole system, whether it runs or not, and says what to do. It changes nothing.

    The exit code is 0 if all is well, 1 if there are warnings, and 2 if something is wrong.
    """
    from queue_tool.services.doctor.finding import worst

    show = _silent if as_json else _in_colours if sys.stdout.isatty() else _plain
    findings = list(show(_findings()))
    level = worst(findings)
    if as_json:
        click.echo(json.dumps({"level": level, "findings": [asdict(each) for each in findings]}))
    click.get_current_context().exit(level.severity)


def _findings() -> Iterator[Finding]:
    from queue_tool import brokers, environment
    from queue_tool.host.clock import CLOCK
    from queue_tool.known_types import load_types
    from queue_tool.services.doctor.doctor import Doctor

    settings, errors = environment.usable_settings()
    unknown: Sequence[str] = ()
    with suppress(BadSetting):  # `.env` cannot be read, which `errors` says
        unknown = environment.unknown_settings()

    def load() -> TaskTypes:
        with redirect_stdout(sys.stderr):  # a user's module may print
            types = load_types(settings)
        types.compile()
        return types

    return Doctor(
        settings=settings,
        errors=errors,
        unknown=unknown,
        load_types=load,
        redis_url=lambda: brokers.redis_url(settings),
        clock=CLOCK,
    )()


def _silent(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Print nothing."""
    yield from findings


def _plain(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Print each finding as one line."""
    for finding in findings:
        click.echo(f"{finding.level:{LEVEL}} {finding.check:{CHECK}} {_sentence(finding)}")
        yield finding


def _in_colours(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Print each finding, its sentence beside it or, at a narrow terminal, below it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for finding in findings:
        row, sentence = Table.grid(padding=(0, 1)), Text(_sentence(finding))
        row.add_column(width=LEVEL)
        row.add_column(width=CHECK if console.width >= NARROW else None)
        begin = Text(finding.level, COLOURS[finding.level]), Text(finding.check, "bold")
        if console.width >= NARROW:
            row.add_row(*begin, sentence)
        else:
            row.add_row(*begin)
            row.add_row("", sentence)
        console.print(row)
        yield finding


def _sentence(finding: Finding) -> str:
    return f"{finding.found}: {finding.remedy}." if finding.remedy else f"{finding.found}."
