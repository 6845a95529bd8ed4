"""`/task-types`: the task types of this service."""

from __future__ import annotations

import jsonschema_rs

from tests.conftest import RuntimeFactory
from tests.web.site import Site


def test_the_task_types_are_listed_with_everything_that_a_client_needs(site: Site) -> None:
    page = site.get_json("/task-types")
    assert (page["next"], [kind["name"] for kind in page["items"]]) == (None, sorted(site.runtime.types))
    shown = {kind["name"]: kind for kind in page["items"]}
    assert shown["mirror"] == {
        "name": "mirror",
        "description": "Return the data unchanged.",
        "schema": True,
        "priority": "normal",
        "lane": "threads",
        "timeout": 3600,
        "max_attempts": 1,
    }
    assert (shown["sleep"]["lane"], shown["sleep"]["timeout"]) == ("loop", None)


def test_the_listed_schemas_are_those_used_for_validation(site: Site) -> None:
    for kind in site.get_json("/task-types")["items"]:
        schema = jsonschema_rs.Draft202012Validator(kind["schema"])
        for data in ({"item": "a", "valor": 1}, {"item": "a", "valor": 10**9}, {"a/b": [1]}, {"a/b": ["1"]}, None, 5):
            answer = site.post("/tasks", {"task_type": kind["name"], "data": data})
            assert (answer.status_code == 202) == schema.is_valid(data), (kind["name"], data)


def test_the_task_types_show_the_settings(make_runtime: RuntimeFactory) -> None:
    site = Site(make_runtime(TIMEOUT="5", MAX_ATTEMPTS="9", MAX_VALOR="7"))
    shown = {kind["name"]: kind for kind in site.get_json("/task-types")["items"]}
    assert (shown["mirror"]["timeout"], shown["mirror"]["max_attempts"]) == (5, 9)
    assert shown["sleep"]["schema"]["properties"]["valor"]["maximum"] == 7
