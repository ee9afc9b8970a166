"""``aibench duel``: which of two or more mounts is better, by interleaved pairs."""

import os
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any, NoReturn

import click

from aibench import floors
from aibench.cli import output, results
from aibench.cli.compare_command import load_duel
from aibench.cli.comparing import check_expected, decision_options, exit_code, render, rules
from aibench.cli.corners import asked_of, corners, is_itself
from aibench.cli.dueling import Duel, new_id, resumed
from aibench.cli.fitness import misfits
from aibench.cli.measuring import Asked, tidy
from aibench.cli.options import question_options
from aibench.cli.signals import interruptible
from aibench.cli.supervisor import tell_patience
from aibench.compare import Rules, compare
from aibench.compare.noise import noise_floors
from aibench.compare.overall import refuse_below_floor, refuse_unknown
from aibench.compare.pairing import LETTERS
from aibench.compare.rules import MOST_PAIRS, ONE_LOOK, TWO_LOOKS, WARM_UP
from aibench.errors import Interrupted, Refused
from aibench.model import Finding
from aibench.model.comparison import Comparison, Outcome
from aibench.probes import environment
from aibench.store import now
from aibench.units import format_duration, format_size, parse_duration


@click.command("duel")
@click.argument("target_a", type=click.Path())
@click.argument("target_b", type=click.Path())
@click.option(
    "--target",
    "more",
    multiple=True,
    type=click.Path(),
    metavar="DIR",
    help="One more target; may be repeated.",
)
@question_options
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="TEXT",
    help="What to call a target, in their order; may be repeated.",
)
@click.option(
    "--pairs",
    default=6,
    show_default=True,
    type=click.IntRange(3, MOST_PAIRS),
    metavar="N",
    help="How many pairs to measure, after one that warms up.",
)
@click.option(
    "--extend",
    "extension",
    default=0,
    type=click.IntRange(0, MOST_PAIRS),
    metavar="N",
    help="If those decide not all, N more; each look at 97.5 %.  [default: 0]",
)
@click.option(
    "--cool-down",
    default="0s",
    show_default=True,
    metavar="TIME",
    help="Wait so long before each run.",
)
@click.option(
    "--system",
    "systems",
    multiple=True,
    metavar="FILE",
    help="What a target is, in their order: ratios per price, watt, ... (TOML).",
)
@click.option("--system-a", metavar="FILE", help="What the first target is.")
@click.option("--system-b", metavar="FILE", help="What the second target is.")
@click.option("--resume", metavar="DUEL", help="Measure only the pairs that this duel lacks.")
@click.option(
    "--patience",
    default="120s",
    show_default=True,
    metavar="TIME",
    help="End a phase in which nothing happens for this long.",
)
@click.option(
    "--keep/--no-keep", default=True, help="Keep the data sets for the next run.  [default: keep]"
)
@decision_options
def command(target_a: str, target_b: str, more: tuple[str, ...], **given: Any) -> None:
    """Measure two or more directories in turn, and tell which is better.

    Each pair is one run on every target with the same seed, in random order; the first pair warms
    up and is discarded. Every run leaves a record. The same target twice gives its noise floor,
    below which no difference is believed.

    Exit code 0 when decided or equivalent, 1 when not as expected, 3 when inconclusive, 4 when a
    run failed.
    """
    paths = (target_a, target_b, *more)
    tell_patience(parse_duration(given["patience"]))
    itself = is_itself(paths)
    if given["pairs"] + given["extension"] > MOST_PAIRS:
        raise Refused(f"--pairs and --extend are more than {MOST_PAIRS} pairs together")
    check_expected(given["expect"], LETTERS[: len(paths)])
    asked = asked_of(paths, given)
    folder, remarks = _folder(given["results_dir"], asked)
    confidence = TWO_LOOKS if given["extension"] else ONE_LOOK
    decide = rules(given, folder, confidence=confidence)
    if problems := [
        text for each in asked for text in misfits(each.plan, each.target, each.party.memory_bytes)
    ]:
        raise Refused("\n".join(dict.fromkeys(problems)))
    results.prepare(folder)
    with interruptible(), ExitStack() as stack:
        duel = Duel(
            id=given["resume"] or new_id(),
            corners=corners(asked, stack, itself=itself),
            pairs=given["pairs"],
            extension=given["extension"],
            folder=folder,
            remarks=remarks,
            patience_ns=parse_duration(given["patience"]),
            cool_down_ns=parse_duration(given["cool_down"]),
            itself=itself,
        )
        if given["resume"]:
            clients = {k: environment.environment(target=c.asked.target)
                       for k, c in zip(duel.keys, duel.corners, strict=True)}  # fmt: skip
            resumed(duel, load_duel(folder, duel.id), clients)
        _announce(duel)
        fought = _fight(duel, decide)
        for corner in duel.corners[:1] if itself else duel.corners:
            tidy(corner.workspace, keep=given["keep"])
    _conclude(duel, fought, decide, given)


def _folder(given: str | None, asked: Sequence[Asked]) -> tuple[str, tuple[Finding, ...]]:
    found = [results.directory(given, each.target) for each in asked]
    remarks = dict.fromkeys(remark for _, remarks in found for remark in remarks)
    return found[0][0], tuple(remarks)


