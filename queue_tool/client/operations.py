"""A method for each operation of the HTTP API, with the name that the operation has in `/openapi.json`.

`listTasks` is `list_tasks`. A test compares both. The methods of `Client` that are not here combine operations.
"""

from __future__ import annotations

from typing import Any, Literal, cast

from msgspec import field

from queue_tool.client.endpoints import Nothing, Waiting, endpoint, named, sends, sends_to
from queue_tool.model.payloads.batches import Batch, KeptElements, Received
from queue_tool.model.payloads.details import TaskDetails
from queue_tool.model.payloads.filters import EndedFilters, FailedFilters, Filters, SearchQuery
from queue_tool.model.payloads.jobs import Job, JobResult, JobStatus
from queue_tool.model.payloads.lists import BatchPage, EndedTaskPage, Queue, QueuePage, TaskPage, TaskTypePage
from queue_tool.model.payloads.messages import (
    EndedLease,
    MessageCount,
    MessageQueueQuery,
    MessageQueues,
    PeekQuery,
    PoppedMessage,
    PopQuery,
    PurgedMessages,
    PushedMessage,
    ReceiptBody,
    WaitingMessages,
)
from queue_tool.model.payloads.metrics import MetricsSummary
from queue_tool.model.payloads.queries import (
    BatchQuery,
    FromQuery,
    JobQuery,
    KeptQuery,
    LabelQuery,
    Paging,
    PurgeQuery,
    Query,
    QueueQuery,
    SubmitQuery,
)
from queue_tool.model.payloads.requests import (
    BulkCancelBody,
    CancelBody,
    CheckBody,
    OpenBatchBody,
    RetryBody,
    RetryFailedBody,
)
from queue_tool.model.payloads.scaling import CountQuery, ScaleBody, ScaledSupervisor
from queue_tool.model.payloads.schedules import ScheduleBody, ScheduleDetails, SchedulePage, TickPage, TickShown
from queue_tool.model.payloads.service import Alive, Readiness
from queue_tool.model.payloads.tasks import (
    Changed,
    Check,
    CheckedTokens,
    Removed,
    StatusOnly,
    TaskResult,
    TaskStatus,
)
from queue_tool.model.payloads.webhooks import (
    Delivery,
    DeliveryPage,
    NewSecret,
    NewWebhook,
    OwnSecret,
    RedeliverBody,
    Redelivered,
    RemovedWebhook,
    Webhook,
    WebhookBody,
    WebhookPage,
)
from queue_tool.model.payloads.workers import WorkerPage

SENT = cast("type[Received | TaskStatus]", Received | TaskStatus)
"""What `POST /tasks` answers: about the elements of an array, or about one task."""

REFUSED_WHOLE, UNAVAILABLE = 422, 503


class KeyedLabel(LabelQuery, frozen=True, kw_only=True):
    """The label of a batch, and the key of the request."""

    idempotency_key: str | None = None


class KeyedSubmit(SubmitQuery, frozen=True, kw_only=True):
    """What all elements are, the label of the batch, and the key of the request."""

    idempotency_key: str | None = None


class KeyedOpenBatch(OpenBatchBody, frozen=True, kw_only=True):
    """What an open batch is, and the key of the request."""

    idempotency_key: str | None = None


class Keyed(Query, frozen=True, kw_only=True):
    """The key of the request."""

    idempotency_key: str | None = None


class CanceledBatch(CancelBody, frozen=True, kw_only=True):
    """Who cancels a batch, why, and whether its continuations follow all the same."""

    continues: Literal["true", "false"] = field(default="true", name="continue")


class WaitingPop(PopQuery, frozen=True, kw_only=True):
    """Which message queue, for how long the message is leased, and how long the service may wait for one."""

    wait: float | None = None


class ScaledHost(ScaleBody, frozen=True, kw_only=True):
    """What changes, and on which host."""

    host: str | None = None


