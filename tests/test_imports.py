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


MODULES = "import sys; print(*sys.modules)"
#: What only the end of a run needs, and no rank but the first.
REPORTING = {"aibench.judge", "aibench.reporters.document", "aibench.reporters.html", "jinja2"}


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("aibench.cli.run_command", {*HEAVY, "aibench.cli.measuring", "aibench.planner"}),
        ("aibench.cli.serving", {*REPORTING, "pydantic", "rich", "aibench.store"}),
        ("aibench.cli.running", {*REPORTING, "rich", "scipy", "pandas", "importlib.metadata"}),
        ("aibench.cli.plan_command", {*REPORTING, "rich", "scipy", "pandas", "aibench.store"}),
    ],
)
def test_a_command_loads_what_it_uses(module: str, without: set[str]) -> None:
    """A run judges and reports at its end, and loads that then; its help loads no engine."""
    assert not without & set(python(f"import {module}; {MODULES}").split())


def test_starting_builds_no_schema() -> None:
    """Schemas of records and definitions are built when one is read, not when a command starts."""
    program = (
        "import aibench.cli.running, aibench.cli.concluding\n"
        "from aibench import store\n"
        "from aibench.definition.source import Strict\n"
        "from pydantic import TypeAdapter\n"
        "print(*(name for name, each in vars(store).items() if isinstance(each, TypeAdapter)))\n"
        "schemas = Strict.__subclasses__()\n"
        "print(*(each.__name__ for each in schemas if each.__pydantic_complete__))\n"
        "print(len(schemas))\n"
    )
    *built, known = python(program).splitlines()
    assert built == ["", ""]
    assert int(known) > 5


def test_the_nouns_touch_nothing() -> None:
    """Importing the nouns opens no process, no socket and no heavy library."""
    loaded = set(python(f"import aibench.model, aibench.units, aibench.errors; {LOADED}").split())
    assert not (HEAVY | {"subprocess", "socket", "multiprocessing", "click"}) & loaded
