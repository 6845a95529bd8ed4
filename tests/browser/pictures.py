"""Pictures of every page with real data, light and dark, wide and narrow: `make pictures`, and then look at them."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from queue_tool.store import Store
from queue_tool.store.engine.database import Database
from tests.browser.chromium import Chromium, Window, program
from tests.measured import measure
from tests.receiver import Receiver, receiver
from tests.support import System, eventually, http, now

FOLDER = Path(__file__).parents[2] / "build" / "pictures"

WIDTHS = (1280, 390)

HIGHEST = 1800
"""Pixels of a picture. Of a longer page it shows the beginning."""

TASKS = '''
import time
from queue_tool import Abort, task

SCHEMA = {
    "type": "object", "required": ["url", "width"],
    "properties": {"url": {"type": "string", "minLength": 1}, "width": {"type": "integer", "maximum": 4000}},
}

@task("thumbnail", schema=SCHEMA)
def thumbnail(data, context):
    context.log(f"read {data['url']}")
    context.log("decoded 1920 x 1080 pixels")
    if data["width"] % 23 == 0:
        raise ValueError(f"cannot resize image {data['width']} of {data['url']}: the file ends after 4711 bytes")
    if data["width"] % 29 == 0:
        raise Abort("the image has no pixels")
    return {"path": f"/thumbnails/{data['width']}.webp", "bytes": data["width"] * 37}

@task("report", timeout=600)
def report(data, context):
    """Make a long report."""
    for step in range(100):
        context.progress(0.3 + step / 200, f"chapter {step + 4} of 12")
        if context.canceled.wait(5):
            return None
'''

IMAGES = [{"url": f"https://images.example/2026/{number:05}.jpg", "width": number} for number in range(1, 2001)]


def fill(system: System, hooks: Receiver) -> Mapping[str, str]:
    """Send tasks of several types that reach all states; return the path of each page."""
    of_operators = operated(system, hooks)  # first: later the slots of the event loop are taken
    thumbnails = [*IMAGES, {"url": "", "width": 10}, {"url": "https://images.example/x.jpg", "width": "large"}, 7]
    done = _send(system, "/tasks?task_type=thumbnail&name=thumbnails+2026-11&metadata.customer=ACME", thumbnails)
    mixed = _send(system, "/api?name=nightly+import", [{"item": f"row {n}", "valor": n % 90} for n in range(900)])
    words = [{"task_type": "reverse_text", "data": "resolve " * n, "tags": ["text", "demo"]} for n in range(1, 40)]
    long_name = "a rather long name of a task, as some programs make them for people " * 3
    _send(system, "/tasks", [*words, {"task_type": "echo", "data": {"a": [1, 2, {"b": "c" * 300}]}, "name": long_name}])
    _send(system, "/tasks", [{"task_type": "echo", "data": n, "delay": 3600, "priority": "high"} for n in range(12)])
    running = http("POST", system.url("/tasks"), {"task_type": "report", "data": {"month": "2026-11"}}).json["token"]
    canceled = _send(
        system, "/tasks?name=a+mistake", [{"task_type": "sleep", "data": {"item": "x", "valor": 500}}] * 30
    )
    http("POST", system.url(f"/batches/{canceled}/cancel"), {"reason": "sent twice", "by": "Ana"})
    eventually(lambda: http("GET", system.url(f"/batches/{done}")).json["status"] == "finished")
    eventually(lambda: http("GET", system.url(f"/tasks/{running}")).json["progress"])
    failed = http("GET", system.url("/deadletter?limit=1")).json["items"][0]["token"]
    return {
        **of_operators,
        "home": "/",
        "overview": "/dashboard",
        "day": "/dashboard?span=day",
        "tasks": "/dashboard/tasks",
        "filtered": "/dashboard/tasks?status=failed&task_type=thumbnail&priority=normal",
        "confirm": "/dashboard/tasks?confirm=cancel&status=queued&tag=text",
        "nothing": "/dashboard/tasks?tag=no+such+tag",
        "failed": f"/dashboard/tasks/{failed}",
        "running": f"/dashboard/tasks/{running}",
        "batches": "/dashboard/batches",
        "batch": f"/dashboard/batches/{mixed}",
        "finished": f"/dashboard/batches/{done}",
        "deadletters": "/dashboard/deadletters",
        "login": "/login",
        "unknown": "/dashboard/nowhere",
        "errors": "/docs/errors",
    }


def operated(system: System, hooks: Receiver) -> Mapping[str, str]:
    """Make schedules and webhooks; return the path of each page about them."""
    kinds: list[dict[str, Any]] = [
        {"name": "clean up temporary files", "task_type": "echo", "every": 900, "data": None},
        {"name": "weekly digest to all customers in the region", "task_type": "echo", "cron": "0 9 * * 1"},
        {"name": "report", "task_type": "reverse_text", "cron": "30 2 * * 1-5", "timezone": "America/Sao_Paulo"},
    ]
    made = [
        http("POST", system.url("/schedules"), {"data": "nightly figures", "tags": ["report", "daily"]} | kind).json[
            "id"
        ]
        for kind in kinds
    ]
    http("POST", system.url(f"/schedules/{made[1]}/pause"))
    for _ in range(7):
        http("POST", system.url(f"/schedules/{made[2]}/run"))
    for path, events in (("/ok", ["all"]), ("/fails", ["task.failed"]), ("/gone", ["batch.finished"])):
        hook = {"url": hooks.url(path), "events": events, "description": f"orders{path}", "headers": {"X-Team": "7"}}
        webhook = http("POST", system.url("/webhooks"), hook).json["id"]
        http("POST", system.url(f"/webhooks/{webhook}/test"))
    _send(system, "/tasks", [{"task_type": "echo", "data": n} for n in range(3)])
    eventually(lambda: http("GET", system.url(f"/webhooks/{webhook}/deliveries")).json["total"] > 1)
    http("POST", system.url("/queue/low/pause"))
    return {
        "schedules": "/dashboard/schedules",
        "schedule": f"/dashboard/schedules/{made[2]}",
        "newschedule": "/dashboard/schedules/new",
        "editschedule": f"/dashboard/schedules/{made[0]}/edit",
        "webhooks": "/dashboard/webhooks",
        "webhook": f"/dashboard/webhooks/{webhook}",
        "newwebhook": "/dashboard/webhooks/new",
        "queues": "/dashboard/queues",
        "workers": "/dashboard/workers",
        "keys": "/dashboard/keys",
    }


def _send(system: System, path: str, elements: list[Any]) -> str:
    batch: str = http("POST", system.url(path), elements).json["batch"]
    return batch


def look_at(chromium: Chromium, system: System, pages: Mapping[str, str]) -> None:
    """Take a picture of each page in both colors and in all widths."""
    for theme in ("light", "dark"):
        for width in WIDTHS:

            def steps(window: Window, theme: str = theme, width: int = width) -> None:
                for name, path in pages.items():
                    window.page.goto(system.url(path))
                    if name == "home":
                        window.page.get_by_role("button", name="Check").click()
                        window.page.locator("#checked table").wait_for()
                    if name == "nothing":
                        window.page.get_by_label("Batch").click()
                        window.page.locator(".suggestions li").first.wait_for()
                    if name == "queues":
                        window.page.get_by_text("More", exact=True).click()
                    height = min(window.page.evaluate("document.documentElement.scrollHeight"), HIGHEST)
                    window.page.set_viewport_size({"width": width, "height": height})
                    window.page.screenshot(path=FOLDER / f"{name}-{theme}-{width}.png")
                    window.page.set_viewport_size({"width": width, "height": 800})

            chromium.run(steps, viewport={"width": width, "height": 800}, color_scheme=theme)


def measure_a_day(folder: Path) -> None:
    """Write the measures of the last day, in which the system was off for an hour."""
    database = Database(f"sqlite:///{folder / 'instance' / 'queue_tool.db'}")
    measure(Store(database), now() - timedelta(minutes=1), 1439, gap=range(700, 760))
    database.close()


def main() -> None:
    """Start a system, fill it, and take the pictures."""
    path = program()
    if path is None:
        raise SystemExit("There is no Chromium on this machine.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pictured.py").write_text(TASKS)
        system = System(
            Path(folder),
            settings={"TASKS": "pictured", "MAX_ATTEMPTS": "1", "CONCURRENCY": "200", "WEBHOOK_ALLOW": "127.0.0.1"},
        )
        chromium = Chromium(path)
        try:
            system.start()
            look_at(chromium, system, {"empty": "/dashboard"})
            system.kill_all()  # its web process has read that there is no history
            measure_a_day(Path(folder))
            system.start()
            with receiver() as hooks:
                look_at(chromium, system, fill(system, hooks))
        finally:
            chromium.close()
            system.kill_all()


if __name__ == "__main__":
    main()
