"""``aibench plan``: what a run would do and cost, or what it takes to test a claim.

Touches nothing.
"""

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from aibench.capacity import candidates, searched
from aibench.cli.fitness import misfits, refuse_if_nothing_runs
from aibench.cli.named import find_target
from aibench.cli.options import plan_options
from aibench.cli.output import say, show, use_color
from aibench.cli.party import Party, gathered, in_words
from aibench.cli.planned import build_plan
from aibench.errors import Refused
from aibench.model import CachePolicy, Phase, Plan, Stage, Target
from aibench.reporters.clean import clean
from aibench.units import format_count, format_duration, format_size

if TYPE_CHECKING:
    from aibench.cli.clients_needed import Asked

_WIDTH = 80
COMMANDLINE = ParameterSource.COMMANDLINE


@click.command("plan")
@click.argument("target", type=click.Path(), required=False)
@plan_options
@click.option(
    "--claim",
    "claims",
    multiple=True,
    metavar="ID|FILE",
    help="How many clients does this claim take, and which commands? May be repeated.",
)
@click.option(
    "--nic",
    "nics",
    multiple=True,
    metavar="RATE",
    help="With --claim: the link of a client (100Gbit/s); several add up.",
)
@click.option(
    "--client-rate",
    metavar="RATE",
    help="With --claim: small operations that a client starts (500000op/s).",
)
@click.option("--system", metavar="FILE", help="With --claim: what the mount is (TOML).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(
    target: str | None, claims: tuple[str, ...], nics: tuple[str, ...], client_rate: str | None,
    system: str | None, as_json: bool, **given: Any,
) -> None:  # fmt: skip
    """Show what `aibench run` with the same arguments would do to TARGET.

    With --claim, show what it takes to test vendors' claims instead: how many clients like this
    one, how much data, how many runs, and the command lines. TARGET tells then which link leads
    to the storage.

    Exit code 2 when a run would be refused.
    """
    context = click.get_current_context()
    if claims:
        _refuse_given(context, given, "does not go with --claim, which tells what to run")
        from aibench.cli.clients_needed import Asked

        _show_needs(target, given["fstype"], Asked(claims, nics, client_rate, system), as_json)
        return
    _refuse_given(context, ("nics", "client_rate", "system"), "goes with --claim")
    if target is None:
        raise click.MissingParameter(ctx=context, param_hint="'TARGET'", param_type="argument")
    label, fstype = given.pop("label"), given.pop("fstype")
    place = find_target(target, label, fstype)
    party = gathered(target, label, fstype)
    plan, _ = build_plan(place, given, cpus=party.cpus, fleet=party.fleet)
    problems = _problems(plan, place, party)
    if as_json:
        show(json.dumps(_document(plan, problems), indent=2))
    else:
        for line in _lines(plan, place, party):
            show(line)
    for problem in problems:
        say(f"a run would be refused: {problem}")
    raise SystemExit(2 if problems else 0)


def _refuse_given(context: click.Context, names: Iterable[str], why: str) -> None:
    """Refuse the options that would have no effect."""
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in names and option.name != "fstype" and source is COMMANDLINE:
            raise Refused(f"{option.opts[-1]} {why}")


