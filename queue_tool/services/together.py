"""Together: the orders of many threads in one transaction, because a commit costs the same for one and for a hundred.

There is no thread of its own. The first caller carries out what has gathered, and meanwhile the next group gathers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from queue_tool.errors import StoreAway

Order = TypeVar("Order")
Answer = TypeVar("Answer")

MOST = 500
"""Orders in one group."""


@dataclass(slots=True, eq=False)
class _Place(Generic[Order, Answer]):
    """A caller's place in a group."""

    order: Order
    ready: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None
    error: BaseException | None = None
    leads: bool = False  # this caller carries out the next group


class Together(Generic[Order, Answer]):
    """Carries out orders in groups."""

    def __init__(self, carry_out: Callable[[Sequence[Order]], Sequence[Answer]]) -> None:
        """Start without orders.

        Args:
            carry_out: carries out a group in one transaction, and returns the answer to each order. If it raises an
                error, it has changed nothing.
        """
        self._carry_out = carry_out
        self._lock = threading.Lock()
        self._waiting: list[_Place[Order, Answer]] = []
        self.is_busy = False  # a caller is carrying out a group

    def __call__(self, order: Order) -> Answer:
        """Carry out an order, together with those of other threads, and return the answer to it.

        Raises:
            StoreAway: the database is busy or away.
        """
        mine = _Place[Order, Answer](order)
        with self._lock:
            self._waiting.append(mine)
            mine.leads, self.is_busy = not self.is_busy, True
        if not mine.leads:
            mine.ready.wait()
        if mine.leads:
            self._lead()
        if mine.error is not None:
            raise mine.error
        return mine.answer  # type: ignore[return-value] # the group has been carried out

    @property
    def waiting(self) -> int:
        """Return how many orders wait for the next group."""
        return len(self._waiting)

    def _lead(self) -> None:
        """Carry out one group, to which the leader belongs, and pass the lead on."""
        with self._lock:
            group, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            self._answer(group)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self.is_busy = following is not None
            for place in group:
                place.ready.set()
            if following is not None:
                following.leads = True
                following.ready.set()

    def _answer(self, group: Sequence[_Place[Order, Answer]]) -> None:
        try:
            answers = self._carry_out([place.order for place in group])
        except StoreAway as error:
            self._fail(group, error)
        except BaseException as error:  # noqa: BLE001 - the callers that wait must get every error
            if len(group) == 1:
                self._fail(group, error)
                return
            for place in group:  # only the order that is at fault may fail
                self._answer([place])
        else:
            for place, answer in zip(group, answers, strict=True):
                place.answer = answer

    def _fail(self, group: Sequence[_Place[Order, Answer]], error: BaseException) -> None:
        for place in group:
            place.error = error
