"""A command for shells that runs as a fork of the warm interpreter: `shim.py SOCKET [ARGUMENT...]`.

The fork gets the arguments of `python`, and the shim's files, directory and environment. The shim passes signals on,
and ends with the exit code of the fork. When the shim is killed, the fork is killed, too.
"""

import json
import os
import signal
import socket
import sys

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that are passed on."""


def main() -> None:
    """Ask the test process for the fork, and wait for its end."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(sys.argv[1])
        for number in SIGNALS:
            signal.signal(number, lambda number, _frame: connection.sendall(bytes([number])))
        here = os.getcwd()  # noqa: PTH109 - pathlib would double the time of this program
        request = json.dumps({"words": sys.argv[2:], "directory": here, "environment": dict(os.environ)}).encode()
        socket.send_fds(connection, [len(request).to_bytes(4, "big")], [0, 1, 2])
        connection.sendall(request)
        code = int(connection.recv(16))
    if code < 0:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


main()
