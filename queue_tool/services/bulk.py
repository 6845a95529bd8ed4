"""Bulk: changes many tasks, one part per transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from queue_tool.errors import PartlyChanged, StoreAway
from queue_tool.model.filter import Filter
from queue_tool.model.states import MOVES, Move
from queue_tool.model.tokens import is_well_formed
from queue_tool.store import Store

PART = 500
"""The maximum number of tasks that one transaction changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """The result of a bulk change."""

    matched: int  # tasks that the request selected
    changed: int  # less than `matched` if the state of some tasks did not allow the change


Change = Callable[[list[str]], int]
"""Changes one part, given by its tokens, and returns how many tasks it changed."""


def count_only(_: list[str]) -> int:
    """Change nothing, for a request that only asks how many tasks it would select."""
    return 0


def change_these(store: Store, tokens: Sequence[str], change: Change, done: Callable[[Changed], None]) -> Changed:
    """Change tasks by their tokens; skip unknown tokens.

    Args:
        store: where the tasks are.
        tokens: the tokens of the tasks.
        change: changes one part.
        done: receives the result, also if the database becomes unavailable after a part.

    Raises:
        PartlyChanged: the database became unavailable after some tasks were changed.
        StoreAway: the database is busy or away; nothing was changed.
    """
    known = list(store.tasks.states([token for token in dict.fromkeys(tokens) if is_well_formed(token)]))
    parts = (known[start : start + PART] for start in range(0, len(known), PART))
    return _change(parts, change, done)


def change_matching(
    store: Store, wanted: Filter, move: Move, change: Change, done: Callable[[Changed], None]
) -> Changed:
    """Change all tasks that match a filter and are in a state that allows the move.

    Args:
        store: where the tasks are.
        wanted: the filter.
        move: the change of state that `change` makes.
        change: changes one part.
        done: receives the result, also if the database becomes unavailable after a part.

    Raises:
        PartlyChanged: the database became unavailable after some tasks were changed.
        StoreAway: the database is busy or away; nothing was changed.
    """
    possible = narrowed(wanted, move)
    return _change(() if possible is None else store.control.matching(possible), change, done)


def narrowed(wanted: Filter, move: Move) -> Filter | None:
    """Return the filter that selects only tasks whose state allows a move; None if it selects none of them."""
    possible = MOVES[move].sources
    states = wanted.states & possible if wanted.states else possible
    return replace(wanted, states=states) if states else None


def _change(parts: Iterable[list[str]], change: Change, done: Callable[[Changed], None]) -> Changed:
    matched = changed = 0
    try:
        for part in parts:
            changed += change(part)
            matched += len(part)
    except StoreAway as error:
        if not changed:
            raise
        done(Changed(matched=matched, changed=changed))
        raise PartlyChanged.after(changed) from error
    result = Changed(matched=matched, changed=changed)
    if changed:
        done(result)
    return result
