"""The tables of the documents that repeat the code: each row is in the code, and the code has no other."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from flask.testing import FlaskClient

import queue_tool
from queue_tool.cli import main
from queue_tool.cli.client import COMMANDS
from queue_tool.execution.failure_text import LONGEST_ERROR, LONGEST_TRACEBACK
from queue_tool.host.lines import LONGEST_LINE
from queue_tool.model import context, outcome
from queue_tool.model.access import KEY_ROLES
from queue_tool.model.context import Context
from queue_tool.model.payloads.filters import Filters
from queue_tool.model.payloads.queries import MOST_ON_A_PAGE, Paging
from queue_tool.model.payloads.requests import MOST_TOKENS
from queue_tool.model.retry import Backoff
from queue_tool.model.states import Code
from queue_tool.model.type_options import TypeOptions
from queue_tool.services.listing import MOST_COUNTED
from queue_tool.web.http import bodies
from queue_tool.web.http.admission import role_needed
from queue_tool.web.http.prefer import LONGEST_WAIT
from queue_tool.web.http.problems import STATUSES
from queue_tool.web.serving.flask_commands import create_db
from tests.documents.blocks import PAGES, ROOT, place

_NAME = re.compile(r"`([^`]+)`")
_LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)\)")


def rows(page: str, head: str) -> list[list[str]]:
    """Return the cells of the table that begins with this head, without the head."""
    text = (ROOT / page).read_text("utf-8")
    found = re.search(rf"^\| {re.escape(head)} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert found is not None, f"{page} has no table {head!r}"
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in found[1].splitlines()]


def names(page: str, head: str) -> list[str]:
    """Return what is written as code in the first column of a table."""
    return [name for row in rows(page, head) for name in _NAME.findall(row[0])]


def test_the_parts_that_are_made_from_the_code_are_up_to_date() -> None:
    command = [sys.executable, "docs/made.py", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"{checked.stdout} run `make docs`"


def test_the_routes_and_their_roles(app: Flask) -> None:
    served = set()
    with app.app_context():
        for rule in app.url_map.iter_rules():
            role = role_needed(rule.endpoint)
            assert role is not None
            path = re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule)
            served |= {(f"{method} {path}", role.name.lower()) for method in rule.methods or () if method in METHODS}
    served = {route for route in served if "/static/" not in route[0]}
    documented = [(_NAME.findall(row[0])[0], row[1]) for row in rows("docs/api.md", "route | role")]
    assert sorted(documented) == sorted(served)


METHODS = ("GET", "POST", "PUT", "DELETE")


def commands(command: click.Command, name: str = "queue-tool") -> Iterator[tuple[str, set[str]]]:
    """Return each command with its arguments, and its options."""
    if isinstance(command, click.Group):
        for word, below in command.commands.items():
            yield from commands(below, f"{name} {word}")
        return
    arguments = [
        each.make_metavar(click.Context(command)) for each in command.params if isinstance(each, click.Argument)
    ]
    yield " ".join([name, *arguments]), {each.opts[0] for each in command.params if isinstance(each, click.Option)}


def test_the_commands_and_their_options() -> None:
    table = rows("docs/configuration.md", "command")
    documented = {_NAME.findall(row[0])[0]: set(re.findall(r"`(--[\w-]+)", row[1])) for row in table}
    of_flask = {name for name in documented if name.startswith("flask ")}
    assert of_flask == {"flask --app queue_tool run", f"flask --app queue_tool {create_db.name}"}
    assert {name: documented[name] for name in documented.keys() - of_flask} == dict(commands(main))
    assert not main.commands.keys() & COMMANDS.keys()  # docs/command-line.md has those, made from the code


def test_the_filters() -> None:
    assert sorted(names("docs/api.md", "filter")) == sorted({*Filters.__struct_fields__} - {*Paging.__struct_fields__})


def test_the_errors() -> None:
    documented = {_NAME.findall(row[0])[0]: int(row[1]) for row in rows("docs/errors.md", "code | HTTP | cause")}
    assert documented == STATUSES | {"internal_error": 500}


def test_the_members_of_an_error(client: FlaskClient) -> None:
    example = {row[0].strip("`"): row[1].strip("`") for row in rows("docs/errors.md", "member | example")}
    answer = client.post("/tasks", json={"task_type": "uppercase", "data": 1})
    assert isinstance(answer.json, dict)
    assert list(answer.json) == list(example)
    fixed = ("type", "title", "status", "code")
    assert {name: str(answer.json[name]) for name in fixed} == {name: example[name] for name in fixed}
    assert answer.json["detail"] == answer.json["message"]
    assert answer.json["detail"].startswith(example["detail"].removesuffix(" …"))
    (reason,) = json.loads(example["errors"])
    assert [found.keys() for found in answer.json["errors"]] == [reason.keys()]
    assert answer.json["errors"][0]["path"] == reason["path"]


def test_the_failure_codes() -> None:
    assert names("docs/api.md", "failure code") == list(Code)


def test_the_options_of_a_task_type() -> None:
    assert names("docs/task-types.md", "option") == list(TypeOptions.__annotations__)


CALLED = ("progress", "log", "submit", "submit_many", "results")
"""The methods of a context that functions call."""


def test_the_attributes_of_a_context() -> None:
    public = {
        field.name for field in dataclasses.fields(Context) if field.init and field.name not in ("on_news", "send")
    }
    public |= {name for name, _ in inspect.getmembers(Context, inspect.isfunction) if name in CALLED}
    assert {name.partition("(")[0] for name in names("docs/task-types.md", "attribute")} == public


def test_the_roles() -> None:
    assert names("docs/security.md", "role") == list(KEY_ROLES)


def test_the_folders() -> None:
    folder = Path(queue_tool.__file__).parent
    found = {f"{path.name}/" for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__"}
    found |= {path.name for path in folder.glob("*.py") if not path.name.startswith("__")}
    assert set(names("docs/development.md", "folder")) == found


def test_the_make_targets() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets is not None
    words = ["make", "--no-print-directory", "help"]
    printed = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert sorted(line.split()[1] for line in printed.splitlines()) == sorted(targets[1].split())
    documented = {name.removeprefix("make ") for name in names("docs/development.md", "target")}
    assert documented == {*targets[1].split()} - {"help"}


BACKOFF = Backoff()
SENTENCES = {
    "docs/errors.md": [f"or more than {MOST_TOKENS:,} tokens"],
    "docs/api.md": [
        f"`limit` is 1 to {MOST_ON_A_PAGE}, by default {Paging().limit}",
        f"`total` is exact up to {MOST_COUNTED:,}",
        f"(RFC 7240, at most {LONGEST_WAIT})",
        f"two bodies over {bodies.BIG // 2**20} MiB",
    ],
    "docs/task-types.md": [
        f"the last {outcome.MOST_LINES} lines of an attempt are kept, {context.LONGEST_LINE:,} characters of each",
        f"a line of more than {LONGEST_LINE:,} characters",
        f"at most {LONGEST_ERROR:,} characters of its text and {LONGEST_TRACEBACK:,} of its traceback",
        f"`Backoff(base={BACKOFF.base:g}, factor={BACKOFF.factor:g}, cap={BACKOFF.cap:g})`",
    ],
}


@pytest.mark.parametrize("page", SENTENCES)
def test_the_figures_in_sentences_are_those_of_the_code(page: str) -> None:
    text = " ".join((ROOT / page).read_text("utf-8").split())
    assert [sentence for sentence in SENTENCES[page] if sentence not in text] == []


def linked(page: Path) -> set[Path]:
    """Return the files that a page links to."""
    return {(page.parent / link).resolve() for link in _LINK.findall(page.read_text("utf-8"))}


def test_the_readme_leads_to_every_page() -> None:
    folder = ROOT / "docs" / "coming-from"
    below = {page for page in PAGES if page.parent == folder} - {folder / "README.md"}
    assert linked(folder / "README.md") == below
    indirect = {ROOT / "docs" / "chaos_peers.md"} | below
    assert {*PAGES, ROOT / "README.md"} == linked(ROOT / "README.md") | indirect | {ROOT / "README.md"}


@pytest.mark.parametrize("page", PAGES, ids=place)
def test_every_link_leads_to_a_file(page: Path) -> None:
    missing = [link for link in _LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert missing == []


def test_the_changelog_has_a_place_for_what_is_not_released() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_no_file_names_the_address_of_a_package_index() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    addresses = re.compile(r"https?://[\w.]*(pypi|pythonhosted)[\w.]*")
    found = [
        name
        for name in tracked.splitlines()
        if (ROOT / name).is_file() and addresses.search((ROOT / name).read_text("utf-8", "replace"))
    ]
    assert found == []
