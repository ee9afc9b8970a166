"""Progress counts what is measured, and says nothing that it can't know."""

import io
import sys

import pytest

from aibench.cli.progress import Line, Progress
from aibench.model import Operation
from aibench.runner import Step
from tests import build


class Screen(io.StringIO):
    """A terminal that remembers all that was written to it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def steps(progress: Progress) -> None:
    """A layout, a calibration, and two repeats of a warm phase."""
    for purpose, phase, repeat, repeats in (
        ("prepare", "layout", 0, 1), ("calibrate", "read", 0, 1), ("warm up", "read", 0, 2),
        ("measure", "read", 0, 2), ("warm up", "read", 1, 2), ("measure", "read", 1, 2),
    ):  # fmt: skip
        step = Step(
            workload="demo", phase=phase, purpose=purpose, repeat=repeat, repeats=repeats,
            total_bytes=100,
        )  # type: ignore[arg-type]  # fmt: skip
        progress(step, 0, 0)
        progress(step, 1, 50)
    progress.finish()


def plan() -> Progress:
    """The progress of a plan with two repeats of one phase."""
    phases = (build.phase(operation=Operation.WRITE_FILES, measured=False), build.phase())
    return Progress(build.plan(build.stage(phases=phases, repeats=2)))


def test_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere than on a terminal each step is one line; calibrations are too brief for one."""
    seen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", seen)
    steps(plan())
    assert seen.getvalue().splitlines() == [
        "aibench: [1/2] demo: layout",
        "aibench: [1/2] demo: read 1/2 (warm up)",
        "aibench: [1/2] demo: read 1/2",
        "aibench: [2/2] demo: read 2/2 (warm up)",
        "aibench: [2/2] demo: read 2/2",
    ]


def test_done_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there from before is counted as done."""
    seen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", seen)
    progress = Progress(build.plan(build.stage(phases=(build.phase(),), repeats=3)), done=2)
    progress(Step(workload="demo", phase="read", purpose="measure", repeat=2, repeats=3), 0, 0)
    assert seen.getvalue().splitlines() == ["aibench: [3/3] demo: read 3/3"]


def test_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal the line never wraps, shows how far it has come, and is wiped away."""
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "60")
    steps(plan())
    shown = screen.getvalue().split("\r")
    assert all(len(line) <= 59 for line in shown)
    assert any(line.startswith("[1/2] demo: layout  50%") for line in shown)
    assert shown[-2].strip() == ""
    assert shown[-1] == ""


@pytest.mark.parametrize("stream", [None, "closed"])
def test_nobody_listens(monkeypatch: pytest.MonkeyPatch, stream: str | None) -> None:
    """Progress that can't be written is not worth ending a run for."""

    class Broken(Screen):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stderr", None if stream is None else Broken())
    line = Line()
    line.begin("title")
    line.update(1, 1, 0.5)
    line.finish()
