"""Messages: clients push them to a message queue, and each one is popped by one client. No worker runs them."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from queue_tool.errors import (
    EmptyMessage,
    MessageTooLarge,
    PartlyChanged,
    ReceiptNotFound,
    StoreAway,
    TooManyMessages,
)
from queue_tool.model import events, json_text
from queue_tool.model.clock import Clock
from queue_tool.model.message import LONGEST_MESSAGE, EndLease, MessageCounts, Order, Pop, Popped, Push
from queue_tool.model.telemetry import Telemetry
from queue_tool.model.tokens import is_well_formed
from queue_tool.services.listing import read_cursor, write_cursor
from queue_tool.services.submit import make_tokens
from queue_tool.services.together import Failed, Together
from queue_tool.services.wait import OnLeave, Wait
from queue_tool.store import Store

RETRY_AFTER = 30
"""Seconds after which a client should push again if the message queues are full."""

PART = 1000
"""Messages that one transaction of a purge removes."""

SHORTEST_WAIT = 0.02
"""Seconds of a wait for the end of a lease."""

Answer = bool | Popped | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitedPop:
    """The result of a pop that may wait."""

    message: Popped | None  # None: the queue was empty until the end
    has_waited: bool  # False: too many requests wait already


@dataclass(frozen=True, slots=True, kw_only=True)
class Peek:
    """Waiting messages that stay in their queue."""

    bodies: Sequence[str]  # JSON texts, oldest first
    next: str | None  # the cursor of the next page; None on the last page


class Messages:
    """Pushes, pops, acknowledges and counts messages."""

    def __init__(self, store: Store, wait: Wait, telemetry: Telemetry, clock: Clock, max_messages: int) -> None:
        """Use these parts.

        Args:
            store: where the messages are.
            wait: lets callers wait until a message comes.
            telemetry: receives the events.
            clock: the source of time.
            max_messages: the most messages that all queues together may hold.
        """
        self._store = store
        self._wait = wait
        self._telemetry = telemetry
        self._clock = clock
        self._max_messages = max_messages
        self._order = Together[Order, Answer](self._carry_out)

    def push(self, queue: str, value: object) -> None:
        """Add a message. If this returns, the message is on disk.

        Args:
            queue: the name of the message queue, which needs no preparation.
            value: any JSON but null and the empty string.

        Raises:
            EmptyMessage: the value is null or an empty string.
            MessageTooLarge: the value has more than 1 MiB as JSON.
            TooManyMessages: the message queues are full.
            StoreAway: the database is busy or away.
        """
        if not self._order(push_of(queue, value)):
            raise TooManyMessages(retry_after=RETRY_AFTER)

    def pop(self, queue: str, lease: int | None = None) -> Popped | None:
        """Take the oldest message that waits; return None if there is none. No other caller gets this message.

        Args:
            queue: the name of the message queue.
            lease: seconds after which the message is given to another caller, unless it is acknowledged before. None
                removes it at once, so that it is lost if the caller dies.

        Raises:
            StoreAway: the database is busy or away.
        """
        found = self._order(self.pop_of(queue, lease))
        return found if isinstance(found, Popped) else None

    def pop_of(self, queue: str, lease: int | None) -> Pop:
        """Return the order that takes a message; the arguments are those of `pop`."""
        return Pop(queue=queue, lease=lease, receipt="" if lease is None else make_tokens(1, self._clock.now())[0])

    def each(self, orders: Sequence[Order]) -> list[Answer | Failed]:
        """Carry out several orders in one transaction.

        Returns:
            For each push whether there was room, and for each pop its message, or None if the queue was empty. `Failed`
            has the error that concerns an order.
        """
        return self._order.each(orders)

    def pop_in_time(self, queue: str, lease: int | None, seconds: float, on_leave: OnLeave | None) -> WaitedPop:
        """Take the oldest message, and wait for one if the queue is empty.

        Args:
            queue: the name of the message queue.
            lease: as in `pop`.
            seconds: the longest wait.
            on_leave: registers what happens when the caller leaves: then no message is taken for it any more.

        Raises:
            StoreAway: the database is busy or away.
        """
        until = self._clock.monotonic() + seconds
        has_left = threading.Event()
        if on_leave is not None:
            on_leave(has_left.set)
        while True:
            found = self.pop(queue, lease)
            left = until - self._clock.monotonic()
            if found is not None or left <= 0:
                return WaitedPop(message=found, has_waited=True)
            has_waited = self._wait.message(queue, min(left, self._until_next_end(queue)), on_leave)
            if has_left.is_set() or not has_waited:
                return WaitedPop(message=None, has_waited=has_waited)

    def acknowledge(self, receipt: str) -> None:
        """Remove a leased message: it has been processed.

        Raises:
            ReceiptNotFound: no message has this receipt, or another caller has taken the message since.
            StoreAway: the database is busy or away.
        """
        self._end_lease(receipt, remove=True)

    def give_back(self, receipt: str) -> None:
        """Let a leased message wait again, at its old place.

        Raises:
            ReceiptNotFound: no message has this receipt, or another caller has taken the message since.
            StoreAway: the database is busy or away.
        """
        self._end_lease(receipt, remove=False)

    def count(self, queue: str) -> MessageCounts:
        """Return how many messages a queue has."""
        return self._store.message_queues.counts(queue, self._clock.now())

    def count_all(self) -> Sequence[MessageCounts]:
        """Return the counts of every queue that has messages, by name."""
        return self._store.message_queues.all_counts(self._clock.now())

    def peek(self, queue: str, limit: int, cursor: str | None = None) -> Peek:
        """Return waiting messages, oldest first, which stay in their queue.

        Args:
            queue: the name of the message queue.
            limit: the maximum number of messages. Long messages end the page earlier.
            cursor: `next` of the page before; None for the first page.

        Raises:
            BadCursor: the cursor is malformed or belongs to another kind of list.
            StoreAway: the database is busy or away.
        """
        after = 0 if cursor is None else int(read_cursor(cursor))
        page = self._store.message_queues.page(queue, after, limit, self._clock.now())
        return Peek(bodies=page.bodies, next=None if page.last is None else write_cursor(page.last))

    def purge(self, queue: str, by: str) -> int:
        """Remove all messages that a queue has now, leased ones too; return how many.

        Raises:
            PartlyChanged: the database became unavailable after some messages were removed.
            StoreAway: the database is busy or away, and nothing was removed.
        """
        last, removed = self._store.messages.last_row(), 0
        try:
            while some := self._store.messages.purge(queue, last, PART):
                removed += some
        except StoreAway as error:
            if not removed:
                raise
            raise PartlyChanged(
                f"The database became unavailable after {removed} messages were removed. "
                "Send this request again to remove the rest.",
                retry_after=1,
            ) from error
        finally:
            self._telemetry.emit(events.MessagesPurged(queue=queue, removed=removed, by=by))
        return removed

    def _end_lease(self, receipt: str, *, remove: bool) -> None:
        if not is_well_formed(receipt) or not self._order(EndLease(receipt=receipt, remove=remove)):
            raise ReceiptNotFound

    def _until_next_end(self, queue: str) -> float:
        """Return the seconds until the next lease of a queue runs out."""
        end = self._store.message_queues.next_end(queue)
        if end is None:
            return threading.TIMEOUT_MAX
        return max(SHORTEST_WAIT, (end - self._clock.now()) / timedelta(seconds=1))

    def _carry_out(self, orders: Sequence[Order]) -> Sequence[Answer]:
        """Carry out the orders of a group: first what ends leases, then pushes, then pops."""
        endings = list({order.receipt: order for order in orders if isinstance(order, EndLease)}.values())
        pushes = [order for order in orders if isinstance(order, Push)]
        pops = [order for order in orders if isinstance(order, Pop)]
        found = self._store.messages.carry_out(endings, pushes, pops, self._clock.now(), self._max_messages)
        answers = dict(zip(map(id, (*endings, *pushes, *pops)), [*found[0], *found[1], *found[2]], strict=True))
        return [answers.get(id(order), False) for order in orders]  # the same receipt twice: only the last one counts


def push_of(queue: str, value: object) -> Push:
    """Return the order that adds a message.

    Args:
        queue: the name of the message queue.
        value: any JSON but null and the empty string.

    Raises:
        EmptyMessage: the value is null or an empty string.
        MessageTooLarge: the value has more than 1 MiB as JSON.
    """
    if value is None or value == "":
        raise EmptyMessage
    text = json_text.dumps(value)
    if len(text) > LONGEST_MESSAGE:
        raise MessageTooLarge
    return Push(queue=queue, body=text.decode())
