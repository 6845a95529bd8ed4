"""The work of each task type on every system, and the file of runs, which records what really ran."""

from __future__ import annotations

import os
import time
from typing import Any

ENOUGH = 3
"""The attempt at which a flaky task succeeds."""


def note(data: Any, word: str, job: str) -> None:
    """Append one line to the file of runs: time, word, job, request, and place in the request.

    One write to a file that is open with O_APPEND keeps lines whole even if many processes write.
    """
    line = f"{time.time():.3f} {word} {job} {data['request']} {data['place']}\n"
    file = os.open(data["runs"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def do(kind: str, data: Any, job: str, attempt: int, *, last: bool) -> int:
    """Run one attempt; `last` means that no retry follows.

    Raises:
        ValueError: this attempt should fail.
    """
    note(data, "begin", job)
    time.sleep(data["seconds"])
    if kind == "chaos.failing" or (kind == "chaos.flaky" and attempt < ENOUGH):
        note(data, "gave-up" if last else "raised", job)
        raise ValueError(f"attempt {attempt} fails")
    note(data, "end", job)
    return attempt
