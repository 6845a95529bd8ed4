"""Headers, paths and queries of any length: each request costs a bounded number of steps, and parsers see little."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder

from queue_tool.runtime import Runtime
from queue_tool.web.http.headers import LONGEST
from queue_tool.web.serving.fast_check import LEFT_TO_FLASK
from tests.web.site import Site

LONG = 100_000
SHAPES: dict[str, Callable[[int], str]] = {
    "spaces": lambda length: "wait=" + " " * (length - 6) + "x",
    "entries": lambda length: "a/b," * (length // 4),
    "parameters": lambda length: "a/b" + ";a=b" * (length // 4),
    "continuations": lambda length: "a/b;x*0=''" + ";x*1=a" * (length // 6),
    "quotes": lambda length: '"' * length,
    "digits": lambda length: "1" * length,
    "colons": lambda length: ":" * length,
}
LINEAR = ("Authorization", "Host", "Idempotency-Key", "Origin", "Sec-Fetch-Site", "X-Forwarded-For")
"""Headers that are compared, cut or hashed as they are."""

STEPS = 1500
"""Calls and returns that a header of any length may add to a request; they are counted, also those of C."""


@pytest.fixture
def steps(app: Flask, runtime: Runtime) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Counts the steps of a request; returns them with the environment that the application has left."""

    def start(*_: object) -> Callable[[bytes], None]:
        return lambda _: None

    def count(method: str, path: str, headers: dict[str, str], query: str = "") -> tuple[int, dict[str, Any]]:
        environ = EnvironBuilder(path=path, method=method, query_string=query, data=b"[]").get_environ()
        for name, text in headers.items():
            place = name.upper().replace("-", "_")
            environ[place if name == "Content-Type" else f"HTTP_{place}"] = text
        made = 0

        def step(*_: object) -> None:
            nonlocal made
            made += 1

        gc.disable()  # a collection would count, too: it calls what waits for the end of objects of earlier tests
        sys.setprofile(step)
        try:
            pieces: Any = app(environ, start)
            with ExitStack() as ending:
                ending.callback(getattr(pieces, "close", int))
                for _ in pieces:
                    continue
        finally:
            sys.setprofile(None)
            gc.enable()
        return made, environ

    return count


VIEWS = [("GET", "/tasks"), ("GET", "/static/style.css"), ("POST", "/api"), ("GET", "/"), ("GET", "/nothing")]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_header_of_100_kb_costs_no_more_than_a_short_one(steps: Any, site: Site, shape: str) -> None:
    token = site.send()
    views = [*VIEWS, ("GET", f"/check/{token}"), ("GET", f"/tasks/{token}"), ("GET", "/batches/x/results")]
    for method, path in views:
        steps(method, path, {})  # what is loaded or compiled once is not counted
        fast, _ = steps(method, path, {})
        steps(method, path, {"Prefer": "nothing"})
        of_flask, _ = steps(method, path, {"Prefer": "nothing"})
        for name in (*LONGEST, *LINEAR):
            usual = of_flask if name in LEFT_TO_FLASK else fast
            made, environ = steps(method, path, {name: SHAPES[shape](LONG)})
            assert made <= usual + STEPS, (path, name)
            kept = environ.get("CONTENT_TYPE" if name == "Content-Type" else f"HTTP_{name.upper().replace('-', '_')}")
            assert name in LINEAR or path == f"/check/{token}" or kept is None, (path, name)  # it parses none of them


@pytest.mark.parametrize("shape", SHAPES)
def test_a_header_of_the_greatest_length_costs_bounded_steps(steps: Any, site: Site, shape: str) -> None:
    steps("GET", "/tasks", {})
    usual, _ = steps("GET", "/tasks", {})
    for name, longest in LONGEST.items():
        made, _ = steps("GET", "/tasks", {name: SHAPES[shape](longest)})
        assert made <= usual + 40 * longest + STEPS, name


@pytest.mark.parametrize("name", ["cursor", "created_after", "limit", "status", "q", "custom_id", "metadata.a"])
def test_a_long_parameter_costs_no_more_than_its_length(steps: Any, site: Site, name: str) -> None:
    path = "/batches" if name == "metadata.a" else "/tasks"
    steps("GET", path, {}, "limit=1")
    usual, _ = steps("GET", path, {}, "limit=1")
    for shape, make in SHAPES.items():
        made, _ = steps("GET", path, {}, f"{name}={make(LONG).replace(';', '%3B')}")
        assert made <= usual + LONG, shape


@pytest.mark.parametrize("piece", ["a", "/", "a/", "%20", ".."])
def test_a_long_path_costs_no_more_than_its_length(steps: Any, site: Site, piece: str) -> None:
    for path in ("/check/", "/tasks/", "/batches/", "/results/", "/", "/static/"):
        steps("GET", path + piece, {})
        made, _ = steps("GET", path + piece * (LONG // len(piece)), {})
        assert made <= 10 * LONG, path


def test_a_header_that_is_too_long_counts_as_missing(site: Site) -> None:
    token = site.send()
    long = ", text/html" * 100
    assert site.get("/nothing", {"Accept": f"text/html{long}"}).mimetype == "application/problem+json"
    tag = site.get(f"/tasks/{token}").headers["ETag"]
    assert site.get(f"/tasks/{token}", {"If-None-Match": tag}).status_code == 304
    assert site.get(f"/tasks/{token}", {"If-None-Match": tag + " " * 255}).status_code == 200
    answer = site.client.post("/api", data=b"[]", content_type="application/json;" + " " * 255)
    assert answer.status_code == 415
