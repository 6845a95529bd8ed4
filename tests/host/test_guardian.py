"""The guardian of the embedded Valkey: two guardians on one data directory, and damaged files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from queue_tool.host import valkey
from queue_tool.host.guardian import guardian_pid
from tests.damage import cut_last_line, empty, spoil
from tests.support import LIMIT, eventually

LATE = """
import pathlib, socket, sys, threading
pause = threading.Event().wait
while not pathlib.Path("go").exists():
    pause(0.02)
with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[1])
    listening.listen()
    listening.accept()[0].recv(64)
"""
"""A server that is slow to open its socket, and ends when it is asked to."""


def close_pipe(guardian: subprocess.Popen[bytes]) -> None:
    """Close the pipe to the guardian, as happens when its owner ends."""
    assert guardian.stdin is not None
    guardian.stdin.close()


def test_a_guardian_that_starts_while_the_previous_one_stops_waits_and_then_starts_its_server(tmp_path: Path) -> None:
    first = valkey.start(tmp_path)
    close_pipe(first)
    second = valkey.start(tmp_path)
    assert guardian_pid(tmp_path / "valkey") == second.pid
    assert valkey.answers(tmp_path)
    assert first.poll() == 0
    close_pipe(second)
    assert second.wait(LIMIT) == 0
    assert not valkey.socket_path(tmp_path).exists()


def test_a_server_whose_owner_ends_before_it_has_its_socket_ends_by_itself(tmp_path: Path) -> None:
    valkey.start(tmp_path).communicate()
    places = str(tmp_path / "valkey"), str(valkey.socket_path(tmp_path))
    server = [sys.executable, "-c", LATE, str(valkey.socket_path(tmp_path))]
    guardian = subprocess.Popen(
        [sys.executable, "-m", "queue_tool.host.guardian", *places, *server], stdin=subprocess.PIPE
    )
    eventually(lambda: guardian_pid(tmp_path / "valkey") == guardian.pid)
    close_pipe(guardian)
    (tmp_path / "valkey" / "go").touch()
    assert guardian.wait(LIMIT) == 0  # and not the code of a server that was killed


def test_a_guardian_that_waits_for_the_lock_ends_with_its_owner_and_leaves_the_server_alone(tmp_path: Path) -> None:
    first = valkey.start(tmp_path)
    places = str(tmp_path / "valkey"), str(valkey.socket_path(tmp_path))
    command = [sys.executable, "-m", "queue_tool.host.guardian", *places, "false"]
    second = subprocess.Popen(command, stdin=subprocess.PIPE)
    lock = (tmp_path / "valkey" / "guardian.lock").stat()
    eventually(lambda: lock.st_ino in inodes_held_open_by(second.pid))
    close_pipe(second)
    assert second.wait(LIMIT) == 1
    assert valkey.answers(tmp_path)
    assert guardian_pid(tmp_path / "valkey") == first.pid
    close_pipe(first)
    assert first.wait(LIMIT) == 0


def test_the_socket_folder_of_a_killed_guardian_is_removed_by_the_next_one(tmp_path: Path) -> None:
    deep = tmp_path / ("so deep " * 20).strip()
    deep.mkdir()
    place = valkey.socket_path(deep).parent
    first = valkey.start(deep)
    first.kill()
    first.wait()
    assert (place / "valkey.sock").is_socket()
    second = valkey.start(deep)
    close_pipe(first)
    close_pipe(second)
    assert second.wait(LIMIT) == 0
    assert not place.exists()


@pytest.mark.parametrize(
    ("damage", "files", "put_aside"),
    [
        (cut_last_line, "*.incr.aof", False),  # Valkey itself drops the last command
        (empty, "*.incr.aof", False),
        (spoil, "*.incr.aof", True),
        (Path.unlink, "*.incr.aof", True),
        (cut_last_line, "*.manifest", True),
        (empty, "*.manifest", True),
        (Path.unlink, "*.manifest", False),
        (cut_last_line, "*.base.*", True),
    ],
)
def test_files_that_valkey_cannot_read_are_put_aside_and_valkey_starts(
    tmp_path: Path, damage: Callable[[Path], None], files: str, put_aside: bool
) -> None:
    first = valkey.start(tmp_path)
    with Redis.from_url(valkey.url(tmp_path)) as redis:
        assert redis.set("a", 1)
    kill_with_its_server(first, tmp_path)
    (damaged,) = (tmp_path / "valkey" / "appendonlydir").glob(files)
    damage(damaged)
    second = valkey.start(tmp_path)
    with Redis.from_url(valkey.url(tmp_path)) as redis:
        assert redis.set("a", 2)
    assert len(list((tmp_path / "valkey").glob("appendonlydir.unreadable-*"))) == put_aside
    close_pipe(second)
    assert second.wait(LIMIT) == 0


def kill_with_its_server(guardian: subprocess.Popen[bytes], directory: Path) -> None:
    server = int((directory / "valkey" / "server.pid").read_text().split()[0])
    guardian.kill()
    os.kill(server, signal.SIGKILL)
    assert guardian.stdin is not None
    guardian.stdin.close()
    guardian.wait()
    eventually(lambda: not valkey.answers(directory))


def inodes_held_open_by(pid: int) -> set[int]:
    return {path.stat().st_ino for path in Path(f"/proc/{pid}/fd").iterdir() if path.exists()}
