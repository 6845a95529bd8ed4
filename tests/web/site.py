"""A service without workers: requests go through Flask, and tasks are done when a test says so."""

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
"""Tokens that are none, as they stand in a path."""

ON_BOTH = pytest.mark.parametrize("storage", ["sqlite", "postgres"])
"""Of a test of what the two kinds of database may see differently."""


def problem(answer: Any) -> tuple[int, str]:
    """Return status and code of a problem document."""
    assert answer.mimetype == "application/problem+json"
    document = answer.json
    assert document["status"] == answer.status_code
    assert document["message"] == document["detail"]
    return answer.status_code, document["code"]


def mirror(data: object) -> object:
    """Return what was sent."""
    return data


def fails(data: object) -> object:
    """Fail."""
    raise ValueError(f"not {data!r} again")


def waits_for_a_word(data: object, context: Context) -> object:
    """Work until somebody says stop."""
    return context.canceled.wait(20)


def says(data: object, context: Context) -> object:
    """Return what was said of the task."""
    return {"parameters": context.parameters, "attempt": context.attempt, "deadline": context.deadline is not None}


class Site:
    """The service."""

    def __init__(self, runtime: Runtime) -> None:
        """Add some task types, and serve."""
        for function in (mirror, fails, waits_for_a_word, says):
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
        """Ask, and return all of the answer."""
        return self.client.get(path, headers=headers)

    def ask(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """Ask, and return what was said with 200."""
        answer = self.get(path, headers)
        assert answer.status_code == 200, answer.data
        return answer.json

    def post(self, path: str, body: object = None, headers: Mapping[str, str] | None = None) -> Any:
        """Send, and return all of the answer."""
        if body is None:
            return self.client.post(path, headers=headers)
        return self.client.post(path, json=body, headers=headers)

    def tell(self, path: str, body: object = None) -> Any:
        """Send, and return what was said with 200."""
        answer = self.post(path, body)
        assert answer.status_code == 200, answer.data
        return answer.json

    def pages(self, path: str, limit: int) -> list[Any]:
        """Return the items of all pages, found by their links."""
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
        """Send an array; return the batch and its tokens."""
        body = [
            {"task_type": "mirror", "data": 1} | element if isinstance(element, dict) else element
            for element in elements
        ]
        answer = self.post(f"/tasks{query}", body)
        assert answer.status_code == 202, answer.data
        return answer.json["batch"], [line["hash"] for line in answer.json["processing_items"]]

    def status(self, token: str) -> str:
        """Return the status of a task."""
        status: str = self.ask(f"/tasks/{token}/status")["status"]
        return status

    def claim(self, *tokens: str) -> None:
        """Let tasks be running."""
        runs = [(token, self.ask(f"/tasks/{token}")["run"]) for token in tokens]
        claimed = claim_runs(self.runtime.store, runs, self.runtime.owner.id(), now())
        assert {task.token for task in claimed} == set(tokens)

    def work(self, *tokens: str) -> None:
        """Do tasks, as a worker does, as far as they may be done."""
        runs = [(token, self.ask(f"/tasks/{token}")["run"]) for token in tokens]
        self.runtime.runner(runs, self.runtime.owner.id())

    def let_time_pass(self, time: timedelta) -> None:
        """Let what is due in so long a time be due."""
        self.runtime.store.upkeep.come_due(now() + time, 1000)
        self.runtime.store.upkeep.expire(now() + time, 1000)
