"""Storage tests as code: they pass, fail in the words of a verdict, or are skipped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow(10)
TESTS = """
import pytest


@pytest.fixture(scope="session")
def run(aibench):
    return aibench.run("load-4k", "--cache", "cold", files=300, workers=1)


def test_bounds(run):
    run.at_least("10op/s", "1kB/s:read_bandwidth")
    run.at_most("60s:p99")
    assert run.value("files_per_second") > 10


def test_missed(run):
    run.at_least("900Mop/s")


def test_baseline(run):
    run.not_slower_than_baseline()


def test_refused(aibench):
    aibench.run("load-4k", nonsense=1)
"""


def pytested(directory: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Pytest on storage tests in a directory of their own, without this project's settings."""
    (directory / "test_storage.py").write_text(TESTS)
    (directory / "pytest.ini").write_text("[pytest]\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "AIBENCH"))}
    environment["XDG_CACHE_HOME"] = str(directory / "cache")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", *options],
        cwd=directory, capture_output=True, text=True, timeout=240, check=False, env=environment,
    )  # fmt: skip


def test_without_a_target_they_are_skipped(tmp_path: Path) -> None:
    """Nothing is measured unless a mount is named."""
    done = pytested(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "say which mount to measure: pytest --aibench-target DIR" in done.stdout
    assert "4 skipped" in done.stdout


def test_on_a_mount(tmp_path: Path) -> None:
    """Bounds pass or fail with the figure, too little history skips, wrong settings are named."""
    (tmp_path / "target").mkdir()
    done = pytested(
        tmp_path, "--aibench-target", "target", "--aibench-results", "kept",
        "--aibench-benchmark-json", "times.json",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout
    assert "PASSED test_storage.py::test_bounds" in done.stdout
    assert "✗ bound missed: load-4k/epoch files_per_second" in done.stdout
    assert "SKIPPED" in done.stdout
    assert "0 of at least 8 sessions" in " ".join(done.stdout.split())
    assert "nonsense" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout.replace("2 failed, ", "")
    assert len(list((tmp_path / "kept").glob("*.jsonl"))) == 1
    (benchmark,) = json.loads((tmp_path / "times.json").read_text())["benchmarks"]
    assert benchmark["name"] == "load-4k[epoch]"
    assert benchmark["stats"]["rounds"] == 3
