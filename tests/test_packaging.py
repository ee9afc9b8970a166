"""The wheel: complete, and usable outside the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from this checkout."""
    place = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", str(place), str(TOP))
    return next(place.glob("aibench-*.whl"))


def pip(*arguments: str, python: str = sys.executable) -> None:
    """Run pip; skip where the package index can't be reached."""
    command = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    if "No matching distribution" in done.stderr or "connection" in done.stderr.lower():
        pytest.skip("needs a package index for pip")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The aibench program of an empty environment that the wheel was installed into."""
    place = tmp_path_factory.mktemp("environment") / "with a space"
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    python = str(place / "bin" / "python")
    pip("install", "--no-compile", str(wheel), python=python)
    return place / "bin" / "aibench"


def files(directory: Path, pattern: str) -> set[str]:
    """The names of the files in a directory of the checkout."""
    return {path.name for path in directory.glob(pattern)}


@pytest.mark.slow(30)
def test_the_wheel_holds_what_reports_and_runs_need(wheel: Path) -> None:
    """Workloads, claims, references and templates are in the wheel, and the tests are not."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for shipped, there in (
        ("aibench/library/workloads", files(TOP / "workloads", "*.toml")),
        ("aibench/library/claims", files(TOP / "results/claims", "*.toml")),
        ("aibench/library/references", files(TOP / "results/references", "*.toml")),
        ("aibench/reporters/templates", files(TOP / "aibench/reporters/templates", "*")),
    ):
        assert {f"{shipped}/{name}" for name in there} <= names
    assert "aibench/py.typed" in names
    assert not any(name.startswith("tests") for name in names)


@pytest.mark.slow(30)
def test_the_installed_wheel_runs_in_another_directory(installed: Path, tmp_path: Path) -> None:
    """Installed into an empty environment, aibench runs, reports and cleans up elsewhere."""
    target = tmp_path / "target"
    target.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def aibench(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(installed), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=False,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)  # fmt: skip

    assert "load-imagenet" in aibench("list", "workloads").stdout
    assert "A3-03" in aibench("list", "claims").stdout
    done = aibench("run", str(target), "-w", "load-4k", "--set", "files=500", "--repeats", "1",
                   "--results", "records")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "load-4k" in done.stdout
    page = next((tmp_path / "records").glob("*.html")).read_text()
    assert page.startswith("<!doctype html>") or page.lower().startswith("<!doctype html>")
    assert aibench("verify", str(target)).returncode == 0
    assert aibench("clean", str(target)).returncode == 0
    assert list(target.iterdir()) == []
