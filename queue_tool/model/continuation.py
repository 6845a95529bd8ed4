"""Continuations: the tasks that follow when a batch or a task has ended. The latter is their parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST = 100
"""The most continuations of one batch or task."""

DEEPEST = 100
"""The most continuations in a chain: a continuation, that of its task, and so on."""


class When(StrEnum):
    """The ends of a parent after which a continuation runs."""

    ALWAYS = "always"
    ALL_FINISHED = "all_finished"  # no task failed or was canceled; refused elements do not count
    ANY_FAILED = "any_failed"  # a task failed or was canceled

    def includes(self, *, any_failed: bool) -> bool:
        """Return whether a continuation runs after this end.

        Args:
            any_failed: whether a task of the parent failed or was canceled.
        """
        return self is When.ALWAYS or any_failed == (self is When.ANY_FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownContinuation:
    """A continuation as users see it."""

    when: When
    task_type: str
    tokens: Sequence[str]  # of the tasks that it has made and that were not removed, oldest first


_BATCH, _TASK = "batch ", "task "


def parent_of_batch(public_id: str) -> str:
    """Return a batch as the parent of tasks, in the form in which the store keeps it."""
    return _BATCH + public_id


def parent_of_task(token: str) -> str:
    """Return a task as the parent of other tasks, in the form in which the store keeps it."""
    return _TASK + token


def batch_in(parent: str | None) -> str | None:
    """Return the id of the parent, if it is a batch."""
    return parent.removeprefix(_BATCH) if parent is not None and parent.startswith(_BATCH) else None


def task_in(parent: str | None) -> str | None:
    """Return the token of the parent, if it is a task."""
    return parent.removeprefix(_TASK) if parent is not None and parent.startswith(_TASK) else None
