"""The commands that ask the service: what they print for scripts, and how they end."""

from __future__ import annotations

import json
import os
import shlex
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from queue_tool import Client
from queue_tool.cli.client.ending import ExitCode
from queue_tool.model.states import State
from tests.cli.terminal import Terminal, begin, run
from tests.support import LIMIT, System, eventually, free_port

pytestmark = pytest.mark.sqlite  # the database plays no part here, so once is enough

CSV = b'label,valor,note\r\nfirst,0,"two\r\nlines"\r\nsecond,many,\r\nthird,0,\r\n'
MAPPED = ("--type", "sleep", "--map", "label=item", "--map", "note=-")
FAILING = b'{"min": 0, "max": 0, "failure": 1}\n'
FOLLOWED = ("--on-finished", '{"task_type": "echo"}')
LATER = ("--delay", "1h")

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="module")
def client(lasting_system: System) -> Iterator[Client]:
    """A client of the running system."""
    with Client(lasting_system.url("")) as made:
        yield made


@pytest.fixture
def queue_tool(lasting_system: System, tmp_path: Path) -> Run:
    """A function that runs a command that asks the running system."""
    (tmp_path / ".env").write_text(f"QUEUE_TOOL_URL={lasting_system.url('')}\n")
    return lambda *words, given=b"": run(*words, cwd=tmp_path, given=given)


def tokens_of(client: Client, batch: str) -> list[str]:
    """Return the tokens of a batch."""
    return [result.token for result in client.batch(batch).results() if result.token]


# -- sending -----------------------------------------------------------------------------------------------


def test_a_pipe_of_csv_is_checked_then_sent_and_its_refused_line_is_named(queue_tool: Run, client: Client) -> None:
    checked = queue_tool("submit", "-", *MAPPED, "--dry-run", given=CSV)
    assert checked.returncode == ExitCode.FAILED
    assert checked.stdout == "2 accepted, 1 refused. Nothing was sent.\n"
    refusal = "  line 4: /valor: \"many\" is not of type 'number'\n"
    assert checked.stderr == refusal

    sent = queue_tool(
        "submit", "-", *MAPPED, "--name", "of a pipe", "--metadata", "a=b", "--wait", *FOLLOWED, given=CSV
    )
    assert sent.returncode == ExitCode.FAILED
    batch = client.get_batch(sent.stdout.strip())
    assert (batch.name, batch.metadata, batch.counts.finished, batch.rejected) == ("of a pipe", {"a": "b"}, 2, 1)
    first, *progress = sent.stderr.splitlines(keepends=True)
    assert first == "2 accepted, 1 refused.\n"
    assert progress[0] == refusal
    assert progress[-1] == "100%  3 of 3 done  finished 2  rejected 1\n"
    assert batch.on_finished
    assert [result.item for result in client.batch(batch.id).results()] == ["first", "second", "third"]

    again = queue_tool("submit", "-", *MAPPED, "--json", given=CSV)
    document = json.loads(again.stdout)
    assert (again.stderr, document["accepted"], document["counts"]["rejected"]) == ("", 2, 1)
    assert [(refused["index"], refused["line"]) for refused in document["refused"]] == [(1, 4)]


def test_task_objects_get_what_the_options_say_unless_they_say_it_themselves(
    queue_tool: Run, client: Client, tmp_path: Path
) -> None:
    lines = [{"task_type": "uppercase", "data": "a", "priority": "low"}, {"task_type": "uppercase", "data": 1}, 5]
    (tmp_path / "tasks.jsonl").write_text("\n\n".join(map(json.dumps, lines)) + "\n{\n")
    checked = queue_tool("submit", "tasks.jsonl", "--priority", "high", "--dry-run", "--json")
    found = json.loads(checked.stdout)
    assert (checked.returncode, found["accepted"], found["rejected"]) == (ExitCode.FAILED, 1, 3)
    assert [refused["line"] for refused in found["refused"]] == [3, 5, 6]
    assert "not valid JSON: unexpected end of data" in found["refused"][-1]["errors"][0]["message"]

    broken = queue_tool("submit", "tasks.jsonl")
    assert (broken.returncode, broken.stdout) == (ExitCode.FAILED, "")
    assert broken.stderr.startswith("queue-tool: Line 6 of tasks.jsonl is not valid JSON")

    (tmp_path / "tasks.jsonl").write_text("\n\n".join(map(json.dumps, lines)))
    sent = queue_tool("submit", "tasks.jsonl", "--priority", "high", "--tag", "of options", *LATER)
    assert sent.stderr.splitlines()[0] == "1 accepted, 2 refused."
    (task,) = (client.get_task(token) for token in tokens_of(client, sent.stdout.strip()))
    assert (task.priority, task.tags, task.status) == ("low", ["of options"], State.SCHEDULED)
    client.cancel_batch(sent.stdout.strip())


