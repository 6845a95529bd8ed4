"""`queue-tool init`: writes a small project that runs. Its files are in the folder `project`."""

from __future__ import annotations

from pathlib import Path

import click

from queue_tool.cli.helpful import HelpfulCommand
from queue_tool.errors import CannotMakeProject

FILES = {
    "my_tasks.py": "my_tasks.py.txt",
    "test_my_tasks.py": "test_my_tasks.py.txt",
    ".env": "env.txt",
    ".gitignore": "gitignore.txt",
    "compose.yaml": "compose.yaml.txt",
    "README.md": "README.md.txt",
}
"""The files of a project, each with the one that it is made from."""

_NEXT = """{folder} is ready. Next:

  cd {folder}
  queue-tool up        start the system, with the task types of my_tasks.py
  python -m pytest     test them; it needs `pip install pytest`
"""


@click.command(cls=HelpfulCommand, example="queue-tool init my-project")
@click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
def init(folder: Path) -> None:
    """Write a small project that runs.

    The directory NAME gets task types, their tests, settings, a compose file and a README. No file is overwritten.
    """
    write_project(folder)
    click.echo(_NEXT.format(folder=folder), nl=False)


def write_project(folder: Path) -> None:
    """Write the files of a project into a directory, which is made if it is missing.

    Raises:
        CannotMakeProject: one of the files exists, or cannot be written.
    """
    try:
        taken = [folder / name for name in FILES if (folder / name).exists()]
        if taken:
            raise CannotMakeProject(f"{taken[0]} exists and was not overwritten: choose another directory.")
        folder.mkdir(parents=True, exist_ok=True)
        for name, source in FILES.items():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(_text(source, folder))
        (folder / ".env").chmod(0o600)  # it may hold passwords later
    except OSError as error:
        raise CannotMakeProject(f"{error.filename} cannot be written: {error.strerror}.") from None


def _text(source: str, folder: Path) -> str:
    from importlib.resources import files

    text = files("queue_tool.cli").joinpath("project", source).read_text("utf-8")
    return text.replace("{name}", folder.resolve().name)
