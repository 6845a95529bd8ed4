"""The output of each command, in real processes. Some start a new interpreter instead of a fork (`program=PROGRAM`)."""

from __future__ import annotations

import http.client
import json
import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from queue_tool import __version__
from queue_tool.client.address import address_of
from queue_tool.host import ports, valkey
from tests.support import LIMIT, PROGRAM, System, free_port, run_command

COMMANDS = ("up", "web", "worker", "sweep", "db", "doctor", "init", "keys", "redis-url")
AWAY = "redis://127.0.0.1:1"


def the_one_sentence(done: CompletedProcess[str]) -> str:
    """Return the sentence of a command that failed; it must be the command's only output."""
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("queue-tool: ")
    assert lines[0].endswith(".")
    assert done.stdout == ""
    return lines[0]


# -- help --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_lists_every_command(tmp_path: Path, words: list[str]) -> None:
    done = run_command(*words, cwd=tmp_path, program=PROGRAM)
    assert done.returncode == 0
    assert set(re.findall(r"^  ([a-z-]+) ", done.stdout, re.MULTILINE)) >= set(COMMANDS)
    assert not list(tmp_path.iterdir())


def test_the_version_is_printed(tmp_path: Path) -> None:
    assert __version__ in run_command("--version", cwd=tmp_path, program=PROGRAM).stdout


def test_an_unknown_command_is_a_usage_error(tmp_path: Path) -> None:
    done = run_command("dance", cwd=tmp_path, program=PROGRAM)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "dance" in done.stderr


# -- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "many"),
        ("AUTH", "maybe"),
        ("TASKS", "no-module!"),
        ("REDIS_URL", "http://user:hunter2@example.org"),
        ("DATABASE_URL", "mysql://user:hunter2@example.org/x"),
    ],
)
def test_an_invalid_setting_prevents_the_start_with_a_sentence_that_names_it(
    tmp_path: Path, name: str, text: str
) -> None:
    sentence = the_one_sentence(run_command("up", cwd=tmp_path, within=60, **{name: text}))
    assert f"QUEUE_TOOL_{name}" in sentence
    assert "hunter2" not in sentence


@pytest.mark.parametrize("content", ["QUEUE_TOOL_PORT=1".encode("utf-16"), b"QUEUE_TOOL_DATA_DIR=caf\xe9"])
def test_an_env_file_that_is_not_utf_8_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".env").write_bytes(content)
    assert ".env of the current directory must be UTF-8 text" in the_one_sentence(run_command("worker", cwd=tmp_path))


def test_a_byte_order_mark_hides_no_setting(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QUEUE_TOOL_REDIS_URL=redis://from-the-file:1\n", "utf-8-sig")
    assert run_command("redis-url", cwd=tmp_path).stdout == "redis://from-the-file:1\n"


@pytest.mark.parametrize("host", ["no-such-name.invalid", "127.0.0.1:80", "a" * 64, "http://localhost", "*", "[::1]"])
def test_a_host_that_is_no_address_and_no_name_is_refused_in_a_sentence(tmp_path: Path, host: str) -> None:
    sentence = the_one_sentence(run_command("up", "--host", host, cwd=tmp_path))
    assert sentence.startswith("queue-tool: QUEUE_TOOL_HOST must be an address or a name of this machine: ")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("host", "address"),
    [("localhost", "127.0.0.1"), ("127.1", "127.0.0.1"), ("::1", "::1"), ("192.0.2.1", "192.0.2.1")],
)
def test_a_host_stands_for_one_address(host: str, address: str) -> None:
    assert ports.resolved(host) == address


def test_the_error_for_an_invalid_option_names_its_setting(tmp_path: Path) -> None:
    assert "QUEUE_TOOL_PORT" in the_one_sentence(run_command("up", "--port", "many", cwd=tmp_path))


