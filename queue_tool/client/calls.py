"""What the client's logic asks its driver to do. The logic itself does no I/O, so both clients share it.

Each piece of logic is a generator, a *flow*: it yields steps, and the driver sends back what came of each. A step that
fails raises its error in the flow.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

Value_co = TypeVar("Value_co", covariant=True)
Returned = TypeVar("Returned")

OK = frozenset({200, 201, 202})

JSON, LINES = "application/json", "application/x-ndjson"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to a request."""

    status: int
    headers: Mapping[str, str]  # their names in lower case
    body: bytes  # empty if it is read as a stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[Value_co]):
    """A request, and how its answer is read."""

    method: str
    target: str  # path and query, after the URL of the service
    read: Callable[[Answer], Value_co]
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    accepted: Collection[int] = OK  # the statuses whose answers are read; all others are errors
    repeatable: bool = True  # it may be sent again if its answer was lost
    wait: float = 0.0  # seconds that the service may wait before it answers


class Fillable(Protocol):
    """A bounded number of elements."""

    is_last: bool  # the source has no further elements

    def add(self, element: Any) -> bool:
        """Add an element; return whether there is room for another one."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a request. Returns its `Answer`."""

    call: Call[Any]


@dataclass(frozen=True, slots=True)
class Open:
    """Send a request whose answer is a stream. Returns its `Answer`, without the body if its status is accepted."""

    call: Call[Any]


@dataclass(frozen=True, slots=True)
class Read:
    """Read the next bytes of the stream. Returns `b""` at its end."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fill:
    """Move elements from the caller's source until there is no room, or no further element."""

    into: Fillable


@dataclass(frozen=True, slots=True)
class Give:
    """Give values to the caller, who iterates over them."""

    values: Sequence[Any]


Step = Send | Open | Read | Pause | Fill | Give
Flow = Generator[Step, Any, Returned]
