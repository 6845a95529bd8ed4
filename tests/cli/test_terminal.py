"""Commands at a terminal, in 40 and in 120 columns: what is on the screen in the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_tool import Client
from queue_tool.cli.client.ending import ExitCode
from tests.cli.terminal import Terminal, run
from tests.support import System, eventually

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

ESCAPE = b"\x1b["
COLOR = re.compile(rb"\x1b\[[0-9;]*3[0-7]m|\x1b\[[0-9;]*38;")


@pytest.fixture(scope="module")
def client(lasting_system: System) -> Iterator[Client]:
    """A client of the running system."""
    with Client(lasting_system.url("")) as made:
        yield made


@pytest.fixture(scope="module")
def ended(client: Client) -> str:
    """A batch with a finished task, a failed one whose name attacks the terminal, and a refused element."""
    attack = "\x1b[2J\x1b]0;owned\x07\u202efdp"
    tasks = [
        {"task_type": "echo", "data": 1, "name": "good"},
        {"task_type": "simulate", "data": {"min": 0, "max": 0, "failure": 1}, "name": attack},
        {"task_type": "echo"},
    ]
    batch = client.submit([*tasks[:2], 5], name="of a terminal")
    return batch.wait(60).id


@pytest.mark.parametrize("columns", [40, 120])
def test_the_end_of_a_batch_is_drawn(
    client: Client, ended: str, lasting_system: System, tmp_path: Path, columns: int
) -> None:
    terminal = Terminal("watch", ended, columns=columns, cwd=tmp_path, URL=lasting_system.url(""))
    assert terminal.wait() == ExitCode.FAILED
    name, batch, bar, done, counts, *failure = terminal.lines
    assert (name, batch, done) == ("of a terminal", ended, "3 of 3 done")
    assert re.fullmatch(rf"━{{{min(60, columns - 6)}}} 100%", bar)
    assert counts == "finished 1  failed 1  rejected 1"
    (failed,) = client.dead_letters(batch=ended)
    if columns == 120:
        (shown,) = failure
        assert shown.startswith(f"{failed.token} error: RuntimeError: ")
    else:
        token, error = failure
        assert (token, error[:22], error[-1]) == (failed.token, "  error: RuntimeError:", "…")
    assert terminal.written.count(b"\x1b[?25h") == terminal.written.count(b"\x1b[?25l")  # the cursor is back
    assert COLOR.search(terminal.written)


@pytest.mark.parametrize("columns", [40, 120])
def test_a_list_is_a_table_or_blocks_of_lines(
    client: Client, ended: str, lasting_system: System, tmp_path: Path, columns: int
) -> None:
    terminal = Terminal(
        "tasks", "--batch", ended, columns=columns, cwd=tmp_path, URL=lasting_system.url(""), NO_COLOR="1"
    )
    assert terminal.wait() == ExitCode.DONE
    failed, finished = client.tasks(batch=ended)
    if columns == 120:
        head, first, second = terminal.lines
        assert head.split() == ["token", "status", "type", "created", "name", "error"]
        assert first.split()[:3] == [failed.token, "failed", "simulate"]
        assert second.split()[:3] == [finished.token, "finished", "echo"]
        assert first.index("error: ") == head.index("error")
        assert r"\x1b[2J" in first
    else:
        assert terminal.lines[:3] == [failed.token, "status   failed", "type     simulate"]
        assert finished.token in terminal.lines
        assert r"\x1b[2J\x1b]0;owned\x07\u202efdp" in "".join(line.strip() for line in terminal.lines)
    assert b"owned\x07" not in terminal.written
    assert not COLOR.search(terminal.written)
    for words in (
        ["tasks", "--batch", ended],
        ["task", failed.token],
        ["watch", ended],
        ["results", ended, "--format", "csv"],
    ):
        plain = run(*words, cwd=tmp_path, URL=lasting_system.url(""))
        assert not re.search(r"[^\t\n\r\x20-\x7e]", plain.stdout.replace("…", ""))


def test_ctrl_c_leaves_the_batch_running_and_says_how_to_come_back(
    client: Client, lasting_system: System, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_text('"a"\n"b"\n')
    url = lasting_system.url("")
    words = ("submit", "rows.jsonl", "--type", "uppercase", "--delay", "1h", "--wait")
    terminal = Terminal(*words, columns=120, cwd=tmp_path, URL=url)
    eventually(lambda: "0 of 2 done" in terminal.lines)
    batch = terminal.lines[0]
    assert "2 accepted, 0 refused." in terminal.lines
    assert "scheduled 2" in terminal.lines
    terminal.interrupt()
    assert terminal.wait() == ExitCode.INTERRUPTED
    assert terminal.lines[-1] == f"queue-tool: The batch goes on. To come back: queue-tool watch {batch}"
    assert client.get_batch(batch).counts.scheduled == 2

    asked = Terminal("cancel", "--batch", batch, columns=40, cwd=tmp_path, URL=url)
    eventually(lambda: asked.lines == ["Cancel 2 tasks? [y/N]:"])
    asked.type("n\n")
    assert asked.wait() == ExitCode.FAILED
    assert asked.lines[-1] == "queue-tool: Nothing was changed."

    asked = Terminal("cancel", "--batch", batch, columns=40, cwd=tmp_path, URL=url)
    eventually(lambda: asked.lines == ["Cancel 2 tasks? [y/N]:"])
    asked.type("y\n")
    assert asked.wait() == ExitCode.DONE
    assert asked.lines[-1] == "2 of 2 tasks changed."
