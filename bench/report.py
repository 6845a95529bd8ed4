"""The report in the terminal: each table with its ratios, and whether its goals were met."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Table, number


def cells(table: Table) -> list[tuple[str, ...]]:
    """Return headings and rows of a table as texts, the columns that have nothing to say left out."""
    lines = [("", f"{table.unit} (median)", "least to greatest", "ours is better", *table.columns)]
    for row in table.rows:
        ratio = table.ratio(row)
        times = "" if ratio is None else f"{number(ratio)} x"
        lines.append((row.name, number(row.median), row.spread, times, *row.beside))
    kept = [place for place in range(len(lines[0])) if place == 0 or any(line[place] for line in lines[1:])]
    return [tuple(line[place] for place in kept) for line in lines]


def terminal(tables: Sequence[Table]) -> str:
    """Return all tables as text of fixed width."""
    return "\n\n".join(_block(table) for table in tables)


def _block(table: Table) -> str:
    lines = cells(table)
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    aligned = [
        "  "
        + "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    ]
    heading = f"{table.part}: {table.title} ({table.better.value})"
    goals = [f"  goal: {goal.sentence}" for goal in table.goals]
    notes = [f"  {note}" for note in table.notes]
    return "\n".join([heading, *(line.rstrip() for line in aligned), *notes, *goals])


def verdict(tables: Sequence[Table]) -> str:
    """Return in one sentence how many goals were met, and the names of those that were not."""
    goals = [(table.part, goal) for table in tables for goal in table.goals]
    missed = [f"{part} ({goal.figure})" for part, goal in goals if not goal.met]
    sentence = f"{len(goals) - len(missed)} of {len(goals)} goals met"
    return f"{sentence}; missed: {'; '.join(missed)}." if missed else f"{sentence}."
