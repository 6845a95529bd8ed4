"""Other words for the states of a task, as users of earlier systems write them in filters."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from queue_tool.model.states import State

_WAITING = frozenset({State.SCHEDULED, State.QUEUED})

WORDS: Mapping[str, frozenset[State]] = MappingProxyType(
    {
        # Russian: the values of its API, and the words in its documentation
        "Создана": _WAITING,
        "Cоздана": _WAITING,  # noqa: RUF001 - its README writes the first letter in Latin
        "Новая задача": _WAITING,
        "В процессе": frozenset({State.RUNNING}),  # noqa: RUF001 - it is a Russian word
        "В процессе работы": frozenset({State.RUNNING}),  # noqa: RUF001 - the same
        "Завершена успешно": frozenset({State.FINISHED}),
        "Завершено успешно": frozenset({State.FINISHED}),
        "Выполнено успешно": frozenset({State.FINISHED}),
        "Ошибка": frozenset({State.FAILED}),
        # the task queue in Go
        "pending": frozenset({State.QUEUED}),
        "processing": frozenset({State.RUNNING}),
        "completed": frozenset({State.FINISHED}),
        "dead-lettered": frozenset({State.FAILED}),
        "cancelled": frozenset({State.CANCELED}),
        # RQ
        "started": frozenset({State.RUNNING}),
        "deferred": frozenset({State.SCHEDULED}),
        "stopped": frozenset({State.CANCELED}),
    }
)
"""The states that each word selects. Our own words are not in it."""


def understood(word: str) -> frozenset[str]:
    """Return the values that a word in a set of states selects: its states, or the word itself."""
    return frozenset(WORDS.get(word, (word,)))
