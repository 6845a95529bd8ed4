"""Outcomes that a worker could not write before its end: saved in the data directory, and settled later."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from queue_tool.model import json_text
from queue_tool.model.outcome import Outcome
from queue_tool.model.states import Code, Move

FOLDER = "outcomes"


def keep(data_dir: Path, owner: int, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes to a new file, all or nothing.

    Raises:
        OSError: the file cannot be written.
    """
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{owner}-{os.getpid()}.json"
    written = json_text.dumps({"owner": owner, "outcomes": [asdict(outcome) for outcome in outcomes]})
    with path.with_suffix(".new").open("wb") as file:
        file.write(written)
        file.flush()
        os.fsync(file.fileno())
    path.with_suffix(".new").rename(path)


def settle_all(data_dir: Path, settle: Callable[[Sequence[Outcome], int], object]) -> None:
    """Settle the saved outcomes in the name of the owner that ran the tasks. Outdated outcomes change nothing.

    Several processes may do this at the same time. An unreadable file, for example from another version, is renamed,
    and its tasks run again.

    Raises:
        StoreAway: the database is busy or away. The files stay.
    """
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        try:
            content: Any = json_text.loads(path.read_bytes())
            owner, outcomes = int(content["owner"]), [_outcome(**fields) for fields in content["outcomes"]]
        except FileNotFoundError:
            continue  # another process was faster
        except Exception:  # noqa: BLE001 - no unreadable file may prevent the start of a worker
            path.rename(path.with_suffix(".unreadable"))
            continue
        settle(outcomes, owner)
        path.unlink(missing_ok=True)


def _outcome(*, move: str, code: str | None, started_at: str | None, due_at: str | None, **fields: Any) -> Outcome:
    started, due = (datetime.fromisoformat(time) if time else None for time in (started_at, due_at))
    known = Move(move.replace(" ", "_"))  # older versions saved a space, not an underscore
    return Outcome(move=known, code=Code(code) if code else None, started_at=started, due_at=due, **fields)
