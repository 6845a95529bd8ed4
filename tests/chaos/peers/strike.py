"""What every system goes through: clients under blows, then requests in the middle of which the web is killed."""

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

TORN = 5
"""Requests in the middle of which the web is killed."""

APART = 5.5
"""Seconds between them: `queue-tool up` takes five deaths in a row, each within 5 s of birth, for its own mistake."""

LARGE = 60
"""Elements of each of them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, how much, and with which chances."""

    seed: int
    seconds: float
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is struck."""

    url: str
    runs: Path
    once: bool  # it knows a request that it has had before
    kill_web: Callable[[], None]  # every process of it

    def client(self, ledger: Ledger, plan: Plan, number: int, stopping: threading.Event) -> MarkedClient:
        """Return a client."""
        rate = plan.rate / CLIENTS
        return MarkedClient(
            self.url, ledger, plan.seed + number, rate=rate, stopping=stopping, runs=self.runs, once=self.once
        )


def strike(target: Target, havoc: Blows, plan: Plan) -> Ledger:
    """Do it all; return what was sent."""
    ledger, stopping = Ledger(), threading.Event()
    clients = [target.client(ledger, plan, number, stopping) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        havoc.go_on_for(plan.seconds)
    finally:
        stopping.set()
    for client in clients:
        client.join(120)
    assert not any(client.is_alive() for client in clients), "a client hangs"
    _tear(target, target.client(ledger, plan, CLIENTS, stopping), havoc, random.Random(plan.seed))  # noqa: S311 - chaos that can be repeated
    return ledger


def _tear(target: Target, client: MarkedClient, havoc: Blows, chances: random.Random) -> None:
    """Kill the web somewhere in the middle of what a large request takes, as often as is said."""
    eventually(client.finds_the_web, within=60)
    began = time.monotonic()
    eventually(lambda: client.send_once(LARGE), within=60)
    takes = time.monotonic() - began
    for _ in range(TORN):
        eventually(client.finds_the_web, within=60)
        threading.Event().wait(APART)
        moment = takes * chances.uniform(0.1, 0.9)
        sender = threading.Thread(target=client.send_once, args=(LARGE,))
        sender.start()
        threading.Event().wait(moment)
        havoc.strike("tear request", target.kill_web)
        sender.join()
