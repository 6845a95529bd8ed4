"""`python -m deploy.check`: build the image, then run the whole system."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.check.image import ROOT, build
from deploy.check.sandbox import NETWORK, PROBE
from deploy.check.system import say

PROGRAMS = {
    "bwrap": "bubblewrap",
    "redis-server": "redis-server",
    "/usr/lib/rabbitmq/bin/rabbitmq-server": "rabbitmq-server",
}
"""The programs that the check needs, with their packages in Debian."""


def main() -> int:
    """Check the containers; return the exit code."""
    print("== containers: the Dockerfile and compose.yaml, in sandboxes", flush=True)
    postgres = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    missing = [package for program, package in PROGRAMS.items() if shutil.which(program) is None]
    missing += [] if postgres else ["postgresql"]
    if missing:
        say(f"skipped, because these packages are missing: {' '.join(missing)}")
        return int("NO_SKIPS" in os.environ)
    if subprocess.run(PROBE, capture_output=True, check=False).returncode:
        say("skipped, because this machine does not allow sandboxes")
        return 0
    with TemporaryDirectory(prefix="qt") as name:
        began = time.monotonic()
        build(Path(name))
        say(f"the image is built after {time.monotonic() - began:.1f} s")
        words = [sys.executable, "-m", "deploy.check.system", name, str(postgres[-1].parent)]
        return subprocess.run([*NETWORK, *words], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
