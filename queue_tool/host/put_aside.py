"""Outcomes that a worker could not write before its end: saved in the data directory, and settled later.

A file there may come from another version, or may be damaged. So nothing in it is trusted: each outcome is checked
before it is settled, and a file that is not understood is renamed. One file never stops the others.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

from queue_tool.errors import StoreAway
from queue_tool.host import files
from queue_tool.host.data_dir import make_private
from queue_tool.model import events, json_text, tokens
from queue_tool.model.outcome import SETTLING, Outcome
from queue_tool.model.states import Code, Move
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.times import require_time_zone

FOLDER = "outcomes"

UNREADABLE = ".unreadable"
"""The suffix of a file that was put aside."""

Settle = Callable[[Sequence[Outcome], int], object]
"""Settles outcomes in the name of this owner."""

_HIGHEST = 2**63 - 1
"""The highest number that a column of the database can hold."""


def keep(data_dir: Path, owner: int, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes to a new file, all or nothing.

    Raises:
        OSError: the file cannot be written.
        DataDirUnusable: the folder is not one of this user's.
    """
    folder = data_dir / FOLDER
    make_private(folder)
    path = folder / f"{owner}-{os.getpid()}.json"
    written = json_text.dumps({"owner": owner, "outcomes": [asdict(outcome) for outcome in outcomes]})
    files.write(path.with_suffix(".new"), written)
    path.with_suffix(".new").rename(path)


def settle_all(data_dir: Path, settle: Settle, telemetry: Telemetry) -> None:
    """Settle the saved outcomes in the name of the owner that ran the tasks. Outdated outcomes change nothing.

    Several processes may do this at the same time. A file with an outcome that cannot be used is renamed, with one
    warning. Its other outcomes are settled, and the tasks of the unusable ones run again.

    Args:
        data_dir: the data directory.
        settle: stores the outcomes of one file.
        telemetry: receives a warning for each file that is put aside.

    Raises:
        StoreAway: the database is busy or away. The files stay.
    """
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        try:
            _settle_file(path, settle)
        except StoreAway:
            raise
        except FileNotFoundError:
            continue  # another process was faster
        except Exception as error:  # noqa: BLE001 - no file may prevent the start of a worker or a pass of the sweeper
            _put_aside(path, repr(error)[:200], telemetry)


def _settle_file(path: Path, settle: Settle) -> None:
    """Settle what a file holds, and remove it.

    Raises:
        StoreAway: the database is busy or away.
        FileNotFoundError: the file is not there any more.
        Exception: the file, or one of its outcomes, cannot be used.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        raise ValueError("it is not a regular file")
    content: Any = json_text.loads(files.read(path))
    owner = _number(content["owner"])
    usable: list[Outcome] = []
    unusable: list[Exception] = []
    for fields in content["outcomes"]:
        try:
            usable.append(_outcome(**fields))
        except Exception as error:  # noqa: BLE001 - the other outcomes of the file are settled
            unusable.append(error)
    if usable:
        settle(usable, owner)
    if unusable:
        raise unusable[0]
    path.unlink(missing_ok=True)


def _put_aside(path: Path, reason: str, telemetry: Telemetry) -> None:
    """Rename a file that cannot be used. Only the process that renames it warns.

    If the file cannot be renamed, it is left where it is, and the next call tries again.
    """
    aside = path.with_suffix(UNREADABLE)
    with contextlib.suppress(OSError):  # for example, another process was faster
        path.rename(aside)
        telemetry.emit(
            events.Warned(
                reason=f"The outcomes in {aside} cannot be used, and their tasks run again. The reason is: {reason}"
            )
        )


def _outcome(
    *,
    token: str,
    run: int,
    move: str,
    result: str | None,
    code: str | None,
    error: str | None,
    traceback: str,
    attempt: int,
    started_at: str | None,
    due_at: str | None,
    task_type: str = "",
    **fields: Any,
) -> Outcome:
    """Return an outcome that can be settled.

    Raises:
        Exception: a field is missing or unknown, has a wrong type, or does not fit to the move.
    """
    known = Move(move.replace(" ", "_"))  # older versions saved a space, not an underscore
    if known not in SETTLING:
        raise ValueError(f"a run cannot end with the move {move!r}")
    if not tokens.is_well_formed(token):
        raise ValueError("a token is not well-formed")
    if known is Move.FINISH:
        json_text.loads(result or "")
    elif known not in (Move.PUT_BACK, Move.RESIGN) and code is None:
        raise ValueError("a failed run has no code")
    if known is Move.RETRY_LATER and due_at is None:
        raise ValueError("a run that is retried later has no due time")
    return Outcome(
        token=token,
        run=_number(run),
        move=known,
        result=_text(result),
        code=Code(code) if code else None,
        error=_text(error),
        traceback=_text(traceback) or "",
        attempt=_number(attempt),
        started_at=_time(started_at),
        due_at=_time(due_at),
        task_type=_text(task_type) or "",
        **fields,
    )


def _number(value: object) -> int:
    if type(value) is not int or not 0 < value <= _HIGHEST:
        raise ValueError("a number is not a positive integer")
    return value


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("a text is not a text")
    return value


def _time(value: str | None) -> datetime | None:
    return require_time_zone(datetime.fromisoformat(value)) if value else None
