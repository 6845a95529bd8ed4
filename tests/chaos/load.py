"""The load: clients that send batches over HTTP, cancel some tasks, and remember every answer."""

from __future__ import annotations

import json
import random
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from tests.support import http

KINDS = {
    "chaos.sleep": (0.0, 2.0),
    "chaos.thread": (0.0, 0.3),
    "chaos.isolated": (0.0, 0.05),
    "chaos.flaky": (0.0, 0.0),
    "chaos.failing": (0.0, 0.0),
}
"""The task types, each with the least and the most seconds that it takes."""

FOLLOWERS = [
    {"when": when, "task_type": "chaos.thread", "data": 0} for when in ("always", "all_finished", "any_failed")
]
"""What follows some of the batches."""

WEIGHTS = [70, 15, 2, 8, 5]

PATIENCE = 90.0
"""Seconds for which a client retries a request."""


@dataclass(slots=True)
class Sent:
    """What the clients sent, and what the service answered."""

    expected: dict[str, str] = field(default_factory=dict)  # the task type, by token
    canceled: set[str] = field(default_factory=set)
    lost: list[tuple[dict[str, str], Any]] = field(default_factory=list)  # headers and body of requests without answer
    repeated: int = 0  # how many times a request was repeated
    posts: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class Client(threading.Thread):
    """One client, which sends batches until `stopping` is set."""

    sizes = (1, 5, 20, 100)

    def __init__(self, base: str, sent: Sent, seed: int, *, rate: float, stopping: threading.Event) -> None:
        """Prepare to send.

        Args:
            base: the URL of the service.
            sent: the record that all clients share.
            seed: for the random choices.
            rate: tasks per second.
            stopping: the event that stops the client.
        """
        super().__init__(name=f"client-{seed}", daemon=True)
        self._base = base
        self._sent = sent
        self._random = random.Random(seed)
        self._rate = rate
        self._stopping = stopping

    def run(self) -> None:
        """Send batches of random sizes at the given rate."""
        while not self._stopping.is_set():
            count = self._random.choice(self.sizes)
            began = time.monotonic()
            self._send([self._task() for _ in range(count)])
            self._stopping.wait(max(0.0, count / self._rate - (time.monotonic() - began)))

    def send_one(self) -> None:
        """Send one task once, without an Idempotency-Key, in an array or by itself."""
        task = self._task()
        if self._random.random() < 0.5:
            answer = self._post("/tasks", [task], {})
            if answer is not None and answer.status == 202:
                self._remember(answer.json["processing_items"], [task])
            return
        answer = self._post("/tasks", task, {})
        if answer is not None and answer.status == 202:
            self._remember([{"hash": answer.json["task_id"]}], [task])

    def _task(self) -> dict[str, Any]:
        (kind,) = self._random.choices(list(KINDS), WEIGHTS)
        return {"task_type": kind, "data": round(self._random.uniform(*KINDS[kind]), 3)}

    def _send(self, body: list[dict[str, Any]]) -> None:
        """Send a batch and retry until it is answered; in 3 of 10 cases, stop after the first lost answer."""
        headers, until = {"Idempotency-Key": uuid.uuid4().hex}, time.monotonic() + PATIENCE
        if self._random.random() < 0.3:
            headers["On-Finished"] = json.dumps(FOLLOWERS)
        gives_up = self._random.random() < 0.3
        while time.monotonic() < until:
            answer = self._post("/tasks", body, headers)
            if answer is not None and answer.status == 202:
                return self._remember(answer.json["processing_items"], body)
            if answer is None and gives_up:
                break
            with self._sent.lock:
                self._sent.repeated += 1
            threading.Event().wait(0.1)
        with self._sent.lock:
            self._sent.lost.append((headers, body))
        return None

    def _remember(self, lines: list[dict[str, Any]], body: list[dict[str, Any]]) -> None:
        tokens = [line["hash"] for line in lines]
        with self._sent.lock:
            self._sent.posts += 1
            self._sent.expected |= {token: task["task_type"] for token, task in zip(tokens, body, strict=True)}
        if self._random.random() < 0.1:
            some = self._random.sample(tokens, max(1, len(tokens) // 10))
            with self._sent.lock:
                self._sent.canceled |= set(some)
            self._post("/tasks/cancel", {"tokens": some, "by": "chaos"}, {})

    def _post(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        try:
            return http("POST", self._base + path, body, headers)
        except OSError:
            return None


class SmallClient(Client):
    """One client of many that send one task at a time, at any moment, so that their requests are kept together."""

    def run(self) -> None:
        """Send tasks one by one at the given rate."""
        while not self._stopping.is_set():
            self.send_one()
            self._stopping.wait(self._random.expovariate(self._rate))
