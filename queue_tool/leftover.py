"""Outcomes that a worker could not write before its end: put aside in the data directory, written at the next start."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from queue_tool import json_text
from queue_tool.store import Store
from queue_tool.tasks import Code, Outcome

FOLDER = "outcomes"


def put_aside(data_dir: Path, owner: int, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes into a file of their own, whole or not at all."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{owner}-{os.getpid()}.json"
    written = json_text.dumps({"owner": owner, "outcomes": [asdict(outcome) for outcome in outcomes]})
    with path.with_suffix(".new").open("wb") as file:
        file.write(written)
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".new").rename(path)


def write_what_was_put_aside(data_dir: Path, store: Store, now: datetime) -> int:
    """Settle what was put aside, as the owner who ran it; return how many outcomes still counted.

    Raises:
        StoreAway: the database is busy or away; the files stay.
    """
    count = 0
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        with contextlib.suppress(FileNotFoundError):  # another worker that starts was quicker
            said = json_text.loads(path.read_bytes())
            assert isinstance(said, dict)  # noqa: S101 - we wrote it so
            outcomes = [_outcome(one) for one in said["outcomes"]]
            count += len(store.runs.settle(outcomes, said["owner"], now).tokens)
            path.unlink()
    return count


def _outcome(said: dict[str, object]) -> Outcome:
    code = said.pop("code")
    return Outcome(**said, code=Code(code) if code else None)  # type: ignore[arg-type]
