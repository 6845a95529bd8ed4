"""How long a body of 100,000 items holds up requests of one item, beside Flask with RQ's `enqueue_many`."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from pathlib import Path

from bench import http
from bench.environments import RQ
from bench.figures import Better, Row, Table
from bench.servers import gunicorn, ours, plain_redis
from bench.submit import body

LARGE = 100_000

PAUSE = 0.01
"""Seconds between two requests of one item."""

PEER = "Flask and RQ on gunicorn, 2 x 8 threads: `enqueue` beside `enqueue_many`"


def run(folder: Path, *, quick: bool) -> list[Table]:
    """Send large bodies one after the other and single items beside them; return the table of response times."""
    rounds = 3 if quick else 6
    with ExitStack() as stack:
        one = stack.enter_context(ours(folder / "one", WORKERS="0"))
        two = stack.enter_context(ours(folder / "two", WORKERS="0", WEB="2"))
        peer, _ = stack.enter_context(
            gunicorn(RQ, "web_rq", folder, BENCH_REDIS=stack.enter_context(plain_redis(folder)))
        )
        places = {
            "ours, 1 web process": (f"{one.url}/api", f"{one.url}/api"),
            "ours, 2 web processes": (f"{two.url}/api", f"{two.url}/api"),
            PEER: (f"{peer}/each", f"{peer}/many"),
        }
        rows = [_row(name, *urls, rounds) for name, urls in places.items()]
    return [
        Table(
            part="P8",
            title=f"Accept one item while another client sends {LARGE:,} in one request, {rounds} times",
            unit="ms",
            better=Better.LOWER,
            rows=tuple(rows),
            columns=("99 % within ms", "alone ms", "large request s"),
            notes=("Ours are checked and on disk when they are answered; the peer checks and keeps nothing on disk.",),
        )
    ]


def _row(name: str, small: str, large: str, rounds: int) -> Row:
    single, full = body(1), body(LARGE)
    alone, _ = http.timed(small, "POST", single, 50)
    taken: list[float] = []
    sender = threading.Thread(target=lambda: taken.append(http.timed(large, "POST", full, rounds)[0]))
    sender.start()
    answers: list[float] = []
    while sender.is_alive():
        seconds, _ = http.timed(small, "POST", single, 1)
        answers.append(seconds * 1000)
        time.sleep(PAUSE)
    sender.join()
    answers.sort()
    extra = (f"{answers[int(len(answers) * 0.99)]:.0f}", f"{alone * 1000:.1f}", f"{taken[0]:.2f}")
    return Row(name=name, values=tuple(answers), extra=extra, ours=name != PEER)
