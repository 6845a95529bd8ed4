"""Tables at a terminal of any width. It imports the library for terminals, so plain output goes without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

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

NARROWEST = 16
"""Characters of the last column, at least; with less room, each row has a block of lines."""

MIDDLE = 24
"""Characters to which a column between the first and the last may be cut."""

GAP = 2
"""Characters between two columns."""


def table_of(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> RenderableType:
    """Return rows as a table, if the columns have room; else each row as a block of lines."""
    widths = _widths(heads, rows, width)
    if widths is None:
        return Group(*(part for row in rows for part in _block(heads, row, width)))
    table = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold")
    for head, room in zip(heads, widths, strict=True):
        table.add_column(head, width=room, no_wrap=True, overflow="ellipsis")
    for row in rows:
        table.add_row(*(styled(text) for text in row))
    return table


def _widths(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Sequence[int] | None:
    """Return the widths of columns, so that the first one is whole; None if they have no room.

    If the others are too wide together, those in the middle are cut first, and then the last one.
    """
    wanted = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    for most in (width, MIDDLE):
        before = [wanted[0], *(min(most, each) for each in wanted[1:-1])]
        room = width - sum(before) - GAP * len(before)
        if room >= min(NARROWEST, wanted[-1]):
            return [*before, min(room, wanted[-1])]
    return None


def _block(heads: Sequence[str], row: Sequence[str], width: int) -> Sequence[RenderableType]:
    """Return the lines of one row: its first value, which names it, and then the others with their heads."""
    return Text(row[0], "bold", overflow="fold"), grid_of(list(zip(heads, row, strict=True))[1:], width), Text()


def grid_of(rows: Sequence[tuple[str, str]], width: int) -> RenderableType:
    """Return names with their values. Values that are empty are left out.

    A value that has no room beside its name begins on the next line, so that an id stays on one.
    """
    shown = [(name, text) for name, text in rows if text]
    indent = max((cell_len(name) for name, _ in shown), default=0) + GAP
    parts: list[RenderableType] = []
    for name, text in shown:
        has_room = cell_len(text) <= width - indent or cell_len(text) > width
        grid = Table.grid(padding=(0, GAP, 0, 0))
        grid.add_column(style="bold", no_wrap=True, width=indent - GAP if has_room else None)
        if has_room:
            grid.add_column(overflow="fold")
            grid.add_row(name, styled(text))
        else:
            grid.add_row(name)
        parts += [grid] if has_room else [grid, styled(text)]
    return Group(*parts)


def styled(text: str) -> Text:
    """Return a text in the color of its word."""
    return Text(text, STYLES.get(text, ""), overflow="fold")
