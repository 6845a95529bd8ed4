"""The output of an isolated process: the worker reads it from pipes and logs each line with the task of its run."""

from __future__ import annotations

import codecs
import os
import select
import threading
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext

from queue_tool.execution.current_task import CurrentTask
from queue_tool.host import logs
from queue_tool.host.lines import Lines
from queue_tool.worker.board import Board

PIECE = 65_536
"""The most bytes that are read at once."""

MOST_LEFT = 2**20
"""Bytes that a pipe holds at most. So many were written before the end of a run, and the rest after it."""


class ChildOutput:
    """Two pipes from a child process: its stdout and its stderr. A thread of the worker reads them."""

    def __init__(self, processes: BaseContext, board: Board, task: Callable[[], CurrentTask | None]) -> None:
        """Open the pipes. `senders` are for the child: its stdout and its stderr.

        Args:
            processes: a context of `multiprocessing`.
            board: shows the child when output is read.
            task: returns the task whose run the child has begun last.
        """
        stdout, stderr = processes.Pipe(duplex=False), processes.Pipe(duplex=False)
        self.senders = (stdout[1], stderr[1])
        self._receivers = {"stdout": stdout[0], "stderr": stderr[0]}
        self._board = board
        self._task = task
        self._pipes: list[_Pipe] = []
        self._arrived = select.poll()

    def start(self, pid: int) -> None:
        """Start to read. The child has its ends of the pipes, and this process has closed them."""
        self._pipes = [
            _Pipe(receiver, partial(self._log, name, pid), partial(self._board.note_read, number))
            for number, (name, receiver) in enumerate(self._receivers.items())
        ]
        for pipe in self._pipes:
            self._arrived.register(pipe.receiver.fileno(), select.POLLIN)
        threading.Thread(target=self._read, name=f"output of {pid}", daemon=True).start()

    def end(self) -> None:
        """Log what has been written until now, even a line without its end.

        Processes that the child has left behind may hold the pipes and write on. Their lines have the last task.
        """
        if any(pipe.has_unlogged for pipe in self._pipes) or self._arrived.poll(0):
            for pipe in self._pipes:
                pipe.drain()
                pipe.flush()

    def _log(self, name: str, pid: int, text: str) -> None:
        logs.write_output(name, self._task(), text, child=pid)

    def _read(self) -> None:
        pipes = {pipe.receiver: pipe for pipe in self._pipes}
        while pipes:
            for receiver in wait(list(pipes)):
                assert isinstance(receiver, Connection)  # only connections are waited for
                if pipes[receiver].drain():
                    del pipes[receiver]
                    receiver.close()  # only here, because no other thread may wait for it now


class _Pipe:
    """The reading end of one pipe, and the line that has not ended yet. Two threads may drain it."""

    def __init__(self, receiver: Connection, emit: partial[None], note_read: Callable[[], None]) -> None:
        self.receiver = receiver
        self._note_read = note_read
        self._lines = Lines(emit)
        self._new_decoder()
        self._lock = threading.Lock()
        self._ended = False
        self.has_unlogged = False  # whether something may have been read and not logged
        os.set_blocking(receiver.fileno(), False)

    def drain(self) -> bool:
        """Log all lines that have arrived. Return whether the last writer has closed the pipe."""
        with self._lock:
            self.has_unlogged, left = True, MOST_LEFT
            while not self._ended and left > 0:
                self._note_read()  # before the pipe is empty, so that the child sees the one or the other
                try:
                    piece = os.read(self.receiver.fileno(), PIECE)
                except BlockingIOError:
                    break
                left -= len(piece)
                self._ended = not piece
                self._lines.feed(self._decoder.decode(piece, final=self._ended))
                if self._ended:
                    self._lines.flush()
            return self._ended

    def flush(self) -> None:
        """Log the last line, even though its end has not arrived."""
        with self._lock:
            if not self._ended:
                self._lines.feed(self._decoder.decode(b"", final=True))
                self._new_decoder()
            self._lines.flush()
            self.has_unlogged = False

    def _new_decoder(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
