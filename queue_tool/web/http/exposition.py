"""Exposition: the metrics as text for Prometheus. Only a process that is asked for it imports the library."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from queue_tool.model import json_text
from queue_tool.model.metrics import INFINITY, METRICS, SUM, Kind, Measure, Metric
from queue_tool.services.measures.gauges import Gauge

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Sums = Mapping[str, Mapping[str, float]]
"""The sums of one metric: by the text of their labels, and by bucket."""


def text_of(totals: Iterable[Measure], gauges: Iterable[Gauge]) -> bytes:
    """Return all metrics in the text format of Prometheus.

    Args:
        totals: the sums of counters and histograms.
        gauges: the values of the gauges.
    """
    from prometheus_client.exposition import generate_latest

    families = [*_families(totals, gauges)]
    return generate_latest(_Collected(families))


class _Collected:
    """What was collected, in the form that the library asks for."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Sequence[Family]:
        return self._families


def _families(totals: Iterable[Measure], gauges: Iterable[Gauge]) -> Iterator[Family]:
    from prometheus_client import metrics_core

    sums: defaultdict[str, defaultdict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for measure in totals:
        sums[measure.metric][measure.labels][measure.bucket] = measure.value
    values: defaultdict[str, list[Gauge]] = defaultdict(list)
    for gauge in gauges:
        values[gauge.metric.name].append(gauge)
    makers: Mapping[Kind, Any] = {
        Kind.COUNTER: metrics_core.CounterMetricFamily,
        Kind.HISTOGRAM: metrics_core.HistogramMetricFamily,
        Kind.GAUGE: metrics_core.GaugeMetricFamily,
    }
    for metric in METRICS:
        family = makers[metric.kind](metric.name, metric.meaning, labels=metric.labels)
        for each in values[metric.name]:
            family.add_metric(each.labels, float(each.value))
        _add_sums(family, metric, sums[metric.name])
        yield family


def _add_sums(family: Any, metric: Metric, sums: _Sums) -> None:
    for text, by_bucket in sums.items():
        labels = _values(metric, text)
        if metric.kind is Kind.HISTOGRAM:
            family.add_metric(labels, _cumulated(metric, by_bucket), by_bucket.get(SUM, 0.0))
        else:
            family.add_metric(labels, by_bucket[""])


def _cumulated(metric: Metric, by_bucket: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return each bucket with all that is below its bound, as Prometheus counts."""
    found, count = [], 0.0
    for bound in (*(f"{bound:g}" for bound in metric.bounds), INFINITY):
        count += by_bucket.get(bound, 0.0)
        found.append((bound, count))
    return found


def _values(metric: Metric, text: str) -> list[str]:
    labels = json_text.loads(text)
    assert isinstance(labels, dict)  # this program has written it
    return [str(labels.get(name, "")) for name in metric.labels]