def test_a_command_that_is_interrupted_says_how_to_add_the_rest(
    queue_tool: Run, client: Client, lasting_system: System, tmp_path: Path
) -> None:
    (tmp_path / "rows.jsonl").write_bytes(b"5\n" * 10_002)  # all are refused, because no task is needed here
    read, write = os.pipe()
    words = ("submit", "-", "--format", "jsonl", "--type", "uppercase", "--name", "interrupted")
    with os.fdopen(read, "rb") as given, os.fdopen(write, "wb") as feeding:
        terminal = Terminal(*words, columns=200, cwd=tmp_path, stdin=given, URL=lasting_system.url(""))
        feeding.write(b"5\n" * 10_001)
        feeding.flush()
        eventually(lambda: "10,001 elements are stored" in "".join(terminal.lines))
        terminal.interrupt()
        assert terminal.wait() == ExitCode.INTERRUPTED
    (batch,) = client.batches(name="interrupted")
    again = f"{shlex.join(['queue-tool', *words])} --resume {batch.id}"
    assert terminal.lines == [f"queue-tool: The batch has 10,001 elements. To add the rest: {again}"]
    assert not client.get_batch(batch.id).sealed
    rest = queue_tool("submit", "rows.jsonl", "--type", "uppercase", "--resume", batch.id)
    assert (rest.returncode, rest.stdout) == (ExitCode.FAILED, f"{batch.id}\n")
    shown = rest.stderr.splitlines()
    assert shown[0] == "0 accepted, 10,002 refused."
    assert (shown[100], shown[101]) == ("  line 100: 5 is not of type 'string'", "  and 9,902 more")


def test_a_command_that_is_interrupted_early_says_how_to_send_the_same_once(
    queue_tool: Run, lasting_system: System, tmp_path: Path
) -> None:
    read, write = os.pipe()
    words = ("submit", "-", "--format=jsonl", "--type", "echo")
    with os.fdopen(read, "rb") as given, os.fdopen(write, "wb"):
        terminal = Terminal(*words, columns=200, cwd=tmp_path, stdin=given, URL=lasting_system.url(""))
        eventually(lambda: "The elements are sent" in "".join(terminal.lines))
        terminal.interrupt()
        assert terminal.wait() == ExitCode.INTERRUPTED
    (told,) = terminal.lines
    program, *again = shlex.split(told.rpartition(": ")[2])
    assert (program, *again[:-1]) == ("queue-tool", *words, "--idempotency-key")
    first, second = (queue_tool(*again, given=b"1\n2\n") for _ in range(2))
    assert first.returncode == ExitCode.DONE
    assert first.stdout == second.stdout != ""


