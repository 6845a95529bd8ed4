"""Records the examples of the OpenAPI document: what a real system answers to the requests of this file.

    python docs/examples.py          write queue_tool/web/openapi/examples.json

A test sends the same requests again and compares the answers, key by key.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from socket import gethostname
from typing import Any

from flask import Flask

from queue_tool.execution.builtin import builtin_types
from queue_tool.model import settings
from queue_tool.model.scale import first_scale
from queue_tool.model.task_types import TaskTypes
from queue_tool.model.telemetry import Telemetry
from queue_tool.runtime import open_runtime
from queue_tool.services.owner import describe
from queue_tool.store.supervisors import KIND
from queue_tool.web import create_app
from queue_tool.web.http.answers import EXTENSION
from queue_tool.web.http.operation import Operation

ROOT = Path(__file__).parents[1]
FILE = ROOT / "queue_tool" / "web" / "openapi" / "examples.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One request of the story that the examples tell."""

    request: str  # method and path; `{name}` stands for a value of an earlier answer
    body: Any = None
    keep: Mapping[str, str] = field(default_factory=dict)  # name -> JSON Pointer of a value in the answer
    headers: Mapping[str, str] = field(default_factory=dict)


FAILING = {"min": 0, "max": 0, "failure": 1}

STORY = (
    Step(
        request="POST /api?name=import&metadata.customer=42",
        body=[{"item": "item01", "valor": 0}, {"item": "item02", "valor": 0.5}],
        keep={"batch": "/batch", "token": "/processing_items/0/hash"},
    ),
    Step(request="GET /check/{token}"),
    Step(request="POST /check", body={"tokens": ["{token}", "unknown"]}),
    Step(request="GET /batches/{batch}"),
    Step(request="GET /batches?limit=1"),
    Step(
        request="POST /tasks",
        body={"task_type": "uppercase", "data": "hello", "custom_id": "order-7", "tags": ["demo"], "priority": "high"},
        keep={"upper": "/token"},
    ),
    Step(request="GET /tasks/{upper}/status"),
    Step(request="GET /results/{upper}"),
    Step(
        request="POST /tasks",
        body=[{"task_type": "simulate", "data": FAILING, "custom_id": "order-8"}, {"task_type": "simulate", "data": 1}],
        keep={"failed": "/processing_items/0/hash", "second": "/batch"},
    ),
    Step(request="POST /tasks", body=[{"task_type": "simulate", "data": 1}]),
    Step(request="GET /tasks/{failed}"),
    Step(request="GET /tasks?status=failed&limit=1"),
    Step(request="GET /results?limit=1"),
    Step(request="GET /deadletter?limit=1"),
    Step(request="GET /batches/{second}/results"),
    Step(request="POST /deadletter/{failed}/retry"),
    Step(
        request="POST /tasks",
        body={"task_type": "sleep", "data": {"item": "a", "valor": 0}, "delay": 3600},
        keep={"later": "/token"},
    ),
    Step(request="POST /tasks/{later}/cancel", body={"by": "ana", "reason": "not needed"}),
    Step(request="POST /tasks/{later}/retry"),
    Step(request="POST /tasks/cancel", body={"filter": {"tag": "demo"}, "by": "ana", "dry_run": True}),
    Step(request="POST /tasks/retry", body={"tokens": ["{failed}"], "dry_run": True}),
    Step(request="POST /batches/{second}/cancel", body={"by": "ana", "reason": "not needed"}),
    Step(request="POST /batches/{second}/retry"),
    Step(
        request="POST /batches",
        body={"name": "import", "metadata": {"customer": "42"}, "task_type": "sleep"},
        keep={"open": "/id"},
    ),
    Step(
        request="POST /batches/{open}/elements?from=0",
        body=[{"item": "item01", "valor": 0}, {"item": "item02", "valor": "0"}],
    ),
    Step(request="GET /batches/{open}/elements?from=1"),
    Step(request="POST /batches/{open}/seal"),
    Step(request="POST /deadletter/retry", body={"filter": {"task_type": "simulate"}, "dry_run": True}),
    Step(request="DELETE /deadletter?older_than=604800&dry_run=true"),
    Step(request="GET /queue?limit=1"),
    Step(request="POST /queue/low/pause"),
    Step(request="POST /queue/low/resume"),
    Step(
        request="POST /schedules",
        body={
            "name": "nightly",
            "task_type": "uppercase",
            "data": "report",
            "cron": "30 2 * * *",
            "timezone": "Europe/Lisbon",
        },
        keep={"schedule": "/id"},
    ),
    Step(request="GET /schedules?limit=1"),
    Step(request="GET /schedules/{schedule}"),
    Step(request="POST /schedules/{schedule}/pause"),
    Step(
        request="PUT /schedules/{schedule}",
        body={"name": "hourly", "task_type": "uppercase", "elements": ["a", "b"], "every": 3600, "overlap": "skip"},
    ),
    Step(request="POST /schedules/{schedule}/resume"),
    Step(request="POST /schedules/{schedule}/run"),
    Step(request="GET /schedules/{schedule}/ticks?limit=1"),
    Step(request="DELETE /schedules/{schedule}"),
    Step(request="POST /api/queue/push", body={"message": {"order": 7}}),
    Step(request="GET /api/queue/count"),
    Step(request="GET /api/queue/all"),
    Step(request="GET /api/queue"),
    Step(request="POST /api/queue/pop?lease=30", keep={"receipt": "/receipt"}),
    Step(request="POST /api/queue/nack", body={"receipt": "{receipt}"}),
    Step(request="POST /api/queue/pop?lease=60", keep={"second_receipt": "/receipt"}),
    Step(request="POST /api/queue/ack", body={"receipt": "{second_receipt}"}),
    Step(request="DELETE /api/queue/all"),
    Step(
        request="POST /webhooks",
        body={"url": "http://127.0.0.1:9/queue-tool", "events": ["batch.finished", "task.failed"]},
        keep={"webhook": "/id"},
    ),
    Step(request="GET /webhooks?limit=1"),
    Step(request="GET /webhooks/secret"),
    Step(request="GET /webhooks/{webhook}"),
    Step(request="POST /webhooks/{webhook}/test"),
    Step(request="GET /webhooks/{webhook}/deliveries"),
    Step(request="POST /webhooks/{webhook}/redeliver", body={"since": "2026-01-31T12:00:00Z"}),
    Step(request="POST /webhooks/{webhook}/rotate"),
    Step(request="POST /webhooks/{webhook}/enable"),
    Step(request="DELETE /webhooks/{webhook}"),
    Step(request="GET /task-types"),
    Step(request="POST /task", body={"task_type": "reverse_text", "data": "Merhaba"}),
    Step(request="POST /enqueue", body={"hello": "world"}, keep={"job": "/job_id"}),
    Step(request="GET /check_status?job_id={job}"),
    Step(request="GET /get_result?job_id={job}"),
    Step(request="GET /tasks/{job}/details"),
    Step(request="GET /tasks/search?status=completed&priority=50&limit=1"),
    Step(request="GET /workers"),
    Step(request="POST /workers/add", body={"count": 2}),
    Step(request="POST /workers/remove", body={"count": 1}),
    Step(request="PUT /workers", body={"minimum": 1, "maximum": 6, "automatic": True}),
    Step(request="GET /metrics", headers={"Accept": "application/json"}),
    Step(request="GET /health/live"),
    Step(request="GET /health/ready"),
)
"""The requests, in their order."""


