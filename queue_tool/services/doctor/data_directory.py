"""The check of the data directory: whether it can be used, and who else can use it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from queue_tool.host import data_dir
from queue_tool.services.doctor.finding import Finding, ok, warning


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDirectoryCheck:
    """Looks at the data directory without making it."""

    path: Path
    name: str = "data directory"

    def __call__(self) -> Iterator[Finding]:
        """Return whether it can be used.

        Raises:
            DataDirUnusable: it cannot.
        """
        found = data_dir.require_usable(self.path)
        if found is None:
            yield ok(self, f"{self.path} is missing, and the first start makes it")
        elif found.st_uid != os.getuid():
            remedy = "run the system and its commands as this user only"
            yield warning(
                self, f"{self.path} belongs to the user {found.st_uid}, and this is user {os.getuid()}", remedy
            )
        elif found.st_mode & stat.S_IWGRP:
            yield warning(self, f"The group of {self.path} can write there", f"run `chmod g-w {self.path}`")
        else:
            yield ok(self, f"{self.path} belongs to this user, with mode {stat.S_IMODE(found.st_mode):o}")