def test_the_env_file_is_read_and_the_environment_overrides_it(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QUEUE_TOOL_REDIS_URL=redis://from-the-file:1\n")
    assert run_command("redis-url", cwd=tmp_path).stdout == "redis://from-the-file:1\n"
    assert run_command("redis-url", cwd=tmp_path, REDIS_URL=AWAY).stdout == f"{AWAY}\n"


@pytest.mark.parametrize("words", [["up"], ["db", "upgrade"], ["keys", "list"]])
def test_the_error_for_an_unusable_data_directory_names_it(tmp_path: Path, words: list[str]) -> None:
    (tmp_path / "instance").write_text("a file")
    assert str(tmp_path / "instance") in the_one_sentence(run_command(*words, cwd=tmp_path))


def test_a_web_server_that_the_supervisor_restarts_makes_no_empty_database_where_the_old_one_is_missing(
    tmp_path: Path,
) -> None:
    sentence = the_one_sentence(run_command("web", cwd=tmp_path, LIFELINE="0"))
    assert "queue-tool db upgrade" in sentence
    assert list((tmp_path / "instance").iterdir()) == []


def test_the_error_for_a_port_in_use_names_it(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = the_one_sentence(run_command("up", "--port", str(port), cwd=tmp_path))
        assert f"127.0.0.1:{port}" in sentence
        assert "QUEUE_TOOL_PORT" in sentence


@pytest.mark.parametrize(
    ("code", "reason"), [(None, "No module named"), ("1 +", "SyntaxError"), ("raise OSError('so broken')", "so broken")]
)
def test_the_error_for_a_task_module_that_cannot_be_imported_names_it(
    tmp_path: Path, code: str | None, reason: str
) -> None:
    if code:
        (tmp_path / "my_tasks.py").write_text(code)
    sentence = the_one_sentence(run_command("up", cwd=tmp_path, TASKS="my_tasks", PORT=str(free_port())))
    assert "'my_tasks' of QUEUE_TOOL_TASKS" in sentence
    assert reason in sentence


# -- redis-url ---------------------------------------------------------------------------------------------


def test_the_url_of_the_embedded_valkey_is_its_socket(tmp_path: Path) -> None:
    done = run_command("redis-url", cwd=tmp_path, program=PROGRAM)
    assert (done.returncode, done.stdout) == (0, valkey.url(tmp_path / "instance") + "\n")
    assert done.stdout.startswith("unix:///")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("url", ["redis://127.0.0.1:6399/3", "unix:///tmp/x.sock", "rediss://me:word@example.org:1"])
def test_a_redis_url_from_the_setting_is_printed_unchanged(tmp_path: Path, url: str) -> None:
    assert run_command("redis-url", cwd=tmp_path, REDIS_URL=url).stdout == f"{url}\n"


# -- the database ------------------------------------------------------------------------------------------


def test_the_database_is_upgraded_and_a_second_upgrade_changes_nothing(tmp_path: Path) -> None:
    first, second = (run_command("db", "upgrade", cwd=tmp_path) for _ in range(2))
    assert (first.returncode, second.returncode) == (0, 0)
    assert re.fullmatch(r"The database sqlite:////.* is ready, at revision \w+\.\n", first.stdout)
    assert first.stdout == second.stdout
    assert (tmp_path / "instance" / "queue_tool.db").exists()


@pytest.mark.parametrize("command", ["web", "worker", "sweep"])
def test_a_command_on_an_outdated_database_asks_for_the_upgrade(tmp_path: Path, command: str) -> None:
    done = run_command(command, cwd=tmp_path, program=PROGRAM, REDIS_URL=AWAY, PORT=str(free_port()))
    assert "`queue-tool db upgrade`" in the_one_sentence(done)


@pytest.mark.parametrize("words", [["up"], ["web"], ["worker"], ["sweep"], ["db", "upgrade"], ["keys", "list"]])
def test_a_program_that_is_older_than_its_database_says_so(tmp_path: Path, words: list[str], newer: bytes) -> None:
    (tmp_path / "instance").mkdir(mode=0o700)
    (tmp_path / "instance" / "queue_tool.db").write_bytes(newer)
    sentence = the_one_sentence(run_command(*words, cwd=tmp_path, REDIS_URL=AWAY, PORT=str(free_port())))
    assert "is at revision 9999, which is newer than this version of Queue Tool: install a newer version" in sentence


@pytest.fixture(scope="module")
def newer(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of a database that a newer version has upgraded."""
    path = tmp_path_factory.mktemp("newer") / "newer.db"
    path.write_bytes(migrated_database.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
        connection.execute("PRAGMA journal_mode=DELETE")
    return path.read_bytes()


# -- keys --------------------------------------------------------------------------------------------------


def test_a_key_is_shown_once_then_listed_without_its_secret_and_revoked(tmp_path: Path) -> None:
    made = run_command("keys", "create", "--role", "submit", "--name", "printer", cwd=tmp_path, program=PROGRAM)
    assert made.returncode == 0
    secret = made.stdout.strip()
    assert re.fullmatch(r"qt_[\w-]{43}", secret)
    assert made.stdout == f"{secret}\n"
    (key_id,) = re.findall(r"[0-9a-f]{32}", made.stderr)
    listed = run_command("keys", "list", cwd=tmp_path).stdout
    assert [word in listed for word in (key_id, "submit", "printer", "valid")] == [True] * 4
    assert run_command("keys", "revoke", key_id, cwd=tmp_path).returncode == 0
    after = run_command("keys", "list", cwd=tmp_path).stdout
    assert [word in after for word in (key_id, "revoked", "valid")] == [True, True, False]
    kept = b"".join(path.read_bytes() for path in (tmp_path / "instance").rglob("*") if path.is_file())
    assert key_id.encode() in kept
    assert secret.encode() not in kept
    assert secret not in made.stderr + listed + after


def test_a_key_that_is_kept_is_found_by_clients_of_this_machine_alone(tmp_path: Path) -> None:
    made = run_command("keys", "create", "--role", "admin", "--keep", cwd=tmp_path)
    path = tmp_path / "instance" / "client_key"
    assert made.stderr.endswith(f"It is kept in {path}.\n")
    assert (path.read_text(), path.stat().st_mode & 0o777) == (made.stdout.strip(), 0o600)
    assert [each.name for each in path.parent.glob("client_key*")] == ["client_key"]
    variables = {"QUEUE_TOOL_DATA_DIR": str(path.parent)}
    assert address_of(variables).key == made.stdout.strip()
    assert address_of(variables, key="qt_other").key == address_of({**variables, "QUEUE_TOOL_KEY": "qt_other"}).key
    assert address_of({**variables, "QUEUE_TOOL_URL": "http://127.0.0.1:5000"}).key is None
    assert address_of(variables, "http://127.0.0.1:5000").key is None
    assert address_of({"QUEUE_TOOL_DATA_DIR": str(tmp_path)}).key is None


@pytest.mark.parametrize("words", [[], ["--role", "king"], ["--role", "open"]])
def test_a_key_needs_an_existing_role(tmp_path: Path, words: list[str]) -> None:
    done = run_command("keys", "create", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert all(role in done.stderr for role in ("read", "submit", "admin"))


def test_an_unknown_key_cannot_be_revoked(tmp_path: Path) -> None:
    assert "no API key with this id" in the_one_sentence(run_command("keys", "revoke", "0" * 32, cwd=tmp_path))


# -- while a system runs -----------------------------------------------------------------------------------


def test_a_second_system_on_one_data_directory_names_the_process_that_owns_it(lasting_system: System) -> None:
    done = run_command("up", "--port", str(free_port()), cwd=lasting_system.directory)
    sentence = the_one_sentence(done)
    assert f"in use by process {lasting_system.up.pid}" in sentence
    assert str(lasting_system.directory / "instance") in sentence


def test_a_web_command_on_the_port_of_a_running_system_is_refused(lasting_system: System, tmp_path: Path) -> None:
    sentence = the_one_sentence(run_command("web", "--port", str(lasting_system.port), cwd=tmp_path))
    assert f"127.0.0.1:{lasting_system.port}" in sentence


def test_a_chunked_request_body_is_read_to_its_end(lasting_system: System) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", lasting_system.port, timeout=LIMIT)
    pieces = iter([b"[1,", b"2,"] + [b"3,"] * 100 + [b"4]"])
    connection.request("POST", "/api", pieces, {"Content-Type": "application/json"}, encode_chunked=True)
    answer = connection.getresponse()
    assert answer.status == 200
    assert len(json.loads(answer.read())["processing_items"]) == 103
    connection.close()


def test_an_http_1_0_client_is_asked_for_a_key(lasting_system: System) -> None:
    with socket.create_connection(("127.0.0.1", lasting_system.port), 20) as client:
        client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert answer.split()[1] == b"401"
    assert b"queue-tool keys create" in answer
