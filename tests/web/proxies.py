"""Real proxies in front of a service: nginx and HAProxy from Debian's packages, each in a directory of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import LIMIT, die_with_parent, eventually, free_port

OTHER_USERS = os.geteuid() == 0
"""Whether the proxies run as users of their own, as their packages start them. Only root can start them so."""

PROXY_PARAMS = Path("/etc/nginx/proxy_params")
"""The headers that Debian's nginx recommends to send."""

NGINX = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {rest}
}}
"""

HAPROXY = """
global
    {user}
defaults
    mode http
    timeout connect 5s
    timeout client 50s
    timeout server 50s
"""

AS_DEBIAN = ""
MODERN = 'proxy_http_version 1.1; proxy_set_header Connection "";'
"""What nginx does by itself since 1.29.7."""

WITH_PARAMS = f"{MODERN} include {PROXY_PARAMS};"


def nginx_server(port: int, upstream: int, options: str) -> str:
    """Return a server of nginx that passes everything on."""
    place = f"location / {{ proxy_pass http://127.0.0.1:{upstream}; {options} }}"
    return f"server {{ listen 127.0.0.1:{port}; {place} }}\n"


def haproxy_listener(port: int, upstream: int) -> str:
    """Return a listener of HAProxy that passes everything on."""
    return f"listen p{port}\n    bind 127.0.0.1:{port}\n    server s 127.0.0.1:{upstream}\n"


@contextmanager
def nginx(folder: Path, rest: str, *ports: int) -> Iterator[None]:
    """Run nginx with these servers for the length of a block."""
    text = NGINX.format(user="user www-data;" if OTHER_USERS else "", folder=folder, rest=rest)
    path = folder / "nginx.conf"
    path.write_text(text, "utf-8")
    with _running([_program("nginx"), "-c", path, "-p", folder, "-e", folder / "error.log"], ports):
        yield


@contextmanager
def haproxy(folder: Path, rest: str, *ports: int) -> Iterator[None]:
    """Run HAProxy with these listeners for the length of a block."""
    path = folder / "haproxy.cfg"
    user = "user haproxy\n    group haproxy" if OTHER_USERS else ""
    path.write_text(rest if "defaults\n" in rest else HAPROXY.format(user=user) + rest, "utf-8")
    with _running([_program("haproxy"), "-f", path, "-db"], ports):
        yield


def free_ports(count: int) -> list[int]:
    """Return ports on which nobody listens."""
    return [free_port() for _ in range(count)]


def _program(name: str) -> str:
    path = f"{os.environ['PATH']}{os.pathsep}/usr/sbin"
    found = shutil.which(name, path=path)
    if found is None:
        pytest.skip(f"no {name} on this machine")
    return found


@contextmanager
def _running(command: Sequence[str | Path], ports: Sequence[int]) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        preexec_fn=die_with_parent,
    )
    try:
        for port in ports:
            eventually(lambda: _listens(process, port))
        yield
    finally:
        process.terminate()
        process.communicate(timeout=LIMIT)


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    if process.poll() is not None:
        assert process.stdout is not None
        pytest.fail(f"it ended: {process.stdout.read().decode('utf-8', 'replace')}")
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True
