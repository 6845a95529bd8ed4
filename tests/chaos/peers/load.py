"""The load for the comparison: the clients and task types of `make chaos`, slower, with a mark in each element."""

from __future__ import annotations

import threading
import time
import uuid
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tests.chaos.load import WEIGHTS, Client, Sent

KINDS = {
    "chaos.sleep": (0.0, 0.2),
    "chaos.thread": (0.0, 0.1),
    "chaos.isolated": (0.0, 0.05),
    "chaos.flaky": (0.0, 0.0),
    "chaos.failing": (0.0, 0.0),
}
"""The task types, each with its least and most seconds: short, because an RQ worker runs one job at a time."""

SIZES = [1, 5, 10, 20]
"""The possible numbers of elements in a batch."""

CLIENTS = 4


@dataclass(slots=True)
class Request:
    """One request, answered or not."""

    size: int
    answered: bool = False


@dataclass(slots=True)
class Ledger(Sent):
    """What was sent, by request, and the time at which each token was received."""

    requests: dict[str, Request] = field(default_factory=dict)
    answered_at: dict[str, float] = field(default_factory=dict)


class MarkedClient(Client):
    """A client whose elements name the request that they came in.

    A peer does not support `Idempotency-Key`, so each repetition is a new request for it. Its elements are marked with
    `<key>.<number>`.
    """

    def __init__(
        self, base: str, ledger: Ledger, seed: int, *, rate: float, stopping: threading.Event, runs: Path, once: bool
    ) -> None:
        """Prepare to send.

        Args:
            base: the URL of the service.
            ledger: the record that all clients share.
            seed: for the random choices.
            rate: tasks per second.
            stopping: the event that stops the client.
            runs: the file of runs.
            once: whether the server recognizes a repeated request by its Idempotency-Key.
        """
        super().__init__(base, ledger, seed, rate=rate, stopping=stopping)
        self._ledger = ledger
        self._runs = str(runs)
        self._once = once

    def run(self) -> None:
        """Send batches of random sizes at the given rate."""
        while not self._stopping.is_set():
            count = self._random.choice(SIZES)
            began = time.monotonic()
            self._send([self._task() for _ in range(count)])
            self._stopping.wait(max(0.0, count / self._rate - (time.monotonic() - began)))

    def _task(self) -> dict[str, Any]:
        (kind,) = self._random.choices(list(KINDS), WEIGHTS)
        return {"task_type": kind, "data": {"seconds": round(self._random.uniform(*KINDS[kind]), 3)}}

    def finds_the_web(self) -> bool:
        """Return whether the web answers without a server error."""
        answer = self._answer("/check", {"tokens": ["nobody"]}, {})
        return answer is not None and answer.status < 500

    def send_once(self, count: int) -> bool:
        """Send a batch of tasks that take no time, without a retry; return whether it was answered."""
        body = [{"task_type": "chaos.sleep", "data": {"seconds": 0.0}} for _ in range(count)]
        request = self._mark(body)
        answer = self._post("/tasks", body, {"Idempotency-Key": request})
        if answer is None or answer.status != 202:
            return False
        self._remember(answer.json["processing_items"], body)
        return True

    def _send(self, body: list[dict[str, Any]]) -> None:
        self._mark(body)
        super()._send(body)

    def _mark(self, body: list[dict[str, Any]]) -> str:
        request = uuid.uuid4().hex
        for place, task in enumerate(body):
            task["data"] |= {"request": request, "place": place, "runs": self._runs}
        return request

    def _post(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        if path != "/tasks":
            return self._answer(path, body, headers)
        request = body[0]["data"]["request"]
        if not self._once:
            request = f"{request}.{sum(known.startswith(request) for known in list(self._ledger.requests))}"
            body = [task | {"data": task["data"] | {"request": request}} for task in body]
        with self._ledger.lock:
            noted = self._ledger.requests.setdefault(request, Request(len(body)))
        answer = self._answer(path, body, headers)
        if answer is not None and answer.status == 202:
            noted.answered = True
        return answer

    def _answer(self, path: str, body: Any, headers: dict[str, str]) -> Any:
        try:
            return super()._post(path, body, headers)
        except HTTPException:  # the server was killed while it sent its answer
            return None

    def _remember(self, lines: list[dict[str, Any]], body: list[dict[str, Any]]) -> None:
        now = time.time()
        with self._ledger.lock:
            self._ledger.answered_at |= {line["hash"]: now for line in lines}
        super()._remember(lines, body)
