"""The working directory stays the same one when it is renamed or removed."""

from __future__ import annotations

import os
from contextlib import chdir, closing
from pathlib import Path

from queue_tool.host.working_directory import WorkingDirectory


def test_a_directory_is_found_again_under_its_new_name_and_when_it_has_been_removed(tmp_path: Path) -> None:
    home, renamed = tmp_path / "home", tmp_path / "renamed"
    home.mkdir()
    with chdir(home), closing(WorkingDirectory()) as directory:
        assert not directory.restore()  # nobody has left it
        home.rename(renamed)
        assert not directory.restore()
        home.mkdir()
        os.chdir(tmp_path)
        assert directory.restore()
        assert Path.cwd() == renamed
        renamed.rmdir()
        assert not directory.restore()
        os.chdir(tmp_path)
        assert directory.restore()
        os.chdir(tmp_path)