def _show_needs(target: str | None, fstype: str | None, asked: "Asked", as_json: bool) -> None:
    from aibench.cli.clients_needed import needed
    from aibench.reporters.clients_terminal import render

    if fstype is not None and target is None:
        raise Refused("--fstype is about a TARGET; name one")
    place = None if target is None else find_target(target, None, fstype)
    found = needed(asked, place)
    if as_json:
        show(json.dumps(found, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        show(render(found, width=_WIDTH, color=use_color()).rstrip("\n"))


def _problems(plan: Plan, place: Target, party: Party) -> list[str]:
    """Why a run would be refused before it writes, as far as can be told without writing."""
    try:
        refuse_if_nothing_runs(plan)
        return misfits(plan, place, party.memory_bytes)
    except Refused as error:
        return str(error).splitlines()


def _lines(plan: Plan, place: Target, party: Party) -> Iterator[str]:
    where = f"{place.fstype} on {place.source}, mounted at {place.mount_point}"
    yield from textwrap.wrap(f"{clean(place.label)}: {clean(where)}", _WIDTH)
    if party.launch is not None:
        yield f"by {in_words(party.fleet)} together"
    for stage in plan.stages:
        yield ""
        yield from _stage_lines(stage)
    free = "unknown" if place.free_bytes is None else format_size(place.free_bytes)
    yield ""
    yield f"writes about {format_size(plan.write_bytes)}, reads {format_size(plan.read_bytes)}"
    yield (
        f"needs {format_size(plan.space_bytes)} of space ({free} free), "
        f"{format_count(plan.inodes)} inodes, {format_size(plan.memory_bytes)} of memory"
    )
    yield f"takes about {format_duration(plan.estimated_ns)}, by rough assumptions"
    yield f"digest {plan.digest[:16]}: equal ones ask for the same work"


def _document(plan: Plan, problems: list[str]) -> dict[str, Any]:
    from pydantic_core import to_jsonable_python

    return {
        "format": 1,
        "digest": plan.digest,
        "problems": problems,
        **to_jsonable_python(plan),
    }


def _stage_lines(stage: Stage) -> Iterator[str]:
    repeats = "1 repeat" if stage.repeats == 1 else f"{stage.repeats} repeats"
    title = f"{stage.workload}: {stage.title} ({stage.engine}, {repeats})"
    yield from textwrap.wrap(title, _WIDTH, subsequent_indent="  ")
    if stage.refusal is not None:
        yield from _indented(f"not run: {stage.refusal}")
        return
    levels = tuple(candidates(stage).values())
    for phase in stage.phases:
        if phase not in levels[1:]:
            yield from _indented(_phase_line(phase))
    if any(phase.levels for phase in stage.measured):
        yield from _indented("in each repeat the levels stand in another order, drawn by the seed")
    if levels:
        yield from _indented(
            f"then up to {format_count(max(candidates(stage)))} accelerators: a search tries at "
            f"most {format_count(min(searched(stage), len(levels)))} of these {len(levels)} levels"
        )


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="      ")


def _phase_line(phase: Phase) -> str:
    population = phase.population
    size = population.sizes.mean
    files = f"{population.files:,} {'file' if population.files == 1 else 'files'}"
    many = f"{population.samples_per_file} × " if population.samples_per_file > 1 else ""
    parts = [f"{phase.name}: {files}" + (f" of {many}{format_size(size)}" if size else ", empty")]
    workers = f"{phase.processes} {'worker' if phase.processes == 1 else 'workers'}"
    parts.append(workers + (f" × {phase.threads} threads" if phase.threads > 1 else ""))
    if phase.accelerators:
        parts[-1] = (
            f"{phase.accelerators.count} × {phase.accelerators.loaders} loaders on {parts[-1]}"
        )
    if phase.saving and phase.accelerators:
        parts.append(
            f"{phase.saving.checkpoints} checkpoints by {phase.saving.slots} ranks, one after each "
            f"{phase.accelerators.save_every} steps"
        )
    if phase.evaluation and phase.evaluation.accelerators and phase.accelerators:
        parts.append(
            f"after each {phase.accelerators.evaluate_every} steps an evaluation of "
            f"{format_count(phase.evaluation.population.files)} files"
        )
    if phase.depth > 1:
        parts.append(f"queue depth {phase.depth}")
    if phase.cache is not CachePolicy.AS_FOUND:
        parts.append(f"cache {phase.cache.value}")
    if phase.runtime_ns:
        parts.append(f"at most {format_duration(phase.runtime_ns)}")
    if not phase.measured:
        parts.append("not measured")
    return ", ".join(parts)
