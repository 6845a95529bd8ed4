"""Bulk: changes many tasks, one part per transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

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


def change_these(store: Store, tokens: Sequence[str], change: Callable[[list[str]], int]) -> Changed:
    """Change tasks by their tokens; skip unknown tokens. `change` changes one part and returns how many it changed."""
    known = list(store.tasks.states([token for token in dict.fromkeys(tokens) if is_well_formed(token)]))
    parts = [known[start : start + PART] for start in range(0, len(known), PART)]
    return Changed(matched=len(known), changed=sum(change(part) for part in parts))


def change_matching(store: Store, wanted: Filter, move: Move, change: Callable[[list[str]], int]) -> Changed:
    """Change all tasks that match a filter and are in a state that allows the move.

    Args:
        store: where the tasks are.
        wanted: the filter.
        move: the change of state that `change` makes.
        change: changes one page of tasks, given by their tokens, and returns how many it changed.
    """
    possible = MOVES[move].sources
    states = wanted.states & possible if wanted.states else possible
    matched = changed = 0
    if states:
        for page in store.control.matching(replace(wanted, states=states)):
            matched += len(page)
            changed += change(page)
    return Changed(matched=matched, changed=changed)
