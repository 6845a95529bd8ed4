"""The functions that all contenders run in processes, and a loop that runs one without any queue."""

import os

done = os.open(os.environ.get("BENCH_DONE", os.devnull), os.O_WRONLY | os.O_APPEND)

LOOPS = 15_000
"""Turns of a loop that take about a millisecond."""


def mark():
    """Write a mark."""
    os.write(done, b"x")


def compute():
    """Compute for about a millisecond, and write a mark."""
    total = 0
    for number in range(LOOPS):
        total += number * number
    os.write(done, b"x")


def loop(count):
    """Compute as often as this, in this process."""
    for _ in range(count):
        compute()
