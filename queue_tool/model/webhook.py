"""Webhooks: addresses that are told when tasks and batches end, and the rules of their delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from queue_tool.errors import BadWebhook
from queue_tool.model.states import State


class Event(StrEnum):
    """What a webhook is told of."""

    TASK_FINISHED = "task.finished"
    TASK_FAILED = "task.failed"
    TASK_CANCELED = "task.canceled"
    BATCH_FINISHED = "batch.finished"


ALL = "all"
"""In a request: every event."""

OF_TASKS = frozenset({Event.TASK_FINISHED, Event.TASK_FAILED, Event.TASK_CANCELED})

OF_STATE = {
    State.FINISHED: Event.TASK_FINISHED,
    State.FAILED: Event.TASK_FAILED,
    State.CANCELED: Event.TASK_CANCELED,
}

EARLIER_WORDS = {
    "completed": Event.TASK_FINISHED,
    "failed": Event.TASK_FAILED,
    "dead-lettered": Event.TASK_FAILED,
    "cancelled": Event.TASK_CANCELED,
}
"""The events under the names of an earlier system."""

SEVERAL = "ends"
"""The type of a message that lists several ends."""

TEST = "webhook.test"
"""The type of the message that a test sends."""

MOST_ENDS = 1000
"""Ends in one row of the outbox, and in one message; the last row of a message may exceed it once."""

MOST_ROWS = 100
"""Rows of the outbox in one message."""

LONGEST_RESULT = 16 * 2**10
"""Characters of a result in a message. A longer one is left out."""

LONGEST_BODY = 2**20
"""Bytes of the results of one message together. Those beyond it are left out."""

SHOWN_ANSWER = 1000
"""Characters of an answer that are kept."""

PAUSES = tuple(map(float, (5, 300, 1800, 7200, 18_000, 36_000, 36_000)))
"""Seconds between two tries of a message, about 28 hours together, as Standard Webhooks recommends."""

LONGEST_WISH = 86_400.0
"""Seconds. A receiver that wants to be left alone for longer is tried again after this time."""

GIVEN_UP_WITH = timedelta(days=1)
"""When a message is given up, older ends that wait for the same webhook are given up with it."""

DELIVERED_FOR = timedelta(days=3)
"""How long what was delivered can be delivered again."""

KEPT_FOR = timedelta(days=7)
"""How long what was given up can be delivered again, and how long tries are kept."""

EXCHANGE = "amqp:queue_tool.events"
"""The URL of the webhook whose messages go to RabbitMQ. No other one may have it."""

LONGEST_PAUSE_OF_EXCHANGE = 30.0
"""Seconds between two tries of a message to the exchange, which is never given up."""

EVERY = 1.0
"""Seconds between two messages to a webhook, unless the first one was full."""

LEASE = 30.0
"""Seconds for which a process may deliver to a webhook alone. It is longer than any request."""

OVERLAP = timedelta(days=1)
"""How long the previous secret stays valid after a new one was made."""

TAKEN = range(200, 300)
"""The statuses with which a receiver takes a message."""

GONE = 410
"""The status with which a receiver says that it wants no more messages."""


class OutboxState(StrEnum):
    """What became of a row of the outbox."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    PARKED = "parked"  # given up; it can be delivered again by a request


class TryResult(StrEnum):
    """What followed from one try."""

    DELIVERED = "delivered"
    RETRIED = "retried"  # another try follows
    PARKED = "parked"  # it was the last try
    DISABLED = "disabled"  # the receiver answered 410
    TESTED = "tested"  # it was a test


class End(NamedTuple):
    """One end, as a row of the outbox lists it."""

    event: str
    subject: str  # the token of the task, or the id of the batch
    number: int  # the run of the task, or the time at which the batch finished in microseconds since 1970
    task_type: str | None = None
    code: str | None = None

    @property
    def id(self) -> str:
        """Return the id of this end, the same in each message that lists it. A task that is retried has a new end."""
        return f"{self.subject}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """What a transaction that ends tasks must know of a webhook."""

    row: int
    events: frozenset[str]
    task_type: str | None = None
    tag: str | None = None
    batch: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook that an admin registered, or the address of tasks and batches."""

    id: str
    url: str
    events: Sequence[Event]
    created_at: datetime
    own: bool = False  # nobody registered it
    headers: Mapping[str, str] = field(default_factory=dict)
    description: str | None = None
    task_type: str | None = None
    tag: str | None = None
    batch: str | None = None
    disabled_at: datetime | None = None
    disabled_why: str | None = None
    waiting: int = 0  # ends that it has not heard of yet
    tries: int = 0  # failed tries of its next message


def events_of(words: Iterable[str]) -> list[Event]:
    """Return the events that the words of a request mean, each once, in the order of `Event`.

    Raises:
        BadWebhook: there is no word, or an unknown one.
    """
    meant: set[Event] = set()
    for word in words:
        if word == ALL:
            meant |= set(Event)
        elif word in EARLIER_WORDS:
            meant.add(EARLIER_WORDS[word])
        elif word in list(Event):
            meant.add(Event(word))
        else:
            raise BadWebhook(f"There is no event {word[:80]!r:.80}. The events are {', '.join(Event)} and {ALL}.")
    if not meant:
        raise BadWebhook(f"The webhook needs events: {', '.join(Event)}, or {ALL}.")
    return [event for event in Event if event in meant]


def require_sense(events: Sequence[Event], task_type: str | None, tag: str | None) -> None:
    """Check that the filters leave something to tell.

    Raises:
        BadWebhook: the only event is about batches, which have neither type nor tags.
    """
    if (task_type is not None or tag is not None) and OF_TASKS.isdisjoint(events):
        raise BadWebhook("A batch has no task type and no tags: leave out `task_type` and `tag` for `batch.finished`.")


def pause_after(tries: int, chance: float, wish: float | None = None, url: str = "") -> float | None:
    """Return the seconds until the next try of a message, with a jitter of a fifth; None: there is no other try.

    Args:
        tries: how many tries have failed, at least 1.
        chance: a random number from 0 to 1.
        wish: the seconds for which the receiver wants to be left alone. They can only make the pause longer.
        url: the URL of the webhook.
    """
    if url == EXCHANGE:
        return min(LONGEST_PAUSE_OF_EXCHANGE, 2.0 ** min(tries, 10))
    if tries > len(PAUSES):
        return None
    return max(PAUSES[tries - 1] * (0.8 + 0.4 * chance), min(wish or 0.0, LONGEST_WISH))