class Operations:
    """The operations."""

    # -- batches
    submit_batch = sends("POST", "/api", Received, KeyedLabel)
    list_batches = endpoint("GET", "/batches", BatchPage, BatchQuery)
    get_batch = named("GET", "/batches/{batch}", Batch, Waiting)
    cancel_batch = named("POST", "/batches/{batch}/cancel", Changed, CanceledBatch, in_query={"continue"})
    retry_batch = named("POST", "/batches/{batch}/retry", Changed, Nothing)
    open_batch = endpoint("POST", "/batches", Batch, KeyedOpenBatch)
    add_elements = sends_to("POST", "/batches/{batch}/elements", Received, FromQuery)
    list_elements = named("GET", "/batches/{batch}/elements", KeptElements, KeptQuery)
    seal_batch = named("POST", "/batches/{batch}/seal", Batch, Nothing)

    # -- tasks
    submit_tasks = sends("POST", "/tasks", SENT, KeyedSubmit, also={REFUSED_WHOLE})
    list_tasks = endpoint("GET", "/tasks", TaskPage, Filters)
    get_task = named("GET", "/tasks/{token}", TaskDetails, Waiting)
    get_task_status = named("GET", "/tasks/{token}/status", StatusOnly, Waiting)
    cancel_task = named("POST", "/tasks/{token}/cancel", TaskStatus, CancelBody, once=True)
    retry_task = named("POST", "/tasks/{token}/retry", TaskStatus, Nothing, once=True)
    cancel_tasks = endpoint("POST", "/tasks/cancel", Changed, BulkCancelBody)
    retry_tasks = endpoint("POST", "/tasks/retry", Changed, RetryBody)
    check_task = named("GET", "/check/{token}", Check, Waiting)
    check_tasks = endpoint("POST", "/check", CheckedTokens, CheckBody)
    list_results = endpoint("GET", "/results", EndedTaskPage, EndedFilters)
    get_result = named("GET", "/results/{token}", TaskResult, Waiting)

    # -- dead letters
    list_dead_letters = endpoint("GET", "/deadletter", EndedTaskPage, FailedFilters)
    retry_dead_letter = named("POST", "/deadletter/{token}/retry", TaskStatus, Nothing, once=True)
    retry_dead_letters = endpoint("POST", "/deadletter/retry", Changed, RetryFailedBody)
    purge_dead_letters = endpoint("DELETE", "/deadletter", Removed, PurgeQuery)

    # -- queues
    list_queue = endpoint("GET", "/queue", QueuePage, QueueQuery)
    pause_queue = named("POST", "/queue/{name}/pause", Queue, Nothing)
    resume_queue = named("POST", "/queue/{name}/resume", Queue, Nothing)

    # -- schedules
    make_schedule = endpoint("POST", "/schedules", ScheduleDetails, ScheduleBody, once=True)
    list_schedules = endpoint("GET", "/schedules", SchedulePage, Paging)
    get_schedule = named("GET", "/schedules/{schedule}", ScheduleDetails, Nothing)
    change_schedule = named("PUT", "/schedules/{schedule}", ScheduleDetails, ScheduleBody)
    delete_schedule = named("DELETE", "/schedules/{schedule}", ScheduleDetails, Nothing, once=True)
    pause_schedule = named("POST", "/schedules/{schedule}/pause", ScheduleDetails, Nothing)
    resume_schedule = named("POST", "/schedules/{schedule}/resume", ScheduleDetails, Nothing)
    run_schedule = named("POST", "/schedules/{schedule}/run", TickShown, Nothing, once=True)
    list_ticks = named("GET", "/schedules/{schedule}/ticks", TickPage, Paging)

    # -- message queues
    push_message = sends("POST", "/api/queue/push", PushedMessage, MessageQueueQuery, once=True, member="message")
    pop_message = endpoint("POST", "/api/queue/pop", PoppedMessage, WaitingPop, once=True)
    acknowledge_message = endpoint("POST", "/api/queue/ack", EndedLease, ReceiptBody, once=True)
    return_message = endpoint("POST", "/api/queue/nack", EndedLease, ReceiptBody, once=True)
    count_messages = endpoint("GET", "/api/queue/count", MessageCount, MessageQueueQuery)
    list_messages = endpoint("GET", "/api/queue/all", WaitingMessages, PeekQuery)
    purge_messages = endpoint("DELETE", "/api/queue/all", PurgedMessages, MessageQueueQuery)
    list_message_queues = endpoint("GET", "/api/queue", MessageQueues, Nothing)

    # -- webhooks
    register_webhook = endpoint("POST", "/webhooks", NewWebhook, WebhookBody, once=True)
    list_webhooks = endpoint("GET", "/webhooks", WebhookPage, Paging)
    get_webhook_secret = endpoint("GET", "/webhooks/secret", OwnSecret, Nothing)
    get_webhook = named("GET", "/webhooks/{webhook}", Webhook, Nothing)
    delete_webhook = named("DELETE", "/webhooks/{webhook}", RemovedWebhook, Nothing, once=True)
    rotate_webhook_secret = named("POST", "/webhooks/{webhook}/rotate", NewSecret, Nothing, once=True)
    enable_webhook = named("POST", "/webhooks/{webhook}/enable", Webhook, Nothing)
    test_webhook = named("POST", "/webhooks/{webhook}/test", Delivery, Nothing, once=True)
    list_deliveries = named("GET", "/webhooks/{webhook}/deliveries", DeliveryPage, Paging)
    redeliver_message = named("POST", "/webhooks/{webhook}/redeliver", Redelivered, RedeliverBody)

    # -- the service
    list_task_types = endpoint("GET", "/task-types", TaskTypePage, Nothing)
    list_workers = endpoint("GET", "/workers", WorkerPage, Nothing)
    add_workers = endpoint("POST", "/workers/add", ScaledSupervisor, CountQuery, once=True)
    remove_workers = endpoint("POST", "/workers/remove", ScaledSupervisor, CountQuery, once=True)
    scale_workers = endpoint("PUT", "/workers", ScaledSupervisor, ScaledHost, in_query={"host"})
    read_metrics = endpoint("GET", "/metrics", MetricsSummary, Nothing)
    is_alive = endpoint("GET", "/health/live", Alive, Nothing)
    is_ready = endpoint("GET", "/health/ready", Readiness, Nothing, also={UNAVAILABLE})
    get_openapi = endpoint("GET", "/openapi.json", dict[str, Any], Nothing)

    # -- the same under the names of earlier systems
    submit_task = sends("POST", "/task", SENT, KeyedSubmit, also={REFUSED_WHOLE})
    enqueue_job = sends("POST", "/enqueue", Job, Keyed)
    get_job_status = endpoint("GET", "/check_status", JobStatus, JobQuery)
    get_job_result = endpoint("GET", "/get_result", JobResult, JobQuery)
    get_task_details = named("GET", "/tasks/{token}/details", TaskDetails, Waiting)
    search_tasks = endpoint("GET", "/tasks/search", TaskPage, SearchQuery)
