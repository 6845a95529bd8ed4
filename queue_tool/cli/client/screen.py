"""What a command prints: tables and colors for people at a terminal, plain lines for everything else."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

import click

from queue_tool.model import json_text
from queue_tool.model.made_once import made_once

if TYPE_CHECKING:
    from rich.console import Console

CHUNK = 500
"""Rows of one table: all of them are in memory, because the widths of the columns depend on them."""

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that control a terminal, change the direction of a text, or are only half of one."""

_ENDS = "\r\n"
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Return a text in which each character that could control a terminal is written as an escape."""
    return _UNSAFE.sub(lambda found: _SHORT.get(found[0]) or _escape(ord(found[0])), text)


def escaped(text: str) -> str:
    """Return a text of several lines with the same escapes, as JSON has them."""
    return _UNSAFE.sub(lambda found: found[0] if found[0] in _ENDS else f"\\u{ord(found[0]):04x}", text)


def _escape(number: int) -> str:
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004 - two digits suffice below


def cell(value: object) -> str:
    """Return a value as people read it; empty for None."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:d}"
        case float():
            return f"{value:.1f}"
        case list() | dict():
            return visible(json_text.dumps(value).decode())
        case _:
            return visible(str(value))


def moment(time: str | None) -> str | None:
    """Return a time of the service without fractions of a second."""
    return None if time is None else re.sub(r"\.\d+", "", time)


class Screen:
    """A stream that a command prints to."""

    def __init__(self, file: TextIO | None = None) -> None:
        """Print to this file; by default to the standard output."""
        self.file = file or sys.stdout

    @made_once
    def console(self) -> Console | None:
        """Return what draws at a terminal; None if this is none, or one that can only print lines."""
        if not self.file.isatty():
            return None
        from rich.console import Console

        console = Console(file=self.file, highlight=False, markup=False, emoji=False)
        return None if console.is_dumb_terminal else console

    def line(self, text: str) -> None:
        """Print a line."""
        click.echo(visible(text), self.file)

    def table(self, heads: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
        """Print rows as a table, and return how many there are. Plain rows have tabs between the cells, and no head."""
        left = iter(rows)
        count = 0
        while some := [[cell(value) for value in row] for row in islice(left, CHUNK)]:
            count += len(some)
            if self.console is None:
                for row in some:
                    click.echo("\t".join(row), self.file)
            else:
                from queue_tool.cli.client.tables import table_of

                self.console.print(table_of(heads, some, self.console.width))
        if not count and self.console is not None:
            self.console.print("There are none.")
        return count

    def fields(self, values: Mapping[str, object]) -> None:
        """Print names with their values, without those that have none."""
        rows = [(name, cell(value)) for name, value in values.items() if value is not None]
        if self.console is None:
            for name, text in rows:
                click.echo(f"{name}\t{text}", self.file)
        else:
            from queue_tool.cli.client.tables import grid_of

            self.console.print(grid_of(rows, self.console.width))


Columns = Mapping[str, Callable[[Any], object]]
"""The heads of a table, and what a row has below each of them."""
