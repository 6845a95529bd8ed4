"""Dockerfile, compose.yaml and docs/containers.md fit each other and the program. `make containers` runs the files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml

from deploy.check import dockerfile
from deploy.check.dockerfile import instructions
from queue_tool.cli import main
from queue_tool.model.settings import Settings, described
from tests.documents.blocks import ROOT, blocks

PAGE = ROOT / "docs" / "containers.md"
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OWN = {name: each for name, each in SERVICES.items() if each["image"] == "queue-tool"}
IMAGE = instructions(ROOT / "Dockerfile")

SETTINGS = {each.name for each in described()}


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_may_do_no_more_than_it_must(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if name == "upgrade" else "unless-stopped")
    assert {"mem_limit", "pids_limit"} <= service.keys()
    assert service.get("user", dockerfile.value_of(IMAGE, "USER")) in ("10001:10001", "postgres", "valkey", "rabbitmq")
    assert {volume.partition(":")[0] for volume in service["volumes"]} <= COMPOSE["volumes"].keys()
    assert service.get("ports", []) == (["127.0.0.1:${QUEUE_TOOL_PORT:-5000}:5000"] if name == "web" else [])
    assert ("outside" in service["networks"]) == (name in OWN)


@pytest.mark.parametrize("name", OWN)
def test_a_process_of_the_program_gets_time_to_drain_and_settings_that_exist(name: str) -> None:
    assert int(OWN[name]["stop_grace_period"].removesuffix("s")) > Settings().drain + 35
    assert OWN[name]["environment"].keys() <= SETTINGS
    program, *words = OWN[name]["command"]
    assert program == "queue-tool"
    require_command(words)


def require_command(words: list[str]) -> None:
    """Check that `queue-tool` has the command with which these words begin."""
    command: click.Command = main
    for word in words:
        if not isinstance(command, click.Group):
            return
        assert word in command.commands, words
        command = command.commands[word]


def test_the_image_gets_the_versions_of_the_lock_file_as_the_checkout_does() -> None:
    (line,) = re.findall(r"import tomllib; \[.*\]\]", (ROOT / "Makefile").read_text("utf-8"))
    (build,) = [each.rest for each in IMAGE if each.word == "RUN" and "tomllib" in each.rest]
    assert line in build
    assert "--constraint constraints.txt --build-constraint constraints.txt" in build


def test_the_image_gets_only_what_the_dockerfile_copies() -> None:
    copied = [name for each in IMAGE if each.word == "COPY" for name in each.rest.split()[:-1]]
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    let_in = [line.removeprefix("!") for line in lines if line.startswith("!")]
    assert sorted(let_in) == sorted(set(copied) - {"--from=build", "/venv"})
    assert "*" in lines
    assert "**/__pycache__" in lines


def test_the_page_names_each_service_and_its_volume() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert rows == [(name, each["volumes"][0].partition(":")[0]) for name, each in SERVICES.items()]


def test_the_page_names_settings_that_exist() -> None:
    named = set(re.findall(r"QUEUE_TOOL_[A-Z_]+", PAGE.read_text("utf-8")))
    assert named <= SETTINGS
    assert OWN["web"]["environment"].keys() <= named


def commands() -> Iterator[list[str]]:
    """Return the commands of the page that need a container engine."""
    for block in blocks(PAGE):
        if block.has("engine"):
            for line in block.text.replace("\\\n", " ").splitlines():
                yield shlex.split(line)


def test_the_commands_of_the_page_use_what_exists() -> None:
    found = list(commands())
    assert len(found) > 15
    for words in found:
        for scaled in re.findall(r"--scale (\w+)=", " ".join(words)):
            assert scaled in SERVICES
        if words[:3] in (["docker", "compose", "exec"], ["docker", "compose", "run"]):
            service, *rest = [word for word in words[3:] if not word.startswith("-")]
            assert service in OWN
            if rest[0] == "queue-tool":
                require_command(rest[1:])
        if words[:3] == ["docker", "compose", "stop"]:
            assert {*words[3:]} == OWN.keys() - {"upgrade"}


def test_the_example_of_an_own_image_replaces_that_of_each_process() -> None:
    (override,) = [yaml.safe_load(block.text) for block in blocks(PAGE) if block.language == "yaml"]
    assert override["services"].keys() == OWN.keys()
