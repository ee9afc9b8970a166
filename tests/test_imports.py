"""Imports point downwards, and the command line starts light."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]
HEAVY = {"numpy", "pandas", "scipy", "plotly", "psutil", "pydantic", "jinja2", "rich"}


def python(program: str, *arguments: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_imports_point_downwards() -> None:
    """The import rules of pyproject.toml hold: nouns in the middle, verbs apart, edges outside."""
    command = Path(sys.executable).with_name("lint-imports")
    if not command.exists():
        found = shutil.which("lint-imports")
        if found is None:
            pytest.skip("The import rules are checked by import-linter, which is not installed.")
        command = Path(found)
    done = subprocess.run(
        [command, "--no-cache"], cwd=_ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


LOADED = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"


def test_importing_aibench_is_light() -> None:
    """``import aibench`` loads none of the heavy libraries."""
    assert not HEAVY & set(python(f"import aibench; {LOADED}").split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_asking_for_help_is_light(arguments: tuple[str, ...]) -> None:
    """``aibench --help`` and ``--version`` load none of the heavy libraries."""
    program = (
        "import sys\n"
        "from aibench.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "print('LOADED')\n" + LOADED
    )
    shown, _, loaded = python(program, *arguments).partition("LOADED")
    assert "aibench" in shown.lower()
    assert not HEAVY & set(loaded.split())


def test_the_nouns_touch_nothing() -> None:
    """Importing the nouns opens no process, no socket and no heavy library."""
    loaded = set(python(f"import aibench.model, aibench.units, aibench.errors; {LOADED}").split())
    assert not (HEAVY | {"subprocess", "socket", "multiprocessing", "click"}) & loaded
