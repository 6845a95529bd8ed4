"""The documents: what they say is what the code does."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from flask import Flask

from queue_tool.cli import main
from queue_tool.execution.builtin import builtin_types

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_the_parts_that_are_made_from_the_code_are_up_to_date() -> None:
    command = [sys.executable, "docs/made.py", "--check"]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, f"{checked.stdout} run `make docs`"


def test_the_readme_lists_each_route(app: Flask) -> None:
    for rule in app.url_map.iter_rules():
        if rule.endpoint != "static":
            shown = re.sub(r"<(?:\w+:)?(\w+)>", r"<\1>", rule.rule)
            assert f"`{shown}`" in README or f" {shown}`" in README, shown


def command_names(command: click.Command, prefix: str = "queue-tool") -> list[str]:
    if not isinstance(command, click.Group):
        return [prefix]
    return [name for word, below in command.commands.items() for name in command_names(below, f"{prefix} {word}")]


@pytest.mark.parametrize("name", command_names(main))
def test_the_readme_lists_each_command(name: str) -> None:
    assert f"`{name}" in README


@pytest.mark.parametrize("name", [kind.name for kind in builtin_types(1)])
def test_the_readme_lists_each_built_in_task_type(name: str) -> None:
    assert f"\n| `{name}` |" in README


def test_every_make_target_has_a_line_of_help() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets is not None
    help_text = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert sorted(line.split()[1] for line in help_text.splitlines()) == sorted(targets[1].split())


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
