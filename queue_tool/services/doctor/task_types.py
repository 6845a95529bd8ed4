"""The check of the task types: whether the user's modules can be imported."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from queue_tool.execution.builtin import builtin_types
from queue_tool.services.doctor.finding import Finding, ok


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskTypesCheck:
    """Imports the modules with task types, as each process of the system does."""

    load: Callable[[], Collection[str]]  # returns the names of all types, or raises BadTaskType
    name: str = "task types"

    def __call__(self) -> Iterator[Finding]:
        """Return how many types there are.

        Raises:
            BadTaskType: a module cannot be imported, or a type cannot be used.
        """
        built_in = {each.name for each in builtin_types(1)}
        own = sorted(set(self.load()) - built_in)
        yield ok(self, f"{len(built_in)} are built in, and yours are {', '.join(own) or 'none'}")