def recorded(app: Flask) -> dict[str, dict[str, Any]]:
    """Send the requests to an application; return for each operation its first body, and its answers by status."""
    found: dict[str, dict[str, Any]] = {}
    known: dict[str, str] = {}
    client = app.test_client()
    adapter = app.url_map.bind("localhost")
    for step in STORY:
        method, _, target = _filled(step.request, known).partition(" ")
        body = _filled(step.body, known)
        app.extensions[EXTENSION].measures.write()
        answer = client.open(target, method=method, headers=step.headers, **({} if body is None else {"json": body}))
        view = app.view_functions[adapter.match(target.partition("?")[0], method)[0]]
        assert isinstance(view, Operation)  # each request of the story is one of an operation
        value = json.loads(_anonymous(answer.text.splitlines()[0]))
        example = found.setdefault(view.name, {"answers": {}})
        if body is not None:
            example.setdefault("request", body)
        example["answers"].setdefault(str(answer.status_code), value)
        known |= {name: str(_at(value, pointer)) for name, pointer in step.keep.items()}
    return found


def _filled(value: Any, known: Mapping[str, str]) -> Any:
    """Return a value with the values of earlier answers in its texts."""
    if isinstance(value, str):
        for name, text in known.items():
            value = value.replace(f"{{{name}}}", text)
        return value
    if isinstance(value, list):
        return [_filled(part, known) for part in value]
    if isinstance(value, dict):
        return {key: _filled(part, known) for key, part in value.items()}
    return value


def _anonymous(text: str) -> str:
    """Return a text without the names of this machine."""
    return (
        text.replace(str(ROOT), "/srv/queue_tool")
        .replace(f'"{gethostname()}', '"host-1')
        .replace(f" {gethostname()}:", " host-1:")
    )


def _at(value: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


@contextmanager
def application() -> Iterator[Flask]:
    """Make an application that runs each task in the request that sends it, on an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        texts = {"DATA_DIR": f"{folder}/instance", "REDIS_URL": "inline:", "MAX_ATTEMPTS": "1"}
        texts["WEBHOOK_ALLOW"] = "127.0.0.1"
        chosen = settings.read({f"QUEUE_TOOL_{name}": text for name, text in texts.items()})
        system = open_runtime(chosen, Telemetry(), "docs", migrate=True)
        scale = first_scale(1, None, processors=2)
        system.store.supervisors.enter(describe(KIND), scale, "", system.clock.now(), lambda _: False)
        try:
            yield create_app(replace(system, types=TaskTypes(builtin_types(chosen.max_valor))))
        finally:
            system.owner.leave()
            system.close()


def main() -> int:
    """Write the examples."""
    with application() as app:
        FILE.write_text(json.dumps(recorded(app), indent=1, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
