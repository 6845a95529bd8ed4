"""The run of the whole system: `python -m deploy.check.system FOLDER`, in a network of its own."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from deploy.check import batches
from deploy.check.compose import Service, alone, services
from deploy.check.container import LIMIT, POLL, Container, Failed, Host
from deploy.check.image import ROOT, open_image
from deploy.check.sandbox import UID

PLACES = {"/data": True, "/tmp": True, "/app": False, "/venv": False, "/etc": False}  # noqa: S108 - the container's own
"""Folders of a container, and whether it may write there."""

LOOK = "import os; print(os.getuid(), {place: os.access(place, os.W_OK) for place in %r})"
"""Prints the user, and where it may write."""


def main() -> int:
    """Run the system of compose.yaml, let it do batches, and stop it; return the exit code."""
    host = Host(image=open_image(Path(sys.argv[1])), folder=Path(sys.argv[1]), postgres=sys.argv[2])
    variables = {f"{name}_PASSWORD": secrets.token_hex(16) for name in ("POSTGRES", "RABBITMQ")}
    found = services(ROOT / "compose.yaml", variables)
    _write_files(host.folder, found)
    try:
        containers = {each.name: Container(each, host) for each in found}
        _start(containers)
        _use(containers, variables)
        _stop_all(containers)
        _use_one_container(host)
    except Failed as failure:
        say(f"FAILED: {failure}")
        return 1
    return 0


def say(text: str) -> None:
    """Print one line of the report."""
    print(f"   {text}", flush=True)


def _write_files(folder: Path, found: list[Service]) -> None:
    """Write the files of `/etc` by which containers find each other and their user."""
    names = " ".join(["localhost", *(each.hostname for each in found)])
    (folder / "hosts").write_text(f"127.0.0.1 {names}\n")
    users = Path("/etc/passwd").read_text("utf-8")
    (folder / "passwd").write_text(f"{users}queue-tool:x:{UID}:{UID}::/app:/usr/sbin/nologin\n")


def _start(containers: dict[str, Container]) -> None:
    """Start each container when those that it depends on are ready, and wait until all are."""
    for container in containers.values():
        for name in container.service.depends_on:
            _await(containers[name])
        container.start()
    for container in containers.values():
        _await(container)


def _await(container: Container) -> None:
    if container.state == "":
        container.await_ready()
        say(f"{container.service.name} {container.state} after {time.monotonic() - container.started_at:.1f} s")


def _use(containers: dict[str, Container], variables: dict[str, str]) -> None:
    """Do what docs/containers.md tells its readers to do first, and then what the system is for."""
    web = containers["web"]
    _require_safe(web)
    key = _make_key(web)
    _do_batch("HTTP", lambda: batches.by_http(key), key)
    _do_batch("RabbitMQ", lambda: batches.by_rabbitmq(variables["RABBITMQ_PASSWORD"]), key)
    say(_output(web, ["queue-tool", "db", "backup", "/data/copy.dump"]).strip())
    _drain(containers["worker"], key)


def _drain(worker: Container, key: str) -> None:
    """Stop the worker while it runs a task, which must end before."""
    batch = batches.by_http(key, [{"item": "long", "valor": 2}])
    until = time.monotonic() + LIMIT
    while not batches.counts(key, batch)["running"]:
        _require(time.monotonic() < until, "the worker takes no task any more")
        time.sleep(POLL)
    _stop(worker)
    _require(batches.counts(key, batch)["finished"] == 1, "a task was interrupted by SIGTERM")
    say("a task that ran at the time of SIGTERM has ended before its worker")


def _use_one_container(host: Host) -> None:
    """Do a batch in a container of the image alone, as `docker run` starts it."""
    container = Container(alone(host.image.command), host)
    container.start()
    _await(container)
    key = _make_key(container)
    _do_batch("HTTP", lambda: batches.by_http(key), key)
    _stop(container)


def _make_key(container: Container) -> str:
    _require(batches.ask("/tasks")[0] == HTTPStatus.UNAUTHORIZED, "a request without a key was served")
    key = _output(container, ["queue-tool", "keys", "create", "--role", "admin"]).split()[0]
    say("a request without a key is refused, and a key is made")
    return key


def _do_batch(way: str, send: Callable[[], str], key: str) -> None:
    began = time.monotonic()
    batches.require_ended(key, send())
    say(f"a batch by {way} has ended after {time.monotonic() - began:.1f} s")


def _require_safe(container: Container) -> None:
    """Check that a container may write to its volume and its temporary folder, and to nothing else."""
    printed = _output(container, ["python", "-c", LOOK % [*PLACES]]).strip()
    _require(printed == f"{UID} {PLACES}", f"the user, or where it may write, is wrong: {printed}")
    say(f"the user is {UID}, and only volumes and temporary folders can be written")


def _output(container: Container, words: list[str]) -> str:
    done = container.run(words)
    _require(done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def _stop_all(containers: dict[str, Container]) -> None:
    """Stop all containers that run, the last one first."""
    for container in reversed(containers.values()):
        if not container.service.ends and container.state:
            _stop(container)


def _stop(container: Container) -> None:
    name = container.service.name
    _require(container.runs, f"{name} ended by itself\n{container.tail}")
    began = time.monotonic()
    code = container.stop()
    say(f"{name} has ended after {time.monotonic() - began:.1f} s, with code {code}")
    _require(code == 0, container.tail)


def _require(is_right: bool, problem: str) -> None:
    if not is_right:
        raise Failed(problem)


if __name__ == "__main__":
    sys.exit(main())
