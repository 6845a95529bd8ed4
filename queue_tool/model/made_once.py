"""Values of an object that are made at their first use, and only once, however many threads use them first."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

Value = TypeVar("Value")


class made_once(Generic[Value]):  # noqa: N801 - a decorator
    """A property whose method is called once for each object. If it raises an error, the next use calls it again.

    `functools.cached_property` does the same, but since Python 3.12 two threads at the first use make two values: two
    services, with two threads of their own.
    """

    def __init__(self, make: Callable[[Any], Value]) -> None:
        """Make the value with this method."""
        self._make = make
        self._lock = threading.RLock()  # the method may use this property of another object
        self.__doc__ = make.__doc__

    def __set_name__(self, _owner: type, name: str) -> None:
        """Keep the value under the name of the property, where Python finds it before the property."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Value: ...
    def __get__(self, instance: object, owner: type | None = None) -> Self | Value:
        """Return the value of an object."""
        if instance is None:
            return self
        kept = vars(instance)
        with self._lock:
            if self._name not in kept:
                kept[self._name] = self._make(instance)
            value: Value = kept[self._name]
            return value
