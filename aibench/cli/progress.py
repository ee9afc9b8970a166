"""Shows what goes on: one line that changes on a terminal, one line a phase elsewhere."""

import shutil
import sys
import time

from aibench.capacity import searched
from aibench.cli.output import say, tell
from aibench.formats.files import total_bytes
from aibench.model import Plan, Population
from aibench.reporters.clean import clean
from aibench.runner import Step
from aibench.units import format_count, format_duration, format_rate
from aibench.world import library

_EVERY_S = 0.1
#: A rate over less than this says nothing, nor does a time left derived from it.
_TELLING_S = 0.3


class Line:
    """What is being done, how far it has come, how fast, and how long it will take.

    On a terminal the line is written over and over, elsewhere its title is written once.
    """

    def __init__(self) -> None:
        self._live = sys.stderr is not None and sys.stderr.isatty() and not library()
        self._title = ""
        self._begun = self._shown = 0.0

    def begin(self, title: str, *, brief: bool = False) -> None:
        """Something new begins; what is ``brief`` is only shown where it goes away again."""
        self._title, self._begun = clean(title), time.monotonic()
        self._shown = 0.0
        if self._live:
            self._show(self._title)
        elif not brief:
            say(title)

    def update(self, operations: int, moved: int, share: float | None, rest: str = "") -> None:
        """Show how far it has come, ten times a second at most; ``rest`` ends the line.

        ``share`` is how much of it is done. Time counts from the last moment with nothing done.
        """
        now = time.monotonic()
        if not operations and not moved:
            self._begun = now
        elif self._live and now - self._shown >= _EVERY_S:
            self._shown = now
            self._show(
                "  ".join(
                    [self._title, *_figures(operations, moved, share, now - self._begun), rest]
                )
            )

    def finish(self) -> None:
        """Wipe the line away."""
        if self._live:
            self._show("")
            tell("\r")

    def _show(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        tell(f"\r{line[:width]:<{width}}")


def _figures(operations: int, moved: int, share: float | None, spent: float) -> list[str]:
    """Share, rate and time left, as far as they can be known after ``spent`` seconds."""
    figures = [] if share is None else [f"{share:.0%}"]
    if spent >= _TELLING_S:
        rate = format_rate(moved / spent) if moved else f"{format_count(operations / spent)} op/s"
        figures.append(rate)
        if share:
            figures.append(f"{format_duration(spent * (1 - share) / share * 1e9)} left")
    return figures


class Progress:
    """Listens to a run and tells of it on standard error.

    Measured phases are counted, each repeat for itself; what prepares one has its number.
    ``done`` of them are there from before.
    """

    def __init__(self, plan: Plan, done: int = 0) -> None:
        self._line = Line()
        self._steps = sum(
            s.repeats * (searched(s) or len(s.measured)) for s in plan.stages if s.refusal is None
        )
        self._done = done
        self._estimate_s = plan.estimated_ns / 1e9 * (1 - done / max(self._steps, 1))
        self._begun = time.monotonic()
        self._step: Step | None = None
        self._step_begun = self._begun

    def __call__(self, step: Step, operations: int, moved: int) -> None:
        """Take note of a step, and show it now and then."""
        now = time.monotonic()
        if step is not self._step:
            self._step, self._step_begun = step, now
            self._line.begin(self._title(step), brief=step.purpose == "calibrate")
        left = self._estimate_s - (now - self._begun)
        rest = f"(run: about {format_duration(left * 1e9)} left)" if left > 0 else ""
        share = _share(step, operations, moved, now - self._step_begun)
        self._line.update(operations, moved, share, rest)

    def finish(self) -> None:
        """Leave the line."""
        self._line.finish()

    def _title(self, step: Step) -> str:
        measures = step.purpose == "measure"
        self._done += measures
        number = self._done if measures else self._done + 1
        turn = f" {step.repeat + 1}/{step.repeats}" if step.repeats > 1 else ""
        aside = f" ({step.purpose})" if step.purpose in ("calibrate", "warm up") else ""
        return f"[{number}/{self._steps}] {step.workload}: {step.phase}{turn}{aside}"


def _share(step: Step, operations: int, moved: int, spent_s: float) -> float | None:
    """How much of a step is done, by time where it is bounded in time."""
    if step.total_ns:
        return min(spent_s * 1e9 / step.total_ns, 1.0)
    if step.total_bytes:
        return min(moved / step.total_bytes, 1.0)
    if step.total_operations:
        return min(operations / step.total_operations, 1.0)
    return None


class Comparing:
    """Listens to a verification and tells of it on standard error."""

    def __init__(self) -> None:
        self._line = Line()
        self._directory = ""

    def __call__(self, population: Population, operations: int, moved: int) -> None:
        """Take note of how much of a data set was compared."""
        if population.directory != self._directory:
            self._directory = population.directory
            self._line.begin(f"verify {population.directory}")
        self._line.update(operations, moved, min(moved / max(total_bytes(population), 1), 1.0))

    def finish(self) -> None:
        """Leave the line."""
        self._line.finish()
