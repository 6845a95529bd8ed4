"""Drafts: what requests send, checked and not stored yet; and what became of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from queue_tool.model.batch import Element, Submission
from queue_tool.model.ticket import Ticket
from queue_tool.store import AddBatch, AddTask

Result = TypeVar("Result", bound=Submission | Element)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDraft:
    """A request that sends a batch."""

    addition: AddBatch
    tickets: Sequence[Ticket]  # of the tasks that can start at once


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskDraft:
    """A request that sends one task without a batch."""

    addition: AddTask
    tickets: Sequence[Ticket]  # one, or none if the task must wait


Draft = BatchDraft | TaskDraft


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept(Generic[Result]):
    """What became of a draft that was stored."""

    result: Result
    batch: str | None = None  # the batch of the tickets
    tickets: Sequence[Ticket] = ()  # those that must be pushed now
    in_line: Collection[str] = ()  # the lists for which the batch waits in line
