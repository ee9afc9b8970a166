"""The scripts that the README begins with."""

import os
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from _pytest.mark.expression import Expression

TOP = Path(__file__).parent.parent
SCRIPTS = ("quickstart", "test", "check", "setup.sh", "perf")


def script(name: str, *arguments: str, cwd: Path = TOP) -> subprocess.CompletedProcess[str]:
    """Run a script of the checkout."""
    return subprocess.run([str(TOP / "scripts" / name), *arguments], cwd=cwd, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL, check=False)  # fmt: skip


@pytest.mark.parametrize("name", ["quickstart", "test", "check", "setup.sh"])
def test_shell_scripts_are_well_formed(name: str) -> None:
    """The shell finds no mistake in any script."""
    done = subprocess.run(
        ["bash", "-n", str(TOP / "scripts" / name)], check=False, capture_output=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["quickstart", "test", "check", "perf"])
def test_scripts_can_be_run(name: str) -> None:
    """Every script of the README has its run bit."""
    assert os.access(TOP / "scripts" / name, os.X_OK)


def test_perf_names_its_parts() -> None:
    """`perf --help` finds all that it imports, and names each part."""
    command = [sys.executable, str(TOP / "scripts" / "perf"), "--help"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "load-cold" in done.stdout
    assert "accelerators" in done.stdout


def test_ci_calls_the_test_script() -> None:
    """CI runs what the README tells a contributor to run."""
    assert "scripts/test" in (TOP / ".ci" / "run").read_text()


def test_quickstart_says_what_it_does() -> None:
    """`quickstart --help` explains itself and touches nothing."""
    done = script("quickstart", "--help")
    assert done.returncode == 0
    assert "scripts/quickstart [DIR]" in done.stdout


@pytest.mark.parametrize("arguments", [("--nonsense",), ("a", "b")])
def test_quickstart_refuses_wrong_usage(arguments: tuple[str, ...]) -> None:
    """Anything but one directory is refused with the usage."""
    done = script("quickstart", *arguments)
    assert done.returncode == 2
    assert "usage: scripts/quickstart [DIR]" in done.stderr


def test_quickstart_refuses_a_missing_directory(tmp_path: Path) -> None:
    """A directory that does not exist is named, relative to where the user stands."""
    done = script("quickstart", "nowhere", cwd=tmp_path)
    assert done.returncode == 2
    assert f"{tmp_path}/nowhere" in done.stderr


def test_every_test_has_its_part() -> None:
    """Whatever marks a test has, `scripts/test` passes it in exactly one of its parts."""
    text = (TOP / "scripts" / "test").read_text()
    (quick,) = re.findall(r'^quick_ones="(.+)"$', text, re.MULTILINE)
    whole = text.partition("\nfailed=()\n")[2].replace("$quick_ones", quick)
    parts = [Expression.compile(part) for part in re.findall(r' -m "(.+?)"', whole)]
    marks = ("mounts", "browser", "slow", "alone", "paced", "machine")
    for count in range(len(marks) + 1):
        for has in combinations(marks, count):
            chosen = [part.evaluate(lambda name, **_: name in has) for part in parts]  # noqa: B023
            assert sum(chosen) == 1, has


def test_tests_of_labs_are_where_they_are_looked_for() -> None:
    """What `scripts/test` looks for in tests/labs only is nowhere else."""
    mark = re.compile(r"pytest\.mark\.(machine|paced)\b")
    marked = {path for path in (TOP / "tests").rglob("*.py") if mark.search(path.read_text())}
    assert {path.parent for path in marked} == {TOP / "tests" / "labs"}
