"""Shows what a run does now: one line that changes on a terminal, one line a phase elsewhere."""

import shutil
import sys
import time

from aibench.model import Plan
from aibench.runner import Step
from aibench.units import format_count, format_duration, format_rate

_EVERY_S = 0.1


class Progress:
    """Listens to a run and tells it on standard error, with rate and time left."""

    def __init__(self, plan: Plan) -> None:
        self._steps = sum(s.repeats * len(s.measured) for s in plan.stages if s.refusal is None)
        self._done = 0
        self._estimate_ns = plan.estimated_ns
        self._begun = time.monotonic()
        self._step: Step | None = None
        self._step_begun = 0.0
        self._shown = 0.0
        self._live = sys.stderr.isatty()

    def __call__(self, step: Step, operations: int, moved: int) -> None:
        """Take note of a step, and show it now and then."""
        now = time.monotonic()
        if step is not self._step:
            self._begin(step, now)
        elif self._live and now - self._shown >= _EVERY_S:
            self._shown = now
            self._show(self._line(step, operations, moved, now))

    def finish(self) -> None:
        """Leave the line."""
        if self._live:
            self._show("")
            sys.stderr.write("\r")
        self._step = None

    def _begin(self, step: Step, now: float) -> None:
        if step.total_ns == 0 or "(calibration)" not in step.phase:
            self._done += step.phase != "layout"
        self._step, self._step_begun = step, now
        if self._live:
            self._shown = now
            self._show(self._title(step))
        elif "(calibration)" not in step.phase:
            sys.stderr.write(f"aibench: {self._title(step)}\n")

    def _title(self, step: Step) -> str:
        turn = f" {step.repeat + 1}/{step.repeats}" if step.repeats > 1 else ""
        return f"[{self._done}/{self._steps}] {step.workload}: {step.phase}{turn}"

    def _line(self, step: Step, operations: int, moved: int, now: float) -> str:
        spent = max(now - self._step_begun, 1e-3)
        share = _share(step, operations, moved, spent)
        rate = format_rate(moved / spent) if moved else f"{format_count(operations / spent)} op/s"
        parts = [self._title(step)]
        if share is not None:
            parts.append(f"{share:.0%}")
        parts.append(rate)
        if share:
            parts.append(f"{format_duration(spent * (1 - share) / share * 1e9)} left")
        total = self._estimate_ns / 1e9 - (now - self._begun)
        if total > 0:
            parts.append(f"about {format_duration(total * 1e9)} in all")
        return "  ".join(parts)

    def _show(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{line[:width]:<{width}}")
        sys.stderr.flush()


def _share(step: Step, operations: int, moved: int, spent: float) -> float | None:
    if step.total_ns:
        return min(spent * 1e9 / step.total_ns, 1.0)
    if step.total_bytes:
        return min(moved / step.total_bytes, 1.0)
    if step.total_operations:
        return min(operations / step.total_operations, 1.0)
    return None
