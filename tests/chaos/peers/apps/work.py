"""What each task does, wherever it runs, and the file that knows what really ran."""

from __future__ import annotations

import os
import time
from typing import Any

ENOUGH = 3
"""The attempt at which a flaky task succeeds."""


def note(data: Any, word: str, job: str) -> None:
    """Append a line, which is whole even when many processes write: moment, word, job, request and place in it."""
    line = f"{time.time():.3f} {word} {job} {data['request']} {data['place']}\n"
    file = os.open(data["runs"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def do(kind: str, data: Any, job: str, attempt: int, *, last: bool) -> int:
    """Do one attempt; `last` says that no other one will follow.

    Raises:
        ValueError: it was to fail.
    """
    note(data, "begin", job)
    time.sleep(data["seconds"])
    if kind == "chaos.failing" or (kind == "chaos.flaky" and attempt < ENOUGH):
        note(data, "gave-up" if last else "raised", job)
        raise ValueError(f"attempt {attempt} fails")
    note(data, "end", job)
    return attempt
