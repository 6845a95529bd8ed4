"""A sandbox: what a container sees, made of this machine by bubblewrap."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

UID = "10001"
"""The user of the image. In a sandbox, the files of the user who runs the check belong to it."""

OWN = frozenset({"tmp", "proc", "dev", "sys", "run", "var", "data", "app", "venv", "build", "stand-ins"})
"""Folders of the root that a container has of its own. It sees all others of this machine, and cannot change them."""

NETWORK = ("bwrap", "--unshare-net", "--dev-bind", "/", "/", "--die-with-parent")
"""Runs a program in a network of its own, which has nothing but `localhost`: every port is free."""

PROBE = ("bwrap", "--unshare-user", "--unshare-pid", "--unshare-net", "--ro-bind", "/", "/", "--proc", "/proc", "true")
"""Shows whether this machine allows sandboxes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sandbox:
    """What one container sees."""

    writable: Mapping[str, Path]  # by the place in the container: the folders of its volumes
    readable: Mapping[str, Path] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)  # by the place: the target
    tmpfs: Iterable[str] = ("/tmp",)  # noqa: S108 - the sandbox has one of its own
    environment: Mapping[str, str] | None  # None: that of this process
    folder: str = "/"
    hostname: str = "container"

    def command(self, words: Iterable[str], *options: str) -> list[str]:
        """Return the command that runs another one in this sandbox. It ends with this process."""
        return ["bwrap", *self._limits(), *self._places(), *self._variables(), *options, "--", *words]

    def _limits(self) -> Iterator[str]:
        yield from ("--unshare-user", "--uid", UID, "--gid", UID, "--cap-drop", "ALL")
        yield from ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--hostname", self.hostname)
        yield from ("--die-with-parent", "--new-session", "--chdir", self.folder)

    def _places(self) -> Iterator[str]:
        yield from _machine()
        yield from ("--proc", "/proc", "--dev", "/dev", "--symlink", "/run", "/var/run", "--dir", "/app")
        for place in self.tmpfs:
            yield from ("--tmpfs", place)
        for place, target in self.links.items():
            yield from ("--symlink", target, place)
        for place, source in self.readable.items():
            yield from ("--ro-bind", str(source), place)
        for place, source in self.writable.items():
            yield from ("--bind", str(source), place)
        yield from ("--remount-ro", "/")

    def _variables(self) -> Iterator[str]:
        if self.environment is None:
            return
        yield "--clearenv"
        for name, value in self.environment.items():
            yield from ("--setenv", name, value)


def _machine() -> Iterator[str]:
    """Return the options that show this machine's programs."""
    for path in sorted(Path("/").iterdir()):
        if path.name in OWN:
            continue
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir() and os.access(path, os.R_OK):
            yield from ("--ro-bind", str(path), str(path))