@pytest.mark.parametrize(
    ("words", "given", "sentence"),
    [
        (["submit", "-"], b"a,b\n1,2\n", "CSV needs --type"),
        (["submit", "-", "--type", "sleep", "--map", "a"], b"[]", "'a' has no text on both sides of an equals sign"),
        (["submit", "-", "--type", "sleep", "--map", "a=b"], b"[]", "--map is for CSV"),
        (["submit", "-", "--on-finished", "{"], b"[]", "The text is not valid JSON"),
        (["submit", "-", "--run-at", "2h"], b"[]", "'2h' is not a time such as 2026-01-31T12:00:00Z"),
        (["submit", "no-file.csv"], b"", "No such file or directory"),
        (["tasks", "--created-after", "yesterday"], b"", "nor a duration such as 30m, 2h or 7d"),
        (["deadletters", "purge", "--older-than", "1 week"], b"", "is not a duration such as 90, 30m, 2h or 7d"),
        (["retry"], b"", "Say in one way what to retry: with tokens, with filters such as --batch, or with --all"),
        (["retry", "--all", "x"], b"", "Say in one way what to retry"),
        (["watch", ""], b"", "A token, id or name must be a text such as"),
        (["deadletters", "purge", "--older-than", "7d"], b"", "add --yes if you want that"),
    ],
)
def test_a_command_line_that_is_wrong_is_refused(
    queue_tool: Run, words: list[str], given: bytes, sentence: str
) -> None:
    done = queue_tool(*words, given=given)
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert sentence in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("words", "given", "sentence"),
    [
        (["--type", "sleep", "--map", "x=item"], b"a,b\n1,2\n", "The input has no column 'x', which --map names."),
        (["--type", "dance"], b"a,b\n1,2\n", "There is no task type 'dance'. The service has: echo, "),
        (["--format", "json"], b"{}", "The input must be a JSON array, or have a value on each line"),
        (
            ["--format", "csv", "--type", "sleep"],
            b"item\n\xff\n",
            "Line 2 of the input is not UTF-8: save it",
        ),
        (["--format", "json"], b"", "The input is not valid JSON: it is empty."),
        (["--format", "json"], b"\xff\xfe[\x00", "The input is not valid JSON: it is not UTF-8."),
        (["--resume", "0" * 32], b"1\n", "There is no batch with this id. [batch_not_found, request "),
    ],
)
def test_a_source_that_cannot_be_sent_is_refused_in_a_sentence(
    queue_tool: Run, words: list[str], given: bytes, sentence: str
) -> None:
    done = queue_tool("submit", "-", *words, given=given)
    assert done.returncode in (ExitCode.FAILED, ExitCode.NOT_FOUND)
    assert done.stderr.startswith(f"queue-tool: {sentence}")


# -- reading and changing ----------------------------------------------------------------------------------


def test_failed_tasks_are_found_shown_and_retried(queue_tool: Run, client: Client) -> None:
    sent = queue_tool("submit", "-", "--type", "simulate", "--tag", "night", "--wait", given=FAILING * 3)
    batch = sent.stdout.strip()
    assert sent.returncode == ExitCode.FAILED
    assert "failed: " in sent.stderr
    tokens = tokens_of(client, batch)

    checked = queue_tool("check", "-", given="\n".join([*tokens, "unknown"]).encode())
    assert checked.stdout.splitlines() == [*(f"{token}\tfailed" for token in tokens), "unknown\tunknown"]
    assert checked.returncode == ExitCode.FAILED
    assert queue_tool("check", "unknown").returncode == ExitCode.NOT_FOUND

    listed = queue_tool("tasks", "--batch", batch, "--status", "failed", "--status", "finished", "--limit", "2")
    assert [line.split("\t")[:3] for line in listed.stdout.splitlines()] == [
        [token, "failed", "simulate"] for token in tokens[:0:-1]
    ]
    assert listed.stderr == "queue-tool: There are more of them: choose another --limit, or --all.\n"
    everything = queue_tool("deadletters", "--tag", "night", "--batch", batch, "--all", "--json").stdout.splitlines()
    assert [json.loads(line)["token"] for line in everything] == tokens[::-1]

    shown = queue_tool("task", tokens[0]).stdout
    assert "status\tfailed\n" in shown
    assert "\nattempt 1, run 1, " in shown
    assert "Traceback" in shown
    assert json.loads(queue_tool("task", tokens[0], "--json").stdout)["token"] == tokens[0]

    counted = queue_tool("retry", "--batch", batch, "--dry-run")
    assert (counted.stdout, client.get_batch(batch).counts.failed) == ("3 tasks match. Nothing was changed.\n", 3)
    assert queue_tool("retry", tokens[0]).stdout.startswith("The task is ")
    for retry in (["retry", *tokens[1:]], ["retry", "--batch", batch], ["deadletters", "retry", "--batch", batch]):
        client.batch(batch).wait(LIMIT)
        done = json.loads(queue_tool(*retry, "--yes", "--json").stdout)
        assert done["changed"] == done["matched"] >= 2
    client.batch(batch).wait(LIMIT)

    counted = queue_tool("deadletters", "purge", "--older-than", "0", "--dry-run", "--json")
    assert json.loads(counted.stdout)["matched"] >= client.get_batch(batch).counts.failed == 3
    assert queue_tool("deadletters", "purge", "--older-than", "99d", "--yes").stdout == "0 failed tasks were deleted.\n"

    results = queue_tool("results", batch, "--status", "failed").stdout.splitlines()
    assert [json.loads(line)["index"] for line in results] == [0, 1, 2]
    array = json.loads(queue_tool("results", batch, "--format", "json").stdout)
    assert [json.loads(line) for line in results] == array
    assert queue_tool("results", batch, "--format", "json", "--status", "finished").stdout == "[]\n"
    rows = queue_tool("results", batch, "--format", "csv").stdout.splitlines()
    assert rows[0].replace('"', "").split(",") == list(array[0])
    assert len(rows) == 4


