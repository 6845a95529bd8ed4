"""Together: the orders of many threads in one transaction, because a commit costs the same for one and for a hundred.

There is no thread of its own. The first caller carries out what has gathered, and meanwhile the next group gathers.
The orders are carried out in the order in which they came.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Generic, TypeVar

from queue_tool.errors import StoreAway

Order = TypeVar("Order")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Failed:
    """What an order has in place of an answer, because carrying it out failed."""

    error: BaseException


MOST = 500
"""Orders in one group."""

HEAVIEST = 5_000
"""The most that the orders of one group weigh together. A heavier order is a group of its own."""


def _one(_order: object) -> int:
    return 1


def _nothing() -> None:
    """Do nothing."""


def _taken_lock() -> threading.Lock:
    """Return a lock that somebody holds. To wait for its release costs a fraction of an `Event`."""
    lock = threading.Lock()
    lock.acquire()
    return lock


NOT_YET = Failed(AssertionError("The order was not carried out."))


@dataclass(slots=True, eq=False)
class _Place(Generic[Order, Answer]):
    """A caller's place in a group."""

    order: Order
    ready: threading.Lock = field(default_factory=_taken_lock)  # released when the place has its answer, or the lead
    outcome: Answer | Failed = NOT_YET
    leads: bool = False  # this caller carries out the next group


class Together(Generic[Order, Answer]):
    """Carries out orders in groups."""

    def __init__(
        self,
        carry_out: Callable[[Sequence[Order]], Sequence[Answer]],
        *,
        weight: Callable[[Order], int] = _one,
        of_all: type[Exception] = StoreAway,
        when_idle: Callable[[], None] = _nothing,
    ) -> None:
        """Start without orders.

        Args:
            carry_out: carries out a group in one transaction, and returns the answer to each order. If it raises an
                error, it has changed nothing.
            weight: returns what an order weighs: its rows, for example.
            of_all: the error that concerns every order of a group alike. After another error, each order of the group
                is carried out alone, so that only the order at fault fails.
            when_idle: called in the last caller's thread when no order waits any more. It raises no error.
        """
        self._carry_out = carry_out
        self._weight = weight
        self._of_all = of_all
        self._when_idle = when_idle
        self._lock = threading.Lock()
        self._waiting: list[_Place[Order, Answer]] = []
        self.is_busy = False  # a caller is carrying out a group

    def __call__(self, order: Order) -> Answer:
        """Carry out an order, together with those of other threads, and return the answer to it.

        It raises what `carry_out` raises.
        """
        (answer,) = self.each([order])
        if isinstance(answer, Failed):
            raise answer.error
        return answer

    def each(self, orders: Sequence[Order]) -> list[Answer | Failed]:
        """Carry out several orders of one caller, together with those of other threads.

        Returns:
            For each order its answer, or what `carry_out` raised because of it.
        """
        mine: list[_Place[Order, Answer]] = [_Place(order) for order in orders]
        with self._lock:
            self._waiting += mine
            leads, self.is_busy = not self.is_busy, self.is_busy or bool(mine)
            if leads and mine:
                mine[0].leads = True
                mine[0].ready.release()
        for place in mine:
            place.ready.acquire()
            if place.leads:
                self._lead()
        return [place.outcome for place in mine]

    @property
    def waiting(self) -> int:
        """Return how many orders wait for the next group."""
        return len(self._waiting)

    def _lead(self) -> None:
        """Carry out one group, to which the leader belongs, and pass the lead on."""
        with self._lock:
            count = self._fitting()
            group, self._waiting = self._waiting[:count], self._waiting[count:]
        try:
            self._answer(group)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self.is_busy = following is not None
            for place in group:
                place.ready.release()
            if following is not None:
                following.leads = True
                following.ready.release()
            else:
                self._when_idle()

    def _fitting(self) -> int:
        """Return how many of the waiting orders are the next group: at least one."""
        weights = accumulate(self._weight(place.order) for place in self._waiting[:MOST])
        return max(1, sum(weight <= HEAVIEST for weight in weights))

    def _answer(self, group: Sequence[_Place[Order, Answer]]) -> None:
        try:
            answers = self._carry_out([place.order for place in group])
        except self._of_all as error:
            self._fail(group, error)
        except BaseException as error:  # noqa: BLE001 - the callers that wait must get every error
            if len(group) == 1:
                self._fail(group, error)
                return
            for place in group:  # only the order that is at fault may fail
                self._answer([place])
        else:
            for place, answer in zip(group, answers, strict=True):
                place.outcome = answer

    def _fail(self, group: Sequence[_Place[Order, Answer]], error: BaseException) -> None:
        for place in group:
            place.outcome = Failed(error)
