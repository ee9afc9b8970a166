"""The wheel: complete, and usable outside the checkout."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
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


def pip(*arguments: str, **environment: str) -> str:
    """What pip says; skip where the package index can't be reached."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], text=True,
        capture_output=True, stdin=subprocess.DEVNULL, env=os.environ | environment, check=False,
    )  # fmt: skip
    if "No matching distribution" in done.stderr or "connection" in done.stderr.lower():
        pytest.skip("needs a package index for pip")
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The aibench program of an empty environment that the wheel was installed into."""
    place = tmp_path_factory.mktemp("environment") / "with a space"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    pip("--python", str(place / "bin" / "python"), "install", "--no-compile", str(wheel))
    return place / "bin" / "aibench"


def loops(python: str) -> str:
    """How an installed aibench reads plain files."""
    done = subprocess.run(
        [python, "-c", "import aibench.reading; print(aibench.reading.LOOPS)"],
        capture_output=True, text=True, check=True, cwd="/",
    )  # fmt: skip
    return done.stdout.strip()


def can_compile(place: Path) -> bool:
    """Whether there are a C compiler and Python's headers."""
    source = place / "try.c"
    source.write_text("#include <Python.h>")
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    if shutil.which(compiler[0]) is None:
        return False
    include = sysconfig.get_paths()["include"]
    command = [*compiler, "-I", include, "-c", str(source), "-o", str(place / "try.o")]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


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
    assert "aibench/_reading.c" in names
    assert not any(name.startswith("tests") for name in names)


@pytest.mark.slow(30)
def test_the_wheel_is_compiled_where_that_is_possible(wheel: Path, tmp_path: Path) -> None:
    """Compiled, one wheel fits every Python since 3.11 on this platform; else it fits any."""
    compiled = can_compile(tmp_path)
    tag = (
        f"cp311-abi3-{re.sub('[-.]', '_', sysconfig.get_platform())}"
        if compiled
        else "py3-none-any"
    )
    assert wheel.stem.split("-", 2)[2] == tag
    archive = zipfile.ZipFile(wheel)
    libraries = [name for name in archive.namelist() if name.endswith(".so")]
    assert libraries == ["aibench/_reading.abi3.so"] * compiled
    told = archive.read(next(name for name in archive.namelist() if name.endswith("/WHEEL")))
    assert f"Root-Is-Purelib: {str(not compiled).lower()}" in told.decode()


@pytest.mark.slow(30)
def test_without_a_compiler_the_installation_goes_on(tmp_path: Path) -> None:
    """Where nothing can be compiled the build says so in a line, and the wheel fits any Python."""
    told = pip("wheel", "--verbose", "--no-deps", "--wheel-dir", str(tmp_path), str(TOP),
               CC="/nonexistent/cc")  # fmt: skip
    (line,) = {line.strip() for line in told.splitlines() if "not compiled" in line}
    assert "costs more CPU time" in line
    assert "/nonexistent/cc" in line
    (wheel,) = tmp_path.glob("aibench-*.whl")
    assert wheel.stem.split("-", 2)[2] == "py3-none-any"
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".so")]


@pytest.mark.slow(30)
def test_the_installed_wheel_runs_in_another_directory(
    wheel: Path, installed: Path, tmp_path: Path
) -> None:
    """Installed into an empty environment, aibench runs, reports and cleans up elsewhere."""
    target = tmp_path / "target"
    target.mkdir()
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def aibench(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(installed), *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=False,
                              capture_output=True, text=True, stdin=subprocess.DEVNULL)  # fmt: skip

    assert loops(str(installed.with_name("python"))) == (
        "compiled" if "-abi3-" in wheel.name else "Python"
    )
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