def test_tasks_are_canceled_by_token_by_filter_and_by_batch(queue_tool: Run, client: Client) -> None:
    words = ("submit", "-", "--format", "jsonl", "--type", "uppercase", *LATER)
    batch = queue_tool(*words, given=b'"a"\n"b"\n"c"\n').stdout.strip()
    first, *_ = tokens_of(client, batch)
    assert queue_tool("cancel", first, "--by", "me", "--reason", "a test").stdout == "The task is canceled.\n"
    assert client.get_task(first).canceled_by == "me"
    assert queue_tool("cancel", "-", given=b"\n").stdout == "0 of 0 tasks changed.\n"
    ended = queue_tool("cancel", first)
    assert ended.returncode == ExitCode.FAILED
    assert "[task_ended, request " in ended.stderr
    selected = ("cancel", "--batch", batch, "--status", "scheduled", "--created-after", "1h", "--created-before", "0s")
    assert queue_tool(*selected, "--dry-run").stdout == "2 tasks match. Nothing was changed.\n"
    assert queue_tool("cancel", "--batch", batch, "--yes").stdout == "2 of 2 tasks changed.\n"
    watched = queue_tool("watch", batch, "--json")
    assert (watched.returncode, json.loads(watched.stdout)["counts"]["canceled"]) == (ExitCode.FAILED, 3)


