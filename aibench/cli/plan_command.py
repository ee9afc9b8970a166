"""``aibench plan``: what a run would do, and what it would cost. Touches nothing."""

import json
from typing import Any

import click

from aibench.cli.options import build_plan, find_target, plan_options
from aibench.model import Phase, Plan, Stage
from aibench.units import format_count, format_duration, format_size


@click.command("plan")
@click.argument("target", type=click.Path())
@plan_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def command(target: str, as_json: bool, **given: Any) -> None:
    """Show what `aibench run` with the same arguments would do to TARGET."""
    place = find_target(target, given.pop("label"), given.pop("fstype"))
    plan, _ = build_plan(place, given)
    if as_json:
        click.echo(json.dumps(_document(plan), indent=2))
        return
    click.echo(f"{place.label}: {place.fstype} on {place.source}, mounted at {place.mount_point}")
    for stage in plan.stages:
        click.echo("")
        for line in _stage_lines(stage):
            click.echo(line)
    click.echo("")
    free = "unknown" if place.free_bytes is None else format_size(place.free_bytes)
    click.echo(
        f"writes about {format_size(plan.write_bytes)}, reads {format_size(plan.read_bytes)}"
    )
    click.echo(
        f"needs {format_size(plan.space_bytes)} of space ({free} free), "
        f"{format_count(plan.inodes)} inodes, {format_size(plan.memory_bytes)} of memory"
    )
    click.echo(f"takes about {format_duration(plan.estimated_ns)}, by rough assumptions")
    click.echo(f"digest {plan.digest[:16]}")


def _document(plan: Plan) -> dict[str, Any]:
    from pydantic import TypeAdapter

    document: dict[str, Any] = TypeAdapter(Plan).dump_python(plan, mode="json")
    return {"format": 1, "digest": plan.digest, **document}


def _stage_lines(stage: Stage) -> list[str]:
    lines = [f"{stage.workload}: {stage.title} ({stage.engine}, {stage.repeats} repeats)"]
    if stage.refusal is not None:
        return [*lines, f"  not run: {stage.refusal}"]
    return lines + [f"  {_phase_line(phase)}" for phase in stage.phases]


def _phase_line(phase: Phase) -> str:
    population = phase.population
    threads = f"x{phase.threads}" if phase.threads > 1 else ""
    parts = [
        f"{phase.name:<12}",
        f"{population.files:>9,} files of {format_size(population.sizes.mean):<8}",
        f"{phase.processes}{threads} workers",
    ]
    if phase.depth > 1:
        parts.append(f"depth {phase.depth}")
    if phase.measured:
        parts.append(phase.cache.value)
    if phase.runtime_ns:
        parts.append(format_duration(phase.runtime_ns))
    return "  ".join(parts)
