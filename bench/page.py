"""The page with the results, docs/benchmark.md. Its figures and verdicts come from the measurements."""

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
- Compare only figures of the same table: they come from one run on one machine, and the contenders took turns. On
  another machine, or under other load, all figures differ. The ratios change less.
- A ratio below 1.5 is a tie, because runs vary that much. "Minimum to maximum" shows how much the rounds of this run
  varied.
- "Ours is better by" compares each peer with the median of our best row. Below 1, ours is worse.
- "Reads" are reads from Redis's sockets: one per round trip, or fewer if several requests arrive together. "Commands"
  are the commands that Redis counted, including those inside scripts. Both are almost the same in every run.
- A peer's task is done when its function has run and written its mark. Our task is done when its result is committed
  to SQL.
- Memory is the highest peak of one process.
"""

WHAT_WE_DO_MORE = """\
The peers accept any input and pass it to Redis. Our service checks each item against a JSON Schema, and before it
responds, each task is in SQLite on disk. It also writes the start and the end of each task to SQLite. The peers store
none of this: their results are disabled if that makes them faster, and BullMQ removes finished jobs.
"""

HOW_THEY_RUN = """\
- The peers use a separate Valkey on a Unix socket. It writes nothing to disk, so a crash of it loses all tasks. Ours
  uses its embedded Valkey, also on a Unix socket, with an append-only file.
- The Python peers use hiredis, which is faster than redis-py alone. Ours does not use it.
- The web applications of the peers use Flask's JSON and gunicorn with 2 processes of 8 threads. RQ submits through one
  `Queue`, Celery through one producer of its pool. Ours is `queue-tool up`, with one web process unless the table shows
  another number, and without workers if only HTTP requests are measured.
- BullMQ has no web application here: node reads the array from a file and converts the ids to JSON.
- Empty tasks write one byte to a file (peers) or are `sleep` with 0 seconds (ours). Isolated functions are
  the same for all.
"""


def write(
    tables: Sequence[Table],
    machine: Machine,
    versions: Mapping[str, str],
    peers: Mapping[str, str],
    parts: Sequence[str] = (),
) -> None:
    """Write the page and its chart. Without parts, all of them have run."""
    day = datetime.now(UTC).date().isoformat()
    command = f"python -m bench --page {' '.join(parts)}" if parts else "make bench"
    (DOCS / "benchmark.md").write_text(page(tables, machine, versions, peers, day, command=command), "utf-8")
    (DOCS / "benchmark.svg").write_text(chart([table for table in tables if table.charted]), "utf-8")


def page(
    tables: Sequence[Table],
    machine: Machine,
    versions: Mapping[str, str],
    peers: Mapping[str, str],
    day: str,
    *,
    command: str = "make bench",
) -> str:
    """Return the page as Markdown."""
    parts = [
        "# Benchmark results",
        f"`{command}` wrote this page on {day} from the figures of that run. {verdict(tables)}",
        "![Bar charts of the rates below, on a logarithmic scale](benchmark.svg)",
        *(_section(table) for table in tables),
        f"## How to read the figures\n\n{HOW_TO_READ}\n{WHAT_WE_DO_MORE.rstrip()}",
        f"## Machine\n\n{machine.sentence}. Clients, servers, workers and Redis all run on it at the same time.",
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
    """Return lines as a Markdown table. The first line is the heading; the first column is text."""
    ruler = "|".join(["---"] + ["---:"] * (len(lines[0]) - 1))
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([rows[0], f"|{ruler}|", *rows[1:]])


def _list(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
