"""`/metrics`: what all processes have counted, for Prometheus, and as a summary."""

from __future__ import annotations

from dataclasses import asdict

from flask import Response, request

from queue_tool.model.access import Role
from queue_tool.model.payloads.metrics import MetricsSummary, RunDurations
from queue_tool.services.measures.summary import LATEST, counted, durations
from queue_tool.web.http import exposition
from queue_tool.web.http.answers import answer, runtime
from queue_tool.web.http.caching import etag_of
from queue_tool.web.http.operation import JSON, Answer, Group

TEXT = "text/plain"

routes = Group("metrics", "Read what the service has counted and measured.")


@routes.get(
    "/metrics",
    Role.READ,
    answers={200: Answer(body=MetricsSummary, meaning="The metrics, or their summary.", types=(*JSON, TEXT))},
)
def read_metrics() -> Response:
    """Read the metrics.

    In the text format of Prometheus, or as a summary in a few figures with `Accept: application/json`. Counters and
    histograms are about all processes and all time; no restart and no deletion of tasks makes them fall. They are up
    to five seconds old. The rest is counted now.
    """
    response = _summary() if _wants_json() else _text()
    response.headers["Vary"] = "Accept"
    return response


def _wants_json() -> bool:
    """Return whether the request prefers JSON. One without a preference gets what Prometheus reads."""
    return request.accept_mimetypes.best_match([TEXT, *JSON]) in JSON


def _text() -> Response:
    system = runtime()
    text = exposition.text_of(system.measures.totals(), system.gauges(system.clock.now()))
    response = Response(text, content_type=exposition.CONTENT_TYPE)
    response.headers["ETag"] = etag_of(text)
    return response


def _summary() -> Response:
    system = runtime()
    figures = counted(system.measures.totals())
    queues = system.list.queues()
    latest = durations(system.measures.durations(LATEST))
    return answer(
        MetricsSummary(
            **asdict(figures),
            success_rate=figures.success_rate,
            queued=sum(queue.waiting for queue in queues),
            running=sum(queue.running for queue in queues),
            durations=RunDurations(**asdict(latest)),
        )
    )
