"""The longest wait of one task: which task it was, and what happened while it waited."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from tests.chaos.havoc import Havoc
from tests.chaos.load import KINDS
from tests.chaos.sites import Site

ORDINARY = re.compile(r" debug | is tried again | task failed | push postponed | (request|batch|task|tasks) \w+( |=)")
"""Log lines that say nothing about a wait."""

MOST_SHOWN = 60
"""The most log lines that are printed."""

_STARTED = re.compile(r"(\S+Z) .* child started child=worker-\d+ pid=(\d+)")
_READY = re.compile(r"(\S+Z) \w+ +worker\[(\d+)\] started ")
_LINE = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+Z) ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """The delay of one task."""

    seconds: float = 0.0  # from sending to the end, less the longest run of its type
    token: str = ""
    task_type: str = ""
    steps: tuple[tuple[float, str], ...] = ()  # the time of each step in seconds since 1970, and its name

    @property
    def longest_gap(self) -> tuple[float, float]:
        """Return the times of the two steps with the most time between them."""
        times = [at for at, _ in self.steps]
        return max(pairwise(times), key=lambda gap: gap[1] - gap[0], default=(0.0, 0.0))

    def __str__(self) -> str:
        """Return the steps, each with its seconds since the task was sent."""
        if not self.steps:
            return "no task has ended"
        began = self.steps[0][0]
        steps = ", ".join(f"{name} +{at - began:.1f}" for at, name in self.steps[1:])
        return f"{self.seconds:.1f} s: {self.token} ({self.task_type}): {steps}"


def longest_wait(site: Site) -> Wait:
    """Return the longest delay of a task that has ended."""
    query = "SELECT task_type, (finished_at - created_at) / 1e6, token FROM tasks WHERE finished_at IS NOT NULL"
    waits = [(float(seconds) - KINDS[kind][1], token, kind) for kind, seconds, token in site.rows(query)]
    if not waits:
        return Wait()
    seconds, token, kind = max(waits)
    return Wait(seconds=seconds, token=token, task_type=kind, steps=tuple(sorted(_steps(site, token))))


def reasons(site: Site, havoc: Havoc, wait: Wait) -> Iterator[str]:
    """Return the blows and the log lines of the longest gap between two steps of this task.

    How long workers needed to start tells whether the machine had too much to do: an idle one needs about a second.
    """
    starts = sorted(_starts(site))
    if starts:
        yield f"a worker started in {starts[len(starts) // 2]:.1f} s (median) to {starts[-1]:.1f} s"
    begin, end = wait.longest_gap
    found = [(at, f"blow: {name}") for at, name in havoc.log]
    for line in site.system.log.splitlines():
        match = _LINE.match(line)
        if match and not ORDINARY.search(line):
            found.append((datetime.fromisoformat(match[1]).timestamp(), line[match.end(1) + 1 :]))
    shown = [(at, text) for at, text in sorted(found) if begin - 1 <= at <= end + 1]
    for at, text in shown[:MOST_SHOWN]:
        yield f"{time.strftime('%H:%M:%S', time.gmtime(at))}.{int(at % 1 * 1000):03d} {text[:200]}"
    if len(shown) > MOST_SHOWN:
        yield f"and {len(shown) - MOST_SHOWN} more lines"


def _starts(site: Site) -> Iterator[float]:
    """Return how many seconds each worker needed from its start by the supervisor until it was ready."""
    begun: dict[str, datetime] = {}
    for line in site.system.log.splitlines():
        if match := _STARTED.match(line):
            begun[match[2]] = datetime.fromisoformat(match[1])
        elif (match := _READY.match(line)) and match[2] in begun:
            yield (datetime.fromisoformat(match[1]) - begun.pop(match[2])).total_seconds()


def _steps(site: Site, token: str) -> Iterator[tuple[float, str]]:
    columns = ("created_at", "due_at", "pushed_at", "started_at", "finished_at")
    (row,) = site.rows(f"SELECT run, {', '.join(columns)} FROM tasks WHERE token = '{token}'")
    run, *times = row
    for column, at in zip(columns, times, strict=True):
        if at is not None:
            name = column.removesuffix("_at")
            yield at / 1e6, name if column in ("created_at", "finished_at") else f"{name} (run {run})"
    query = f"SELECT run, started_at, ended_at, code FROM attempts WHERE token = '{token}'"
    for number, started, ended, code in site.rows(query):
        if started is not None and number != run:
            yield started / 1e6, f"started (run {number})"
        if number != run:
            yield ended / 1e6, f"{code} (run {number})"
