"""What compose.yaml says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")
"""`${NAME}`, `${NAME:-default}` and `${NAME:?what is missing}`."""

SECONDS = re.compile(r"(\d+)s")


OWN_IMAGE = "queue-tool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: what its container is started with."""

    name: str
    image: str
    command: list[str]
    environment: dict[str, str]
    volumes: list[tuple[str, str]]  # name and place
    tmpfs: list[str]
    hostname: str
    has_init: bool  # a process that reaps orphans is the first one
    health: list[str] | None  # the command that checks it; empty: there is none; None: that of the image
    stop_signal: str
    grace: float  # seconds between this signal and SIGKILL
    depends_on: dict[str, str]  # the condition by service

    @property
    def ends(self) -> bool:
        """Return whether it does something once: nothing is started again."""
        return self.command[:2] == ["queue-tool", "db"]


def services(path: Path, variables: Mapping[str, str]) -> list[Service]:
    """Return the services in an order in which they can start.

    Args:
        path: the file.
        variables: what `.env` has beside it.

    Raises:
        KeyError: a variable without a default is missing.
    """
    content: dict[str, Any] = yaml.safe_load(_filled(path.read_text("utf-8"), variables))["services"]
    order = TopologicalSorter({name: each.get("depends_on", {}).keys() for name, each in content.items()})
    return [_service(name, content[name], variables) for name in order.static_order()]


def alone(command: list[str]) -> Service:
    """Return what docs/containers.md says for the image without compose.yaml: `docker run --init` with a volume."""
    return Service(
        name="alone",
        image=OWN_IMAGE,
        command=command,
        environment={},
        volumes=[("alone", "/data")],
        tmpfs=["/tmp"],  # noqa: S108 - the container has its own
        hostname="alone",
        has_init=True,
        health=None,
        stop_signal="SIGTERM",
        grace=60,
        depends_on={},
    )


def _filled(text: str, variables: Mapping[str, str]) -> str:
    """Return the text with the values of the variables in it."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        return variables.get(name, default) if kind == "-" else variables[name]

    return VARIABLE.sub(value, text)


def _service(name: str, content: Mapping[str, Any], variables: Mapping[str, str]) -> Service:
    return Service(
        name=name,
        image=content["image"],
        command=content.get("command", []),
        environment=(dict(variables) if ".env" in content.get("env_file", []) else {}) | content.get("environment", {}),
        volumes=list(_volumes(content.get("volumes", []))),
        tmpfs=content.get("tmpfs", []),
        hostname=content.get("hostname", name),
        has_init=content.get("init", False),
        health=content["healthcheck"].get("test", [])[1:] if "healthcheck" in content else None,
        stop_signal=content.get("stop_signal", "SIGTERM"),
        grace=_seconds(content.get("stop_grace_period", "10s")),
        depends_on={name: each["condition"] for name, each in content.get("depends_on", {}).items()},
    )


def _volumes(texts: list[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        name, _, place = text.partition(":")
        yield name, place


def _seconds(text: str) -> float:
    found = SECONDS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a number of seconds")
    return float(found[1])
