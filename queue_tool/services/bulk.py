"""Bulk: many tasks changed at once, a part of them in each transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from queue_tool.model.filter import Filter
from queue_tool.model.states import MOVES, Move
from queue_tool.model.tokens import is_well_formed
from queue_tool.store import Store

PART = 500
"""Tasks that one transaction changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """What became of the tasks that a request meant."""

    matched: int
    changed: int  # the others had moved on by themselves in the meantime


def change_these(store: Store, tokens: Sequence[str], change: Callable[[list[str]], int]) -> Changed:
    """Change tasks by their tokens, of those that are known; `change` returns how many of a part it has changed."""
    known = list(store.tasks.states([token for token in dict.fromkeys(tokens) if is_well_formed(token)]))
    parts = [known[start : start + PART] for start in range(0, len(known), PART)]
    return Changed(matched=len(known), changed=sum(change(part) for part in parts))


def change_matching(store: Store, wanted: Filter, move: Move, change: Callable[[list[str]], int]) -> Changed:
    """Change all tasks that a filter means, of those that are in a state from which the move is legal."""
    possible = MOVES[move].sources
    states = wanted.states & possible if wanted.states else possible
    matched = changed = 0
    if states:
        for page in store.control.matching(replace(wanted, states=states)):
            matched += len(page)
            changed += change(page)
    return Changed(matched=matched, changed=changed)
