"""Metrics of a whole system: the sums of all its processes, which no kill, restart or deletion makes smaller."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.support import System, eventually, http, items, tokens
from tests.web.test_metrics import Scrape, samples_of, sums_of, value


def scrape(system: System) -> Scrape:
    return samples_of(http("GET", system.url("/metrics")).body.decode())


def eventually_counted(system: System, expected: Callable[[Scrape], bool]) -> Scrape:
    """Wait until the processes have written so much; return this scrape."""

    def look() -> Scrape | None:
        found = scrape(system)
        return found if expected(found) else None

    found = eventually(look)
    assert found is not None
    return found


def finished(found: Scrape) -> float:
    return value(found, "tasks_ended_total", task_type="sleep", status="finished") or 0


def test_sums_of_two_web_processes_and_two_workers_survive_a_kill_a_deletion_and_a_restart(
    stopped_system: System,
) -> None:
    system = stopped_system
    system.settings |= {"WORKERS": "2", "WEB": "2"}
    system.start()
    sent = [token for _ in range(8) for token in tokens(system.post(items(5)))]
    failing = {"task_type": "simulate", "data": {"min": 0, "max": 0, "failure": 1}}
    http("POST", system.url("/tasks"), failing)
    before = eventually_counted(
        system, lambda found: finished(found) == len(sent) and value(found, "dead_letters") == 1
    )
    requests = ("http_requests_total", {"operation": "submitBatch", "status": "200"})
    before = eventually_counted(system, lambda found: value(found, requests[0], **requests[1]) == 8)
    assert (value(before, "workers", state="idle") or 0) + (value(before, "workers", state="busy") or 0) == 2
    assert value(before, "lane_slots", lane="threads") == 64
    workers = http("GET", system.url("/workers")).json["items"]
    assert sum(worker["finished"] for worker in workers) == len(sent)

    os.kill(system.child("worker-1"), signal.SIGKILL)
    http("DELETE", system.url("/deadletter?older_than=0"))
    killed = eventually_counted(system, lambda found: value(found, "processes_died_total", part="worker") == 1)
    assert value(killed, "dead_letters") == 0
    assert system.stop() == 0
    system.start()
    again = scrape(system)
    for earlier, later in ((before, killed), (killed, again)):
        assert all(later[key] >= found for key, found in sums_of(earlier).items())
    system.await_status(tokens(system.post(items(1)))[0], "finished")
    eventually_counted(system, lambda found: finished(found) == len(sent) + 1)
