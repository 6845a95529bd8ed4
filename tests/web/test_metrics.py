"""`/metrics` and `/workers`: the figures of all processes, as text and as JSON; no sum ever falls."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import select

from queue_tool import __version__
from queue_tool.errors import StoreAway
from queue_tool.model import events, metrics
from queue_tool.model.clock import Clock
from queue_tool.model.heartbeat import Slots
from queue_tool.model.metrics import METRICS, SUM, Kind, Measure
from queue_tool.model.queues import Lane
from queue_tool.runtime import Runtime
from queue_tool.services.measures.summary import Durations, durations
from queue_tool.services.measures.sums import Sums
from queue_tool.services.sweep.minutes import Minutes
from queue_tool.store.measure_tables import measures
from queue_tool.web.http.operation import operations_of
from queue_tool.web.serving import fast_check
from tests.conftest import News, application
from tests.web.site import Site

JSON = {"Accept": "application/json"}

Scrape = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(client: FlaskClient, *systems: Runtime) -> Scrape:
    """Let the processes write what they have counted, and return every sample of a scrape, without empty labels."""
    for system in systems:
        system.measures.write()
    return samples_of(client.get("/metrics").text)


def samples_of(text: str) -> Scrape:
    """Return every sample by its name and its labels."""
    return {
        (sample.name, frozenset((name, value) for name, value in sample.labels.items() if value)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(scrape: Scrape, name: str, **labels: str) -> float | None:
    return scrape.get((f"queue_tool_{name}", frozenset(labels.items())))


def sums_of(scrape: Scrape) -> Scrape:
    """Return the samples of counters and histograms."""
    growing = tuple(metric.name for metric in METRICS if metric.kind is not Kind.GAUGE)
    return {key: found for key, found in scrape.items() if key[0].startswith(growing)}


def test_every_metric_is_in_the_text_with_its_kind_and_its_meaning(client: FlaskClient) -> None:
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert {metric.name.removesuffix("_total") for metric in METRICS} == families.keys()
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (metric.kind.value, metric.meaning)


@pytest.mark.sqlite
def test_what_schedules_and_continuations_send_is_counted_as_what_requests_send(site: Site) -> None:
    one: dict[str, object] = {"task_type": "mirror", "every": 3600}
    for more in ({"data": 1}, {"task_type": "strict", "elements": [{"a/b": [1]}, {"a/b": [2]}]}):
        schedule = site.post("/schedules", one | more).json["id"]
        assert site.post(f"/schedules/{schedule}/run").status_code == 200
    site.work(site.send(on_finished={"task_type": "echo"}))
    scrape = scraped(site.client, site.runtime)
    found = {name: value(scrape, "tasks_submitted_total", task_type=name) for name in ("mirror", "strict", "echo")}
    assert found == {"mirror": 2, "strict": 2, "echo": 1}


def test_what_is_submitted_and_run_is_counted_by_type_and_status(inline: Runtime) -> None:
    client = application(inline).test_client()
    failing = {"min": 0, "max": 0, "failure": 1}
    sent = [{"item": "a", "valor": 0}, {"item": "b", "valor": "0"}, {"item": "c", "valor": 0}]
    assert client.post("/api", json=sent).status_code == 200
    token = client.post("/tasks", json={"task_type": "simulate", "data": failing}).json["task_id"]  # type: ignore[index] # an object
    later = {"task_type": "sleep", "data": sent[0], "delay": 3600}
    delayed = client.post("/tasks", json=later).json["task_id"]  # type: ignore[index] # an object
    client.post(f"/tasks/{delayed}/cancel", json={})
    assert client.get("/tasks/unknown").status_code == 404
    scrape = scraped(client, inline)
    assert value(scrape, "tasks_submitted_total", task_type="sleep") == 3
    assert value(scrape, "tasks_submitted_total", task_type="simulate") == 1
    assert value(scrape, "elements_refused_total") == 1
    assert value(scrape, "tasks_ended_total", task_type="sleep", status="finished") == 2
    assert value(scrape, "tasks_ended_total", task_type="simulate", status="failed", code="error") == 1
    assert value(scrape, "tasks_ended_total", status="canceled") == 1
    assert value(scrape, "batches_finished_total") == 1
    assert value(scrape, "batch_elements_bucket", le="2") == 0
    assert value(scrape, "batch_elements_bucket", le="5") == 1
    assert value(scrape, "run_seconds_count", task_type="sleep") == 2
    assert value(scrape, "wait_seconds_count", task_type="sleep") == 2
    assert value(scrape, "wait_seconds_bucket", task_type="sleep", le="+Inf") == 2
    assert value(scrape, "transaction_size_sum", kind="submit") == 3
    assert value(scrape, "http_requests_total", operation="submitTasks", status="202") == 2
    assert value(scrape, "http_requests_total", operation="getTask", status="404") == 1
    assert value(scrape, "http_request_seconds_count", operation="submitBatch") == 1
    assert value(scrape, "tasks_scheduled") == 0
    assert value(scrape, "dead_letters") == 1
    assert value(scrape, "info", version=__version__) == 1

    summary = client.get("/metrics", headers=JSON).json
    assert summary is not None
    expected = {"submitted": 4, "finished": 2, "failed": 1, "canceled": 1, "retried": 0, "refused": 1}
    assert {name: summary[name] for name in expected} == expected
    assert summary["success_rate"] == pytest.approx(2 / 3)
    assert summary["durations"]["runs"] == 3
    assert summary["durations"]["minimum"] <= summary["durations"]["median"] <= summary["durations"]["maximum"]

    reopened = client.post(f"/tasks/{token}/retry")
    assert reopened.status_code == 200
    inline.cancel([token])
    inline.dead_letters.purge(timedelta(0))
    client.delete("/deadletter?older_than=0")
    again = scraped(client, inline)
    assert value(again, "tasks_reopened_total") == 1
    assert all(again[key] >= found for key, found in sums_of(scrape).items())


def test_the_queues_are_counted_at_the_scrape(client: FlaskClient, runtime: Runtime, site: Site) -> None:
    client.post("/api", json=[{"item": "a", "valor": 0}] * 3)
    client.post("/tasks", json={"task_type": "uppercase", "data": "a", "priority": "high"})
    client.post("/queue/low/pause")
    scrape = scraped(client, runtime)
    assert [value(scrape, "queue_waiting", queue=name) for name in ("high", "default", "low")] == [1, 3, 0]
    assert [value(scrape, "queue_paused", queue=name) for name in ("high", "default", "low")] == [0, 0, 1]
    assert value(scrape, "queue_age_seconds", queue="low") == 0
    assert (value(scrape, "queue_age_seconds", queue="default") or 0) > 0
    assert value(scrape, "redis_call_seconds_count", call="push") == 2


def test_json_is_only_for_those_who_ask_for_it(client: FlaskClient) -> None:
    prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1"
    kinds = {
        accept: client.get("/metrics", headers={"Accept": accept}).mimetype
        for accept in ("*/*", prometheus, "text/html,*/*;q=0.8", "application/json", "application/json,*/*;q=0.5")
    }
    assert list(kinds.values()) == ["text/plain"] * 3 + ["application/json"] * 2
    empty = client.get("/metrics", headers=JSON).json
    assert empty is not None
    assert (empty["success_rate"], empty["durations"]["runs"], empty["durations"]["p95"]) == (None, 0, None)


def test_the_sums_of_several_processes_are_one(client: FlaskClient, runtime: Runtime, inline: Runtime) -> None:
    for system in (runtime, inline, inline):
        system.telemetry.emit(events.SweptMissing(tickets=2))
    scrape = scraped(client, runtime, inline)
    assert value(scrape, "sweeper_repairs_total", kind="missing") == 6
    assert value(scraped(client, runtime, inline), "sweeper_repairs_total", kind="missing") == 6


def test_what_cannot_be_written_is_written_later_and_only_once(hasty: Runtime, runtime: Runtime) -> None:
    def fail(_: object) -> None:
        raise StoreAway

    runtime.telemetry.emit(events.SweptMissing(tickets=2))
    with pytest.raises(StoreAway):
        runtime.measures.send(fail)
    runtime.telemetry.emit(events.SweptMissing(tickets=1))
    runtime.measures.write()
    runtime.measures.write()
    assert [each for each in runtime.measures.totals() if each.metric == metrics.REPAIRS.name] == [
        Measure(metric=metrics.REPAIRS.name, labels='{"kind":"missing"}', value=3)
    ]


def test_a_heartbeat_says_what_a_worker_did_and_the_list_shows_it(client: FlaskClient, runtime: Runtime) -> None:
    runtime.owner.lanes = lambda: {Lane.THREADS: Slots(slots=32, busy=8)}
    worker = runtime.owner.id()
    runtime.telemetry.emit(events.SweptMissing(tickets=1))
    first = client.get("/workers").json
    assert first is not None
    (shown,) = first["items"]
    assert (shown["heartbeat_age"], shown["lanes"], shown["state"]) == (None, [], "idle")
    assert (shown["kind"], shown["pid"], shown["version"]) == ("test", os.getpid(), __version__)

    runtime.measures.send(
        lambda said: runtime.store.workers.beat(worker, replace(said, lanes=runtime.owner.lanes(), failed=2))
    )
    runtime.owner.report("it sleeps")
    (beaten,) = client.get("/workers").json["items"]  # type: ignore[index] # an object
    assert beaten["heartbeat_age"] >= 0
    assert beaten["lanes"] == [{"lane": "threads", "slots": 32, "busy": 8, "share": 0.25}]
    assert (beaten["finished"], beaten["failed"], beaten["running"]) == (0, 2, 0)
    assert (beaten["state"], beaten["trouble"]) == ("troubled", "it sleeps")
    scrape = scraped(client)
    assert value(scrape, "sweeper_repairs_total", kind="missing") == 1
    assert value(scrape, "workers", state="troubled") == 1
    assert (value(scrape, "lane_slots", lane="threads"), value(scrape, "lane_busy_slots", lane="threads")) == (32, 8)


def test_each_minute_is_summed_up_once_and_old_minutes_go_but_no_sum(runtime: Runtime, news: News) -> None:
    began = runtime.clock.now().replace(second=30, microsecond=0)
    times = [began]
    clock = Clock(now=lambda: times[-1], monotonic=runtime.clock.monotonic)
    minutes = Minutes(store=runtime.store, telemetry=runtime.telemetry, clock=clock)

    def count(number: float) -> None:
        runtime.store.measures.add([Measure(metric=metrics.SUBMITTED.name, labels="{}", value=number)], times[-1])

    minutes()
    count(5)
    for seconds in (20, 35, 45, 60, 120):
        times.append(began + timedelta(seconds=seconds))
        minutes()
    count(7)
    assert [event.submitted for event in news.of(events.WorkSummed)] == [5]
    start = began.replace(second=0)
    points = runtime.measures.between(start, start + timedelta(minutes=10), 5, [metrics.SUBMITTED.name])
    assert sum(point.measure.value for point in points) == 12
    assert all(point.at % 300 == 0 for point in points)
    assert not runtime.measures.between(start, start + timedelta(minutes=10), 1, ["another"])

    for days in (5, 6):
        times.append(began + timedelta(days=days))
        minutes()
    with runtime.store.database.read() as connection:
        assert connection.execute(select(measures.c.minute, measures.c.value)).all() == [(0, 12)]


def test_a_histogram_puts_each_value_into_the_first_bucket_that_holds_it() -> None:
    sums = Sums()
    sums.observe(metrics.RUN_SECONDS, [0.005, 0.0051, 4000, 0.001], "sleep")
    sums.observe(metrics.RUN_SECONDS, [], "sleep")
    sums.count(metrics.SUBMITTED, 0, "sleep")
    taken = sums.take()
    assert {each.bucket: each.value for each in taken} == {
        "+Inf": 1,
        "0.005": 2,
        "0.01": 1,
        SUM: pytest.approx(4000.0111),
    }
    sums.put_back(taken)
    assert sums.take() == taken
    assert not sums.has_any


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ([], Durations(runs=0)),
        ([2.0], Durations(runs=1, average=2, minimum=2, median=2, p95=2, maximum=2)),
        ([*map(float, range(1, 101))], Durations(runs=100, average=50.5, minimum=1, median=50.5, p95=95, maximum=100)),
    ],
)
def test_the_durations_of_runs(seconds: list[float], expected: Durations) -> None:
    assert durations(seconds) == expected


def test_the_operations_that_are_counted_beside_flask_exist(app: Flask) -> None:
    assert fast_check.OPERATION in {operation.name for operation in operations_of(app)}
