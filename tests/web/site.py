"""A service without workers: requests go through Flask, and a task runs only when the test calls `work`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from queue_tool.model.context import Context
from queue_tool.model.task_types import make_task_type
from queue_tool.runtime import Runtime
from tests.conftest import application
from tests.runs import claim_runs
from tests.support import now

UNKNOWN = "0" * 32
STATES = {"scheduled", "queued", "running", "finished", "failed", "canceled"}

ILL_FORMED = ["a", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "%00", "%ff", "%D9%A3" * 32, "x" * 5000]
"""Malformed tokens, encoded for a path."""

ON_BOTH = pytest.mark.parametrize("storage", ["sqlite", "postgres"])
"""Mark of a test that runs on both databases, because they could behave differently."""


def problem(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem document."""
    assert answer.mimetype == "application/problem+json"
    document = answer.json
    assert document["status"] == answer.status_code
    assert document["message"] == document["detail"]
    return answer.status_code, document["code"]


def mirror(data: object) -> object:
    """Return the data unchanged."""
    return data


def fails(data: object) -> object:
    """Raise a ValueError."""
    raise ValueError(f"not {data!r} again")


def works_until_canceled(data: object, context: Context) -> object:
    """Work until the task is canceled or 20 seconds have passed."""
    return context.canceled.wait(20)


def reports_its_context(data: object, context: Context) -> object:
    """Return the task's parameters, its attempt, and whether it has a deadline."""
    return {"parameters": context.parameters, "attempt": context.attempt, "deadline": context.deadline is not None}


class Site:
    """A service, a client of it, and task types for the tests."""

    def __init__(self, runtime: Runtime) -> None:
        """Add the task types, and make the application and its client."""
        for function in (mirror, fails, works_until_canceled, reports_its_context):
            runtime.types.add(make_task_type(function.__name__, function))
        strict: dict[str, object] = {
            "type": "object",
            "required": ["a/b"],
            "properties": {"a/b": {"type": "array", "items": {"type": "integer"}}},
        }
        runtime.types.add(make_task_type("strict", mirror, schema=strict))
        self.runtime = runtime
        self.app: Flask = application(runtime)
        self.client = self.app.test_client()

    # -- requests ------------------------------------------------------------------------------------------

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """Send a GET request and return the whole answer."""
        return self.client.get(path, headers=headers)

    def get_json(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """Send a GET request, require status 200, and return the JSON body."""
        answer = self.get(path, headers)
        assert answer.status_code == 200, answer.data
        return answer.json

    def post(self, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        """Send a POST request and return the whole answer."""
        if body is None:
            return self.client.post(path, headers=headers)
        return self.client.post(path, json=body, headers=headers)

    def post_json(self, path: str, body: object = None) -> Any:
        """Send a POST request, require status 200, and return the JSON body."""
        answer = self.post(path, body)
        assert answer.status_code == 200, answer.data
        return answer.json

    def pages(self, path: str, limit: int) -> list[Any]:
        """Return the items of all pages; each page's Link header leads to the next one."""
        found: list[Any] = []
        link: str | None = f"{path}{'&' if '?' in path else '?'}limit={limit}"
        while link:
            answer = self.get(link)
            assert answer.status_code == 200, answer.data
            found += answer.json["items"]
            link = answer.headers.get("Link")
            assert (link is None) == (answer.json["next"] is None)
            if link:
                assert len(answer.json["items"]) == limit
                assert link.startswith("</")
                assert link.endswith('>; rel="next"')
                link = link[1 : link.index(">")]
        return found

    # -- tasks ---------------------------------------------------------------------------------------------

    def send(self, **options: object) -> str:
        """Send one task; return its token."""
        answer = self.post("/tasks", {"task_type": "mirror", "data": 1} | options)
        assert answer.status_code == 202, answer.data
        token: str = answer.json["task_id"]
        return token

    def batch(self, *elements: Any, query: str = "") -> tuple[str, list[str]]:
        """Send an array; return the batch's id and one hash per element: a token or INVALID_JOB_REQUEST."""
        body = [
            {"task_type": "mirror", "data": 1} | element if isinstance(element, dict) else element
            for element in elements
        ]
        answer = self.post(f"/tasks{query}", body)
        assert answer.status_code == 202, answer.data
        return answer.json["batch"], [line["hash"] for line in answer.json["processing_items"]]

    def status(self, token: str) -> str:
        """Return the status of a task."""
        status: str = self.get_json(f"/tasks/{token}/status")["status"]
        return status

    def claim(self, *tokens: str) -> None:
        """Claim tasks as a worker does, so that they are running."""
        runs = [(token, self.get_json(f"/tasks/{token}")["run"]) for token in tokens]
        claimed = claim_runs(self.runtime.store, runs, self.runtime.owner.id(), now())
        assert {task.token for task in claimed} == set(tokens)

    def work(self, *tokens: str) -> None:
        """Run tasks as a worker does; tasks that cannot be claimed are skipped."""
        runs = [(token, self.get_json(f"/tasks/{token}")["run"]) for token in tokens]
        self.runtime.runner(runs, self.runtime.owner.id())

    def let_time_pass(self, time: timedelta) -> None:
        """Queue the tasks that become due within this time, and expire those that expire within it."""
        self.runtime.store.upkeep.come_due(now() + time, 1000)
        self.runtime.store.upkeep.expire(now() + time, 1000)
