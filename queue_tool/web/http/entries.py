"""The documented errors of HTTP: what `docs/errors.md` and the page `/docs/errors` say about each code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from queue_tool.errors import BY_CODE, QueueToolError
from queue_tool.web.http.problems import BUG, STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the documents say about one code."""

    code: str
    status: int
    sentence: str
    cause: str
    remedy: str


def entries() -> Sequence[Entry]:
    """Return an entry for each code that HTTP knows, ordered by status."""
    known = STATUSES | {QueueToolError.code: BUG}
    return [_entry(BY_CODE[code], status) for code, status in sorted(known.items(), key=lambda pair: pair[1])]


def _entry(kind: type[QueueToolError], status: int) -> Entry:
    return Entry(code=kind.code, status=status, sentence=kind.default_sentence(), cause=kind.cause, remedy=kind.remedy)
