"""Suggest: what somebody who types a value of a filter may mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from queue_tool.store import Store

MOST = 20
"""The most suggestions for one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A value that a text may mean."""

    value: str
    label: str = ""  # for people, beside the value; empty: the value says all


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggest:
    """Suggests values of filters. None of its queries depends on the number of tasks."""

    store: Store
    types: Iterable[str]  # the names of the task types
    zones: Callable[[], Iterable[str]]  # returns the names of the time zones

    def __call__(self, what: str, text: str) -> Sequence[Suggestion] | None:
        """Return suggestions.

        Args:
            what: the name of a filter, or `timezone`.
            text: what was typed; it may be empty.

        Returns:
            The suggestions, at most `MOST`; None if there are none for this name.

        Raises:
            StoreAway: the database is busy or away.
        """
        ways: Mapping[str, Callable[[str], Sequence[Suggestion]]] = {
            "task_type": lambda text: _among(sorted(self.types), text),
            "timezone": lambda text: _among(sorted(self.zones()), text),
            "tag": lambda text: _plain(self.store.suggestions.tags(text, MOST)),
            "custom_id": lambda text: _plain(self.store.suggestions.custom_ids(text, MOST)),
            "batch": self._batches,
            "worker": self._workers,
            "host": lambda text: _among((each.host for each in self.store.suggestions.workers()), text),
        }
        return ways[what](text) if what in ways else None

    def _batches(self, text: str) -> Sequence[Suggestion]:
        found = self.store.suggestions.batches(text, MOST)
        return [
            Suggestion(value=each.id, label=" · ".join(filter(None, (each.name, f"{each.created_at:%Y-%m-%d %H:%M}"))))
            for each in found
        ]

    def _workers(self, text: str) -> Sequence[Suggestion]:
        hosts = {each.name: each.host for each in self.store.suggestions.workers() if each.name}
        return [Suggestion(value=found.value, label=hosts[found.value]) for found in _among(hosts, text)]


def _plain(values: Iterable[str]) -> Sequence[Suggestion]:
    return [Suggestion(value=value) for value in values]


def _among(values: Iterable[str], text: str) -> Sequence[Suggestion]:
    """Return the values that contain a text in any case: first those that begin with it."""
    lower = text.casefold().replace(" ", "_")
    found = [value for value in dict.fromkeys(values) if lower in value.casefold().replace(" ", "_")]
    found.sort(key=lambda value: not value.casefold().startswith(lower))
    return _plain(found[:MOST])
