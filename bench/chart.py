"""The chart: horizontal bars on a logarithmic scale, readable on light and dark backgrounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from bench.figures import Better, Row, Table, number
from bench.submit import BATCH

WIDTH, LEFT, RIGHT = 860, 300, 70
BAR, STEP = 16, 24
TEXT, GRID, OURS, PEER = "#7a828c", "#7a828c55", "#2f81f7", "#9aa4ae"


def chart(tables: Sequence[Table]) -> str:
    """Return the tables as one SVG. Each table is a panel of rates, so higher is better in every panel."""
    panels, top = [], 54
    for table in tables:
        panels.append(_panel(table, top))
        top += len(table.rows) * STEP + 74
    title = "Ours and its peers on one machine: longer is better, each grid line is 10 times the one before"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
            f'font-family="system-ui, sans-serif" font-size="13" fill="{TEXT}" role="img">',
            f"<title>{title}</title>",
            f'<text x="12" y="26" font-size="15" font-weight="600">{title}</text>',
            *panels,
            "</svg>\n",
        ]
    )


def _panel(table: Table, top: int) -> str:
    rates = {row: _rate(table, row) for row in table.rows}
    low = math.floor(math.log10(min(rates.values())))
    high = max(low + 1, math.ceil(math.log10(max(rates.values()))))
    unit = "items/s" if table.better is Better.LOWER else table.unit
    heading = f'<text x="12" y="{top + 14}" font-weight="600">{escape(f"{table.part}: {table.title}, {unit}")}</text>'
    end = top + 24 + len(rates) * STEP
    grid = [_line(_x(power, low, high), top + 24, end, f"{10**power:,}") for power in range(low, high + 1)]
    bars = [_bar(row, rate, top + 26 + place * STEP, low, high) for place, (row, rate) in enumerate(rates.items())]
    return "\n".join([heading, *grid, *bars])


def _rate(table: Table, row: Row) -> float:
    """Return the rate of a row per second. The milliseconds of a whole batch become items per second."""
    return row.median if table.better is Better.HIGHER else BATCH / (row.median / 1000)


def _x(power: float, low: int, high: int) -> float:
    return LEFT + (power - low) / (high - low) * (WIDTH - LEFT - RIGHT)


def _line(across: float, top: int, end: int, label: str) -> str:
    return (
        f'<path d="M{across:.1f} {top}V{end}" stroke="{GRID}"/>'
        f'<text x="{across:.1f}" y="{end + 15}" text-anchor="middle" font-size="11">{label}</text>'
    )


def _bar(row: Row, rate: float, top: int, low: int, high: int) -> str:
    end = _x(math.log10(rate), low, high)
    return (
        f'<text x="{LEFT - 8}" y="{top + 13}" text-anchor="end">{escape(row.name.replace("`", ""))}</text>'
        f'<rect x="{LEFT}" y="{top}" width="{max(2.0, end - LEFT):.1f}" height="{BAR}" rx="2" '
        f'fill="{OURS if row.ours else PEER}"/><text x="{end + 6:.1f}" y="{top + 13}">{number(round(rate))}</text>'
    )