def test_an_operator_sees_and_changes_queues_workers_schedules_and_webhooks(queue_tool: Run, client: Client) -> None:
    assert [line.split("\t")[:2] for line in queue_tool("queues").stdout.splitlines()] == [
        [name, "active"] for name in ("high", "default", "low")
    ]
    assert queue_tool("queues", "pause", "low").stdout == "The queue low is paused. 0 tasks wait.\n"
    assert json.loads(queue_tool("queues", "list", "--json").stdout.splitlines()[2])["paused"]
    assert queue_tool("queues", "resume", "low").stdout == "The queue low runs. 0 tasks wait.\n"
    assert {"worker"} <= {line.split("\t")[2] for line in queue_tool("workers").stdout.splitlines()}

    daily = ("--every", "1d", "--data", '{"a": [1]}', "--tag", "night", "--overlap", "skip", "--max-attempts", "2")
    created = queue_tool("schedules", "create", "--type", "echo", "--name", "of the command line", *daily)
    made = client.get_schedule(created.stdout.strip())
    assert (made.every, made.overlap, made.request["data"], made.request["tags"]) == (
        86400,
        "skip",
        {"a": [1]},
        ["night"],
    )
    assert created.stderr.startswith("queue-tool: Every day. Its next tick: 2")
    assert f"{made.id}\tactive\techo\t" in queue_tool("schedules").stdout
    assert f"id\t{made.id}\nname\tof the command line\n" in queue_tool("schedules", "show", made.id).stdout
    assert queue_tool("schedules", "pause", made.id).stdout == "The schedule is paused.\n"
    assert queue_tool("schedules", "resume", made.id).stdout.startswith("The schedule is active. Its next tick: 2")
    ran = queue_tool("schedules", "run", made.id)
    assert (ran.returncode, ran.stdout[:11]) == (ExitCode.DONE, "sent: task ")
    assert queue_tool("schedules", "ticks", made.id).stdout.split("\t")[2:4] == ["request", "sent"]
    assert "Nobody is there to ask: add --yes" in queue_tool("schedules", "delete", made.id).stderr
    deleted = queue_tool("schedules", "delete", made.id, "--yes")
    assert deleted.stdout == "The schedule is deleted. What it has sent stays.\n"
    assert queue_tool("schedules", "show", made.id).returncode == ExitCode.NOT_FOUND

    created = queue_tool("webhooks", "create", "https://8.8.8.8/", "--event", "task.failed", "--type", "none", "--json")
    hook = client.get_webhook(json.loads(created.stdout)["id"])
    assert (hook.task_type, json.loads(created.stdout)["secret"][:6]) == ("none", "whsec_")
    assert f"{hook.id}\tactive\t0\t0\ttask.failed\thttps://8.8.8.8/\n" in queue_tool("webhooks").stdout
    assert queue_tool("webhooks", "deliveries", hook.id).stdout == ""
    assert queue_tool("webhooks", "delete", hook.id, "--yes").stdout == "The webhook is deleted.\n"
    assert "[webhook_not_found, request " in queue_tool("webhooks", "test", hook.id).stderr
    batch = client.submit([{"item": "listed", "valor": 0}], task_type="sleep")
    assert json.loads(queue_tool("batches", "--limit", "1", "--json").stdout)["id"] == batch.id


# -- the end of a command ----------------------------------------------------------------------------------


def test_a_service_that_cannot_be_reached_or_used_has_its_own_exit_code(lasting_system: System, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    away = run("tasks", cwd=tmp_path, URL=url)
    assert (away.returncode, away.stdout) == (ExitCode.AWAY, "")
    assert away.stderr == (
        f"queue-tool: The service at {url} does not answer: Connection refused. "
        "Start it with `queue-tool up`, or set QUEUE_TOOL_URL.\n"
    )
    wrong = run("queues", cwd=tmp_path, URL=lasting_system.url(""), KEY="qt_wrong")
    assert wrong.returncode == ExitCode.AWAY
    assert "QUEUE_TOOL_KEY holds. [unauthorized, request " in wrong.stderr
    assert "qt_wrong" not in wrong.stderr
    bad = run("queues", cwd=tmp_path, URL="ftp://x")
    assert (bad.returncode, bad.stdout) == (ExitCode.USAGE, "")
    assert "QUEUE_TOOL_URL must be the address" in bad.stderr
    below = run("queues", cwd=tmp_path, URL=lasting_system.url("/below"))
    assert below.returncode == ExitCode.AWAY
    assert "There is nothing at this address. Check QUEUE_TOOL_URL. [not_found, request " in below.stderr


def test_an_output_that_takes_nothing_is_an_error_in_a_sentence(queue_tool: Run, tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with Path("/dev/full").open("wb") as out, tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        program = begin("queues", cwd=tmp_path, stdin=given, stdout=out, stderr=errors)
        assert program.wait(LIMIT) == ExitCode.FAILED
        errors.seek(0)
        assert errors.read() == b"queue-tool: A file or pipe cannot be used: No space left on device.\n"


def test_a_reader_that_has_enough_ends_the_command_quietly(
    queue_tool: Run, lasting_system: System, tmp_path: Path
) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as out, tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        program = begin("queues", cwd=tmp_path, stdin=given, stdout=out, stderr=errors)
        assert program.wait(LIMIT) == 1
        errors.seek(0)
        assert errors.read() == b""
