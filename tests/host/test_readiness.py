"""Readiness: whether a child reported it, read after its end."""

from __future__ import annotations

import os

from queue_tool.host import readiness
from queue_tool.host.readiness import Readiness


def test_a_report_is_read_once_the_child_has_ended() -> None:
    made = Readiness()
    child = os.dup(made.writing)
    readiness.report(child)
    os.close(child)
    assert made.close()


def test_without_a_report_nothing_waits_although_another_process_holds_the_pipe() -> None:
    made = Readiness()
    other = os.dup(made.writing)
    assert not made.close()
    readiness.report(other)  # nobody reads it, and the child does not fail
    os.close(other)
