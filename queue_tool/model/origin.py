"""Where a function comes from: its name, its code, and which load of its module made it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from types import CodeType
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The origin of a function. A wrapper counts as the function that it wraps."""

    name: str  # module and qualified name
    code: CodeType | None  # None: it is not written in Python, or it is an object
    load: tuple[object, object]  # the module's variables and its specification, which each load makes anew
    is_typed_in: bool  # at a prompt or in a notebook, where each function may be written again

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Origin:
        """Return the origin of a function."""
        found = inspect.unwrap(function)
        variables = getattr(found, "__globals__", {})
        return cls(
            name=f"{getattr(function, '__module__', '')}.{getattr(function, '__qualname__', repr(function))}",
            code=getattr(found, "__code__", None),
            load=(variables, variables.get("__spec__")),
            is_typed_in="__file__" not in variables,
        )

    def replaces(self, before: Origin) -> bool:
        """Return whether a function with this origin may take the place of an earlier one.

        It may if it is the same one of a module that was loaded again, or of a function that was called again.
        """
        if self.name != before.name:
            return False
        is_one_load = self.load[0] is before.load[0] and self.load[1] is before.load[1]
        return self.code is before.code or self.is_typed_in or not is_one_load

    def place_beside(self, other: Origin) -> str:
        """Return the name, and the line if the other function has the same name."""
        if self.name != other.name or self.code is None:
            return self.name
        return f"{self.name} (line {self.code.co_firstlineno})"
