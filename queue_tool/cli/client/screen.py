"""What a command prints: tables and colors for people at a terminal, plain lines for everything else."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, TextIO

import click

from queue_tool.model import json_text

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

STYLES: Mapping[str, str] = {
    "finished": "green",
    "delivered": "green",
    "active": "green",
    "failed": "red",
    "rejected": "red",
    "parked": "red",
    "troubled": "red",
    "silent": "red",
    "canceled": "yellow",
    "paused": "yellow",
    "disabled": "yellow",
    "running": "cyan",
    "busy": "cyan",
}
"""The colors of words."""

CHUNK = 500
"""Rows of one table: all of them are in memory, because the widths of the columns depend on them."""

NARROWEST = 16
"""Characters of the last column, at least; with less room, each row has a block of lines."""

MIDDLE = 24
"""Characters to which a column between the first and the last may be cut."""

GAP = 2
"""Characters between two columns."""

_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that control a terminal, change the direction of a text, or are only half of one."""

_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    """Return a text in which each character that could control a terminal is written as an escape."""
    return _UNSAFE.sub(lambda found: _SHORT.get(found[0]) or _escape(ord(found[0])), text)


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

    @cached_property
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
                self.console.print(drawn(heads, some, self.console.width))
        return count

    def fields(self, values: Mapping[str, object]) -> None:
        """Print names with their values, without those that have none."""
        rows = [(name, cell(value)) for name, value in values.items() if value is not None]
        if self.console is None:
            for name, text in rows:
                click.echo(f"{name}\t{text}", self.file)
        else:
            self.console.print(_grid(rows))


def drawn(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> RenderableType:
    """Return rows as a table, if the columns have room; else each row as a block of lines."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    widths = _widths(heads, rows, width)
    if widths is None:
        blocks = [_grid(list(zip(heads, row, strict=True))) for row in rows]
        return Group(*(part for block in blocks for part in (block, Text())))
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for head, room in zip(heads, widths, strict=True):
        table.add_column(head, width=room, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(Text(text, STYLES.get(text, "")) for text in row))
    return table


def _widths(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Sequence[int] | None:
    """Return the widths of columns, so that the first one is whole; None if they have no room.

    If the others are too wide together, those in the middle are cut first, and then the last one.
    """
    from rich.cells import cell_len

    wanted = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    for most in (width, MIDDLE):
        before = [wanted[0], *(min(most, each) for each in wanted[1:-1])]
        room = width - sum(before) - GAP * len(before)
        if room >= min(NARROWEST, wanted[-1]):
            return [*before, min(room, wanted[-1])]
    return None


def _grid(rows: Sequence[tuple[str, str]]) -> RenderableType:
    """Return names with their values, which may have several lines. Values that are empty are left out."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, GAP, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in rows:
        if text:
            grid.add_row(name, Text(text, STYLES.get(text, "")))
    return grid


Columns = Mapping[str, Callable[[Any], object]]
"""The heads of a table, and what a row has below each of them."""
