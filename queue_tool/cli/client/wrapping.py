"""What the options of `queue-tool submit` add to each element."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapping:
    """What the options of the command add to each element."""

    task_type: str | None
    options: Mapping[str, object]  # keys of a task object

    @property
    def sent_type(self) -> str | None:
        """Return the task type of all elements, if they are sent as they are; None if they are sent as task objects."""
        return None if self.options else self.task_type

    def path_in_element(self, path: str) -> str:
        """Return the place of an error in an element, from the place in what was sent."""
        is_wrapped = self.options and self.task_type is not None and path.startswith("/data")
        return path.removeprefix("/data") if is_wrapped else path

    def __call__(self, element: object) -> object:
        """Return what is sent for an element."""
        if not self.options:
            return element
        if self.task_type is not None:
            return {"task_type": self.task_type, "data": element, **self.options}
        return {**self.options, **element} if isinstance(element, dict) else element
