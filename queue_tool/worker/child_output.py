"""The output of an isolated run: the worker reads it from pipes and logs each line with the run's task."""

from __future__ import annotations

import codecs
import os
import threading
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext

from queue_tool.execution.current_task import CurrentTask
from queue_tool.host import logs
from queue_tool.host.lines import Lines

PIECE = 65_536
"""The most bytes that are read at once."""


class ChildOutput:
    """Two pipes from a child process: its stdout and its stderr. A thread of the worker reads them."""

    def __init__(self, processes: BaseContext, task: CurrentTask) -> None:
        """Open the pipes. `senders` are for the child: its stdout and its stderr."""
        stdout, stderr = processes.Pipe(duplex=False), processes.Pipe(duplex=False)
        self.senders = (stdout[1], stderr[1])
        self._receivers = {"stdout": stdout[0], "stderr": stderr[0]}
        self._task = task
        self._pipes: list[_Pipe] = []

    def start(self, pid: int | None) -> None:
        """Start to read, when the child has its ends of the pipes."""
        for sender in self.senders:
            sender.close()
        self._pipes = [
            _Pipe(receiver, partial(logs.write_output, name, self._task, child=pid))
            for name, receiver in self._receivers.items()
        ]
        threading.Thread(target=self._read, name=f"output {self._task.token}", daemon=True).start()

    def drain(self) -> None:
        """Log what a child that has ended left in the pipes. Its own children may hold them and write on."""
        for pipe in self._pipes:
            pipe.drain()

    def _read(self) -> None:
        pipes = {pipe.receiver: pipe for pipe in self._pipes}
        while pipes:
            for receiver in wait(list(pipes)):
                assert isinstance(receiver, Connection)  # noqa: S101 - only connections are waited for
                if pipes[receiver].drain():
                    del pipes[receiver]
                    receiver.close()  # only here, because no other thread may wait for it now


class _Pipe:
    """The reading end of one pipe, and the line that has not ended yet. Two threads may drain it."""

    def __init__(self, receiver: Connection, emit: partial[None]) -> None:
        self.receiver = receiver
        self._lines = Lines(emit)
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._lock = threading.Lock()
        self._ended = False
        os.set_blocking(receiver.fileno(), False)

    def drain(self) -> bool:
        """Log all lines that have arrived. Return whether the last writer has closed the pipe."""
        with self._lock:
            while not self._ended:
                try:
                    piece = os.read(self.receiver.fileno(), PIECE)
                except BlockingIOError:
                    break
                self._ended = not piece
                self._lines.feed(self._decoder.decode(piece, final=self._ended))
                if self._ended:
                    self._lines.flush()
            return self._ended
