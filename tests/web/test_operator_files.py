"""The files in `deploy/` for Prometheus and Grafana: their PromQL is read by a parser, and each metric in it exists."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from queue_tool.model.metrics import BY_NAME, Kind

DEPLOY = Path(__file__).parents[2] / "deploy"

IN_GRAFANA = {"$__rate_interval": "5m"}
"""The variables of Grafana, and what it puts in their place."""


def expressions() -> Iterator[str]:
    """Return every expression in PromQL of the files in `deploy`."""
    rules = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text("utf-8"))
    yield from (rule["expr"] for group in rules["groups"] for rule in group["rules"])
    board = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
    for expression in (target["expr"] for panel in board["panels"] for target in panel["targets"]):
        for variable, value in IN_GRAFANA.items():
            expression = expression.replace(variable, value)  # noqa: PLW2901 - what Grafana sends
        yield expression


def parts_of(expression: str) -> list[Any]:
    """Return all parts of an expression.

    Raises:
        ValueError: it is no PromQL.
    """
    found: list[Any] = []
    promql_parser.walk(promql_parser.parse(expression), found.append)
    return found


def known_labels(name: str) -> set[str] | None:
    """Return the labels of a series; None if no metric has it."""
    metric = BY_NAME.get(name) or BY_NAME.get(re.sub("_(bucket|count|sum)$", "", name))
    if metric is None or (metric.name == name) == (metric.kind is Kind.HISTOGRAM):
        return None
    return {*metric.labels, *["le"] * name.endswith("_bucket")}


def labels_named_in(part: Any) -> set[str]:
    """Return the labels by which an aggregation groups, or an operator matches its two sides."""
    modifier = getattr(part, "modifier", None)
    named = getattr(modifier, "matching", modifier)
    return set(getattr(named, "labels", ()))


@pytest.mark.parametrize("expression", [*expressions()])
def test_alerts_and_dashboard_use_metrics_and_labels_that_exist(expression: str) -> None:
    parts = parts_of(expression)
    series = [part for part in parts if isinstance(part, promql_parser.VectorSelector)]
    assert series
    for each in series:
        labels = known_labels(each.name or "")
        assert labels is not None, each.name
        assert {matcher.name for matcher in each.matchers.matchers} <= labels
        assert set().union(*map(labels_named_in, parts)) <= labels, each.name


@pytest.mark.parametrize("wrong", ["sum by (a (x)", "rate(x)", "x{a=1}", "sum(x[5m])"])
def test_what_is_no_promql_is_found(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parts_of(wrong)


def test_each_alert_says_what_is_wrong_and_what_to_do() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus-alerts.yml").read_text("utf-8"))
    found: list[dict[str, Any]] = [rule for group in rules["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in found}) == len(found)
    assert all(rule["annotations"].keys() == {"summary", "remedy"} and rule["labels"]["severity"] for rule in found)
    configuration = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    assert all((DEPLOY / name).exists() for name in configuration["rule_files"])
