"""A transaction of a worker that the database refuses is repeated in parts, so that only the faulty part fails."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from msgspec.structs import replace

from queue_tool.errors import StoreAway
from queue_tool.model import events
from queue_tool.model.bounded_text import described
from queue_tool.model.outcome import Note, Outcome
from queue_tool.model.states import Code, Move
from queue_tool.model.task import Claimed
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.ticket import Ticket
from queue_tool.store import Settled, SettledAndClaimed, Store

REFUSED = "The database refused to keep what this run returned or raised. The log of its worker says why."


def settle_and_claim(
    store: Store,
    telemetry: Telemetry,
    outcomes: Sequence[Outcome],
    *,
    runs: Sequence[tuple[str, int]],
    owner: int,
    now: datetime,
    notes: Sequence[Note],
) -> tuple[Sequence[Outcome], SettledAndClaimed]:
    """Do what `Runs.settle_and_claim` does. If the database refuses it, repeat it with one value at a time.

    A refused outcome becomes a failure of its task. A refused note is dropped, and so is a refused claim.

    Returns:
        The outcomes as they were recorded, and what was changed.

    Raises:
        StoreAway: the database is busy or away. The call can be repeated: what was stored is not stored twice.
    """
    try:
        return outcomes, store.runs.settle_and_claim(outcomes, runs, owner, now, notes)
    except StoreAway:
        raise
    except Exception as error:  # noqa: BLE001 - a value at fault, or a bug: the other runs must not suffer
        reason = f"the database refused a transaction, which is repeated in parts: {_text(error)}"
        telemetry.emit(events.Warned(reason=reason))
    alone = _Alone(store, telemetry, owner, now)
    for note in notes:
        alone.note(note)
    recorded = [alone.settle(outcome) for outcome in outcomes]
    claimed = alone.claim(runs)
    settled = Settled(tokens=frozenset(alone.tokens), finished=tuple(alone.finished), made=tuple(alone.made))
    return recorded, SettledAndClaimed(settled=settled, claimed=claimed)


class _Alone:
    """Small transactions of one owner."""

    def __init__(self, store: Store, telemetry: Telemetry, owner: int, now: datetime) -> None:
        self._store = store
        self._telemetry = telemetry
        self._owner = owner
        self._now = now
        self.tokens: list[str] = []  # of the settled runs
        self.finished: list[str] = []  # ids of the batches that have no open task left
        self.made: list[Ticket] = []  # tickets of continuations

    def note(self, note: Note) -> None:
        """Store what a run reports."""
        self._try(f"what the task {note.token} reports", (), (), (note,))

    def settle(self, outcome: Outcome) -> Outcome:
        """Settle one run. Return its outcome, or the failure that was recorded instead."""
        name = f"the outcome of the task {outcome.token}"
        if self._settles(name, outcome):
            return outcome
        failed = replace(
            outcome, move=Move.FAIL, result=None, code=Code.BAD_RESULT, error=REFUSED, traceback="", due_at=None
        )
        self._settles(name, failed)
        return failed

    def claim(self, runs: Sequence[tuple[str, int]]) -> list[Claimed]:
        """Claim runs, all at once if that is possible. If the store goes away in between, the audit finds the rest."""
        if not runs:
            return []
        together = self._try("a claim", (), runs, ())
        if together is not None:
            return together.claimed
        claimed: list[Claimed] = []
        with suppress(StoreAway):
            for run in runs:
                changes = self._try(f"the claim of the task {run[0]}", (), (run,), ())
                claimed += changes.claimed if changes is not None else ()
        return claimed

    def _settles(self, name: str, outcome: Outcome) -> bool:
        changes = self._try(name, (outcome,), (), ())
        if changes is None:
            return False
        self.tokens += changes.settled.tokens
        self.finished += changes.settled.finished
        self.made += changes.settled.made
        return True

    def _try(
        self, name: str, outcomes: Sequence[Outcome], runs: Sequence[tuple[str, int]], notes: Sequence[Note]
    ) -> SettledAndClaimed | None:
        """Do one transaction. Return None, after a warning, if the database refuses it."""
        try:
            return self._store.runs.settle_and_claim(outcomes, runs, self._owner, self._now, notes)
        except StoreAway:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            self._telemetry.emit(events.Warned(reason=f"the database refused {name}: {_text(error)}"))
            return None


def _text(error: Exception) -> str:
    """Return the reason without SQLAlchemy's copy of the statement and its values."""
    return described(getattr(error, "orig", None) or error)
