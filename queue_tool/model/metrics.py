"""Metrics: what is counted and measured, for operators. `docs/metrics.md` has them as a table.

Counters and histograms are sums that only grow. Each process adds to them from the events that it emits. Gauges are
counted when somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a metric is, in the words of Prometheus."""

    COUNTER = "counter"
    HISTOGRAM = "histogram"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric."""

    name: str
    kind: Kind
    meaning: str  # with the unit
    labels: tuple[str, ...] = ()
    bounds: tuple[float, ...] = ()  # upper bounds of the buckets of a histogram, without infinity


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What is added to one sum of a metric: its whole value, its sum of observations, or one of its buckets."""

    metric: str
    labels: str  # JSON text of an object, with sorted keys
    bucket: str = ""  # an upper bound or `INFINITY`; `SUM`: the sum of all observations; empty: it is no histogram
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One sum of a metric in one step of time."""

    at: int  # Unix time in seconds: when the step begins
    measure: Measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A gauge in one step of time. It was measured once a minute, and a value of 0 was not kept."""

    at: int  # Unix time in seconds: when the step begins
    metric: str
    labels: str  # JSON text of an object
    total: float  # the sum of the values of its minutes
    peak: float  # the highest of them
    minutes: int  # how many values were kept


INFINITY = "+Inf"
SUM = "sum"

_WORK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0)
_WAITS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 21600.0)
_CALLS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0)
_SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 5000.0, 10000.0, 100000.0)


def _counter(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name=f"queue_tool_{name}_total", kind=Kind.COUNTER, meaning=meaning, labels=labels)


def _histogram(name: str, meaning: str, bounds: tuple[float, ...], *labels: str) -> Metric:
    return Metric(name=f"queue_tool_{name}", kind=Kind.HISTOGRAM, meaning=meaning, labels=labels, bounds=bounds)


def _gauge(name: str, meaning: str, *labels: str) -> Metric:
    return Metric(name=f"queue_tool_{name}", kind=Kind.GAUGE, meaning=meaning, labels=labels)


# -- tasks -------------------------------------------------------------------------------------------------

SUBMITTED = _counter(
    "tasks_submitted", "Tasks that were stored: those of requests, of schedules and continuations.", "task_type"
)
REFUSED = _counter("elements_refused", "Elements of batches that were refused.")
ENDED = _counter(
    "tasks_ended",
    "Tasks that ended. `code` is the failure code of failed ones. `task_type` is missing if a user canceled the task, "
    "or if a sweeper failed it.",
    "status",
    "code",
    "task_type",
)
UNFINISHED = _counter(
    "runs_unfinished",
    "Runs after which the task runs again. `how`: `retried` after a failure, `put_back` or `resigned` by a worker that "
    "ends, `lost` with a process.",
    "how",
    "task_type",
)
REOPENED = _counter("tasks_reopened", "Ended tasks that a user retried.")
RUN_SECONDS = _histogram("run_seconds", "Seconds that a run took.", _WORK, "task_type")
WAIT_SECONDS = _histogram(
    "wait_seconds",
    "Seconds that a task waited until a worker claimed its first run: since its creation, or its due time if it had a "
    "delay.",
    _WAITS,
    "task_type",
)
BATCH_ELEMENTS = _histogram("batch_elements", "Elements of new batches that came in one request.", _SIZES)
BATCHES_FINISHED = _counter("batches_finished", "Batches whose tasks have all ended.")

# -- the service -------------------------------------------------------------------------------------------

TRANSACTION_SECONDS = _histogram(
    "transaction_seconds",
    "Seconds of a transaction in the database, with the wait for its lock. `kind`: `submit` stores requests, `work` "
    "records and claims runs.",
    _CALLS,
    "kind",
)
TRANSACTION_SIZE = _histogram(
    "transaction_size",
    "Requests (`submit`), or runs recorded and claimed (`work`), in one transaction.",
    _SIZES,
    "kind",
)
REDIS_SECONDS = _histogram(
    "redis_call_seconds",
    "Seconds of a call to Redis. `call`: `push` by who submits, `take` by a worker.",
    _CALLS,
    "call",
)
HTTP_SECONDS = _histogram("http_request_seconds", "Seconds until a request was answered.", _CALLS, "operation")
HTTP_REQUESTS = _counter(
    "http_requests",
    "Requests that were answered. `operation` is its name in `/openapi.json`; `static` is a file, `unknown` no route.",
    "operation",
    "status",
)
WEBHOOK_MESSAGES = _counter(
    "webhook_messages",
    "Tries to send a message to a webhook. `outcome`: `delivered`, `retried` later, `parked` after the last try, "
    "`disabled` with the webhook. `status` is the class of the HTTP status of the answer, such as `5xx`; it is missing "
    "if there was no answer.",
    "outcome",
    "status",
)
WEBHOOK_SECONDS = _histogram("webhook_request_seconds", "Seconds of a request that delivered a message.", _CALLS)
WEBHOOK_ENDS = _counter("webhook_ends_delivered", "Ends of tasks and batches that delivered messages have listed.")
REPAIRS = _counter(
    "sweeper_repairs",
    "Tasks that a sweeper repaired. `kind`: `pushed` waited unpushed, `missing` were missing in Redis, `taken_back` "
    "ran on a dead worker, `given_up` failed because too many workers died with them.",
    "kind",
)
REMOVED = _counter("tasks_removed", "Ended tasks that were deleted.")
SWEEPS_FAILED = _counter("sweeps_failed", "Passes of a sweeper that failed, counted once for each cause in a row.")
PROCESSES_DIED = _counter(
    "processes_died", "Processes of `queue-tool up` that ended unexpectedly. `part`: `web`, `worker`, `valkey`.", "part"
)

# -- gauges ------------------------------------------------------------------------------------------------

INFO = _gauge("info", "Always 1. `version` is the version of the process that answers.", "version")
WAITING = _gauge("queue_waiting", "Queued tasks, which wait for a worker.", "queue")
RUNNING = _gauge("queue_running", "Running tasks.", "queue")
AGE = _gauge("queue_age_seconds", "Seconds since the oldest queued task was created; 0 if none is queued.", "queue")
PAUSED = _gauge("queue_paused", "1 while the queue is paused, else 0.", "queue")
SCHEDULED = _gauge("tasks_scheduled", "Tasks that wait for their due time, counted up to 1,000,000.")
DEAD_LETTERS = _gauge("dead_letters", "Failed tasks, counted up to 1,000,000.")
OPEN_BATCHES = _gauge("open_batches", "Open batches, which still take elements.")
PROCESSES = _gauge(
    "workers", "Worker processes. `state`: `idle`, `busy`, `silent` (no heartbeat for 18 seconds), `troubled`.", "state"
)
SLOTS = _gauge("lane_slots", "Slots of all live workers.", "lane")
BUSY_SLOTS = _gauge("lane_busy_slots", "Slots in which a function ran at the last heartbeat of the worker.", "lane")

METRICS: tuple[Metric, ...] = tuple(value for value in dict(vars()).values() if isinstance(value, Metric))
"""All metrics, in the order of the documentation."""

BY_NAME = {metric.name: metric for metric in METRICS}
