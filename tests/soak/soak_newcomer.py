"""A newcomer: from `pip install` of the wheel in an empty directory to the results of 20,000 rows of a CSV file.

Each step is printed with its time. `python -m pytest -s tests/soak/soak_newcomer.py` shows them.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.support import LIMIT, clean_environment, eventually, free_port

ROOT = Path(__file__).parents[2]
ROWS = 20_000
MOST = 20 * 60
"""Seconds for all steps."""

FUNCTION = """
from queue_tool import task


@task("price", schema={"type": "object", "required": ["item", "price", "count"], "properties": {
    "item": {"type": "string"}, "price": {"type": "number"}, "count": {"type": "integer"}}})
def price(row):
    return {"item": row["item"], "total": round(row["price"] * row["count"], 2)}
"""


def test_a_newcomer_has_the_results_of_twenty_thousand_rows_in_twenty_minutes(tmp_path: Path) -> None:
    steps: list[tuple[str, float]] = []
    began = time.monotonic()

    def step(name: str) -> None:
        steps.append((name, time.monotonic() - began - sum(seconds for _, seconds in steps)))

    (wheel,) = _built(tmp_path / "dist")
    step("(build the wheel)")
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    step("python -m venv venv")
    subprocess.run([tmp_path / "venv/bin/pip", "install", "--quiet", wheel], check=True, timeout=MOST)
    step("pip install queue_tool-*.whl")
    folder = tmp_path / "prices"
    environment = clean_environment(PORT=str(free_port())) | {"PATH": f"{tmp_path}/venv/bin:{os.environ['PATH']}"}
    run = _runner(environment)
    run(["queue-tool", "init", "prices"], tmp_path)
    step("queue-tool init prices")
    with (folder / "my_tasks.py").open("a") as file:
        file.write(FUNCTION)
    step("write a function (by hand: some minutes)")
    _write_rows(folder / "prices.csv")
    step("have a CSV file")
    log_of = tmp_path / "log"
    with log_of.open("wb") as log:
        system = subprocess.Popen(["queue-tool", "up"], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        eventually(lambda: b" ready " in log_of.read_bytes())
        step("queue-tool up")
        checked = run(["queue-tool", "submit", "prices.csv", "--type", "price", "--dry-run"], folder)
        assert checked == f"{ROWS:,} accepted, 0 refused. Nothing was sent.\n"
        step("queue-tool submit prices.csv --type price --dry-run")
        batch = run(["queue-tool", "submit", "prices.csv", "--type", "price", "--wait"], folder).strip()
        step("queue-tool submit prices.csv --type price --wait")
        found = [json.loads(line)["result"] for line in run(["queue-tool", "results", batch], folder).splitlines()]
        step("queue-tool results BATCH")
    finally:
        system.terminate()
        system.wait(LIMIT)
    assert found == [{"item": f"item {n}", "total": round(n / 100 * (n % 7), 2)} for n in range(ROWS)]
    print(*(f"{seconds:7.1f} s  {name}" for name, seconds in steps), sep="\n")  # noqa: T201 - `pytest -s` shows it
    assert time.monotonic() - began < MOST


def _built(folder: Path) -> Sequence[Path]:
    """Build the wheel, and return its path in a sequence of one."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        folder,
        ROOT,
    ]
    subprocess.run(command, check=True, timeout=MOST)
    return list(folder.glob("*.whl"))


def _runner(environment: dict[str, str]) -> Callable[[Sequence[str], Path], str]:
    """Return a function that runs a command, which must succeed, and returns its output."""

    def run(words: Sequence[str], folder: Path) -> str:
        done = subprocess.run(
            words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True, timeout=MOST
        )
        return done.stdout

    return run


def _write_rows(path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["item", "price", "count"])
        writer.writerows([f"item {number}", number / 100, number % 7] for number in range(ROWS))
