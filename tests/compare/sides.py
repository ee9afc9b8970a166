"""Builders of runs whose rate a test knows: sides of a comparison, in pairs or not."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from aibench.compare import Entrant
from aibench.model import Ceiling, Finding, RunRecord, Sample, System, Target
from tests import build
from tests.build import SECOND

#: Operations of a run, in which the rates are exact to 1 in 10^9.
_OPERATIONS = 1000


def sample(rate: float, repeat: int = 0, **changes: Any) -> Sample:
    """A cold repeat at ``rate`` files/s on a harness that could do ten times as many."""
    elapsed = round(_OPERATIONS * SECOND / rate)
    whole = build.histogram(*(elapsed // _OPERATIONS,) * _OPERATIONS)
    measured = build.measurement(
        elapsed_ns=elapsed, histograms={"whole": whole}, series=None,
        first_done_ns=elapsed, last_done_ns=elapsed, operations=_OPERATIONS,
    )  # fmt: skip
    parts: dict[str, Any] = {
        "measurement": measured,
        "ceiling": Ceiling(operations=10 * _OPERATIONS, bytes=40_960_000, elapsed_ns=elapsed),
    }
    return build.sample(repeat, **parts | changes)


def target(key: str, **changes: Any) -> Target:
    """The mount of a side, with a label and a device of its own."""
    parts = {"label": f"node {key}", "path": f"/mnt/{key}", "source": f"/dev/sd{key}1"}
    return build.target(**parts | changes)


def run(key: str, number: int, rate: float, **changes: Any) -> RunRecord:
    """Run ``number`` of side ``key``: one repeat at ``rate`` files/s, labelled as of a duel."""
    parts: dict[str, Any] = {
        "run_id": f"20261121T1200{number:02d}Z-demo-{key}{number:05d}",
        "started_at": f"2026-11-21T12:00:{number:02d}.000Z",
        "target": target(key),
        "plan": build.plan(build.stage(repeats=1), seed=number),
        "labels": {"duel": "d0e1", "pair": str(number), "side": key, "pairs": "6", "sides": "2"},
    }
    return build.record(*changes.pop("samples", (sample(rate),)), **parts | changes)


def entrant(
    key: str, rates: Sequence[float], system: System | None = None, **changes: Any
) -> Entrant:
    """A side with one run for each of ``rates``."""
    runs = tuple(run(key, number, rate, **changes) for number, rate in enumerate(rates, 1))
    return Entrant(key=key, runs=runs, system=system)


def warned(which: Entrant, *codes: str, runs: int | None = None) -> Entrant:
    """``which`` with warnings in the header of all its runs, or of the first ``runs``."""
    found = tuple(Finding(code=code, message=f"it says {code}") for code in codes)
    many = len(which.runs) if runs is None else runs
    changed = tuple(
        replace(each, warnings=found) if n < many else each for n, each in enumerate(which.runs)
    )
    return replace(which, runs=changed)
