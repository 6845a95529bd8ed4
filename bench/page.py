"""The page with the figures: docs/benchmark.md. All that it claims is made from what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.chart import chart
from bench.figures import Table
from bench.machine import Machine
from bench.report import cells, verdict

DOCS = Path(__file__).parents[1] / "docs"

HOW_TO_READ = """\
- Only figures of the same table can be compared: they come from one run on one machine, in turns. On another machine,
  or with other work beside it, every figure is another, and the ratios change less.
- A ratio under 1.5 is a tie: runs spread that much. "Least to greatest" says how far these did.
- "Ours is better" divides by the median of our best row; below 1 we are worse.
- "Reads" are reads of Redis's sockets, one for each round trip, or fewer where several requests arrive at once.
  Commands are those that Redis counted, the ones inside of scripts included. Both repeat almost exactly.
- A peer's task counts as done when its function has run and left its mark, ours when its outcome is committed to SQL.
- Memory is the greatest peak of one process.
"""

WHAT_WE_DO_MORE = """\
The peers take whatever they are sent and pass it to Redis. We check each item against a JSON Schema, write each task to
SQLite and have it on disk before we answer, and write the start and the end of each task to SQLite too. The peers keep
none of it: their results are switched off where that is faster for them, and BullMQ removes what is done.
"""

HOW_THEY_RUN = """\
- Peers use a Valkey of their own on a Unix socket, which writes nothing to disk, so that a crash of it loses all tasks.
  Ours is the embedded one, on a Unix socket too, with an append-only file.
- Peers have hiredis, which is faster than redis-py alone; ours has not.
- Web applications of peers: Flask's own JSON, gunicorn with 2 processes of 8 threads. RQ's ids come from one `Queue`,
  Celery's from one producer of its pool. Ours is `queue-tool up`, with one web process unless the table says otherwise,
  and no worker where only the web door is measured.
- BullMQ has no web application here: node reads the array from a file and makes the ids into JSON.
- Tasks of no cost write one byte to a file (peers), or are `sleep` with 0 seconds (ours).
"""


def write(tables: Sequence[Table], machine: Machine, versions: Mapping[str, str], peers: Mapping[str, str]) -> None:
    """Write the page and its chart."""
    day = datetime.now(UTC).date().isoformat()
    (DOCS / "benchmark.md").write_text(page(tables, machine, versions, peers, day), "utf-8")
    (DOCS / "benchmark.svg").write_text(chart([table for table in tables if table.charted]), "utf-8")


def page(
    tables: Sequence[Table], machine: Machine, versions: Mapping[str, str], peers: Mapping[str, str], day: str
) -> str:
    """Return the page as Markdown."""
    parts = [
        "# How fast it is",
        f"Written by `make bench` on {day}, from that run's figures. {verdict(tables)}",
        "![Bar charts of the rates below, on a logarithmic scale](benchmark.svg)",
        *(_section(table) for table in tables),
        f"## How to read this\n\n{HOW_TO_READ}\n{WHAT_WE_DO_MORE.rstrip()}",
        f"## Machine\n\n{machine.sentence}. Everything runs on it at once: clients, servers, workers and Redis.",
        f"## Versions\n\nOurs: {_list(machine.packages)}.\n\nPeers: {_list(versions)}.",
        f"## Configuration\n\n{HOW_THEY_RUN}\n{_markdown([('peer', 'command'), *peers.items()])}",
    ]
    return "\n\n".join(parts) + "\n"


def _section(table: Table) -> str:
    """Return one table with its notes and goals."""
    heading = f"## {table.part}: {table.title}\n\n{table.better.value.capitalize()}."
    goals = "\n".join(f"- {goal.sentence}" for goal in table.goals)
    return "\n\n".join(part for part in (heading, _markdown(cells(table)), *table.notes, goals) if part)


def _markdown(lines: Sequence[tuple[str, ...]]) -> str:
    """Return lines as a table of Markdown; the first is the heading, the first column is text."""
    ruler = "|".join(["---"] + ["---:"] * (len(lines[0]) - 1))
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([rows[0], f"|{ruler}|", *rows[1:]])


def _list(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
