"""`Prefer: wait` on a real server: many requests wait, others are still served, and a stop answers them all."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests.support import Answer, System, eventually, http

MOST = 64
"""The default limit of waiting requests per web process."""


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(MOST) as pool:
        yield pool


def held_waits(system: System, clients: ThreadPoolExecutor, path: str) -> list[Future[Any]]:
    """Start as many waiting requests as the server allows; return them when all of them wait."""

    def wait() -> Answer | None:
        answer = http("GET", system.url(path), headers={"Prefer": "wait=60"})
        return answer if "preference-applied" in answer.headers else None  # the check below had the last slot

    held = [clients.submit(eventually, wait) for _ in range(MOST)]
    eventually(lambda: "preference-applied" not in http("GET", system.url(path), headers={"Prefer": "wait=1"}).headers)
    return held


def test_64_requests_wait_while_others_are_served_and_all_get_the_result(
    system: System, clients: ThreadPoolExecutor
) -> None:
    answer = system.post([{"item": "a", "valor": 3600}])
    (token,) = (item["hash"] for item in answer.json["processing_items"])
    held = held_waits(system, clients, answer.headers["location"])
    for _ in range(20):
        assert http("GET", system.url("/health/live")).status == 200
        assert system.check(token)["message"] == "Em processamento"
    assert not any(each.done() for each in held)
    assert http("POST", system.url(f"/tasks/{token}/cancel")).status == 200
    ends = [each.result(30) for each in held]
    assert {end.json["message"] for end in ends} == {"Finalizado"}
    assert {end.headers["preference-applied"] for end in ends} == {"wait=60"}


@pytest.mark.sqlite  # the database plays no part here, so once is enough
def test_a_stop_answers_all_waiting_requests(system: System, clients: ThreadPoolExecutor) -> None:
    answer = system.post([{"item": "a", "valor": 3600}])
    held = held_waits(system, clients, answer.headers["location"])
    system.up.send_signal(signal.SIGTERM)
    assert {each.result(30).json["message"] for each in held} == {"Em processamento"}
