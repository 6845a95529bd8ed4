"""A certificate for tests of TLS, made by the program `openssl`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def certificate(folder: Path, host: str) -> Path:
    """Return a new file with a certificate for a host that signs itself, and its key."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl on this machine")
    place = folder / "certificate.pem"
    subject = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]
    command = [openssl, "req", "-x509", "-days", "2", *key, *subject, "-keyout", str(place), "-out", "-"]
    made = subprocess.run(command, capture_output=True, check=True)
    with place.open("ab") as file:
        file.write(made.stdout)
    return place
