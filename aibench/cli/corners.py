"""The sides of a duel: the same question, asked of each target in a directory of its own."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

from aibench.cli.chosen import chosen_system
from aibench.cli.fitness import refuse_if_nothing_runs, without_direct
from aibench.cli.measuring import Asked, workspace_on
from aibench.cli.named import find_target
from aibench.cli.party import gathered
from aibench.cli.planned import build_plan
from aibench.errors import Refused
from aibench.model import Plan, System
from aibench.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Corner:
    """One side of a duel: what is asked of it, and the directory that it works in."""

    asked: Asked
    workspace: Workspace

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.asked.target.label


def is_itself(paths: Sequence[str]) -> bool:
    """Whether a target meets itself. `Refused` where one of several is there twice."""
    real = [os.path.realpath(path) for path in paths]
    if len(set(real)) == len(real):
        return False
    if len(real) == 2:
        return True
    twice = next(path for path in real if real.count(path) > 1)
    raise Refused(f"{twice} is there twice; its noise floor is found by a duel of two: with itself")


def asked_of(paths: Sequence[str], given: dict[str, Any]) -> tuple[Asked, ...]:
    """What is asked of each target: the same of all."""
    labels = given["labels"]
    if labels and len(labels) != len(paths):
        raise Refused(f"{len(labels)} labels were given for {len(paths)} targets")
    systems = _systems(len(paths), given)
    question = {**given, "repeats": given["repeats"] or 1}
    found = []
    for number, path in enumerate(paths):
        place = find_target(path, labels[number] if labels else None, given["fstype"])
        party = gathered(path, place.label, given["fstype"])
        plan, engines = build_plan(place, question, cpus=party.cpus, fleet=party.fleet)
        found.append(Asked(place, plan, engines, systems[number], party=party))
    return _alike(found)


def _systems(targets: int, given: dict[str, Any]) -> list[System | None]:
    files = list(given["systems"])
    named = [given["system_a"], given["system_b"]]
    if files and any(named):
        raise Refused("give --system for each target, or --system-a and --system-b, not both")
    if files and len(files) != targets:
        raise Refused(f"{len(files)} system files were given for {targets} targets")
    files = files or [*named, *[None] * (targets - 2)]
    return [chosen_system(path) for path in files]


def _alike(asked: Sequence[Asked]) -> tuple[Asked, ...]:
    """The same plan for all: what one target can't do is not done on any."""
    refusals: dict[str, str] = {}
    for each in asked:
        for stage in each.plan.stages:
            if stage.refusal is not None:
                told = f"{stage.refusal} (on {each.target.label})"
                refusals.setdefault(stage.workload, told)
    found = tuple(replace(each, plan=_refused(each.plan, refusals)) for each in asked)
    refuse_if_nothing_runs(found[0].plan)
    digests = {each.plan.digest for each in found}
    assert len(digests) == 1, "the same options made different plans"
    return found


def _refused(plan: Plan, refusals: dict[str, str]) -> Plan:
    stages = (replace(s, refusal=refusals.get(s.workload)) for s in plan.stages)
    return replace(plan, stages=tuple(stages))


def corners(asked: Sequence[Asked], stack: ExitStack, *, itself: bool) -> tuple[Corner, ...]:
    """The targets with their directories, which no other run may use meanwhile."""
    found: list[Corner] = []
    for each in asked:
        workspace = found[0].workspace if itself and found else workspace_on(each.target)
        if not found or workspace is not found[0].workspace:
            stack.callback(workspace.close)
            workspace.lock()
        plan = without_direct(each.plan, workspace)
        found.append(Corner(asked=replace(each, plan=plan), workspace=workspace))
    alike = _alike([corner.asked for corner in found])
    return tuple(replace(c, asked=a) for c, a in zip(found, alike, strict=True))
