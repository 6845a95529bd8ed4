"""Outcomes that a worker could not write before its end: put aside in the data directory, and written later."""

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
    """Write outcomes into a file of their own, whole or not at all.

    Raises:
        OSError: it cannot be written.
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
    """Settle what was put aside, as the owner who ran it; one that does not count any more changes nothing.

    Several processes may do so at once. A file that cannot be read, as one of another version, is kept under
    another name; its tasks run again.

    Raises:
        StoreAway: the database is busy or away; the files stay.
    """
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        try:
            content: Any = json_text.loads(path.read_bytes())
            owner, outcomes = int(content["owner"]), [_outcome(**fields) for fields in content["outcomes"]]
        except FileNotFoundError:
            continue  # somebody else was quicker
        except Exception:  # noqa: BLE001 - whatever it is, no worker must fail to start for it
            path.rename(path.with_suffix(".unreadable"))
            continue
        settle(outcomes, owner)
        path.unlink(missing_ok=True)


def _outcome(*, move: str, code: str | None, started_at: str | None, due_at: str | None, **fields: Any) -> Outcome:
    started, due = (datetime.fromisoformat(time) if time else None for time in (started_at, due_at))
    known = Move(move.replace(" ", "_"))  # with a space in what older versions have put aside
    return Outcome(move=known, code=Code(code) if code else None, started_at=started, due_at=due, **fields)
