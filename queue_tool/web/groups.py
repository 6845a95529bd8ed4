"""The declared operations: each module of routes or pages has a line here."""

from __future__ import annotations

from collections.abc import Sequence

from queue_tool.web.http.operation import Group
from queue_tool.web.operations import (
    api,
    batches,
    check,
    dead_letters,
    earlier_systems,
    event_stream,
    health,
    messages,
    metrics,
    open_batches,
    openapi,
    queue,
    results,
    schedules,
    task_types,
    tasks,
    webhooks,
    workers,
)
from queue_tool.web.pages import batches as batch_pages
from queue_tool.web.pages import dead_letters as dead_letter_pages
from queue_tool.web.pages import docs, errors, home, keys, login, overview, queues, schedule_form, suggestions, webhook
from queue_tool.web.pages import schedules as schedule_pages
from queue_tool.web.pages import task as task_page
from queue_tool.web.pages import tasks as task_pages
from queue_tool.web.pages import webhooks as webhook_pages
from queue_tool.web.pages import workers as worker_pages

FOR_PROGRAMS: Sequence[Group] = (
    api.routes,
    batches.routes,
    open_batches.routes,
    results.routes,
    check.routes,
    tasks.routes,
    dead_letters.routes,
    queue.routes,
    schedules.routes,
    messages.routes,
    event_stream.routes,
    webhooks.routes,
    task_types.routes,
    workers.routes,
    metrics.routes,
    health.routes,
    openapi.routes,
    earlier_systems.routes,
)
"""The routes, in the order of the OpenAPI document."""

FOR_PEOPLE: Sequence[Group] = (
    home.pages,
    overview.pages,
    task_pages.pages,
    task_page.pages,
    batch_pages.pages,
    dead_letter_pages.pages,
    schedule_pages.pages,
    schedule_form.pages,
    webhook_pages.pages,
    webhook.pages,
    queues.pages,
    worker_pages.pages,
    keys.pages,
    suggestions.pages,
    login.pages,
    docs.pages,
    errors.pages,
)
"""The pages."""


def groups() -> list[Group]:
    """Return all declared operations: those for programs, then the pages."""
    return [*FOR_PROGRAMS, *FOR_PEOPLE]
