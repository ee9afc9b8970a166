"""What ``duel`` and ``compare`` share: options, rules, reports and exit codes."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from aibench import floors
from aibench.cli import output
from aibench.compare import Rules
from aibench.compare.gates import CODES
from aibench.compare.rules import DEFAULT_DELTA
from aibench.errors import Refused
from aibench.model.comparison import Comparison, Outcome
from aibench.registry import plugin
from aibench.reporters.comparisons import comparison_document

_DECISION_OPTIONS = (
    click.option("--delta", default=f"{100 * DEFAULT_DELTA:g}%", show_default=True, metavar="SHARE",
                 help="The smallest difference that matters."),
    click.option("--must-have", multiple=True, metavar="[[WORKLOAD/]PHASE/]METRIC",
                 help="The figures that a purchase hangs on; may be repeated.  [default: all]"),
    click.option("--screen", is_flag=True,
                 help="No figure is a must: bound the share of wrong answers, not any."),
    click.option("--accept", multiple=True, metavar="CODE",
                 help="Let a gate pass, such as io_limited; may be repeated."),
    click.option("--expect", metavar="SIDE|equivalent",
                 help="Exit with 1 unless this is the answer: a, b, ... or equivalent."),
    click.option("--results", "results_dir", metavar="DIR",
                 help="Where records are.  [default: $AIBENCH_RESULTS, else results/runs]"),
    click.option("--json", "as_json", is_flag=True,
                 help="One JSON document on standard output."),
)  # fmt: skip


def decision_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that decide who is better."""
    for option in reversed(_DECISION_OPTIONS):
        command = option(command)
    return command


def rules(given: dict[str, Any], folder: str, *, confidence: float, **more: Any) -> Rules:
    """The rules for the options of `decision_options`, with the noise floors in ``folder``."""
    accepted = frozenset(given["accept"])
    known = CODES | {"sequential"}
    if unknown := sorted(accepted - known):
        raise Refused(f"no gate {unknown[0]!r} to accept; there are: {', '.join(sorted(known))}")
    if given["screen"] and given["must_have"]:
        raise Refused("--screen says that no figure is a must, and --must-have names one")
    return Rules(
        delta=parse_share(given["delta"]),
        confidence=confidence,
        must_have=given["must_have"],
        screen=given["screen"],
        accepted=accepted,
        floors=floors.by_figure(floors.read(folder)),
        **more,
    )


def parse_share(text: str) -> float:
    """The share in ``5%`` or ``0.05``, above 0 and below 1. `Refused` for anything else."""
    match = re.fullmatch(r"\s*([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*(%?)\s*", text, re.ASCII)
    value = float(match[1]) / (100 if match[2] else 1) if match else math.nan
    if not 0 < value < 1:
        raise Refused(f"--delta {text[:40]!r} is not a share above 0 and below 1; write 5% or 0.05")
    return value


def check_expected(expected: str | None, keys: Sequence[str]) -> None:
    """`Refused` unless ``expected`` is a side or ``equivalent``."""
    if expected is not None and expected not in (*keys, "equivalent"):
        known = ", ".join((*keys, "equivalent"))
        raise Refused(f"--expect {expected[:40]!r}: one of {known}")


def render(comparison: Comparison, form: str, *, color: bool = False) -> str:
    """``comparison`` in the format ``form``."""
    draw = plugin("comparisons", form)
    width = min(output.terminal_width(), 120)
    text: str = draw(comparison_document(comparison), width=width, color=color)
    return text


def exit_code(comparison: Comparison, expected: str | None) -> int:
    """0 when all that was asked for is decided (as ``expected``), 1 when otherwise, 3 when not."""
    if expected is None:
        return 0 if comparison.decided or comparison.itself else 3
    answers = [
        _fits(comparison, outcome, sides, expected)
        for figure in comparison.asked
        for difference in figure.differences
        for outcome, sides in [(difference.outcome, (difference.first, difference.second))]
    ]
    if False in answers:
        return 1
    return 0 if answers and all(answers) else 3


def _fits(
    comparison: Comparison, outcome: Outcome, sides: tuple[int, int], expected: str
) -> bool | None:
    """Whether an answer is the expected one; None where there is none. Others' duels fit."""
    if outcome in (Outcome.INCONCLUSIVE, Outcome.SIDE_BY_SIDE):
        return None
    if expected == "equivalent":
        return outcome is Outcome.EQUIVALENT
    keys = [comparison.sides[side].key for side in sides]
    if expected not in keys:
        return True
    wanted = (Outcome.FIRST_BETTER, Outcome.SECOND_BETTER)[keys.index(expected)]
    return outcome is wanted
