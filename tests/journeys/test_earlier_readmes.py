"""The requests in the READMEs of the five earlier systems, in their own words: only host and port are replaced.

The pages in docs/coming-from show most of them, and the tests of the documents run those. Here are the others.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from typing import Any

import pytest

from tests.support import System, http

pytestmark = pytest.mark.sqlite  # they are about routes; tests/services has the use cases on both databases

THEIRS = re.compile(r"http://(localhost|127\.0\.0\.1):(5000|8000|8080)")
"""Where the READMEs send their requests."""


def answer(command: str, system: System) -> tuple[int, Any]:
    """Run a command of curl as its README has it, but against this system; return the status and the JSON."""
    words = shlex.split(THEIRS.sub(system.url("").rstrip("/"), command))
    assert words[0] == "curl"
    made = subprocess.run(
        [*words, "-sS", "-w", r"\n%{http_code}"], capture_output=True, text=True, timeout=60, check=True
    )
    body, _, status = made.stdout.rpartition("\n")
    return int(status), json.loads(body)


POST = "curl -X POST http://localhost:5000/task -H 'Content-Type: application/json' -d "


@pytest.mark.parametrize(
    ("command", "result"),
    [
        pytest.param(POST + '\'{"task_type": "reverse_text", "data": "Merhaba"}\'', "abahreM", id="InternTask-reverse"),
        pytest.param(POST + '\'{"task_type": "uppercase", "data": "Merhaba"}\'', "MERHABA", id="InternTask-upper"),
        pytest.param(POST + '\'{"task_type": "sum_numbers", "data": [1, 2, 3.5]}\'', 6.5, id="InternTask-sum"),
        pytest.param(
            "curl -X POST http://127.0.0.1:5000/enqueue -H 'Content-Type: application/json' -d '{\"hello\":\"world\"}'",
            {"hello": "world"},
            id="FlaskRedis-json",
        ),
        pytest.param(
            'curl -X POST http://localhost:8080/tasks -H "Content-Type: application/json" '
            '-d \'{"Payload": "Your task data here", "Parameters": {"priority": "high", "timeout": "30s"}}\'',
            "Your task data here",
            id="distributed-task-queue",
        ),
    ],
)
def test_a_request_that_is_kept_runs_a_task(lasting_system: System, command: str, result: object) -> None:
    status, sent = answer(command, lasting_system)
    assert status == (200 if "/enqueue" in command else 202)
    token = sent["job_id"] if "/enqueue" in command else sent["task_id"]
    found = http("GET", lasting_system.url(f"/results/{token}"), headers={"Prefer": "wait=30"}).json
    assert (found["status"], found["result"]) == ("finished", result)


def test_a_task_of_the_task_service_needs_no_description(lasting_system: System) -> None:
    command = "curl -X POST http://127.0.0.1:8000/tasks -H 'Content-Type: application/json' -d "
    for body in ('{"name": "Отчёт"}', '{"name": "Отчёт", "description": null}'):
        status, sent = answer(f"{command}'{body}'", lasting_system)
        assert (status, sent["task_type"]) == (202, "simulate")
        status, shown = answer(f"curl http://127.0.0.1:8000/tasks/{sent['id']}", lasting_system)
        assert (status, shown["name"], shown["description"]) == (200, "Отчёт", None)
        http("POST", lasting_system.url(f"/tasks/{sent['id']}/cancel"))  # it would run for seconds


def test_the_dead_letters_of_the_distributed_task_queue(lasting_system: System) -> None:
    fails = {"task_type": "simulate", "data": {"max": 0, "failure": 1}, "max_attempts": 1, "tags": ["dead letter"]}
    token = http("POST", lasting_system.url("/tasks"), fails).json["id"]
    for attempts in (1, 2):
        lasting_system.await_status(token, "failed")
        status, listed = answer("curl http://localhost:8080/deadletter", lasting_system)
        assert (status, token in [task["id"] for task in listed["items"]]) == (200, True)
        _, found = answer(
            "curl http://localhost:8080/tasks/search?status=dead-lettered&tag=dead%20letter", lasting_system
        )
        assert [task["id"] for task in found["items"]] == [token]
        _, shown = answer(f"curl http://localhost:8080/tasks/{token}/details", lasting_system)
        assert [attempt["code"] for attempt in shown["attempts"]] == ["error"] * attempts
        if attempts == 1:
            status, _ = answer(f"curl -X POST http://localhost:8080/deadletter/{token}/retry", lasting_system)
            assert status == 200


NO_API = "The routes of tasks have no prefix here. Use the same path without /api: /tasks."


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        pytest.param("curl http://localhost:8080/api/tasks", NO_API, id="distributed-task-queue-list"),
        pytest.param(
            'curl -X POST http://localhost:8080/api/tasks -H "Content-Type: application/json" '
            '-d \'{"payload": "Your task data here", "parameters": {"priority": "high", "timeout": "30s"}}\'',
            NO_API,
            id="distributed-task-queue-create",
        ),
        pytest.param(
            "curl http://127.0.0.1:5000/get_result?job_id=4dfd1d5b-cf3b-4366-83a8-afa4f5de5244",
            "Job not found",
            id="FlaskRedis-job-of-the-old-system",
        ),
        pytest.param(
            "curl http://127.0.0.1:8000/task_service/openapi.json",
            "The routes have no prefix here. Use GET /openapi.json.",
            id="TaskService-openapi",
        ),
    ],
)
def test_a_request_that_is_dropped_says_what_to_use(lasting_system: System, command: str, sentence: str) -> None:
    status, said = answer(command, lasting_system)
    assert (status, said["message"]) == (404, sentence)
