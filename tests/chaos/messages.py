"""The load on the message queues: clients that push and pop messages, and remember every answer.

Each message is pushed once: a request without an answer may have been carried out or not. A message must be lost only
with the answer to a pop without a lease, and be given again only after its lease has run out, or was given back.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from tests.support import eventually, http

LEASED, PLAIN = "leased", "plain"
"""The message queues: one whose messages are popped with a lease, and one whose messages are removed at once."""

LEASE = 5
"""Seconds."""

PATIENCE = 90.0
"""Seconds after the last blow in which what is left must be popped."""

MOST_POPS = 1000
"""The audit pops so many messages before it pauses. A long run leaves more than a thousand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message that a client got."""

    message: str
    receipt: str
    begins: datetime  # when the server gave it out
    ends: datetime  # when its lease runs out


@dataclass(slots=True)
class Traffic:
    """What the clients pushed and popped, and what the service answered."""

    pushed: dict[str, set[str]] = field(default_factory=lambda: {LEASED: set(), PLAIN: set()})  # answered pushes
    removed: list[str] = field(default_factory=list)  # messages of plain pops
    leased: list[Delivery] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)  # receipts of answered acknowledgements
    returned: set[str] = field(default_factory=set)  # receipts that were sent back, answered or not
    pops_without_answer: int = 0  # without a lease
    lock: threading.Lock = field(default_factory=threading.Lock)


class Messenger(threading.Thread):
    """One client, which pushes and pops messages until `stopping` is set."""

    def __init__(self, base: str, traffic: Traffic, number: int, seed: int, stopping: threading.Event) -> None:
        """Prepare.

        Args:
            base: the URL of the service.
            traffic: the record that all clients share.
            number: makes the names of its messages unique.
            seed: for the random choices.
            stopping: the event that stops the client.
        """
        super().__init__(name=f"messenger-{number}", daemon=True)
        self._base = f"{base}/api/queue"
        self._traffic = traffic
        self._name = f"m{number}"
        self._random = random.Random(seed)
        self._stopping = stopping

    def run(self) -> None:
        """Push and pop, each about ten times a second."""
        count = 0
        while not self._stopping.wait(0.1):
            count += 1
            queue = self._random.choice([LEASED, PLAIN])
            self._push(queue, f"{self._name}-{count}")
            self.pop(self._random.choice([LEASED, PLAIN]))

    def pop(self, queue: str) -> bool:
        """Pop a message; process it if it is leased. Return whether the service answered that there is none."""
        lease = f"&lease={LEASE}" if queue == LEASED else ""
        wait = {"Prefer": "wait=1"} if self._random.random() < 0.2 else {}
        answer = self._post(f"/pop?queue={queue}{lease}", None, wait)
        if answer is None:
            with self._traffic.lock:
                self._traffic.pops_without_answer += queue == PLAIN
            return False
        if not answer["success"]:
            return True
        with self._traffic.lock:
            if queue == PLAIN:
                self._traffic.removed.append(answer["message"])
                return False
            ends = datetime.fromisoformat(answer["leased_until"])
            begins = ends - timedelta(seconds=LEASE)
            delivery = Delivery(message=answer["message"], receipt=answer["receipt"], begins=begins, ends=ends)
            self._traffic.leased.append(delivery)
        self._process(delivery)
        return False

    def _push(self, queue: str, message: str) -> None:
        if self._post(f"/push?queue={queue}", {"message": message}, {}) is not None:
            with self._traffic.lock:
                self._traffic.pushed[queue].add(message)

    def _process(self, delivery: Delivery) -> None:
        """Acknowledge a message, give it back, or die like a client that does neither."""
        chance = self._random.random()
        if chance < 0.1:
            return
        if chance < 0.2:
            with self._traffic.lock:
                self._traffic.returned.add(delivery.receipt)
            self._post("/nack", {"receipt": delivery.receipt}, {})
        elif self._post("/ack", {"receipt": delivery.receipt}, {}) is not None:
            with self._traffic.lock:
                self._traffic.acknowledged.add(delivery.receipt)

    def _post(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        """Return the answer; None if there is none, or if it is an error."""
        try:
            answer = http("POST", self._base + path, body, headers)
        except OSError:
            return None
        return answer.json if answer.status == 200 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What the audit of the messages found."""

    pushed: int
    delivered: int
    missing: list[str]  # pushed and answered, and never popped
    excused: int  # missing, with the answer to a plain pop
    doubled: list[str]  # given again although nothing allowed it


def audit(base: str, traffic: Traffic) -> Audit:
    """Pop what is left, and compare what the clients got with what they pushed."""
    last = Messenger(base, traffic, -1, 0, threading.Event())
    for queue in (PLAIN, LEASED):
        eventually(lambda: _pop_all(last, queue) and _is_empty(base, queue), within=PATIENCE)
    missing_plain = traffic.pushed[PLAIN] - set(traffic.removed)
    missing = sorted(traffic.pushed[LEASED] - {delivery.message for delivery in traffic.leased})
    if len(missing_plain) > traffic.pops_without_answer:
        missing += sorted(missing_plain)
    return Audit(
        pushed=sum(map(len, traffic.pushed.values())),
        delivered=len(traffic.removed) + len(traffic.leased),
        missing=missing,
        excused=len(missing_plain),
        doubled=[*_doubled(traffic)],
    )


def _pop_all(last: Messenger, queue: str) -> bool:
    """Pop messages until there is none, or for as many pops as a long run may need; return whether there is none."""
    return any(last.pop(queue) for _ in range(MOST_POPS))


def _is_empty(base: str, queue: str) -> bool:
    counts = http("GET", f"{base}/api/queue/count?queue={queue}").json
    return (counts["count"], counts["leased"]) == (0, 0)


def _doubled(traffic: Traffic) -> Iterator[str]:
    """Return the messages that were given again before their lease had run out, or after they were acknowledged."""
    yield from {message for message in traffic.removed if traffic.removed.count(message) > 1}
    before: dict[str, Delivery] = {}
    for delivery in sorted(traffic.leased, key=lambda each: each.begins):
        first = before.get(delivery.message)
        before[delivery.message] = delivery
        if first is None:
            continue
        too_early = delivery.begins < first.ends and first.receipt not in traffic.returned
        if too_early or first.receipt in traffic.acknowledged:
            yield delivery.message
