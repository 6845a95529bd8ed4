"""Workers that are added and removed under load, while others are killed: every task ends, and none is charged."""

from __future__ import annotations

import os
import signal
from typing import Any

from tests.support import Answer, System, eventually, http, tokens


def supervisor(system: System) -> Any:
    (found,) = http("GET", system.url("/workers")).json["supervisors"]
    return found


def await_running(system: System, number: int, draining: int = 0) -> None:
    """Wait until so many workers run and drain, as the list says."""
    eventually(lambda: (supervisor(system)["running"], supervisor(system)["draining"]) == (number, draining))


def change(system: System, method: str, path: str, body: object = None) -> Answer:
    answer = http(method, system.url(path), {} if body is None else body)
    assert answer.status == 200, answer.body
    return answer


def load(system: System, seconds: float) -> list[str]:
    """Send tasks, each of which takes so long."""
    return tokens(system.post([{"item": str(number), "valor": seconds} for number in range(300)]))


def test_workers_come_and_go_under_load_beside_kills_and_nothing_is_lost(stopped_system: System) -> None:
    system = stopped_system
    system.settings["MAX_ATTEMPTS"] = "1"
    system.start()
    await_running(system, 1)
    sent = load(system, 0.5)
    change(system, "POST", "/workers/add", {"count": 2})
    await_running(system, 3)
    sent += load(system, 0.5)
    os.kill(system.child("worker-2"), signal.SIGKILL)
    sent += load(system, 0.5)
    change(system, "POST", "/workers/remove?count=2")  # one drains, and the other one may be dead now
    await_running(system, 1)
    sent += load(system, 0)
    change(system, "PUT", "/workers", {"wanted": 2})
    await_running(system, 2)
    assert system.log.count("child removed child=") == 2

    def statuses() -> Any:
        answer = http("POST", system.url("/check"), {"tokens": sent}).json["results"]
        return [each["status"] for each in answer]

    eventually(lambda: set(statuses()) == {"finished"})
    listed = http("GET", system.url("/tasks?limit=1000&status=failed")).json
    assert listed["total"] == 0

    assert system.stop() == 0  # the number is kept
    system.start()
    await_running(system, 2)
    assert "workers kept wanted=2 instead_of=1" in system.log
    assert system.stop() == 0
    system.settings["WORKERS"] = "3"  # new settings count again
    system.start()
    await_running(system, 3)
    assert not [line for line in system.log.splitlines() if " child died " in line and "code=-9" not in line]


def test_the_automatic_rule_adds_a_worker_and_the_idlest_one_is_removed(stopped_system: System) -> None:
    system = stopped_system
    system.settings |= {"MAX_WORKERS": "2", "CONCURRENCY": "1"}
    system.start()
    first, second = tokens(system.post([{"item": "a", "valor": 600}, {"item": "b", "valor": 600}]))
    system.await_status(first, "running")
    system.await_status(second, "running")  # by the worker that was added, because nobody else has a free slot
    assert supervisor(system)["wanted"] == 2
    assert "workers scaled" in system.log
    http("POST", system.url(f"/tasks/{first}/cancel"), {})
    change(system, "POST", "/workers/remove")
    await_running(system, 1)
    assert "child removed child=worker-1" in system.log
    kept = http("GET", system.url(f"/tasks/{second}")).json
    assert (kept["status"], kept["run"]) == ("running", 1)
