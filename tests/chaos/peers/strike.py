"""The test of every system: clients during blows, then large requests during which the web is killed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.havoc import Blows
from tests.chaos.peers.load import CLIENTS, Ledger, MarkedClient
from tests.support import eventually

INTERRUPTED = 5
"""How many requests are interrupted by a kill of the web."""

APART = 5.5
"""Seconds between them: `queue-tool up` stops after five deaths in a row, each within 5 s of the start."""

LARGE = 60
"""Elements in each of these requests."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The seed of the random choices, the seconds of blows, and the tasks per second."""

    seed: int
    seconds: float
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The system that is struck."""

    url: str
    runs: Path
    once: bool  # it recognizes a repeated request by its Idempotency-Key
    kill_web: Callable[[], None]  # kills every web process

    def client(self, ledger: Ledger, plan: Plan, number: int, stopping: threading.Event) -> MarkedClient:
        """Return the client with this number, which is also added to its seed."""
        rate = plan.rate / CLIENTS
        return MarkedClient(
            self.url, ledger, plan.seed + number, rate=rate, stopping=stopping, runs=self.runs, once=self.once
        )


def strike(target: Target, havoc: Blows, plan: Plan) -> Ledger:
    """Run the load and the blows, then the interrupted requests; return what was sent."""
    ledger, stopping = Ledger(), threading.Event()
    clients = [target.client(ledger, plan, number, stopping) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        havoc.run_for(plan.seconds)
    finally:
        stopping.set()
    for client in clients:
        client.join(120)
    assert not any(client.is_alive() for client in clients), "a client hangs"
    _interrupt_requests(target, target.client(ledger, plan, CLIENTS, stopping), havoc, random.Random(plan.seed))
    return ledger


def _interrupt_requests(target: Target, client: MarkedClient, havoc: Blows, chances: random.Random) -> None:
    """Kill the web at a random moment of a large request, several times."""
    eventually(client.finds_the_web, within=60)
    began = time.monotonic()
    eventually(lambda: client.send_once(LARGE), within=60)
    duration = time.monotonic() - began
    for _ in range(INTERRUPTED):
        eventually(client.finds_the_web, within=60)
        threading.Event().wait(APART)
        moment = duration * chances.uniform(0.1, 0.9)
        sender = threading.Thread(target=client.send_once, args=(LARGE,))
        sender.start()
        threading.Event().wait(moment)
        havoc.strike("tear request", target.kill_web)
        sender.join()
