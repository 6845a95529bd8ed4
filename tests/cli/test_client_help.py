"""The help of the commands that ask the service, and what the shell completes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import click
import pytest
from click.shell_completion import ZshComplete

from queue_tool.cli.client import COMMANDS
from queue_tool.cli.client.ending import ClientCommand, ExitCode
from queue_tool.cli.client.options import OF_DEAD_LETTERS, OF_TASKS
from queue_tool.cli.groups import client_command
from queue_tool.cli.main import main


def commands_of(name: str) -> Iterator[tuple[str, click.Command]]:
    """Iterate over a command of the client, or the commands of its group, with their words."""
    command = client_command(name)
    below = command.commands if isinstance(command, click.Group) else {"": command}
    return ((f"{name} {word}".strip(), each) for word, each in below.items())


ALL = [each for name in COMMANDS for each in commands_of(name)]


@pytest.mark.parametrize(("words", "command"), ALL, ids=[words for words, _ in ALL])
def test_the_help_of_a_command_is_a_sentence_with_examples_that_its_options_allow(
    tmp_path: Path, words: str, command: ClientCommand
) -> None:
    for name in ("rows.csv", "tasks.jsonl"):
        (tmp_path / name).touch()
    first = (command.help or "").partition("\n")[0]
    assert first.partition(". ")[0].rstrip(".") == command.get_short_help_str(200).rstrip(".")
    assert 10 < len(first) <= 120
    assert f"Example:\n    {command.example.splitlines()[0]}" in command.get_help(click.Context(command))
    for line in command.example.splitlines():
        example = shlex.split(line.partition("queue-tool ")[2].partition(" < ")[0].partition(" > ")[0])
        group = words.split(maxsplit=1)[0]
        assert example[0] == group
        arguments = example[1:] if command.name == group else [word for word in example[1:] if word != command.name]
        with chdir(tmp_path):
            command.make_context(words, arguments).close()


def all_commands(group: click.Group, *before: str) -> Iterator[tuple[str, click.Command]]:
    """Iterate over all commands below a group, with their words."""
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from all_commands(command, *before, name)
        else:
            yield " ".join([*before, name]), command


def test_every_command_has_an_example_and_every_list_shows_whole_sentences() -> None:
    for words, command in all_commands(main):
        assert (
            f"queue-tool {words.removesuffix(' list')}" in command.get_help(click.Context(command))
            or words == "consume"
        )
        assert "INTEGER RANGE" not in command.get_help(click.Context(command))
        room = 80 - len(words.split()[-1]) - 12
        assert not command.get_short_help_str(room).endswith("..."), words


@pytest.mark.parametrize(("words", "meant"), [(["sbmit"], "`submit`"), (["keys", "crate"], "`create`")])
def test_a_misspelled_command_is_told_what_it_may_mean(words: list[str], meant: str) -> None:
    with pytest.raises(click.UsageError, match=f"No such command '{words[-1]}'. Did you mean {meant}"):
        main(words, standalone_mode=False)


def test_every_filter_is_an_option() -> None:
    def filters(words: str) -> set[str]:
        return {option.name or "" for option in dict(ALL)[words].params}

    assert all(filters(words) >= OF_TASKS for words in ("tasks", "cancel", "retry"))
    assert all(filters(f"deadletters {word}") >= OF_DEAD_LETTERS for word in ("list", "retry"))


def test_the_help_names_every_command_and_every_exit_code() -> None:
    text = main.get_help(click.Context(main))
    assert all(f"\n  {name} " in text for name in (*COMMANDS, "up", "worker"))
    assert all(f"\n  {code.value} " in text for code in ExitCode)


def test_the_shell_completes_commands_and_values() -> None:
    shell = ZshComplete(main, {}, "queue-tool", "_QUEUE_TOOL_COMPLETE")
    assert "_QUEUE_TOOL_COMPLETE=zsh_complete queue-tool" in shell.source()

    def offered(*words: str) -> list[str]:
        *before, last = words
        return sorted(item.value for item in shell.get_completions(list(before), last))

    assert offered("re") == ["redis-url", "results", "retry"]
    assert offered("tasks", "--status", "f") == ["failed", "finished"]
    assert offered("schedules", "r") == ["resume", "run"]
