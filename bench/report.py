"""The report for the terminal: each table with its ratios and the verdict on its goals."""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import Table, number


def cells(table: Table) -> list[tuple[str, ...]]:
    """Return the headings and rows of a table as texts, without empty columns."""
    lines = [("", f"{table.unit} (median)", "minimum to maximum", "ours is better by", *table.columns)]
    for row in table.rows:
        ratio = table.ratio(row)
        times = "" if ratio is None else f"{number(ratio)} x"
        lines.append((row.name, number(row.median), row.spread, times, *row.extra))
    kept = [column for column in range(len(lines[0])) if column == 0 or any(line[column] for line in lines[1:])]
    return [tuple(line[column] for column in kept) for line in lines]


def terminal(tables: Sequence[Table]) -> str:
    """Return all tables as plain text with aligned columns."""
    return "\n\n".join(_block(table) for table in tables)


def _block(table: Table) -> str:
    lines = cells(table)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    aligned = [
        "  "
        + "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    ]
    heading = f"{table.part}: {table.title} ({table.better.value})"
    goals = [f"  {goal.sentence}" for goal in table.goals]
    notes = [f"  {note}" for note in table.notes]
    return "\n".join([heading, *(line.rstrip() for line in aligned), *notes, *goals])


def verdict(tables: Sequence[Table]) -> str:
    """Return one sentence with the number of goals met and the names of the missed goals."""
    goals = [(table.part, goal) for table in tables for goal in table.goals]
    missed = [f"{part} ({goal.figure})" for part, goal in goals if not goal.met]
    sentence = f"{len(goals) - len(missed)} of {len(goals)} goals met"
    return f"{sentence}; missed: {'; '.join(missed)}." if missed else f"{sentence}."
