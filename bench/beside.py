"""P2, the longest write: how long single items wait to be accepted while a worker drains and batches arrive."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from bench import http
from bench.figures import Better, Goal, Row, Table
from bench.servers import ours
from bench.submit import BATCH, body

PAUSE = 0.02
"""Seconds between two single items."""


def beside(folder: Path, seconds: float) -> Table:
    """Send single items for so long beside full batches and a worker that drains them; the table of the answers."""
    with ours(folder / "beside", WEB="2") as system:
        url, over = f"{system.url}/api", threading.Event()
        sender = threading.Thread(target=_send_batches, args=(url, over))
        sender.start()
        try:
            answers = _single_items(url, seconds)
        finally:
            over.set()
            sender.join(60)
    return _table(sorted(answers))


def _send_batches(url: str, over: threading.Event) -> None:
    full = body(BATCH)
    while not over.is_set():
        http.timed(url, "POST", full, 1)
        over.wait(0.5)


def _single_items(url: str, seconds: float) -> list[float]:
    """Return the milliseconds of each answer."""
    until, answers, single = time.monotonic() + seconds, list[float](), body(1)
    while time.monotonic() < until:
        taken, _ = http.timed(url, "POST", single, 1)
        answers.append(taken * 1000)
        time.sleep(PAUSE)
    return answers


def _table(answers: list[float]) -> Table:
    worst = answers[-1]
    usual = answers[int(len(answers) * 0.99)]
    return Table(
        part="P2",
        title="Accept one item while a worker drains and 10,000 arrive twice a second",
        unit="ms",
        better=Better.LOWER,
        rows=(Row(name="ours: POST /api, two web processes", values=tuple(answers), ours=True),),
        notes=(
            f"{len(answers)} answers; 99 % came within {usual:.0f} ms. An answer is more than its write transaction: "
            "the worst one is an upper bound of the longest write.",
        ),
        goals=(Goal(figure="the worst answer", found=worst, limit=100, unit=" ms", at_most=True),),
    )
