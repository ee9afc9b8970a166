"""All subjects in order: the target first, the tools last."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from aibench.doctor import client, mount, network, noise, target, tools
from aibench.doctor.check import Check, Examination, failure
from aibench.errors import TargetError
from aibench.model import Environment, Target
from aibench.probes import environment, mounts


def examine(path: str, results: str | None = None) -> Examination:
    """Everything that decides whether measuring the directory ``path`` from here can be trusted.

    ``results`` is where records would go: ``$AIBENCH_RESULTS`` or ``results/runs`` without it.
    Where the directory can't be used at all, only that and the machine are looked at.
    """
    problem = mounts.writable_problem(path)
    try:
        place = mounts.describe(path)
    except TargetError as error:
        here = environment.environment()
        missing = _about("target", [failure("target", problem or str(error))])
        return Examination(checks=(*missing, *_machine(None, here)), environment=here, target=None)
    here = environment.environment(target=place)
    checks = (*_place(path, place, problem, results), *_machine(place, here))
    return Examination(checks=checks, environment=here, target=place)


def _place(path: str, place: Target, problem: str | None, results: str | None) -> Iterator[Check]:
    yield from _about("target", target.checks(path, place, problem, results))
    yield from _about("mount", mount.checks(place, writable=problem is None))


def _machine(place: Target | None, here: Environment) -> Iterator[Check]:
    yield from _about("network", network.checks(place, here))
    yield from _about("client", client.checks(place, here))
    yield from _about("noise", noise.checks(place, here))
    yield from _about("tools", tools.checks())


def _about(subject: str, checks: Iterable[Check]) -> Iterator[Check]:
    return (replace(check, subject=subject) for check in checks)