def _announce(duel: Duel) -> None:
    plan = duel.corners[0].asked.plan
    runs = (duel.pairs + 1) * len(duel.corners)
    more = f", at most {duel.extension} pairs more" if duel.extension else ""
    output.say(
        f"duel {duel.id}: {duel.pairs} pairs and one to warm up, {runs} runs{more}; about "
        f"{format_duration(plan.estimated_ns * runs)}, "
        f"{format_size(plan.space_bytes)} on each target"
    )


@dataclass(frozen=True, slots=True)
class _Fought:
    """How far a duel came: the ``last`` pair that was to be measured, and why it ended early."""

    last: int
    why: str = ""


def _fight(duel: Duel, decide: Rules) -> _Fought:
    """Measure what was declared, and extend once where that decides not all."""
    last = duel.pairs
    try:
        why = duel.measure(WARM_UP, WARM_UP)
        if not why:
            _refuse(duel, decide)
            why = duel.measure(WARM_UP + 1, last)
        if not why and _is_open(duel, decide):
            output.say(f"not decided by {last} pairs: {duel.extension} more")
            last += duel.extension
            why = duel.measure(duel.pairs + 1, last)
    except Interrupted as error:
        why = str(error)
    return _Fought(last, why)


def _refuse(duel: Duel, decide: Rules) -> None:
    """`Refused` where the warm-up shows that what is asked for can't be answered."""
    warmed_up = list(duel.known[WARM_UP].values())
    refuse_unknown(warmed_up, decide)
    if not duel.itself:
        refuse_below_floor(warmed_up, decide)


def _is_open(duel: Duel, decide: Rules) -> bool:
    """Whether more pairs are allowed, and could change an answer."""
    if not duel.extension or duel.itself:
        return False
    return not compare(duel.entrants(duel.pairs)[0], decide, paired=True).is_settled


def _conclude(duel: Duel, fought: _Fought, decide: Rules, given: dict[str, Any]) -> NoReturn:
    """Compare, keep the noise floor, report, and exit with the code that the result has."""
    entrants, lacking = duel.entrants(fought.last)
    if fought.why:
        output.say(f"the duel ended early: {fought.why}")
        output.say(f"to measure what is missing: {_again(duel)}")
    if not entrants[0].runs:
        output.say("no pair is complete: there is nothing to compare")
        raise SystemExit(4)
    found = compare(entrants, decide, paired=True)
    notes = _lacking(lacking) + (_biased(found) if duel.itself else _unknown_noise(found))
    found = replace(
        found, duel=duel.id, declared=duel.pairs, extended=max(fought.last - duel.pairs, 0),
        itself=duel.itself, notes=notes,
    )  # fmt: skip
    if duel.itself and not fought.why:
        kept = floors.keep(duel.folder, noise_floors(found, entrants, now()))
        output.say(f"noise floors  {shlex.quote(kept)}")
    _report(duel, found, as_json=given["as_json"])
    raise SystemExit(4 if fought.why else exit_code(found, given["expect"]))


def _again(duel: Duel) -> str:
    words = [word for word in sys.argv[1:] if word not in ("--resume", duel.id)]
    return shlex.join(["aibench", *words, "--resume", duel.id])


def _lacking(pairs: int) -> tuple[Finding, ...]:
    if not pairs:
        return ()
    message = f"{pairs} {'pair is' if pairs == 1 else 'pairs are'} not complete, and left out"
    return (Finding(code="incomplete_pairs", message=message),)


def _biased(found: Comparison) -> tuple[Finding, ...]:
    """Whether a mount differs from itself: something is not as random as it should be."""
    better = {Outcome.FIRST_BETTER, Outcome.SECOND_BETTER}
    names = [f.title for f in found.figures if better & {each.outcome for each in f.differences}]
    if not names:
        return ()
    message = (
        f"this mount is better than itself in {', '.join(names)}: chance does that in 5 % of such "
        "duels; else what is measured depends on the run before"
    )
    return (Finding(code="better_than_itself", message=message),)


def _unknown_noise(found: Comparison) -> tuple[Finding, ...]:
    """What to do where nobody knows by how much a mount differs from itself."""
    if all(each.floor is not None for f in found.figures for each in f.differences):
        return ()
    place = found.sides[0].target
    words = shlex.join(["aibench", "duel", place.path, place.path])
    message = (
        f"no noise floor is known for some figures: '{words}' with the same options tells by how "
        "much a mount differs from itself"
    )
    return (Finding(code="no_noise_floor", message=message),)


def _report(duel: Duel, found: Comparison, *, as_json: bool) -> None:
    form = "json" if as_json else "terminal"
    output.show(render(found, form, color=output.use_color()).rstrip("\n"))
    output.say(f"records  {shlex.quote(duel.folder)}/*-duel-{duel.id}-*.jsonl")
    page = os.path.join(duel.folder, f"duel-{duel.id}.html")
    output.write_file(page, render(found, "html"))
    output.say(f"report  {shlex.quote(page)}")
