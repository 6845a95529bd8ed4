"""The notebook: what runs report stays in it until the store has it."""

from __future__ import annotations

import pytest

from queue_tool.host.clock import CLOCK
from queue_tool.model.context import Context
from queue_tool.model.outcome import MOST_LINES
from queue_tool.worker.inbox import Inbox
from queue_tool.worker.notebook import Notebook

pytestmark = pytest.mark.sqlite  # no database takes part


def test_what_is_reported_while_the_store_is_away_is_added_to_what_it_does_not_have_yet() -> None:
    inbox = Inbox(CLOCK)
    notebook = Notebook(inbox, CLOCK)
    first, second = (Context(token=name * 32, attempt=1, deadline=None, on_news=inbox.noted) for name in "ab")
    assert notebook.due() is None
    first.log("before")
    first.progress(0.25, "early")
    assert [note.lines for note in notebook.take()] == [("before",)]
    first.log("meanwhile")  # and the transaction failed
    second.log("another")
    found = {note.token[0]: (note.progress, note.note, note.lines) for note in notebook.take()}
    assert found == {"a": (0.25, "early", ("before", "meanwhile")), "b": (None, "", ("another",))}
    for number in range(2 * MOST_LINES):
        first.log(str(number))
        assert len(notebook.take()) == 2
    assert notebook.take()[0].lines == tuple(str(number) for number in range(MOST_LINES, 2 * MOST_LINES))
    notebook.clear()
    assert notebook.take() == []
    inbox.noted(first)  # it was noted, but its notes were taken at the same moment
    assert notebook.take() == []
    assert notebook.due() is None
