"""P2, the longest write: response times of single items while a worker runs tasks and full batches arrive."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from bench import http
from bench.figures import Better, Goal, Row, Table
from bench.servers import ours
from bench.submit import BATCH, body

PAUSE = 0.02
"""Seconds between two requests with a single item."""


def mixed_load(folder: Path, seconds: float) -> Table:
    """Send single items while full batches arrive and a worker runs their tasks; return the table of response times."""
    with ours(folder / "mixed_load", WEB="2") as system:
        url, stop = f"{system.url}/api", threading.Event()
        sender = threading.Thread(target=_send_batches, args=(url, stop))
        sender.start()
        try:
            answers = _single_items(url, seconds)
        finally:
            stop.set()
            sender.join(60)
    return _table(sorted(answers))


def _send_batches(url: str, stop: threading.Event) -> None:
    full = body(BATCH)
    while not stop.is_set():
        http.timed(url, "POST", full, 1)
        stop.wait(0.5)


def _single_items(url: str, seconds: float) -> list[float]:
    """Send single items for a number of seconds; return the response times in milliseconds."""
    until, answers, single = time.monotonic() + seconds, list[float](), body(1)
    while time.monotonic() < until:
        taken, _ = http.timed(url, "POST", single, 1)
        answers.append(taken * 1000)
        time.sleep(PAUSE)
    return answers


def _table(answers: list[float]) -> Table:
    slowest = answers[-1]
    usual = answers[int(len(answers) * 0.99)]
    return Table(
        part="P2",
        title="Accept one item while a worker runs tasks and 10,000 items arrive twice a second",
        unit="ms",
        better=Better.LOWER,
        rows=(Row(name="ours: POST /api, two web processes", values=tuple(answers), ours=True),),
        notes=(
            f"{len(answers)} responses, 99 % of them within {usual:.0f} ms. A response takes longer than its write "
            "transaction, so the slowest response is an upper bound of the longest write.",
        ),
        goals=(Goal(figure="slowest response", found=slowest, limit=100, unit=" ms", at_most=True),),
    )
